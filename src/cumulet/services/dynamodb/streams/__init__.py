"""DynamoDB Streams: what changed in tables, in order, for a day."""

from __future__ import annotations

import logging

from cumulet.api.dynamodbstreams import OPERATIONS
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.dynamodb.streams import operations
from cumulet.services.dynamodb.streams.state import Streams
from cumulet.services.dynamodb.streams.store import SCHEMA, StreamStore
from cumulet.storage.database import Database, StorageError

log = logging.getLogger(__name__)

_TRIM_SECONDS = 600.0


def build(*, db: Database, clock: Clock, tasks: Tasks) -> Service:
    """The service that reads streams, on DynamoDB's own database: that writes the records with the items."""
    store = StreamStore(db)

    async def trim() -> None:
        while True:
            try:
                while await store.trim(clock.now()):
                    pass
            except StorageError:
                log.exception("records of streams could not be removed, again in %.0f s", _TRIM_SECONDS)
            await clock.sleep(_TRIM_SECONDS)

    async def start() -> None:
        await db.migrate("dynamodb_streams", SCHEMA)
        tasks.start("trim streams", trim())

    return Service("dynamodbstreams", Streams(store, clock), operations_in(OPERATIONS, operations), start)

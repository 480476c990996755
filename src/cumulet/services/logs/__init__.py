"""Amazon CloudWatch Logs: groups of streams of events, searchable, kept as long as their retention says."""

from cumulet.api.logs import OPERATIONS
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.logs import events, groups, search, streams, tags
from cumulet.services.logs.event_store import EventStore
from cumulet.services.logs.state import Logs
from cumulet.services.logs.store import SCHEMA, Store
from cumulet.services.logs.workers import sweep
from cumulet.storage.database import Database


def build(*, db: Database, clock: Clock, tasks: Tasks) -> Service:
    """The service over one database; its schema is made when it starts."""
    logs = Logs(Store(db), EventStore(db), clock)

    async def start() -> None:
        await db.migrate("logs", SCHEMA)
        tasks.start("logs sweep", sweep(logs))

    return Service("logs", logs, operations_in(OPERATIONS, events, groups, search, streams, tags), start)

"""Records on their way to streams: rows of the transaction that changed the item, sent in order until the stream has them.

At least once: what a crash, or a stream that takes only some, leaves is sent again, with all that came after it.
"""

from __future__ import annotations

import logging

from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.kernel.tasks import Tasks
from cumulet.services.dynamodb.destinations.records import document, partition_key
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Address, Stored
from cumulet.services.dynamodb.values import Item
from cumulet.storage.database import Database, Row, StorageError, Transaction

log = logging.getLogger(__name__)

SCHEMA = (
    # `seq` is the moment of the change in microseconds since 1970.
    """CREATE TABLE ddb_outgoing (
        destination BIGINT NOT NULL, seq BIGINT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, stream TEXT NOT NULL,
        key TEXT NOT NULL, body BYTEA NOT NULL, PRIMARY KEY (destination, seq)) /* clustered */""",
)
_ADD = "INSERT INTO ddb_outgoing (destination, seq, account, region, stream, key, body) VALUES ($1, $2, $3, $4, $5, $6, $7)"
_NEXT = "SELECT seq, account, region, stream, key, body FROM ddb_outgoing WHERE destination = $1 ORDER BY seq LIMIT $2"
# One step for each of them, however many records they have.
_DESTINATIONS = (
    "WITH RECURSIVE found(id) AS (SELECT MIN(destination) FROM ddb_outgoing UNION ALL "
    "SELECT (SELECT MIN(destination) FROM ddb_outgoing WHERE destination > id) FROM found WHERE id IS NOT NULL) "
    "SELECT id FROM found WHERE id IS NOT NULL"
)
_AT_ONCE = 200
_BYTES_AT_ONCE = 4 << 20
_KEPT = 86_400.0
"""Seconds for which a record is tried, as on AWS."""
_LONGEST = 60.0


class Outgoing:
    """The records of one node; those of a destination have a task as long as there are any."""

    def __init__(self, db: Database, clock: Clock, tasks: Tasks, calls: Calls) -> None:
        self._db = db
        self._clock = clock
        self._tasks = tasks
        self._calls = calls
        self._sending: set[int] = set()
        self._more: set[int] = set()

    async def start(self) -> None:
        """Make the table, and go on with what an earlier run left."""
        await self._db.migrate("dynamodb_destinations", SCHEMA)
        for (destination,) in await self._db.read(_DESTINATIONS):
            self._send(destination)

    async def last_sequence(self) -> int:
        """The largest number that was given to one of them."""
        found = 0
        for (destination,) in await self._db.read(_DESTINATIONS):
            row = await self._db.read_one("SELECT MAX(seq) FROM ddb_outgoing WHERE destination = $1", (destination,))
            found = max(found, int(row[0] or 0) if row else 0)
        return found

    async def add(
        self,
        tx: Transaction,
        table: Table,
        place: Address,
        item: Item,
        old: Stored | None,
        new: Stored | None,
        moment: int,
        *,
        by_ttl: bool,
    ) -> None:
        """Note a change for the table's streams, in the transaction that makes it."""
        key = partition_key(place)
        for each in table.destinations:
            if not each.active:
                continue
            body = document(table, each, item, old, new, moment, by_ttl=by_ttl)
            await tx.write(_ADD, (each.id, moment, table.account, table.region, each.stream, key, body))
            tx.after_commit(lambda id=each.id: self._send(id))  # type: ignore[misc]  # each its own id

    def _send(self, destination: int) -> None:
        if destination in self._sending:
            self._more.add(destination)
            return
        self._sending.add(destination)
        self._tasks.start(f"send changes to {destination}", self._work(destination))

    async def _work(self, destination: int) -> None:
        pause = 1.0
        try:
            while True:
                self._more.discard(destination)
                try:
                    rows = await self._next(destination)
                    if not rows and destination not in self._more:
                        return
                    sent = await self._try(rows) if rows else 0
                    await self._forget(destination, rows[:sent])
                except (AwsError, StorageError) as error:
                    log.warning("changes of items could not be sent to Kinesis, again in %.0f s: %s", pause, error)
                    failed = True
                else:
                    failed = bool(rows) and not sent
                if failed:
                    await self._clock.sleep(pause)
                    pause = min(pause * 2, _LONGEST)
                else:
                    pause = 1.0
        finally:
            self._sending.discard(destination)

    async def _next(self, destination: int) -> list[Row]:
        """The first records, as many as one request may have. What is a day old is given up."""
        rows = await self._db.read(_NEXT, (destination, _AT_ONCE))
        oldest = int((self._clock.now() - _KEPT) * 1e6)
        if rows and rows[0][0] < oldest:
            await self._db.write("DELETE FROM ddb_outgoing WHERE destination = $1 AND seq < $2", (destination, oldest))
            rows = await self._db.read(_NEXT, (destination, _AT_ONCE))
        size = 0
        for count, row in enumerate(rows):
            size += len(row[5])
            if count and size > _BYTES_AT_ONCE:
                return rows[:count]
        return rows

    async def _try(self, rows: list[Row]) -> int:
        """Send them; gives how many of the first are in the stream now. Raises AwsError."""
        from cumulet.api import kinesis  # noqa: PLC0415  few nodes need it

        _, account, region, stream, *_ = rows[0]
        # On AWS it is a role of DynamoDB's in the table's account, which may do just this.
        call = Call(account, region, Principal.root(account), new_id())
        entries = [kinesis.PutRecordsRequestEntry(data=row[5], partition_key=row[4]) for row in rows]
        try:
            answer = await self._calls.run(
                call, "kinesis", "PutRecords", kinesis.PutRecordsInput(records=entries, stream_arn=stream)
            )
        except kinesis.InvalidArgumentException as error:
            if len(rows) > 1:
                return await self._try(rows[:1])
            log.warning(
                "a change of an item is too large for %s and was not sent: %s", Arn.parse(stream).resource, error
            )
            return 1
        failed = (place for place, result in enumerate(answer.records) if result.error_code)
        return next(failed, len(rows))

    async def _forget(self, destination: int, rows: list[Row]) -> None:
        if rows:
            await self._db.write(
                "DELETE FROM ddb_outgoing WHERE destination = $1 AND seq <= $2", (destination, rows[-1][0])
            )

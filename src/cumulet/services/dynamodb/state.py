"""What the operations of DynamoDB share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeAlias, TypeVar

from msgspec import Struct

from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.tasks import Tasks
from cumulet.services.dynamodb import names, store
from cumulet.services.dynamodb.changes import Changes
from cumulet.services.dynamodb.directory import Directory
from cumulet.services.dynamodb.errors import no_such_resource, no_such_table
from cumulet.services.dynamodb.expirer import Expirer
from cumulet.services.dynamodb.jobs import Jobs
from cumulet.services.dynamodb.model import CREATING, Table
from cumulet.services.dynamodb.store import TableStore
from cumulet.services.dynamodb.throughput import Meter
from cumulet.services.dynamodb.workers import Builder, Measurer, Sweeper
from cumulet.storage.database import Database, Transaction
from cumulet.storage.signals import Signals

T = TypeVar("T")
Answer: TypeAlias = T | Coroutine[Any, Any, T]
"""What an operation gives that seldom has to wait: its result, or what gives it."""


async def awaited(answer: Answer[T]) -> T:
    """The result of such an operation, for those that have to wait anyhow."""
    if isinstance(answer, Coroutine):
        result: T = await answer
        return result
    return answer


class DynamoDb(Struct, frozen=True):
    """The parts of the service."""

    db: Database
    tables: TableStore
    directory: Directory
    clock: Clock
    signals: Signals
    tasks: Tasks
    calls: Calls
    sweeper: Sweeper
    builder: Builder
    measurer: Measurer
    changes: Changes
    expirer: Expirer
    jobs: Jobs
    meter: Meter | None = None
    """None where throughput is counted only."""

    def held(self, call: Call, given: str) -> Table | None:
        """As `table`, where no more than a look is needed: the name is none of an ARN, and the table is in memory."""
        table = self.directory.held((call.account, call.region, given))
        return None if table is None or table.status == CREATING else table

    async def table(self, call: Call, given: str) -> Table:
        """The table that an operation on items names. Raises ResourceNotFoundException, which does not repeat the name."""
        table = self.held(call, given)
        if table is not None:
            return table
        table = await self.directory.find(names.place(call, given, of_items=True))
        if table is None or table.status == CREATING:
            raise no_such_resource()
        return table

    async def described(self, call: Call, given: str) -> Table:
        """As `table`, for operations on tables, whose ResourceNotFoundException says which."""
        place = names.place(call, given)
        table = await self.directory.find(place)
        if table is None:
            raise no_such_table(place[2])
        return table

    @asynccontextmanager
    async def change(self, table: Table) -> AsyncIterator[tuple[Transaction, Table]]:
        """A transaction on the table's settings, and the table as it is now; everybody hears of the change.

        Raises ResourceNotFoundException when it was deleted meanwhile.
        """
        async with self.db.transaction() as tx:
            now = await store.current(tx, table)
            if now is None:
                raise no_such_table(table.name)
            yield tx, now
            tx.after_commit(lambda: self.directory.changed(now))

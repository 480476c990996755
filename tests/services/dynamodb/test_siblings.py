"""Tables of one global table in states that pass too quickly to be met from outside: they are put into them in the store."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from cumulet.kernel.call import Call, Principal
from cumulet.kernel.clock import MovableClock
from cumulet.kernel.tasks import Tasks
from cumulet.services import dynamodb
from cumulet.services.dynamodb import store
from cumulet.services.dynamodb.model import ACTIVE, CREATING, UPDATING, Replica, Table
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.local import LocalSignals
from cumulet.storage.sqlite import SqliteDatabase

EAST, WEST = "us-east-1", "us-west-2"
ACCOUNT = "111111111111"
ID = {"id": {"S": "a"}}
INDEX = {
    "IndexName": "by-kind",
    "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
    "Projection": {"ProjectionType": "ALL"},
}
TABLE = {
    "TableName": "music",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "kind")],
    "GlobalSecondaryIndexes": [INDEX],
    "BillingMode": "PAY_PER_REQUEST",
}
Change = Callable[[Table], Table]


class Tables:
    """A table of that name in each of two regions, of a service that is in this process."""

    def __init__(self, service: Any) -> None:
        self._service = service

    async def run(self, region: str, name: str, fields: Mapping[str, object]) -> Any:
        operation = self._service.operations[name]
        call = Call(ACCOUNT, region, Principal.root(ACCOUNT), "request-1")
        given = operation.run(self._service.state, call, msgspec.convert(fields, operation.request))
        return await given if isinstance(given, Awaitable) else given

    async def change(self, region: str, change: Change) -> None:
        state: DynamoDb = self._service.state
        async with state.db.transaction() as tx:
            now = await store.named(tx, ACCOUNT, region, "music")
            assert now is not None
            await store.save(tx, change(now))
            tx.after_commit(lambda: state.directory.changed(now))

    async def status(self, region: str) -> str:
        found = await self.run(region, "DescribeTable", {"TableName": "music"})
        return str(found.table.table_status)


def in_regions(path: Path, scenario: Callable[[Tables], Awaitable[None]]) -> None:
    async def main() -> None:
        tasks, db = Tasks(), SqliteDatabase(path / "dynamodb.db")
        unused: Any = None
        service = dynamodb.build(db=db, signals=LocalSignals(), clock=MovableClock(), tasks=tasks, calls=unused)
        await service.start()
        try:
            tables = Tables(service)
            for region in (EAST, WEST):
                await tables.run(region, "CreateTable", TABLE)
            await scenario(tables)
        finally:
            await tasks.close()
            await db.close()

    asyncio.run(main())


def test_a_table_that_has_a_replicas_name_by_now_is_none(tmp_path: Path) -> None:
    async def scenario(tables: Tables) -> None:
        await tables.change(EAST, lambda table: replace(table, replicas=(Replica(WEST),)))
        await tables.run(EAST, "PutItem", {"TableName": "music", "Item": ID})
        read = {"TableName": "music", "Key": ID}
        assert (await tables.run(WEST, "GetItem", read)).item is None
        await tables.change(WEST, lambda table: replace(table, replicas=(Replica(EAST),)))
        await tables.run(EAST, "PutItem", {"TableName": "music", "Item": {**ID, "kind": {"S": "x"}}})
        assert (await tables.run(WEST, "GetItem", read)).item is not None

    in_regions(tmp_path, scenario)


def test_an_index_that_goes_before_a_replica_has_filled_it_leaves_that_replica_at_rest(tmp_path: Path) -> None:
    def filling(table: Table) -> Table:
        index = replace(table.indexes[0], status=CREATING)
        return replace(table, replicas=(Replica(EAST),), indexes=(index,), status=UPDATING)

    async def scenario(tables: Tables) -> None:
        await tables.change(EAST, lambda table: replace(table, replicas=(Replica(WEST),)))
        await tables.change(WEST, filling)
        gone = {"TableName": "music", "GlobalSecondaryIndexUpdates": [{"Delete": {"IndexName": "by-kind"}}]}
        await tables.run(EAST, "UpdateTable", gone)
        assert [await tables.status(region) for region in (EAST, WEST)] == [ACTIVE, ACTIVE]

    in_regions(tmp_path, scenario)

"""Items that are copied to a new replica: whatever keeps them from it, the table is not kept waiting for ever."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec import Struct, convert
from tests.conftest import NodeProcess
from tests.services.dynamodb.test_replicas import wait

from cumulet.kernel.call import Call, Principal
from cumulet.kernel.clock import MovableClock
from cumulet.kernel.errors import AwsError
from cumulet.kernel.tasks import Tasks
from cumulet.services import dynamodb
from cumulet.storage.local import LocalSignals
from cumulet.storage.sqlite import SqliteDatabase

ACCOUNT, OTHER = "000000000001", "000000000002"
KEYS: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "at", "KeyType": "RANGE"}],
    "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in ("id", "at", "kind")],
    "BillingMode": "PAY_PER_REQUEST",
}
PLAIN = KEYS | {"AttributeDefinitions": KEYS["AttributeDefinitions"][:2]}
BY_KIND: dict[str, Any] = {
    "IndexName": "by-kind",
    "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "kind", "KeyType": "RANGE"}],
    "Projection": {"ProjectionType": "ALL"},
}
WEST = "us-west-2"
ADD = [{"Create": {"RegionName": WEST}}]


def item(at: int, **more: str) -> dict[str, Any]:
    return {name: {"S": value} for name, value in {"id": "a", "at": f"{at:05d}", **more}.items()}


class Nobody:
    """No other services."""

    async def run(self, call: Call, service: str, operation: str, request: Struct) -> Any:
        raise AssertionError(f"{service} {operation} was called")


class Alone:
    """The service without a node, whose file and clock a test can reach."""

    def __init__(self, path: Path) -> None:
        self.clock, self.tasks, self.db = MovableClock(lambda: 1e9), Tasks(), SqliteDatabase(path)
        self.service = dynamodb.build(
            db=self.db, signals=LocalSignals(), clock=self.clock, tasks=self.tasks, calls=Nobody()
        )

    async def ask(self, name: str, region: str = "us-east-1", account: str = ACCOUNT, **fields: Any) -> Any:
        """The result of an operation on table `tab`; its fields are those of the API, in its spelling."""
        operation = self.service.operations[name]
        call = Call(account, region, Principal.root(account), "request-1")
        request = convert({"TableName": "tab", **fields}, operation.request)
        given = operation.run(self.service.state, call, request)
        return await given if asyncio.iscoroutine(given) else given

    async def replica(self) -> Any:
        """What the table tells of its replica; None without one."""
        found = (await self.ask("DescribeTable")).table.replicas
        return found[0] if found else None

    async def until(self, status: str) -> Any:
        """Let time pass until the replica has a status."""
        async with asyncio.timeout(60):
            while (found := await self.replica()).replica_status != status:
                await self.clock.advance(10)
        return found


def test_a_copy_that_fails_again_and_again_is_given_up(tmp_path: Path) -> None:
    async def story() -> None:
        alone = Alone(tmp_path / "dynamodb.db")
        await alone.service.start()
        await alone.ask("CreateTable", **PLAIN)
        await alone.ask("PutItem", Item=item(1))
        rows = await alone.db.read("SELECT body FROM ddb_item")
        await alone.db.write("UPDATE ddb_item SET body = $1", (b"{",))  # as a disk that forgets
        await alone.ask("UpdateTable", ReplicaUpdates=ADD)
        failed = await alone.until("CREATION_FAILED")
        assert "could not be copied" in failed.replica_status_description
        assert (await alone.ask("DescribeTable")).table.table_status == "ACTIVE"
        assert (await alone.ask("ListTables", WEST)).table_names == []
        # What is there by that name now is another table, which goes its own way.
        await alone.ask("CreateTable", WEST, **PLAIN)
        await alone.ask("UpdateTable", ReplicaUpdates=[{"Delete": {"RegionName": WEST}}])
        assert await alone.replica() is None
        assert (await alone.ask("ListTables", WEST)).table_names == ["tab"]
        await alone.ask("DeleteTable", WEST)
        await alone.ask("UpdateTable", ReplicaUpdates=ADD)
        await alone.until("CREATION_FAILED")
        await alone.db.write("UPDATE ddb_item SET body = $1", rows[0])
        await alone.ask("UpdateTable", ReplicaUpdates=ADD)
        await alone.until("ACTIVE")
        assert len((await alone.ask("DescribeTable")).table.replicas) == 1
        assert (await alone.ask("Scan", WEST)).count == 1
        await alone.tasks.close()
        await alone.db.close()

    asyncio.run(story())


def test_a_replica_in_another_account_that_failed_can_be_made_again_or_forgotten(tmp_path: Path) -> None:
    async def story() -> None:
        alone = Alone(tmp_path / "dynamodb.db")
        await alone.service.start()
        anybody = {"Effect": "Allow", "Principal": "*", "Action": "dynamodb:*", "Resource": "*"}
        shared: dict[str, Any] = {
            "ResourcePolicy": json.dumps({"Version": "2012-10-17", "Statement": [anybody]}),
            "GlobalTableSettingsReplicationMode": "ENABLED",
        }
        arn = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/tab"
        await alone.ask("CreateTable", **PLAIN, **shared)
        await alone.ask("PutItem", Item=item(1))
        rows = await alone.db.read("SELECT body FROM ddb_item")
        await alone.db.write("UPDATE ddb_item SET body = $1", (b"{",))
        for _ in range(2):
            await alone.ask("CreateTable", WEST, OTHER, GlobalTableSourceArn=arn, **shared)
            await alone.until("CREATION_FAILED")
            assert (await alone.ask("ListTables", WEST, OTHER)).table_names == []
        await alone.ask("CreateTable", WEST, **PLAIN)  # the account's own in that region is no part of this
        await alone.ask("UpdateTable", ReplicaUpdates=[{"Delete": {"RegionName": WEST}}])
        assert await alone.replica() is None
        assert (await alone.ask("ListTables", WEST)).table_names == ["tab"]
        await alone.db.write("UPDATE ddb_item SET body = $1", rows[0])
        await alone.ask("CreateTable", WEST, OTHER, GlobalTableSourceArn=arn, **shared)
        await alone.until("ACTIVE")
        with pytest.raises(AwsError, match="CreateTable and DeleteTable"):
            await alone.ask("UpdateTable", ReplicaUpdates=[{"Delete": {"RegionName": WEST}}])
        await alone.tasks.close()
        await alone.db.close()

    asyncio.run(story())


def test_a_bound_that_came_later_does_not_stop_a_copy(tmp_path: Path) -> None:
    data = tmp_path / "data"
    node = NodeProcess(data)
    try:
        here = node.client("dynamodb", ACCOUNT)
        here.create_table(TableName="tab", LocalSecondaryIndexes=[BY_KIND], **KEYS)
        for at in range(4):
            here.put_item(TableName="tab", Item=item(at, kind="x", much="m" * 10_000))
        node.stop()
        node = NodeProcess(data, "--limit", "dynamodb.collection_bytes=20000")
        here, west = (node.client("dynamodb", ACCOUNT, region) for region in ("us-east-1", WEST))
        here.update_table(TableName="tab", ReplicaUpdates=ADD)
        wait(here, "tab")
        found = west.query(
            TableName="tab",
            IndexName="by-kind",
            KeyConditionExpression="id = :id",
            ExpressionAttributeValues={":id": {"S": "a"}},
        )
        assert [each["at"]["S"] for each in found["Items"]] == ["00000", "00001", "00002", "00003"]
        here.delete_table(TableName="tab")
        assert "Replicas" not in wait(west, "tab")
    finally:
        node.stop()


def test_items_that_an_index_cannot_hold_are_copied_without_it(client: Callable[..., Any]) -> None:
    here, west = client("dynamodb"), client("dynamodb", WEST)
    here.create_table(TableName="tab", **PLAIN)
    here.put_item(TableName="tab", Item=item(1, kind="x"))
    here.put_item(TableName="tab", Item=item(2, kind="x" * 1025))  # longer than a sort key may be
    here.update_table(
        TableName="tab",
        AttributeDefinitions=KEYS["AttributeDefinitions"],
        GlobalSecondaryIndexUpdates=[{"Create": BY_KIND}],
    )
    wait(here, "tab")
    here.update_table(TableName="tab", ReplicaUpdates=ADD)
    wait(here, "tab")
    for each in (here, west):
        assert each.scan(TableName="tab")["Count"] == 2
        assert [one["at"]["S"] for one in each.scan(TableName="tab", IndexName="by-kind")["Items"]] == ["00001"]


def test_a_copy_goes_on_after_the_node_was_killed(start_node: Callable[..., NodeProcess]) -> None:
    node = start_node()
    here = node.client("dynamodb", ACCOUNT)
    here.create_table(TableName="tab", **PLAIN)
    for first in range(0, 1000, 25):
        puts = [{"PutRequest": {"Item": item(at)}} for at in range(first, first + 25)]
        here.batch_write_item(RequestItems={"tab": puts})
    here.update_table(TableName="tab", ReplicaUpdates=ADD)
    node.kill()
    node.start()
    here, west = (node.client("dynamodb", ACCOUNT, region) for region in ("us-east-1", WEST))
    wait(here, "tab")
    assert west.scan(TableName="tab", Select="COUNT")["Count"] == 1000
    here.update_table(TableName="tab", ReplicaUpdates=[{"Delete": {"RegionName": WEST}}])
    here.delete_table(TableName="tab")

"""Reads of a table in memory are answered at once; a database that has to be waited for gives the same answers."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CoroutineType
from typing import Any

import msgspec

from cumulet.kernel.call import Call, Principal
from cumulet.kernel.clock import MovableClock
from cumulet.kernel.errors import AwsError
from cumulet.kernel.tasks import Tasks
from cumulet.services import dynamodb
from cumulet.storage.local import LocalSignals
from cumulet.storage.sqlite import SqliteDatabase

CALL = Call("111111111111", "us-east-1", Principal.root("111111111111"), "request-1")
KEY = {"pk": {"S": "a"}, "sk": {"N": "7"}}
BODY = {"S": "x" * 20_000}
OF_A: dict[str, object] = {
    "TableName": "items",
    "KeyConditionExpression": "pk = :p",
    "ExpressionAttributeValues": {":p": {"S": "a"}},
}
READS: tuple[tuple[str, dict[str, object]], ...] = (
    ("GetItem", {"TableName": "items", "Key": KEY}),
    ("GetItem", {"TableName": "items", "Key": KEY, "ProjectionExpression": "sk", "ReturnConsumedCapacity": "TOTAL"}),
    ("GetItem", {"TableName": "items", "Key": {"pk": {"S": "b"}, "sk": {"N": "7"}}}),
    ("GetItem", {"TableName": "items", "Key": {"pk": {"S": "a"}}}),
    ("GetItem", {"TableName": "other", "Key": KEY}),
    ("Query", {**OF_A, "Limit": 3}),
    ("Query", {**OF_A, "Limit": 3, "ScanIndexForward": False, "ExclusiveStartKey": KEY}),
    ("Query", {**OF_A, "Select": "COUNT"}),  # more than is read from the database in one go
    ("Query", {**OF_A, "TableName": "other"}),
    ("Scan", {"TableName": "items", "ProjectionExpression": "sk"}),
    ("Scan", {"TableName": "items", "Limit": 2, "ExclusiveStartKey": {"pk": {"S": "a"}}}),
)


class Waiting(SqliteDatabase):
    """As one on another machine: it gives nothing at once."""

    def read_at_once(self, sql: str, values: Sequence[object] = ()) -> Any:
        return None


async def _answers(db: SqliteDatabase, *, at_once: bool) -> list[object]:
    tasks: Any = Tasks()
    unused: Any = None
    service = dynamodb.build(db=db, signals=LocalSignals(), clock=MovableClock(), tasks=tasks, calls=unused)
    await service.start()

    def run(name: str, fields: Mapping[str, object]) -> Any:
        operation = service.operations[name]
        return operation.run(service.state, CALL, msgspec.convert(fields, operation.request))

    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    kinds = [{"AttributeName": "pk", "AttributeType": "S"}, {"AttributeName": "sk", "AttributeType": "N"}]
    table = {"TableName": "items", "KeySchema": keys, "AttributeDefinitions": kinds, "BillingMode": "PAY_PER_REQUEST"}
    await run("CreateTable", table)
    for number in range(100):
        item = {"pk": {"S": "a"}, "sk": {"N": str(number)}, "body": BODY}
        await run("PutItem", {"TableName": "items", "Item": item})
    answers: list[object] = []
    for name, fields in READS:
        try:
            given = run(name, fields)
            assert isinstance(given, CoroutineType) != (at_once and fields["TableName"] == "items")
            given = await given if isinstance(given, CoroutineType) else given
            answers.append(msgspec.json.decode(msgspec.json.encode(given)))
        except AwsError as error:
            answers.append((error.code, error.message))
    await tasks.close()
    await db.close()
    return answers


def test_a_database_that_has_to_be_waited_for_gives_the_same_answers(tmp_path: Path) -> None:
    first = asyncio.run(_answers(SqliteDatabase(tmp_path / "first.db"), at_once=True))
    second = asyncio.run(_answers(Waiting(tmp_path / "second.db"), at_once=False))
    assert first == second
    assert [answer for answer in first if isinstance(answer, tuple)] == [
        ("ValidationException", "The provided key element does not match the schema"),
        ("ResourceNotFoundException", "Requested resource not found"),
        ("ResourceNotFoundException", "Requested resource not found"),
        (
            "ValidationException",
            "The provided starting key is invalid: The provided key element does not match the schema",
        ),
    ]

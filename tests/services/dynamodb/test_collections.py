"""Item collections: what the items of a partition key take with their entries in local indexes, and how much they may."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from tests.conftest import NodeProcess

from cumulet.services.dynamodb.item_collections import estimate

ACCOUNT = "555555555502"
MOST = 2_000
SIZE = {"ReturnItemCollectionMetrics": "SIZE"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    limits = f"dynamodb.collection_bytes={MOST}"
    node = NodeProcess(tmp_path_factory.mktemp("collections") / "data", "--limit", limits)
    yield node
    node.stop()


@pytest.fixture
def dynamodb(strict: NodeProcess) -> Any:
    return strict.client("dynamodb", ACCOUNT, config=Config(retries={"total_max_attempts": 1}))


@pytest.fixture
def table(dynamodb: Any, make_table: Callable[..., str]) -> str:
    def index(name: str, key: str, projection: str) -> dict[str, Any]:
        schema = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": key, "KeyType": "RANGE"}]
        return {"IndexName": name, "KeySchema": schema, "Projection": {"ProjectionType": projection}}

    return make_table(
        range_key="at:N",
        more=[{"AttributeName": name, "AttributeType": "S"} for name in ("kind", "state")],
        LocalSecondaryIndexes=[index("by-kind", "kind", "ALL"), index("by-state", "state", "KEYS_ONLY")],
    )


def item(id: str, at: int, bytes: int, **more: str) -> dict[str, Any]:
    """An item that takes so many bytes, and those of `more`."""
    found: dict[str, Any] = {"id": {"S": id}, "at": {"N": str(at)}}
    fixed = len("id") + len(id) + len("at") + 2
    found["x"] = {"S": "x" * (bytes - fixed - 1)}
    return {**found, **{name: {"S": value} for name, value in more.items()}}


FULL = "ItemCollectionSizeLimitExceededException: Collection size exceeded."


def test_a_collection_may_not_grow_beyond_its_most(dynamodb: Any, table: str, refused: Callable[..., str]) -> None:
    dynamodb.put_item(TableName=table, Item=item("a", 1, 1000))
    dynamodb.put_item(TableName=table, Item=item("a", 2, 1000))
    assert refused(dynamodb.put_item, TableName=table, Item=item("a", 3, 10)) == FULL
    dynamodb.put_item(TableName=table, Item=item("b", 3, 2000))
    assert refused(dynamodb.put_item, TableName=table, Item=item("a", 2, 1001)) == FULL
    dynamodb.put_item(TableName=table, Item=item("a", 2, 990))
    dynamodb.put_item(TableName=table, Item=item("a", 3, 10))
    assert (
        dynamodb.query(TableName=table, KeyConditionExpression="id = :a", ExpressionAttributeValues={":a": {"S": "a"}})[
            "Count"
        ]
        == 3
    )


def test_entries_of_local_indexes_count(dynamodb: Any, table: str, refused: Callable[..., str]) -> None:
    # 690 with its kind, twice; 11 for keys and state in the other index, and the state in the item.
    dynamodb.put_item(TableName=table, Item=item("a", 1, 680, kind="abcdef"))
    key = {"id": {"S": "a"}, "at": {"N": "1"}}

    def update(expression: str, **values: str) -> dict[str, Any]:
        return {
            "TableName": table,
            "Key": key,
            "UpdateExpression": expression,
            "ExpressionAttributeNames": {"#s": "state"} if "#s" in expression else {"#k": "kind"},
            **({"ExpressionAttributeValues": {f":{n}": {"S": v} for n, v in values.items()}} if values else {}),
        }

    left = MOST - 2 * 690
    assert refused(dynamodb.update_item, **update("SET #s = :s", s="s" * left)) == FULL
    dynamodb.update_item(**update("SET #s = :s", s="s" * 100))
    dynamodb.put_item(TableName=table, Item=item("a", 2, left - 3 * 105 - 7))
    assert refused(dynamodb.put_item, TableName=table, Item=item("a", 3, 10)) == FULL
    dynamodb.update_item(**update("REMOVE #k"))
    dynamodb.put_item(TableName=table, Item=item("a", 3, 690 + 10 + 105))
    assert refused(dynamodb.put_item, TableName=table, Item=item("a", 4, 10)) == FULL


def test_what_was_deleted_makes_room(dynamodb: Any, table: str) -> None:
    for _ in range(3):
        dynamodb.put_item(TableName=table, Item=item("a", 1, 900, kind="k"))
        dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}, "at": {"N": "1"}})
    dynamodb.put_item(TableName=table, Item=item("a", 1, 2000))


def test_a_transaction_tells_which_of_its_writes_was_too_much(dynamodb: Any, table: str) -> None:
    wanted = [item("a", 1, 1500), item("b", 1, 10), item("a", 2, 600)]
    writes = [{"Put": {"TableName": table, "Item": each}} for each in wanted]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.transact_write_items(TransactItems=writes)
    reasons = caught.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["None", "None", "ItemCollectionSizeLimitExceeded"]
    assert reasons[2]["Message"] == "Collection size exceeded."
    assert dynamodb.scan(TableName=table)["Count"] == 0


def test_batches_and_statements_are_bounded_too(dynamodb: Any, table: str, refused: Callable[..., str]) -> None:
    writes = [{"PutRequest": {"Item": item("a", at, 1100)}} for at in (1, 2)]
    assert refused(dynamodb.batch_write_item, RequestItems={table: writes}) == FULL
    insert = f"INSERT INTO \"{table}\" VALUE {{'id': 'a', 'at': 1, 'x': '{'x' * 2000}'}}"
    assert refused(dynamodb.execute_statement, Statement=insert) == FULL
    answer = dynamodb.batch_execute_statement(Statements=[{"Statement": insert}])["Responses"][0]
    assert answer["Error"]["Code"] == "ItemCollectionSizeLimitExceeded"


def test_tables_without_local_indexes_have_no_collections(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table(range_key="at:N")
    for at in range(3):
        answer = dynamodb.put_item(TableName=table, Item=item("a", at, 1500), **SIZE)
        assert "ItemCollectionMetrics" not in answer


def test_metrics_tell_the_gigabytes_that_a_collection_is_between(dynamodb: Any, table: str) -> None:
    told = {"ItemCollectionKey": {"id": {"S": "a"}}, "SizeEstimateRangeGB": [0.0, 1.0]}
    assert dynamodb.put_item(TableName=table, Item=item("a", 1, 50), **SIZE)["ItemCollectionMetrics"] == told
    writes = {table: [{"PutRequest": {"Item": item("a", 2, 50)}}]}
    assert dynamodb.batch_write_item(RequestItems=writes, **SIZE)["ItemCollectionMetrics"] == {table: [told]}
    puts = [{"Put": {"TableName": table, "Item": item("a", 3, 50)}}]
    assert dynamodb.transact_write_items(TransactItems=puts, **SIZE)["ItemCollectionMetrics"] == {table: [told]}


def test_estimates() -> None:
    gigabyte = 1 << 30
    assert estimate(0) == [0.0, 1.0]
    assert estimate(gigabyte - 1) == [0.0, 1.0]
    assert estimate(gigabyte) == [1.0, 2.0]
    assert estimate(int(9.5 * gigabyte)) == [9.0, 10.0]

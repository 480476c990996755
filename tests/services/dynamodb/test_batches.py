"""Batches and transactions: many items at once, partly or all or none."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config


def item(id_: str, **more: Any) -> dict[str, Any]:
    return {"id": {"S": id_}, **more}


def test_batches_write_and_read(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table()
    dynamodb.put_item(TableName=table, Item=item("gone"))
    answer = dynamodb.batch_write_item(
        RequestItems={
            table: [{"PutRequest": {"Item": item(f"{at}")}} for at in range(3)]
            + [{"DeleteRequest": {"Key": item("gone")}}]
        },
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["UnprocessedItems"] == {}
    assert answer["ConsumedCapacity"] == [{"TableName": table, "CapacityUnits": 4.0}]
    read = dynamodb.batch_get_item(RequestItems={table: {"Keys": [item("0"), item("gone"), item("2")]}})
    assert sorted(each["id"]["S"] for each in read["Responses"][table]) == ["0", "2"]
    assert read["UnprocessedKeys"] == {}


def test_a_batch_of_gets_ends_at_16_megabytes(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table()
    for at in range(43):
        dynamodb.put_item(TableName=table, Item=item(f"{at}", x={"S": "x" * 400_000}))
    read = dynamodb.batch_get_item(RequestItems={table: {"Keys": [item(f"{at}") for at in range(43)]}})
    assert len(read["Responses"][table]) == 42
    assert read["UnprocessedKeys"][table]["Keys"] == [item("42")]


@pytest.mark.parametrize(
    ("writes", "message"),
    [
        (
            [{"PutRequest": {"Item": item("a")}}, {"DeleteRequest": {"Key": item("a")}}],
            "Provided list of item keys contains duplicates",
        ),
        ([{"PutRequest": {"Item": {"x": {"S": "a"}}}}], "The provided key element does not match the schema"),
        (
            [{"PutRequest": {"Item": item("a", x={"S": "x" * 409_600})}}],
            "Item size has exceeded the maximum allowed size",
        ),
    ],
)
def test_a_batch_is_refused_whole(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str], writes: list[Any], message: str
) -> None:
    table = make_table()
    more = [{"PutRequest": {"Item": item("b")}}]
    assert refused(dynamodb.batch_write_item, RequestItems={table: more + writes}) == f"ValidationException: {message}"
    assert dynamodb.scan(TableName=table)["Count"] == 0


def test_a_transaction_happens_whole(dynamodb: Any, make_table: Callable[..., str]) -> None:
    first, second = make_table(), make_table()
    dynamodb.put_item(TableName=second, Item=item("stock", n={"N": "2"}))
    dynamodb.put_item(TableName=second, Item=item("old"))
    answer = dynamodb.transact_write_items(
        TransactItems=[
            {"Put": {"TableName": first, "Item": item("order")}},
            {
                "Update": {
                    "TableName": second,
                    "Key": item("stock"),
                    "UpdateExpression": "SET n = n - :one",
                    "ConditionExpression": "n >= :one",
                    "ExpressionAttributeValues": {":one": {"N": "1"}},
                }
            },
            {"Delete": {"TableName": second, "Key": item("old")}},
            {
                "ConditionCheck": {
                    "TableName": first,
                    "Key": item("none"),
                    "ConditionExpression": "attribute_not_exists(id)",
                }
            },
        ],
        ReturnConsumedCapacity="TOTAL",
    )
    assert [each["CapacityUnits"] for each in answer["ConsumedCapacity"]] == [4.0, 4.0]
    read = dynamodb.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": first, "Key": item("order")}},
            {"Get": {"TableName": second, "Key": item("stock"), "ProjectionExpression": "n"}},
            {"Get": {"TableName": second, "Key": item("old")}},
        ]
    )
    assert read["Responses"] == [{"Item": item("order")}, {"Item": {"n": {"N": "1"}}}, {}]


def test_a_transaction_that_fails_says_why_and_changes_nothing(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table()
    dynamodb.put_item(TableName=table, Item=item("b", n={"S": "text"}))
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as caught:
        dynamodb.transact_write_items(
            TransactItems=[
                {"Put": {"TableName": table, "Item": item("a")}},
                {
                    "Put": {
                        "TableName": table,
                        "Item": item("b"),
                        "ConditionExpression": "attribute_not_exists(id)",
                        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                    }
                },
                {
                    "Update": {
                        "TableName": table,
                        "Key": item("c"),
                        "UpdateExpression": "SET n = x",
                    }
                },
            ]
        )
    assert caught.value.response["CancellationReasons"] == [
        {"Code": "None"},
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": item("b", n={"S": "text"}),
        },
        {
            "Code": "ValidationError",
            "Message": "The provided expression refers to an attribute that does not exist in the item",
        },
    ]
    assert caught.value.response["Error"]["Message"] == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, ConditionalCheckFailed, ValidationError]"
    )
    assert dynamodb.scan(TableName=table)["Items"] == [item("b", n={"S": "text"})]


def test_a_token_makes_a_transaction_happen_once(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str], advance: Callable[[float], None]
) -> None:
    table = make_table()

    def add(amount: str) -> dict[str, Any]:
        return {
            "TransactItems": [
                {
                    "Update": {
                        "TableName": table,
                        "Key": item("a"),
                        "UpdateExpression": "ADD n :n",
                        "ExpressionAttributeValues": {":n": {"N": amount}},
                    }
                }
            ],
            "ClientRequestToken": "once",
        }

    def total() -> str:
        return str(dynamodb.get_item(TableName=table, Key=item("a"))["Item"]["n"]["N"])

    dynamodb.transact_write_items(**add("1"))
    dynamodb.transact_write_items(**add("1"))
    assert total() == "1"
    assert refused(dynamodb.transact_write_items, **add("2")).startswith("IdempotentParameterMismatchException")
    advance(601)
    dynamodb.transact_write_items(**add("1"))
    assert total() == "2"


def test_an_item_is_in_a_transaction_once(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    table = make_table()
    steps = [
        {"Put": {"TableName": table, "Item": item("a")}},
        {"Delete": {"TableName": table, "Key": item("a")}},
    ]
    said = refused(dynamodb.transact_write_items, TransactItems=steps)
    assert said == "ValidationException: Transaction request cannot include multiple operations on one item"


@pytest.fixture
def unchecked(client: Callable[..., Any]) -> Any:
    """A client that sends whatever it is given."""
    return client("dynamodb", config=Config(retries={"total_max_attempts": 1}, parameter_validation=False))


def test_how_much_a_batch_holds(unchecked: Any, make_table: Callable[..., str], refused: Callable[..., str]) -> None:
    table = make_table()
    for operation, name in ((unchecked.batch_get_item, "BatchGetItem"), (unchecked.batch_write_item, "BatchWriteItem")):
        required = f"ValidationException: The requestItems parameter is required for {name}"
        assert refused(operation, RequestItems={}) == required
    keys = [{"id": {"S": f"{number}"}} for number in range(101)]
    assert refused(unchecked.batch_get_item, RequestItems={table: {"Keys": keys}}) == (
        f"ValidationException: 1 validation error detected: Value at 'RequestItems.{table}.member.Keys' failed to satisfy "
        "constraint: Member must have length less than or equal to 100"
    )
    assert refused(unchecked.batch_get_item, RequestItems={table: {"Keys": []}}) == (
        f"ValidationException: 1 validation error detected: Value '[]' at 'requestItems.{table}.member.keys' failed to "
        "satisfy constraint: Member must have length greater than or equal to 1"
    )
    puts = [{"PutRequest": {"Item": key}} for key in keys[:26]]
    assert refused(unchecked.batch_write_item, RequestItems={table: puts}).endswith(
        "at 'requestItems' failed to satisfy constraint: Map value must satisfy constraint: [Member must have length less "
        "than or equal to 25, Member must have length greater than or equal to 1]"
    )


def test_keys_of_transactions_that_read(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    table = make_table()
    gets = [{"Get": {"TableName": table, "Key": {name: {"S": "a"}}}} for name in ("id", "other")]
    assert refused(dynamodb.transact_get_items, TransactItems=gets) == (
        "TransactionCanceledException: Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, ValidationError]"
    )


def test_pages_of_nothing(unchecked: Any, make_table: Callable[..., str], refused: Callable[..., str]) -> None:
    table = make_table()
    least = "Member must have value greater than or equal to 1"
    key = {"KeyConditionExpression": "id = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}}
    assert refused(unchecked.query, TableName=table, Limit=0, **key).endswith(
        f"Value at 'Limit' failed to satisfy constraint: {least}"
    )
    assert refused(unchecked.scan, TableName=table, Limit=0).endswith(
        f"Value '0' at 'limit' failed to satisfy constraint: {least}"
    )
    assert "maxResults" in refused(unchecked.list_contributor_insights, MaxResults=-1)

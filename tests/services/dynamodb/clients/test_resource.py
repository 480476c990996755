"""boto3's resources: Python's own values, conditions as objects, batches that send themselves, waiters and collections."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import boto3
import pytest
from boto3.dynamodb.conditions import Attr, Key
from boto3.dynamodb.types import Binary
from botocore.exceptions import ClientError
from tests.conftest import NodeProcess

VALUES = {
    "text": "a",
    "empty": "",
    "number": Decimal("12345678901234567890.123456789012345678"),
    "flag": True,
    "nothing": None,
    "bytes": Binary(b"\x00\xff"),
    "list": [Decimal(1), "two", [{"three": Decimal(3)}]],
    "map": {"a": {"b": []}},
    "strings": {"x", "y"},
    "numbers": {Decimal(1), Decimal("-2.5")},
    "blobs": {Binary(b"a"), Binary(b"b")},
}


@pytest.fixture
def resource(node: NodeProcess, account: str) -> Any:
    return boto3.resource(
        "dynamodb",
        endpoint_url=node.endpoint,
        region_name="us-east-1",
        aws_access_key_id=account,
        aws_secret_access_key="test",
    )


@pytest.fixture
def table(resource: Any) -> Any:
    """Songs by artist and title, and by year."""
    made = resource.create_table(
        TableName="songs",
        KeySchema=[{"AttributeName": "artist", "KeyType": "HASH"}, {"AttributeName": "title", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "artist", "AttributeType": "S"},
            {"AttributeName": "title", "AttributeType": "S"},
            {"AttributeName": "year", "AttributeType": "N"},
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "years",
                "KeySchema": [{"AttributeName": "year", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "ALL"},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    made.wait_until_exists()
    return made


def test_values_come_back_as_they_went(table: Any) -> None:
    item = {"artist": "a", "title": "t", **VALUES}
    table.put_item(Item=item)
    assert table.get_item(Key={"artist": "a", "title": "t"})["Item"] == item


def test_a_batch_writer_sends_everything_once(table: Any) -> None:
    """More than a batch takes, with repetitions, which it leaves out, and deletions."""
    with table.batch_writer(overwrite_by_pkeys=["artist", "title"]) as batch:
        for number in range(60):
            batch.put_item(Item={"artist": f"a{number % 3}", "title": f"{number:02}", "year": 1900 + number})
        batch.put_item(Item={"artist": "a2", "title": "59", "year": 2000})
        batch.delete_item(Key={"artist": "a0", "title": "00"})
    items = table.scan()["Items"]
    assert len(items) == 59
    assert {one["year"] for one in items if one["title"] == "59"} == {Decimal(2000)}


def test_conditions_are_objects(table: Any) -> None:
    with table.batch_writer() as batch:
        for number in range(10):
            tags = {"odd"} if number % 2 else {"even"}
            batch.put_item(
                Item={
                    "artist": "a",
                    "title": f"t{number}",
                    "year": 1990 + number % 2,
                    "tags": tags,
                    "at": {"n": number},
                }
            )

    def titles(**query: Any) -> list[str]:
        return [one["title"] for one in table.query(**query)["Items"]]

    a = Key("artist").eq("a")
    assert titles(KeyConditionExpression=a & Key("title").between("t2", "t4")) == ["t2", "t3", "t4"]
    assert len(titles(KeyConditionExpression=a & Key("title").begins_with("t"), Limit=3)) == 3
    assert titles(KeyConditionExpression=a & Key("title").gte("t8"), ScanIndexForward=False) == ["t9", "t8"]
    odd = Attr("tags").contains("odd") & Attr("at.n").lt(6)
    assert titles(KeyConditionExpression=a, FilterExpression=odd) == ["t1", "t3", "t5"]
    other = ~Attr("at.n").is_in([0, 1, 2]) & (Attr("at.n").ne(9) | Attr("none").exists()) & Attr("tags").size().eq(1)
    assert titles(KeyConditionExpression=a, FilterExpression=other) == [f"t{n}" for n in range(3, 9)]
    kind = Attr("at").attribute_type("M") & Attr("nothing").not_exists()
    assert len(table.scan(FilterExpression=kind)["Items"]) == 10
    assert len(titles(IndexName="years", KeyConditionExpression=Key("year").eq(1991))) == 5


def test_updates_and_their_conditions(table: Any, resource: Any) -> None:
    key = {"artist": "a", "title": "t"}
    table.put_item(Item={**key, "plays": 1})
    change = {
        "Key": key,
        "UpdateExpression": "ADD plays :more SET #list = list_append(if_not_exists(#list, :none), :last)",
        "ExpressionAttributeNames": {"#list": "list"},
        "ExpressionAttributeValues": {":more": Decimal("1.5"), ":none": [], ":last": ["x"]},
        "ReturnValues": "UPDATED_NEW",
    }
    assert table.update_item(**change)["Attributes"] == {"plays": Decimal("2.5"), "list": ["x"]}
    with pytest.raises(resource.meta.client.exceptions.ConditionalCheckFailedException):
        table.update_item(**change, ConditionExpression=Attr("plays").gt(10) | Key("title").eq("other"))
    table.update_item(**change, ConditionExpression=Attr("plays").gt(2))
    old = table.delete_item(Key=key, ReturnValues="ALL_OLD")["Attributes"]
    assert old == {**key, "plays": Decimal(4), "list": ["x", "x"]}
    with pytest.raises(ClientError):
        table.put_item(Item={**key, "plays": Decimal("1e126")})


def test_pages_are_followed(table: Any) -> None:
    with table.batch_writer() as batch:
        for number in range(25):
            batch.put_item(Item={"artist": f"a{number}", "title": "t"})
    found: list[Any] = []
    start: dict[str, Any] = {}
    while True:
        page = table.scan(Limit=10, **start)
        found += page["Items"]
        if "LastEvaluatedKey" not in page:
            break
        start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    assert sorted(one["artist"] for one in found) == sorted(f"a{number}" for number in range(25))


def test_resources_know_their_tables(table: Any, resource: Any, client: Callable[..., Any]) -> None:
    assert [one.name for one in resource.tables.all()] == ["songs"]
    table.reload()
    assert (table.table_status, table.item_count, table.key_schema[0]["AttributeName"]) == ("ACTIVE", 0, "artist")
    table.put_item(Item={"artist": "a", "title": "t"})
    answer = resource.batch_get_item(RequestItems={"songs": {"Keys": [{"artist": "a", "title": "t"}]}})
    assert answer["Responses"]["songs"] == [{"artist": "a", "title": "t"}]
    table.delete()
    table.wait_until_not_exists()
    assert client("dynamodb").list_tables()["TableNames"] == []

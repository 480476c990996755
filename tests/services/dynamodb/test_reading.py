"""Queries and scans: order, ranges, pages, indexes, segments."""

from collections.abc import Callable
from typing import Any

import pytest

NUMBERS = ["-1000.5", "-12", "-1.55", "-1.5", "-0.001", "0", "0.0001", "1", "1.5", "9", "10", "99", "100.01", "1000"]
LOCAL = {
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by-kind",
            "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "kind", "KeyType": "RANGE"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "all-kinds",
            "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["n"]},
        }
    ],
    "more": [{"AttributeName": "kind", "AttributeType": "S"}],
}


def put_numbers(dynamodb: Any, table: str) -> None:
    for number in reversed(NUMBERS):
        dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "at": {"N": number}, "x": {"S": "x" * 10}})
    dynamodb.put_item(TableName=table, Item={"id": {"S": "b"}, "at": {"N": "5"}})


def numbers(answer: Any) -> list[str]:
    return [item["at"]["N"] for item in answer["Items"]]


def test_numbers_are_read_in_order(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table("id", "at:N")
    put_numbers(dynamodb, table)
    asked = {
        "TableName": table,
        "KeyConditionExpression": "id = :id",
        "ExpressionAttributeValues": {":id": {"S": "a"}},
    }
    assert numbers(dynamodb.query(**asked)) == NUMBERS
    assert numbers(dynamodb.query(**asked, ScanIndexForward=False)) == NUMBERS[::-1]
    assert dynamodb.query(**asked, Select="COUNT")["Count"] == len(NUMBERS)


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("#at = :x", ["1.5"]),
        ("#at < :x", NUMBERS[:8]),
        ("#at <= :x", NUMBERS[:9]),
        ("#at > :x", NUMBERS[9:]),
        ("#at >= :x", NUMBERS[8:]),
        ("#at BETWEEN :x AND :y", NUMBERS[8:12]),
    ],
)
@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("limit", [None, 3])
def test_ranges(
    dynamodb: Any, make_table: Callable[..., str], condition: str, found: list[str], forward: bool, limit: int | None
) -> None:
    table = make_table("id", "at:N")
    put_numbers(dynamodb, table)
    values = {":id": {"S": "a"}, ":x": {"N": "1.5"}, ":y": {"N": "99"}}
    if ":y" not in condition:
        del values[":y"]
    pages = dynamodb.get_paginator("query").paginate(
        TableName=table,
        KeyConditionExpression=f"id = :id AND {condition}",
        ExpressionAttributeNames={"#at": "at"},
        ExpressionAttributeValues=values,
        ScanIndexForward=forward,
        **({"Limit": limit} if limit else {}),
    )
    read = [number for page in pages for number in numbers(page)]
    assert read == (found if forward else found[::-1])


def test_prefixes(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table("id", "name")
    for name in ("a", "ab", "abc", "b", "ab\U0010ffff"):
        dynamodb.put_item(TableName=table, Item={"id": {"S": "x"}, "name": {"S": name}})
    found = dynamodb.query(
        TableName=table,
        KeyConditionExpression="id = :id AND begins_with(#n, :p)",
        ExpressionAttributeNames={"#n": "name"},
        ExpressionAttributeValues={":id": {"S": "x"}, ":p": {"S": "ab"}},
    )
    assert [item["name"]["S"] for item in found["Items"]] == ["ab", "abc", "ab\U0010ffff"]


def test_filters_count_what_they_looked_at(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table("id", "at:N")
    put_numbers(dynamodb, table)
    found = dynamodb.query(
        TableName=table,
        KeyConditionExpression="id = :id",
        FilterExpression="x = :x",
        ExpressionAttributeValues={":id": {"S": "a"}, ":x": {"S": "no"}},
        Limit=2,
    )
    assert (found["Count"], found["ScannedCount"], found["Items"]) == (0, 2, [])
    assert found["LastEvaluatedKey"] == {"id": {"S": "a"}, "at": {"N": NUMBERS[1]}}


def test_pages_end_at_a_megabyte(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table("id", "at:N")
    for number in range(5):
        dynamodb.put_item(TableName=table, Item={"id": {"S": "a"}, "at": {"N": str(number)}, "x": {"S": "x" * 300_000}})
    found = dynamodb.scan(TableName=table, ReturnConsumedCapacity="TOTAL")
    assert found["Count"] == 4
    assert found["ConsumedCapacity"]["CapacityUnits"] == 146.5
    rest = dynamodb.scan(TableName=table, ExclusiveStartKey=found["LastEvaluatedKey"])
    assert numbers(rest) == ["4"]
    assert "LastEvaluatedKey" not in rest


def test_segments_are_disjoint_and_complete(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table("id:N")
    for number in range(40):
        dynamodb.put_item(TableName=table, Item={"id": {"N": str(number)}})
    parts = []
    for segment in range(3):
        pages = dynamodb.get_paginator("scan").paginate(TableName=table, Segment=segment, TotalSegments=3, Limit=4)
        parts.append({item["id"]["N"] for page in pages for item in page["Items"]})
    assert all(parts)
    assert sum(map(len, parts)) == len(set().union(*parts)) == 40


def test_indexes_follow_the_items(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table("id", "at:N", **LOCAL)
    for at, kind in enumerate(("x", "y", "x", None)):
        item = {"id": {"S": "a"}, "at": {"N": str(at)}, "n": {"N": str(at)}, "more": {"S": "m"}}
        dynamodb.put_item(TableName=table, Item=item | ({"kind": {"S": kind}} if kind else {}))

    def kinds(kind: str, **more: Any) -> Any:
        return dynamodb.query(
            TableName=table,
            IndexName="all-kinds",
            KeyConditionExpression="kind = :k",
            ExpressionAttributeValues={":k": {"S": kind}},
            **more,
        )

    found = kinds("x")
    assert sorted(numbers(found)) == ["0", "2"]
    assert set(found["Items"][0]) == {"id", "at", "kind", "n"}
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}, "at": {"N": "0"}})
    dynamodb.update_item(
        TableName=table,
        Key={"id": {"S": "a"}, "at": {"N": "1"}},
        UpdateExpression="SET kind = :k",
        ExpressionAttributeValues={":k": {"S": "x"}},
    )
    assert kinds("y")["Count"] == 0
    assert sorted(numbers(kinds("x"))) == ["1", "2"]
    first = kinds("x", Limit=1)
    assert set(first["LastEvaluatedKey"]) == {"id", "at", "kind"}
    assert numbers(kinds("x", ExclusiveStartKey=first["LastEvaluatedKey"])) != numbers(first)
    whole = dynamodb.query(
        TableName=table,
        IndexName="by-kind",
        KeyConditionExpression="id = :a AND kind >= :k",
        ExpressionAttributeValues={":a": {"S": "a"}, ":k": {"S": "x"}},
        Select="ALL_ATTRIBUTES",
        ReturnConsumedCapacity="INDEXES",
    )
    assert [item["more"]["S"] for item in whole["Items"]] == ["m", "m"]
    consumed = whole["ConsumedCapacity"]
    assert consumed["Table"]["CapacityUnits"] == 1
    assert consumed["LocalSecondaryIndexes"]["by-kind"]["CapacityUnits"] == 0.5
    assert dynamodb.scan(TableName=table, IndexName="by-kind")["Count"] == 2


ID_IS = {"KeyConditionExpression": "id = :i", "ExpressionAttributeValues": {":i": {"S": "a"}}}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."),
        ({**ID_IS, "IndexName": "none"}, "The table does not have the specified index: none"),
        (
            {**ID_IS, "IndexName": "all-kinds", "ConsistentRead": True},
            "Consistent reads are not supported on global secondary indexes",
        ),
        (
            {**ID_IS, "IndexName": "all-kinds"},
            "Query condition missed key schema element: kind",
        ),
        (
            {**ID_IS, "FilterExpression": "id = :i"},
            "Filter Expression can only contain non-primary key attributes: Primary key attribute: id",
        ),
        (
            {**ID_IS, "ExclusiveStartKey": {"id": {"S": "b"}, "at": {"N": "1"}}},
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        ({**ID_IS, "ExclusiveStartKey": {"id": {"S": "b"}}}, "The provided starting key is invalid"),
        (
            {**ID_IS, "Select": "SPECIFIC_ATTRIBUTES"},
            "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES",
        ),
    ],
)
def test_queries_that_are_refused(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str], more: dict[str, Any], message: str
) -> None:
    table = make_table("id", "at:N", **LOCAL)
    assert refused(dynamodb.query, TableName=table, **more) == f"ValidationException: {message}"


def test_filters_see_what_an_index_has(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    keys = [{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "kind", "KeyType": "RANGE"}]
    few = {"ProjectionType": "KEYS_ONLY"}
    table = make_table(
        "id",
        "at:N",
        more=[{"AttributeName": "kind", "AttributeType": "S"}],
        LocalSecondaryIndexes=[{"IndexName": "local", "KeySchema": keys, "Projection": few}],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "global",
                "KeySchema": [{"AttributeName": "kind", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["kept"]},
            }
        ],
    )
    item = {"id": {"S": "a"}, "at": {"N": "1"}, "kind": {"S": "k"}, "kept": {"S": "x"}, "rest": {"S": "x"}}
    dynamodb.put_item(TableName=table, Item=item)

    def asked(index: str, filter: str, **more: Any) -> dict[str, Any]:
        return {
            "TableName": table,
            "IndexName": index,
            "FilterExpression": filter,
            "ExpressionAttributeValues": {":x": {"S": "x"}},
            **more,
        }

    def of(index: str, filter: str, **more: Any) -> dict[str, Any]:
        key, value = ("id", "a") if index == "local" else ("kind", "k")
        wanted = asked(index, filter, KeyConditionExpression=f"{key} = :key", **more)
        wanted["ExpressionAttributeValues"][":key"] = {"S": value}
        return wanted

    assert dynamodb.query(**of("global", "kept = :x"))["Count"] == 1
    for index, lacking in (("global", "rest"), ("local", "kept")):
        assert refused(dynamodb.query, **of(index, f"{lacking} = :x")) == (
            "ValidationException: One or more parameter values were invalid: "
            f"Secondary index {index} does not project one or more filter attributes: [{lacking}]"
        )
        found = dynamodb.scan(**asked(index, f"{lacking} = :x"))
        assert (found["Count"], found["ScannedCount"]) == (0, 1)
    assert dynamodb.query(**of("local", "rest = :x", Select="ALL_ATTRIBUTES"))["Count"] == 1
    older = {name: {"AttributeValueList": [{"S": name[0]}], "ComparisonOperator": "EQ"} for name in ("kind", "x")}
    assert "filter attributes: [x]" in refused(
        dynamodb.query,
        TableName=table,
        IndexName="global",
        KeyConditions={"kind": older["kind"]},
        QueryFilter={"x": older["x"]},
    )

"""Items by their keys: what is written is what is read, and what is refused changes nothing."""

from collections.abc import Callable
from typing import Any

import pytest

ID = {"id": {"S": "a"}}


def test_every_type_comes_back(dynamodb: Any, make_table: Callable[..., str]) -> None:
    item = {
        **ID,
        "text": {"S": ""},
        "number": {"N": "-12.5"},
        "bytes": {"B": b"\x00\xff"},
        "texts": {"SS": ["x", "y"]},
        "numbers": {"NS": ["1", "2"]},
        "blobs": {"BS": [b"1", b"2"]},
        "map": {"M": {"list": {"L": [{"NULL": True}, {"BOOL": False}]}}},
    }
    table = make_table()
    dynamodb.put_item(TableName=table, Item=item)
    assert dynamodb.get_item(TableName=table, Key=ID)["Item"] == item


@pytest.mark.parametrize(
    ("given", "kept"),
    [("00", "0"), ("-0.0", "0"), ("+1.50", "1.5"), ("1e3", "1000"), ("1E-3", "0.001"), (".5", "0.5"), ("5.", "5")],
)
def test_numbers_are_brought_to_one_form(dynamodb: Any, make_table: Callable[..., str], given: str, kept: str) -> None:
    table = make_table("id:N")
    dynamodb.put_item(TableName=table, Item={"id": {"N": given}})
    assert dynamodb.get_item(TableName=table, Key={"id": {"N": kept}})["Item"] == {"id": {"N": kept}}


WRONG = "ValidationException: One or more parameter values were invalid: "


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({}, WRONG + "Missing the key id in the item"),
        ({"id": {"N": "1"}}, WRONG + "Type mismatch for key id expected: S actual: N"),
        (
            {"id": {"S": ""}},
            (
                "ValidationException: One or more parameter values are not valid. The AttributeValue for a key attribute "
                "cannot contain an empty string value. Key: id"
            ),
        ),
        (
            {**ID, "x": {"N": "1e126"}},
            "ValidationException: Number overflow. Attempting to store a number with magnitude larger than supported range",
        ),
        (
            {**ID, "x": {"N": "1e-131"}},
            "ValidationException: Number underflow. Attempting to store a number with magnitude smaller than supported range",
        ),
        (
            {**ID, "x": {"N": "1" * 39}},
            "ValidationException: Attempting to store more than 38 significant digits in a Number",
        ),
        (
            {**ID, "x": {"N": "a"}},
            "ValidationException: The parameter cannot be converted to a numeric value: a",
        ),
        ({**ID, "x": {"SS": []}}, WRONG + "An string set  may not be empty"),
        ({**ID, "x": {"SS": ["a", "a"]}}, WRONG + "Input collection [a, a] contains duplicates."),
        ({**ID, "x": {"NS": ["1", "1.0"]}}, "ValidationException: Input collection contains duplicates"),
        ({**ID, "x": {"NULL": False}}, WRONG + "Null attribute value types must have the value of true"),
        ({**ID, "x": {"S": "x" * 409_600}}, "ValidationException: Item size has exceeded the maximum allowed size"),
        ({"id": {"S": "x" * 2049}}, WRONG + "Size of hashkey has exceeded the maximum size limit of2048 bytes"),
    ],
)
def test_what_is_refused(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str], item: dict[str, Any], message: str
) -> None:
    table = make_table()
    assert refused(dynamodb.put_item, TableName=table, Item=item) == message
    assert dynamodb.scan(TableName=table)["Count"] == 0


def test_keys_must_fit_the_schema(dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]) -> None:
    table = make_table("id", "at:N")
    for key in (ID, {**ID, "at": {"S": "1"}}, {**ID, "at": {"N": "1"}, "x": {"S": "1"}}):
        said = refused(dynamodb.get_item, TableName=table, Key=key)
        assert said == "ValidationException: The provided key element does not match the schema"


def test_conditions_hold_back_writes(
    dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]
) -> None:
    table = make_table()
    new = {"ConditionExpression": "attribute_not_exists(id)"}
    dynamodb.put_item(TableName=table, Item={**ID, "n": {"N": "1"}}, **new)
    said = refused(dynamodb.put_item, TableName=table, Item={**ID, "n": {"N": "2"}}, **new)
    assert said == "ConditionalCheckFailedException: The conditional request failed"
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as caught:
        dynamodb.delete_item(
            TableName=table,
            Key=ID,
            ConditionExpression="n > :n",
            ExpressionAttributeValues={":n": {"N": "1"}},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert caught.value.response["Item"] == {**ID, "n": {"N": "1"}}
    assert dynamodb.get_item(TableName=table, Key=ID)["Item"]["n"] == {"N": "1"}


def test_updates_give_what_was_asked_for(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table()
    dynamodb.put_item(TableName=table, Item={**ID, "n": {"N": "1"}, "other": {"S": "x"}})

    def update(returned: str) -> Any:
        return dynamodb.update_item(
            TableName=table,
            Key=ID,
            UpdateExpression="SET n = n + :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
            ReturnValues=returned,
        ).get("Attributes")

    assert update("NONE") is None
    assert update("ALL_OLD") == {**ID, "n": {"N": "2"}, "other": {"S": "x"}}
    assert update("ALL_NEW") == {**ID, "n": {"N": "4"}, "other": {"S": "x"}}
    assert update("UPDATED_OLD") == {"n": {"N": "4"}}
    assert update("UPDATED_NEW") == {"n": {"N": "6"}}


def test_updates_make_items(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table()
    dynamodb.update_item(TableName=table, Key=ID)
    assert dynamodb.get_item(TableName=table, Key=ID)["Item"] == ID


def test_keys_are_not_updated(dynamodb: Any, make_table: Callable[..., str], refused: Callable[..., str]) -> None:
    said = refused(
        dynamodb.update_item,
        TableName=make_table(),
        Key=ID,
        UpdateExpression="SET id = :x",
        ExpressionAttributeValues={":x": {"S": "b"}},
    )
    assert said == WRONG + "Cannot update attribute id. This attribute is part of the key"


def test_capacity_is_counted(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table()

    def units(answer: Any) -> float:
        assert answer["ConsumedCapacity"]["TableName"] == table
        return float(answer["ConsumedCapacity"]["CapacityUnits"])

    big = {**ID, "x": {"S": "x" * 4100}}
    assert units(dynamodb.put_item(TableName=table, Item=big, ReturnConsumedCapacity="TOTAL")) == 5
    assert units(dynamodb.get_item(TableName=table, Key=ID, ReturnConsumedCapacity="TOTAL")) == 1
    assert units(dynamodb.get_item(TableName=table, Key=ID, ConsistentRead=True, ReturnConsumedCapacity="TOTAL")) == 2
    small = dynamodb.put_item(TableName=table, Item=ID, ReturnConsumedCapacity="INDEXES")
    assert units(small) == 5
    assert small["ConsumedCapacity"]["Table"] == {"CapacityUnits": 5}
    assert units(dynamodb.delete_item(TableName=table, Key=ID, ReturnConsumedCapacity="TOTAL")) == 1


def test_projections(dynamodb: Any, make_table: Callable[..., str]) -> None:
    table = make_table()
    dynamodb.put_item(TableName=table, Item={**ID, "m": {"M": {"a": {"N": "1"}, "b": {"N": "2"}}}, "x": {"S": "x"}})
    found = dynamodb.get_item(TableName=table, Key=ID, ProjectionExpression="m.a")
    assert found["Item"] == {"m": {"M": {"a": {"N": "1"}}}}
    assert dynamodb.get_item(TableName=table, Key=ID, AttributesToGet=["x"])["Item"] == {"x": {"S": "x"}}

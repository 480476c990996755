from typing import Any

import msgspec
import pytest
from tests.services.dynamodb.expressions.helpers import item, plain

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb import expressions

ITEM: dict[str, Any] = {"n": 5, "s": "hello", "tags": frozenset("ab"), "els": [1, "x"], "b": b"xy"}


def expected(conditions: dict[str, Any], operator: str | None = None) -> bool:
    """Whether Expected, given as in a request, holds for ITEM."""
    given = msgspec.convert(conditions, dict[str, api.ExpectedAttributeValue])
    condition = expressions.expected_condition(given, operator)
    assert condition is not None
    return condition.matches(item(ITEM))


def op(operator: str, *values: dict[str, Any]) -> dict[str, Any]:
    return {"ComparisonOperator": operator, "AttributeValueList": list(values)}


@pytest.mark.parametrize(
    ("name", "condition", "holds"),
    [
        ("n", {"Value": {"N": "5.0"}}, True),
        ("n", {"Value": {"N": "6"}, "Exists": True}, False),
        ("n", {"Exists": False}, False),
        ("z", {"Exists": False}, True),
        ("n", op("EQ", {"N": "5"}), True),
        ("tags", op("EQ", {"SS": ["b", "a"]}), True),
        ("z", op("NE", {"N": "5"}), True),
        ("n", op("LT", {"N": "6"}), True),
        ("n", op("LE", {"S": "6"}), False),
        ("n", op("GT", {"N": "4"}), True),
        ("n", op("GE", {"N": "6"}), False),
        ("s", op("BEGINS_WITH", {"S": "he"}), True),
        ("s", op("CONTAINS", {"S": "ll"}), True),
        ("tags", op("CONTAINS", {"S": "a"}), True),
        ("els", op("NOT_CONTAINS", {"N": "2"}), True),
        ("z", op("NOT_CONTAINS", {"N": "2"}), False),
        ("n", op("IN", {"N": "4"}, {"N": "5"}), True),
        ("n", op("BETWEEN", {"N": "4"}, {"N": "5"}), True),
        ("n", {"ComparisonOperator": "NOT_NULL"}, True),
        ("n", op("NULL"), False),
        ("n", {"ComparisonOperator": "GE", "Value": {"N": "5"}}, True),
    ],
)
def test_expected(name: str, condition: dict[str, Any], holds: bool) -> None:
    assert expected({name: condition}) is holds


def test_all_or_any() -> None:
    both = {"n": op("EQ", {"N": "5"}), "s": op("EQ", {"S": "no"})}
    assert not expected(both)
    assert not expected(both, "AND")
    assert expected(both, "OR")


INVALID = "One or more parameter values were invalid: "


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (
            {"ComparisonOperator": "LT"},
            "Value or AttributeValueList must be used with ComparisonOperator: LT for Attribute: a",
        ),
        (
            {"Exists": True, "ComparisonOperator": "LT"},
            "Exists and ComparisonOperator cannot be used together for Attribute: a",
        ),
        ({"AttributeValueList": []}, "AttributeValueList can only be used with a ComparisonOperator for Attribute: a"),
        (
            {"Value": {"S": "a"}, "AttributeValueList": []},
            "Value and AttributeValueList cannot be used together for Attribute: a",
        ),
        ({"Exists": True}, "Value must be provided when Exists is true for Attribute: a"),
        ({}, "Value must be provided when Exists is null for Attribute: a"),
        ({"Exists": False, "Value": {"S": "a"}}, "Value cannot be used when Exists is false for Attribute: a"),
        (op("BETWEEN", {"S": "a"}), "Invalid number of argument(s) for the BETWEEN ComparisonOperator"),
        (op("IN"), "Invalid number of argument(s) for the IN ComparisonOperator"),
        (
            op("IN", {"S": "b"}, {"N": "1"}),
            "AttributeValues inside AttributeValueList must be of same type",
        ),
        (op("LT", {"BOOL": True}), "ComparisonOperator LT is not valid for BOOL AttributeValue type"),
        (op("BEGINS_WITH", {"N": "1"}), "ComparisonOperator BEGINS_WITH is not valid for N AttributeValue type"),
    ],
)
def test_expected_that_is_refused(condition: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError) as raised:
        expected({"a": condition})
    assert (raised.value.code, raised.value.message) == ("ValidationException", INVALID + message)


def test_bounds_in_the_wrong_order() -> None:
    with pytest.raises(AwsError, match="The BETWEEN condition was provided a range where the lower bound is greater"):
        expected({"a": op("BETWEEN", {"S": "b"}, {"S": "a"})})


def test_conditional_operators_without_conditions() -> None:
    with pytest.raises(AwsError, match="ConditionalOperator cannot be used without Filter or Expected"):
        expressions.filter_condition({}, "AND")
    with pytest.raises(AwsError, match="can only be used when Filter or Expected has two or more elements"):
        expected({"a": op("NULL")}, "OR")


def changed(updates: dict[str, Any], held: dict[str, Any] | None = None) -> Any:
    update = expressions.legacy_update(msgspec.convert(updates, dict[str, api.AttributeValueUpdate]))
    return plain(update.apply(None if held is None else item(held), item({"id": "1"})).item)


def test_attribute_updates() -> None:
    updates = {
        "n": {"Action": "ADD", "Value": {"N": "2"}},
        "s": {"Value": {"S": "new"}},
        "tags": {"Action": "DELETE", "Value": {"SS": ["a"]}},
        "els": {"Action": "ADD", "Value": {"L": [{"N": "9"}]}},
        "b": {"Action": "DELETE"},
        "a.b": {"Action": "PUT", "Value": {"BOOL": True}},
    }
    assert changed(updates, ITEM) == {"n": 7, "s": "new", "tags": frozenset("b"), "els": [1, "x", 9], "a.b": True}
    assert changed({"n": {"Action": "ADD", "Value": {"N": "2"}}, "x": {"Action": "DELETE"}}) == {"id": "1", "n": 2}


@pytest.mark.parametrize(
    ("update", "message"),
    [
        ({"Action": "PUT"}, f"{INVALID}Only DELETE action is allowed when no attribute value is specified"),
        (
            {"Action": "DELETE", "Value": {"N": "1"}},
            f"{INVALID}DELETE action with value is not supported for the type N",
        ),
        ({"Action": "ADD", "Value": {"S": "1"}}, f"{INVALID}ADD action is not supported for the type S"),
        ({"Action": "ADD", "Value": {"NS": ["1"]}}, "Type mismatch for attribute to update"),
        ({"Action": "DELETE", "Value": {"NS": ["1"]}}, "Type mismatch for attribute to update"),
    ],
)
def test_attribute_updates_that_are_refused(update: dict[str, Any], message: str) -> None:
    with pytest.raises(AwsError) as raised:
        changed({"s": update}, ITEM)
    assert raised.value.message == message


def test_attributes_to_get() -> None:
    assert plain(expressions.attributes_to_get(["n", "a.b", "zz"]).apply(item(ITEM | {"a.b": 1}))) == {"n": 5, "a.b": 1}
    with pytest.raises(AwsError, match="Duplicate value in attribute name: n"):
        expressions.attributes_to_get(["n", "s", "n"])


MIXED = "Can not use both expression and non-expression parameters in the same request: Non-expression parameters: "


@pytest.mark.parametrize(
    ("request_", "kinds", "message"),
    [
        (
            {"UpdateExpression": "", "AttributeUpdates": {}, "Expected": {}, "ConditionExpression": ""},
            expressions.OF_UPDATE,
            MIXED + "{AttributeUpdates, Expected} Expression parameters: {UpdateExpression, ConditionExpression}",
        ),
        (
            {"ConditionalOperator": "AND", "ConditionExpression": ""},
            expressions.OF_UPDATE,
            MIXED + "{ConditionalOperator} Expression parameters: {ConditionExpression}",
        ),
        (
            {"ExpressionAttributeNames": {}},
            expressions.OF_UPDATE,
            "ExpressionAttributeNames can only be specified when using expressions",
        ),
        (
            {"ExpressionAttributeValues": {}},
            expressions.OF_UPDATE,
            (
                "ExpressionAttributeValues can only be specified when using expressions: "
                "UpdateExpression and ConditionExpression are null"
            ),
        ),
    ],
)
def test_parameters_that_do_not_come_together(request_: dict[str, Any], kinds: Any, message: str) -> None:
    request = msgspec.convert({"TableName": "t", "Key": {}} | request_, api.UpdateItemInput)
    with pytest.raises(AwsError) as raised:
        expressions.check_parameters(request, kinds)
    assert raised.value.message == message


def test_parameters_of_queries() -> None:
    def check(**given: Any) -> None:
        request = msgspec.convert({"TableName": "t"} | given, api.QueryInput)
        expressions.check_parameters(request, expressions.OF_QUERY)

    check(KeyConditions={}, FilterExpression="a = :a", ExpressionAttributeValues={})
    with pytest.raises(AwsError, match=r"{QueryFilter, ConditionalOperator, KeyConditions}"):
        check(
            KeyConditions={},
            QueryFilter={},
            ConditionalOperator="OR",
            KeyConditionExpression="",
            ProjectionExpression="",
        )
    with pytest.raises(AwsError, match="FilterExpression and KeyConditionExpression are null"):
        check(ProjectionExpression="a", ExpressionAttributeValues={})

from typing import Any

import pytest
from tests.services.dynamodb.expressions.helpers import item, refusal, unwrap

from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb import expressions

VALUES: dict[str, Any] = {":p": "p", ":a": "a", ":z": "z", ":n": 5}


def asked(text: str) -> tuple[Any, str, list[Any]]:
    values = item({name: value for name, value in VALUES.items() if name in text}) or None
    bound = expressions.bind(None, values, key_condition=text).keys
    assert bound is not None
    found = expressions.key_condition(bound.terms, (("id", "S"),), (("rk", "S"),))
    return unwrap(found.hash[0]), found.operator, [unwrap(value) for value in found.range]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id = :p", ("p", "", [])),
        ("(id = :p) AND (rk < :a)", ("p", "<", ["a"])),
        ("rk >= :a and id = :p", ("p", ">=", ["a"])),
        (":a >= rk AND :p = id", ("p", "<=", ["a"])),
        ("id = :p AND rk BETWEEN :a AND :z", ("p", "BETWEEN", ["a", "z"])),
        ("begins_with(rk, :a) AND id = :p", ("p", "begins_with", ["a"])),
    ],
)
def test_key_conditions(text: str, expected: tuple[Any, str, list[Any]]) -> None:
    assert asked(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid KeyConditionExpression: The expression can not be empty;"),
        ("id = :p OR rk = :a", "Invalid operator used in KeyConditionExpression: OR"),
        ("NOT id = :p", "Invalid operator used in KeyConditionExpression: NOT"),
        ("id <> :p", "Invalid operator used in KeyConditionExpression: <>"),
        ("id IN (:p)", "Invalid operator used in KeyConditionExpression: IN"),
        ("attribute_exists(id)", "Invalid operator used in KeyConditionExpression: attribute_exists"),
        ("contains(id, :p)", "Invalid operator used in KeyConditionExpression: contains"),
        (
            "size(id) = :n",
            "Invalid KeyConditionExpression: KeyConditionExpressions cannot contain nested operations",
        ),
        (
            "id = :p AND id = :a",
            "Invalid KeyConditionExpression: KeyConditionExpressions must only contain one condition per key",
        ),
        (
            "id.x = :p",
            "Invalid KeyConditionExpression: KeyConditionExpressions cannot have conditions on nested attributes",
        ),
        (
            ":p BETWEEN id AND :z",
            (
                "Invalid condition in KeyConditionExpression: BETWEEN operator must have the key attribute as its first "
                "operand"
            ),
        ),
        ("id = rk", "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition"),
        (":p = :a", "Invalid condition in KeyConditionExpression: No key attribute specified"),
        ("rk = :a", "Query condition missed key schema element: id"),
        ("id = :p AND data1 = :a", "Query condition missed key schema element: rk"),
        ("id = :p AND rk = :a AND x = :z", "Conditions can be of length 1 or 2 only"),
        ("id > :p", "Query key condition not supported"),
        (
            "id = :n",
            "One or more parameter values were invalid: Condition parameter type does not match schema type",
        ),
    ],
)
def test_key_conditions_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(AwsError) as raised:
        asked(text)
    assert (raised.value.code, raised.value.message) == ("ValidationException", message)


def test_a_sort_key_that_is_not_there() -> None:
    bound = expressions.bind(None, item({":p": "p", ":a": "a"}), key_condition="id = :p AND rk = :a").keys
    assert bound is not None
    with pytest.raises(AwsError, match="Query key condition not supported"):
        expressions.key_condition(bound.terms, (("id", "S"),), ())


def test_values_of_keys_count_as_used() -> None:
    assert refusal(key_condition="id = :p", filter="#f = :f", names={"#f": "f"}, values={":p": 1, ":f": 2}) == ""

"""Conditions as they were before expressions: Expected, QueryFilter, ScanFilter, KeyConditions.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.errors import invalid, invalid_values
from cumulet.services.dynamodb.expressions import functions
from cumulet.services.dynamodb.expressions.keys import KeyTerm
from cumulet.services.dynamodb.expressions.trees import Route
from cumulet.services.dynamodb.values import KINDS, Item, check_value, compare, kind

_SCALARS = ("S", "N", "B")
_FEWEST_MOST: dict[str, tuple[int, int]] = {
    "NULL": (0, 0),
    "NOT_NULL": (0, 0),
    "BETWEEN": (2, 2),
    "IN": (1, 1 << 30),
}
"""How many values an operator takes; the others take one."""
_KINDS: dict[str, tuple[str, ...]] = {
    "EQ": KINDS,
    "NE": KINDS,
    "BEGINS_WITH": ("S", "B"),
}
"""The types of values that an operator takes; the others take scalars."""
_COMPARED: dict[str, functions.Test] = {
    "EQ": functions.same,
    "NE": functions.different,
    "LT": functions.less,
    "LE": functions.at_most,
    "GT": functions.greater,
    "GE": functions.at_least,
    "BEGINS_WITH": functions.begins_with,
    "CONTAINS": functions.contains,
    "NOT_CONTAINS": lambda held, value: held is not None and not functions.contains(held, value),
}
_TERMS = {"EQ": "=", "LT": "<", "LE": "<=", "GT": ">", "GE": ">=", "BEGINS_WITH": "begins_with"}

_Values = Sequence["api.AttributeValue"]
_Test = Callable[["api.AttributeValue | None"], bool]


class LegacyCondition:
    """Tests of attributes of which all must hold, or with OR any."""

    __slots__ = ("_any", "_tests", "routes")

    def __init__(self, tests: Sequence[tuple[str, _Test]], operator: str | None) -> None:
        self._tests = tests
        self._any = operator == "OR"
        self.routes: tuple[Route, ...] = tuple([(name,) for name, _ in tests])

    def matches(self, item: Item) -> bool:
        """Whether it holds for an item; one that does not exist is `{}`."""
        held = (test(item.get(name)) for name, test in self._tests)
        return any(held) if self._any else all(held)


def expected_condition(
    expected: Mapping[str, api.ExpectedAttributeValue] | None, operator: str | None
) -> LegacyCondition | None:
    """The condition of a write with Expected and ConditionalOperator. Raises ValidationException."""
    _check_operator(operator, expected)
    if not expected:
        return None
    return LegacyCondition([(name, _expected(name, each)) for name, each in expected.items()], operator)


def filter_condition(conditions: Mapping[str, api.Condition] | None, operator: str | None) -> LegacyCondition | None:
    """The filter of a query or scan with QueryFilter or ScanFilter. Raises ValidationException."""
    _check_operator(operator, conditions)
    if not conditions:
        return None
    return LegacyCondition([(name, _tested(each)) for name, each in conditions.items()], operator)


def key_terms(conditions: Mapping[str, api.Condition]) -> tuple[KeyTerm, ...]:
    """The KeyConditions of a query; which keys they are for is seen with the table. Raises ValidationException."""
    terms = []
    for name, each in conditions.items():
        _check(each.comparison_operator, each.attribute_value_list or ())
        operator = _TERMS.get(each.comparison_operator, each.comparison_operator)
        terms.append(KeyTerm(name, operator, tuple(each.attribute_value_list or ())))
    if not terms:  # more than the key has are refused when it is known
        raise invalid("Conditions can be of length 1 or 2 only")
    return tuple(terms)


def _check_operator(operator: str | None, conditions: Mapping[str, object] | None) -> None:
    if operator is None:
        return
    if not conditions:
        raise invalid("ConditionalOperator cannot be used without Filter or Expected")
    if len(conditions) == 1:
        raise invalid("ConditionalOperator can only be used when Filter or Expected has two or more elements")


def _tested(condition: api.Condition) -> _Test:
    values = condition.attribute_value_list or ()
    _check(condition.comparison_operator, values)
    return _test(condition.comparison_operator, values)


def _expected(name: str, expected: api.ExpectedAttributeValue) -> _Test:
    value, values, operator = expected.value, expected.attribute_value_list, expected.comparison_operator
    if values is not None and value is not None:
        raise invalid_values(f"Value and AttributeValueList cannot be used together for Attribute: {name}")
    if operator is None:
        return _value_or_absence(name, expected)
    if expected.exists is not None:
        raise invalid_values(f"Exists and ComparisonOperator cannot be used together for Attribute: {name}")
    if operator not in ("NULL", "NOT_NULL") and values is None and value is None:
        raise invalid_values(
            f"Value or AttributeValueList must be used with ComparisonOperator: {operator} for Attribute: {name}"
        )
    given = values if values is not None else [] if value is None else [value]
    _check(operator, given)
    return _test(operator, given)


def _value_or_absence(name: str, expected: api.ExpectedAttributeValue) -> _Test:
    """Expected without an operator: a value, or that there is no attribute."""
    if expected.attribute_value_list is not None:
        raise invalid_values(f"AttributeValueList can only be used with a ComparisonOperator for Attribute: {name}")
    value = expected.value
    if expected.exists is not False:
        if value is None:
            shown = "null" if expected.exists is None else "true"
            raise invalid_values(f"Value must be provided when Exists is {shown} for Attribute: {name}")
        check_value(value)
        return _test("EQ", [value])
    if value is not None:
        raise invalid_values(f"Value cannot be used when Exists is false for Attribute: {name}")
    return _test("NULL", ())


def _check(operator: str, values: _Values) -> None:
    """Refuse values that an operator does not take; numbers are brought to DynamoDB's form in place."""
    for value in values:
        check_value(value)
    fewest, most = _FEWEST_MOST.get(operator, (1, 1))
    if not fewest <= len(values) <= most:
        raise invalid_values(f"Invalid number of argument(s) for the {operator} ComparisonOperator")
    kinds = [kind(value) for value in values]
    if len(set(kinds)) > 1:
        raise invalid_values("AttributeValues inside AttributeValueList must be of same type")
    allowed = _KINDS.get(operator, _SCALARS)
    for found in kinds:
        if found not in allowed:
            raise invalid_values(f"ComparisonOperator {operator} is not valid for {found} AttributeValue type")
    if operator == "BETWEEN" and compare(values[0], values[1]) == 1:
        raise invalid(
            "The BETWEEN condition was provided a range where the lower bound is greater than the upper bound"
        )


def _test(operator: str, values: _Values) -> _Test:
    if operator == "NULL":
        return lambda held: held is None
    if operator == "NOT_NULL":
        return lambda held: held is not None
    if operator == "IN":
        return lambda held: any(functions.same(held, value) for value in values)
    if operator == "BETWEEN":
        low, high = values
        return lambda held: functions.at_least(held, low) and functions.at_most(held, high)
    test, value = _COMPARED[operator], values[0]
    return lambda held: test(held, value)

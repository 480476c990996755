"""Conditions: checked as DynamoDB checks them, and compiled to functions of an item and the call's values.

A tree is compiled once for a text and the names that go with it; binding the values of a call costs a look at each
operand whose type matters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.expressions import functions
from cumulet.services.dynamodb.expressions.condition_syntax import parse_condition
from cumulet.services.dynamodb.expressions.keeping import KEPT, Names, recalled
from cumulet.services.dynamodb.expressions.leaves import Leaf, leaf
from cumulet.services.dynamodb.expressions.lexer import refuse
from cumulet.services.dynamodb.expressions.paths import getter
from cumulet.services.dynamodb.expressions.scope import UndefinedName, Values, route
from cumulet.services.dynamodb.expressions.trees import (
    Both,
    Call,
    Comparison,
    Condition,
    Either,
    Not,
    Operand,
    Path,
    Route,
    Value,
)
from cumulet.services.dynamodb.values import Item

Test = Callable[[Item, Values], bool]
Read = Callable[[Item, Values], "api.AttributeValue | None"]


class Plan(NamedTuple):
    """A condition that waits for the values of a call. `names` and `values` are the placeholders it uses."""

    parameter: str
    test: Test
    leaves: tuple[Leaf, ...]
    checked: tuple[Leaf, ...]
    """The leaves that may be refused although all their names and values are given."""
    defined: bool
    """Whether all its names are given."""
    names: frozenset[str]
    values: frozenset[str]
    routes: tuple[Route, ...]
    """The paths it reads."""


class Bound:
    """A condition with the values of a call."""

    __slots__ = ("_test", "_values", "plan")

    def __init__(self, plan: Plan, values: Values) -> None:
        self.plan = plan
        self._test = plan.test
        self._values = values

    @property
    def routes(self) -> tuple[Route, ...]:
        """The paths it reads."""
        return self.plan.routes

    def matches(self, item: Item) -> bool:
        """Whether it holds for an item; one that does not exist is `{}`."""
        return self._test(item, self._values)


def bind_condition(text: str, parameter: str, names: Names, values: Values) -> Bound:
    """A condition, checked with the names and values of a call. Raises ValidationException."""
    plan = recalled(compile_condition, names, text, parameter)
    check_leaves(plan, values)
    return Bound(plan, values)


def check_leaves(plan: Plan, values: Values) -> None:
    """Raise the first thing that is wrong with the comparisons and functions, in the order they are written."""
    if plan.defined and plan.values <= values.keys():
        for each in plan.checked:
            reason = each.mistyped(values)
            if reason:
                raise refuse(plan.parameter, reason)
    else:
        for each in plan.leaves:
            reason = each.wrong(values)
            if reason:
                raise refuse(plan.parameter, reason)


@lru_cache(KEPT)
def compile_condition(text: str, parameter: str, names: Names) -> Plan:
    """The plan of a text with these names. Raises ValidationException for what no values could make right."""
    return plan_condition(parse_condition(text, parameter), parameter, dict(names))


def plan_condition(tree: Condition, parameter: str, names: Mapping[str, str]) -> Plan:
    """As `compile_condition`, of a tree."""
    compiler = _Compiler(names)
    test = compiler.condition(tree)
    leaves = tuple(compiler.leaves)
    return Plan(
        parameter,
        test,
        leaves,
        tuple([each for each in leaves if each.faulty]),
        not any(each.undefined for each in leaves),
        frozenset().union(*[each.names for each in leaves]),
        frozenset().union(*[each.values for each in leaves]),
        tuple(compiler.routes),
    )


class _Compiler:
    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names
        self.leaves: list[Leaf] = []
        self.routes: list[Route] = []

    def condition(self, node: Condition) -> Test:
        if isinstance(node, Both):
            return _all([self.condition(part) for part in node.conditions])
        if isinstance(node, Either):
            return _any([self.condition(part) for part in node.conditions])
        if isinstance(node, Not):
            inner = self.condition(node.condition)
            return lambda item, values: not inner(item, values)
        self.leaves.append(leaf(node, self.names))
        try:
            return self._comparison(node) if isinstance(node, Comparison) else self._call(node)
        except (UndefinedName, IndexError, KeyError):
            return _never  # binding will refuse this leaf

    def _comparison(self, node: Comparison) -> Test:
        operands = [self.operand(each) for each in node.operands]
        if node.operator == "BETWEEN":
            value, low, high = operands
            return _between(value, low, high)
        if node.operator == "IN":
            return _within(operands[0], operands[1:])
        left, right = operands
        test = functions.COMPARISONS[node.operator]
        return lambda item, values: test(left(item, values), right(item, values))

    def _call(self, node: Call) -> Test:
        operands = [self.operand(each) for each in node.arguments]
        read = operands[0]
        if node.name == "attribute_exists":
            return lambda item, values: read(item, values) is not None
        if node.name == "attribute_not_exists":
            return lambda item, values: read(item, values) is None
        test = _FUNCTIONS[node.name]
        other = operands[1]
        return lambda item, values: test(read(item, values), other(item, values))

    def operand(self, node: Operand) -> Read:
        if isinstance(node, Value):
            name = node.name
            return lambda item, values: values[name]
        if isinstance(node, Path):
            found = route(node, self.names)
            self.routes.append(found)
            get = getter(found)
            return lambda item, values: get(item)
        inner = self.operand(node.arguments[0])
        return lambda item, values: functions.size(inner(item, values))


_FUNCTIONS: dict[str, functions.Test] = {
    "begins_with": functions.begins_with,
    "contains": functions.contains,
    "attribute_type": functions.has_type,
}


def _never(_item: Item, _values: Values) -> bool:
    return False


def _all(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda item, values: first(item, values) and second(item, values)

    def every(item: Item, values: Values) -> bool:
        for test in tests:  # noqa: SIM110  # a generator costs as much as the tests
            if not test(item, values):
                return False
        return True

    return every


def _any(tests: list[Test]) -> Test:
    if len(tests) == 2:
        first, second = tests
        return lambda item, values: first(item, values) or second(item, values)

    def some(item: Item, values: Values) -> bool:
        for test in tests:  # noqa: SIM110  # as above
            if test(item, values):
                return True
        return False

    return some


def _between(value: Read, low: Read, high: Read) -> Test:
    def between(item: Item, values: Values) -> bool:
        held = value(item, values)
        return functions.at_least(held, low(item, values)) and functions.at_most(held, high(item, values))

    return between


def _within(value: Read, others: list[Read]) -> Test:
    def within(item: Item, values: Values) -> bool:
        held = value(item, values)
        if held is None:
            return False
        for other in others:  # noqa: SIM110  # as above
            if functions.same(held, other(item, values)):
                return True
        return False

    return within

"""What is wrong with a single comparison or function of a condition: its placeholders, then its operands.

Some of it is known from the text, the rest only with the values of a call. The order is DynamoDB's: placeholders that are
not given as they are written, the number of operands, operands that must differ, the types of operands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.expressions.scope import (
    Values,
    placeholders,
    route,
    undefined_name,
    undefined_value,
)
from cumulet.services.dynamodb.expressions.trees import Call, Comparison, Operand, Path, Value, shown
from cumulet.services.dynamodb.values import KINDS, compare, kind

ARGUMENTS = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
    "size": 1,
}
"""How many operands a function takes."""
MOST_IN = 100
"""Values after IN at most."""
_ORDERED = ("S", "N", "B")
_SHOWN_TYPES = "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
_ANY_TYPE = "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}"

Check = Callable[[Values], str]
"""What is wrong with the values of a call, or ""."""


class Leaf:
    """A comparison or function.

    `faulty`: it can be wrong although all its names and values are given. `undefined`: not all of its names are.
    """

    __slots__ = ("_checks", "_given", "_static", "faulty", "names", "undefined", "values")

    def __init__(self, node: Comparison | Call, names: Mapping[str, str]) -> None:
        operands = node.operands if isinstance(node, Comparison) else node.arguments
        used = list(_placeholders(operands))
        self.names = frozenset(name for name in used if name[0] == "#")
        self.values = frozenset(name for name in used if name[0] == ":")
        self._given = tuple((name, name in names) for name in used)
        self._static = ""
        self._checks: tuple[Check, ...] = ()
        undefined = any(name not in names for name in self.names)
        if not undefined:
            self._static = _wrong_text(node, names)
            self._checks = () if self._static else tuple(_checks(node))
        self.undefined = undefined
        self.faulty = bool(self._static or self._checks)

    def wrong(self, values: Values) -> str:
        """What is wrong, in DynamoDB's words, or ""."""
        for name, known in self._given:
            if name[0] == "#":
                if not known:
                    return undefined_name(name)
            elif name not in values:
                return undefined_value(name)
        return self.mistyped(values)

    def mistyped(self, values: Values) -> str:
        """As `wrong`, when all names and values are known to be given."""
        if self._static:
            return self._static
        for check in self._checks:
            reason = check(values)
            if reason:
                return reason
        return ""


def leaf(node: Comparison | Call, names: Mapping[str, str]) -> Leaf:
    return Leaf(node, names)


def _placeholders(operands: tuple[Operand, ...]) -> Iterator[str]:
    for operand in operands:
        if isinstance(operand, Value):
            yield operand.name
        elif isinstance(operand, Path):
            yield from placeholders(operand)
        else:
            yield from _placeholders(operand.arguments)


def _calls(operands: tuple[Operand, ...]) -> Iterator[Call]:
    """The functions among operands, inner ones first."""
    for operand in operands:
        if isinstance(operand, Call):
            yield from _calls(operand.arguments)
            yield operand


def _wrong_text(node: Comparison | Call, names: Mapping[str, str]) -> str:
    """What is wrong whatever the values are."""
    operands = node.operands if isinstance(node, Comparison) else node.arguments
    calls = [*_calls(operands), *([node] if isinstance(node, Call) else [])]
    for call in calls:
        if len(call.arguments) != ARGUMENTS[call.name]:
            return wrong_count(call.name, len(call.arguments))
    if isinstance(node, Comparison) and node.operator == "IN" and len(operands) > MOST_IN + 1:
        return wrong_count("IN", len(operands))
    name = node.operator if isinstance(node, Comparison) else node.name
    if len(operands) == 2 and name != "IN" and isinstance(operands[0], Path) and isinstance(operands[1], Path):
        first = route(operands[0], names)
        if first == route(operands[1], names):
            return (
                "The first operand must be distinct from the remaining operands for this operator or function; "
                f"operator: {name}, first operand: {shown(first)}"
            )
    return ""


def _wrong_call(call: Call) -> str:
    first = call.arguments[0]
    if call.name in ("attribute_exists", "attribute_not_exists") and not isinstance(first, Path):
        return needs_path(call.name)
    if call.name == "attribute_type" and not isinstance(call.arguments[1], Value):
        return wrong_type(call.name, _ANY_TYPE if isinstance(call.arguments[1], Path) else "N")
    if call.name == "size" and isinstance(first, Call):
        return wrong_type(call.name, "N")
    return ""


def _checks(node: Comparison | Call) -> Iterator[Check]:
    operands = node.operands if isinstance(node, Comparison) else node.arguments
    for call in _calls(operands):
        yield from _call_checks(call)
    if isinstance(node, Call):
        yield from _call_checks(node)
    elif node.operator == "BETWEEN":
        yield from _between_checks(operands)
    elif node.operator in ("<", "<=", ">", ">="):
        for operand in operands:
            if isinstance(operand, Value):
                yield _must_be(node.operator, operand.name, _ORDERED)


def _call_checks(call: Call) -> Iterator[Check]:
    reason = _wrong_call(call)
    if reason:
        yield lambda _: reason
    elif call.name == "begins_with":
        for argument in call.arguments:
            if isinstance(argument, Value):
                yield _must_be(call.name, argument.name, ("S", "B"))
            elif isinstance(argument, Call):
                yield lambda _: wrong_type(call.name, "N")
    elif call.name == "attribute_type" and isinstance(call.arguments[1], Value):
        yield _must_be_type(call.arguments[1].name)
    elif call.name == "size" and isinstance(call.arguments[0], Value):
        yield _must_be(call.name, call.arguments[0].name, ("S", "B", "SS", "NS", "BS", "L", "M"))


def _between_checks(operands: tuple[Operand, ...]) -> Iterator[Check]:
    low, high = operands[1], operands[2]
    if isinstance(low, Value) and isinstance(high, Value):
        yield _in_order(low.name, high.name)
    for operand in operands:
        if isinstance(operand, Value):
            yield _must_be("BETWEEN", operand.name, _ORDERED)


def _must_be(function: str, name: str, kinds: tuple[str, ...]) -> Check:
    def check(values: Values) -> str:
        value = values[name]
        if value.s is not None and kinds[0] == "S":
            return ""
        found = kind(value)
        return "" if found in kinds else wrong_type(function, found)

    return check


def _must_be_type(name: str) -> Check:
    def check(values: Values) -> str:
        value = values[name]
        if value.s is None:
            return wrong_type("attribute_type", kind(value))
        if value.s not in KINDS:
            return f"Invalid attribute type name found; type: {value.s}, valid types: {_SHOWN_TYPES}"
        return ""

    return check


def _in_order(low: str, high: str) -> Check:
    def check(values: Values) -> str:
        lower, upper = values[low], values[high]
        if kind(lower) != kind(upper):
            return (
                "The BETWEEN operator requires same data type for lower and upper bounds; "
                f"lower bound operand: {shown_value(lower)}, upper bound operand: {shown_value(upper)}"
            )
        if compare(lower, upper) == 1:
            return (
                "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; "
                f"lower bound operand: {shown_value(lower)}, upper bound operand: {shown_value(upper)}"
            )
        return ""

    return check


def shown_value(value: api.AttributeValue) -> str:
    """A value as DynamoDB's messages show it: AttributeValue: {S:a}."""
    name = kind(value)
    if value.l is not None:
        held = f"[{', '.join(map(shown_value, value.l))}]"
    elif value.m is not None:
        held = "{" + ", ".join(f"{key}={shown_value(part)}" for key, part in value.m.items()) + "}"
    elif value.ss is not None or value.ns is not None:
        held = f"[{', '.join(value.ss or value.ns or ())}]"
    else:
        held = str(getattr(value, name.lower()))
    return f"AttributeValue: {{{name}:{held}}}"


def wrong_count(function: str, count: int) -> str:
    return (
        "Incorrect number of operands for operator or function; "
        f"operator or function: {function}, number of operands: {count}"
    )


def wrong_type(function: str, found: str) -> str:
    return f"Incorrect operand type for operator or function; operator or function: {function}, operand type: {found}"


def needs_path(function: str) -> str:
    return f"Operator or function requires a document path; operator or function: {function}"

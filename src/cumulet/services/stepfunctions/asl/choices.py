"""The rules of a Choice state with JSONPath, compiled to closures.

https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from cumulet.services.stepfunctions.asl import paths, timestamps
from cumulet.services.stepfunctions.asl.errors import runtime
from cumulet.services.stepfunctions.asl.scope import Scope

Rule = Callable[[Any, Scope], bool]
Compare = Callable[[Any, Any], bool]

_ORDERS: dict[str, Compare] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else None


def _number(value: Any) -> Any:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _boolean(value: Any) -> Any:
    return value if isinstance(value, bool) else None


def _moment(value: Any) -> Any:
    return timestamps.parse(value) if isinstance(value, str) else None


def _compared(kind: Callable[[Any], Any], order: Compare) -> Compare:
    """A comparison of two values of one kind; values of another kind are never equal, less or greater."""

    def compare(left: Any, right: Any) -> bool:
        one, other = kind(left), kind(right)
        if one is None or other is None:
            return False
        if kind is _text and not (one.isascii() and other.isascii()):
            return bool(order(one.encode("utf-16-be", "surrogatepass"), other.encode("utf-16-be", "surrogatepass")))
        return bool(order(one, other))

    return compare


COMPARISONS: dict[str, Compare] = {
    **{f"String{name}": _compared(_text, order) for name, order in _ORDERS.items()},
    **{f"Numeric{name}": _compared(_number, order) for name, order in _ORDERS.items()},
    **{f"Timestamp{name}": _compared(_moment, order) for name, order in _ORDERS.items()},
    "BooleanEquals": _compared(_boolean, operator.eq),
}

CHECKS: dict[str, Callable[[Any], bool]] = {
    "IsNull": lambda value: value is None,
    "IsNumeric": lambda value: _number(value) is not None,
    "IsString": lambda value: isinstance(value, str),
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: _moment(value) is not None,
}

# All 39 operators.
OPERATORS = frozenset([*COMPARISONS, *(f"{name}Path" for name in COMPARISONS), *CHECKS, "IsPresent", "StringMatches"])


def matcher(pattern: str) -> Callable[[str], bool]:
    r"""Whether a string fits ``pattern``: ``*`` is any characters, ``\*`` a star, ``\\`` a backslash. Linear, no regular expression."""
    parts, place, current = [], 0, ""
    while place < len(pattern):
        letter = pattern[place]
        if letter == "\\" and pattern[place + 1 : place + 2] in ("*", "\\"):
            current += pattern[place + 1]
            place += 2
            continue
        if letter == "*":
            parts.append(current)
            current = ""
        else:
            current += letter
        place += 1
    parts.append(current)
    if len(parts) == 1:
        only = parts[0]
        return lambda text: text == only
    first, *middle, last = parts

    def fits(text: str) -> bool:
        if not (text.startswith(first) and text.endswith(last) and len(text) >= len(first) + len(last)):
            return False
        at, end = len(first), len(text) - len(last)
        for part in middle:
            found = text.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    return fits


def rule(entry: dict[str, Any]) -> Rule:
    """What says whether ``entry`` (already validated) is true of (input, scope)."""
    if "And" in entry:
        every = [rule(inner) for inner in entry["And"]]
        return lambda input, scope: all(check(input, scope) for check in every)
    if "Or" in entry:
        some = [rule(inner) for inner in entry["Or"]]
        return lambda input, scope: any(check(input, scope) for check in some)
    if "Not" in entry:
        negated = rule(entry["Not"])
        return lambda input, scope: not negated(input, scope)
    name = next(key for key in entry if key in OPERATORS)
    return _comparison(paths.source(entry["Variable"]), name, entry[name])


def _comparison(variable: paths.Source, name: str, wanted: Any) -> Rule:
    if name == "IsPresent":
        return lambda input, scope: _present(variable, input, scope) is wanted
    if name in CHECKS:
        check = CHECKS[name]
        return lambda input, scope: check(_value(variable, input, scope)) is wanted
    if name == "StringMatches":
        fits = matcher(wanted)

        def matches(input: Any, scope: Scope) -> bool:
            value = _value(variable, input, scope)
            return isinstance(value, str) and fits(value)

        return matches
    if name.endswith("Path"):
        other, compare_paths = paths.source(wanted), COMPARISONS[name[:-4]]
        return lambda input, scope: compare_paths(_value(variable, input, scope), _value(other, input, scope))
    compare = COMPARISONS[name]
    return lambda input, scope: compare(_value(variable, input, scope), wanted)


def _present(variable: paths.Source, input: Any, scope: Scope) -> bool:
    try:
        found = variable.read(input, scope)
    except paths.NotFound:
        return False
    return variable.definite or bool(found)


def _value(variable: paths.Source, input: Any, scope: Scope) -> Any:
    try:
        return variable.read(input, scope)
    except paths.NotFound:
        raise runtime(
            f"Invalid path '{variable.text}': The choice state's condition path references an invalid value."
        ) from None

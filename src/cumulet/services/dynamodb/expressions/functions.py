"""What the operators and functions of conditions say of values. A value that is missing is None.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.OperatorsAndFunctions.html
"""

from __future__ import annotations

from collections.abc import Callable

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.values import KINDS, compare, equal

Test = Callable[["api.AttributeValue | None", "api.AttributeValue | None"], bool]
TYPES = frozenset(KINDS)


def same(first: api.AttributeValue | None, second: api.AttributeValue | None) -> bool:
    if first is None or second is None:
        return False
    return first == second or (first.s is None and equal(first, second))


def different(first: api.AttributeValue | None, second: api.AttributeValue | None) -> bool:
    """What is missing differs from everything, also from what is missing."""
    return not same(first, second)


def less(first: api.AttributeValue | None, second: api.AttributeValue | None) -> bool:
    return first is not None and second is not None and compare(first, second) == -1


def at_most(first: api.AttributeValue | None, second: api.AttributeValue | None) -> bool:
    return first is not None and second is not None and compare(first, second) in (-1, 0)


def greater(first: api.AttributeValue | None, second: api.AttributeValue | None) -> bool:
    return first is not None and second is not None and compare(first, second) == 1


def at_least(first: api.AttributeValue | None, second: api.AttributeValue | None) -> bool:
    return first is not None and second is not None and compare(first, second) in (0, 1)


COMPARISONS: dict[str, Test] = {
    "=": same,
    "<>": different,
    "<": less,
    "<=": at_most,
    ">": greater,
    ">=": at_least,
}


def begins_with(value: api.AttributeValue | None, prefix: api.AttributeValue | None) -> bool:
    if value is None or prefix is None:
        return False
    if value.s is not None and prefix.s is not None:
        return value.s.startswith(prefix.s)
    if value.b is not None and prefix.b is not None:
        return value.b.startswith(prefix.b)
    return False


def contains(value: api.AttributeValue | None, part: api.AttributeValue | None) -> bool:
    """A part of a string or binary, or an element of a set or list."""
    if value is None or part is None:
        return False
    if value.l is not None:
        return any(equal(element, part) for element in value.l)
    if part.s is not None:
        held = value.s if value.s is not None else value.ss
        return held is not None and part.s in held
    if part.n is not None:
        return value.ns is not None and part.n in value.ns
    if part.b is not None:
        inside = value.b if value.b is not None else value.bs
        return inside is not None and part.b in inside
    return False


def has_type(value: api.AttributeValue | None, type_name: api.AttributeValue | None) -> bool:
    if value is None or type_name is None or type_name.s not in TYPES:
        return False
    return getattr(value, type_name.s.lower()) is not None


def size(value: api.AttributeValue | None) -> api.AttributeValue | None:
    """Letters of a string, bytes of a binary, elements of anything else that has elements; None if it has no size."""
    if value is None:
        return None
    if value.s is not None:
        text = value.s  # its letters as UTF-16 counts them, as Java does
        return api.AttributeValue(n=str(len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2))
    for held in (value.b, value.ss, value.ns, value.bs, value.l, value.m):
        if held is not None:
            return api.AttributeValue(n=str(len(held)))
    return None

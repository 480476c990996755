"""Filters as closures, with the comparisons of Jayway's library: a number equals the text that spells it, what is missing equals nothing."""

import operator
from collections.abc import Callable
from typing import Any

from cumulet.expressions.jsonpath.tree import (
    All,
    AnyOf,
    Compare,
    Exists,
    JsonPathError,
    Literal,
    Not,
    Operand,
    Pattern,
    Steps,
    Test,
)
from cumulet.expressions.jsonpath.walk import Accept, PathNotFound, Run, build, is_definite
from cumulet.expressions.regexes import Expression, TooComplex

MISSING = object()
"""What a path in a filter gives where it leads nowhere."""

Value = Callable[[Any, Run], Any]
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def accept(test: Test) -> Accept:
    """The closure of a test: of a value and the evaluation it is part of."""
    match test:
        case Compare():
            return _compare(test)
        case Exists(path=path, wanted=wanted):
            value = path_value(path)
            return lambda item, run: (value(item, run) is not MISSING) is wanted
        case Not(test=inner):
            accepts = accept(inner)
            return lambda item, run: not accepts(item, run)
        case All(tests=tests):
            every = [accept(inner) for inner in tests]
            return lambda item, run: all(accepts(item, run) for accepts in every)
        case AnyOf(tests=tests):
            some = [accept(inner) for inner in tests]
            return lambda item, run: any(accepts(item, run) for accepts in some)
    raise AssertionError(test)


def path_value(path: Steps) -> Value:
    """What a path in a filter or a parameter stands for: a value, a list of them, or MISSING."""
    walk = build(path)
    definite = is_definite(path.steps)
    relative = path.relative

    def value(item: Any, run: Run) -> Any:
        inner = Run(run.root, run.left)
        try:
            walk(item if relative else run.root, inner)
        except PathNotFound:
            return MISSING
        finally:
            run.left = min(run.left, inner.left)
        if not definite:
            return inner.found
        return inner.found[-1] if inner.found else MISSING

    return value


def operand_value(operand: Operand) -> Value:
    """A path's value, or what is written; raises JsonPathError for a pattern, which only `=~` takes."""
    match operand:
        case Steps():
            return path_value(operand)
        case Literal(value=literal):
            return lambda _, __: literal
    raise JsonPathError("a pattern can only be used with =~")


def _compare(test: Compare) -> Accept:
    if test.operator == "=~":
        return _matches(test)
    left, right = operand_value(test.left), operand_value(test.right)
    relation = _RELATIONS[test.operator]

    def accepts(item: Any, run: Run) -> bool:
        one, other = left(item, run), right(item, run)
        if isinstance(one, list) or isinstance(other, list):
            run.work(_length(one) * _length(other))
        return relation(one, other)

    return accepts


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 1


def _matches(test: Compare) -> Accept:
    """Against the whole text; one side is the pattern. Of a list, any element may match."""
    pattern, other = (test.left, test.right) if isinstance(test.left, Pattern) else (test.right, test.left)
    if not isinstance(pattern, Pattern) or isinstance(other, Pattern):
        return lambda _, __: False
    try:
        expression = Expression(pattern.expression, pattern.flags)
    except ValueError as error:
        raise JsonPathError(f"the pattern /{pattern.expression}/ cannot be used: {error}") from error
    value = operand_value(other)

    def accepts(item: Any, run: Run) -> bool:
        against = value(item, run)
        texts = against if isinstance(against, list) else [against]
        run.work(len(texts))
        try:
            return any(_fits(expression, _spelled(text), run) for text in texts)
        except TooComplex as error:
            raise JsonPathError(str(error)) from error

    return accepts


_QUICK = 256
"""Steps of a regular expression for the price of a value."""


def _fits(expression: Expression, text: str, run: Run) -> bool:
    run.work(expression.steps(text) // _QUICK)
    return expression.compiled.fullmatch(text) is not None


def _spelled(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, str) and _is_number(right):
        return left == str(right)
    if _is_number(left) and isinstance(right, str):
        try:
            return bool(float(right) == left)
        except ValueError:
            return False
    return left is not MISSING and _same(left, right)


def _same(left: Any, right: Any) -> bool:
    """Equality of JSON values: true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_same(left[name], right[name]) for name in left)
    return bool(left == right)


def _kind(value: Any) -> object:
    return "number" if _is_number(value) else "json" if isinstance(value, dict | list) else type(value)


def _strictly_equal(left: Any, right: Any) -> bool:
    return _kind(left) == _kind(right) and _equal(left, right)


def _ordered(order: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
    if (_is_number(left) and _is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
        return order(left, right)
    return False


def _in(left: Any, right: Any) -> bool:
    return isinstance(right, list) and any(_equal(left, element) for element in right)


def _contains(left: Any, right: Any) -> bool:
    if isinstance(left, str):
        return isinstance(right, str) and right in left
    return isinstance(left, list) and any(_equal(element, right) for element in left)


def _all(left: Any, right: Any) -> bool:
    if not isinstance(right, list) or not isinstance(left, list | dict):
        return False
    return isinstance(left, dict) or all(_in(wanted, left) for wanted in right)


def _size(left: Any, right: Any) -> bool:
    return _is_number(right) and isinstance(left, str | list | dict) and len(left) == int(right)


def _empty(left: Any, right: Any) -> bool:
    return isinstance(left, str | list | dict) and isinstance(right, bool) and (not left) is right


def _subset(left: Any, right: Any) -> bool:
    return isinstance(left, list) and isinstance(right, list) and all(_in(element, right) for element in left)


def _any_of(left: Any, right: Any) -> bool:
    return isinstance(left, list) and isinstance(right, list) and any(_in(element, right) for element in left)


def _none_of(left: Any, right: Any) -> bool:
    return isinstance(left, list) and isinstance(right, list) and not any(_in(element, right) for element in left)


def _order(sign: str) -> Callable[[Any, Any], bool]:
    order = _ORDERS[sign]
    return lambda left, right: _ordered(order, left, right)


_RELATIONS: dict[str, Callable[[Any, Any], bool]] = {
    "==": _equal,
    "!=": lambda left, right: not _equal(left, right),
    "===": _strictly_equal,
    "!==": lambda left, right: not _strictly_equal(left, right),
    **{sign: _order(sign) for sign in _ORDERS},
    "in": _in,
    "nin": lambda left, right: not _in(left, right),
    "contains": _contains,
    "all": _all,
    "size": _size,
    "empty": _empty,
    "subsetof": _subset,
    "anyof": _any_of,
    "noneof": _none_of,
}

"""The grammar of filters: `@.a > 1 && (@.b in ['x', 'y'] || !@.c)`."""

import re
from typing import Any

from cumulet.expressions.jsonpath.cursor import Cursor
from cumulet.expressions.jsonpath.parse import steps_at
from cumulet.expressions.jsonpath.tree import All, AnyOf, Compare, Exists, Literal, Not, Operand, Pattern, Steps, Test

_DEEPEST = 40
_SIGNS = ("===", "!==", "==", "!=", "<=", ">=", "=~", "<", ">")
_WORD = re.compile(r"[A-Za-z]+")
OPERATORS = frozenset({"in", "nin", "contains", "all", "size", "empty", "subsetof", "anyof", "noneof"})
_NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_BARE = re.compile(r"[A-Za-z_][\w-]*")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None}


def test(cursor: Cursor) -> Test:
    """Tests joined by `||`, which binds weakest."""
    cursor.depth += 1
    if cursor.depth > _DEEPEST:
        raise cursor.fail("a filter is nested too deeply")
    tests = [_every(cursor)]
    while cursor.take("||"):
        tests.append(_every(cursor))
    cursor.depth -= 1
    return tests[0] if len(tests) == 1 else AnyOf(tuple(tests))


def _every(cursor: Cursor) -> Test:
    tests = [_one(cursor)]
    while cursor.take("&&"):
        tests.append(_one(cursor))
    return tests[0] if len(tests) == 1 else All(tuple(tests))


def _one(cursor: Cursor) -> Test:
    if cursor.take("("):
        inner = test(cursor)
        cursor.expect(")", "after a test in brackets")
        return inner
    if cursor.take("!"):
        cursor.blanks()
        if cursor.here and cursor.here in "@$":
            return Exists(steps_at(cursor, whole=False), False)
        cursor.depth += 1
        if cursor.depth > _DEEPEST:
            raise cursor.fail("a filter is nested too deeply")
        inner = _one(cursor)
        cursor.depth -= 1
        return Not(inner)
    return _relation(cursor)


def _relation(cursor: Cursor) -> Test:
    left = operand(cursor)
    after = cursor.at
    operator = _operator(cursor)
    if operator:
        return Compare(left, operator, operand(cursor))
    if isinstance(left, Steps):
        return Exists(left, True)
    raise cursor.fail("a value is no test: expected an operator", after)


def _operator(cursor: Cursor) -> str:
    for sign in _SIGNS:
        if cursor.take(sign):
            return sign
    word = _WORD.match(cursor.text, cursor.at)
    if word is None:
        return ""
    operator = word.group().lower()
    if operator not in OPERATORS:
        raise cursor.fail(f"Filter operator {word.group()} is not supported!")
    cursor.at = word.end()
    return operator


def operand(cursor: Cursor) -> Operand:
    """A path or a value."""
    cursor.blanks()
    if cursor.here and cursor.here in "@$":
        return steps_at(cursor, whole=False)
    if cursor.here == "/":
        return _pattern(cursor)
    return Literal(_value(cursor))


def _value(cursor: Cursor) -> Any:
    """A JSON value, in which texts may be in single quotes; a bare word is a text too."""
    cursor.blanks()
    here = cursor.here
    if here and here in "'\"":
        return cursor.quoted()
    if here == "[":
        return _array(cursor)
    if here == "{":
        return _object(cursor)
    number = _NUMBER.match(cursor.text, cursor.at)
    if number is not None:
        cursor.at = number.end()
        return _as_number(number.group())
    word = _BARE.match(cursor.text, cursor.at)
    if word is None:
        raise cursor.fail(f"expected a value, found {cursor.described()}")
    cursor.at = word.end()
    return _WORDS.get(word.group(), word.group())


def _as_number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdecimal() else float(text)


def _deeper(cursor: Cursor) -> None:
    cursor.at += 1
    cursor.depth += 1
    if cursor.depth > _DEEPEST:
        raise cursor.fail("a value in a filter is nested too deeply")


def _array(cursor: Cursor) -> list[Any]:
    _deeper(cursor)
    values: list[Any] = []
    while not cursor.take("]"):
        if values:
            cursor.expect(",", "between elements")
        values.append(_value(cursor))
    cursor.depth -= 1
    return values


def _object(cursor: Cursor) -> dict[str, Any]:
    _deeper(cursor)
    members: dict[str, Any] = {}
    while not cursor.take("}"):
        if members:
            cursor.expect(",", "between members")
        cursor.blanks()
        name = cursor.quoted() if cursor.here and cursor.here in "'\"" else str(_value(cursor))
        cursor.expect(":", "after a member's name")
        members[name] = _value(cursor)
    cursor.depth -= 1
    return members


def _pattern(cursor: Cursor) -> Pattern:
    start = cursor.at
    at = start + 1
    while (letter := cursor.text[at : at + 1]) != "/":
        if not letter:
            raise cursor.fail("Pattern not closed. Expected /", start)
        at += 2 if letter == "\\" else 1
    flags = at + 1
    while cursor.text[flags : flags + 1].isalpha():
        flags += 1
    cursor.at = flags
    return Pattern(cursor.text[start + 1 : at], cursor.text[at + 1 : flags])

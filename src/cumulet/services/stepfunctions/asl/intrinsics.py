"""Intrinsic functions of JSONPath states: calls such as ``States.Format('{}', $.name)``, parsed once, run as closures.

https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from cumulet.services.stepfunctions.asl import paths
from cumulet.services.stepfunctions.asl.errors import INTRINSIC, StatesError
from cumulet.services.stepfunctions.asl.functions import FUNCTIONS, Failed
from cumulet.services.stepfunctions.asl.patience import exceeds
from cumulet.services.stepfunctions.asl.scope import Scope

# Calls within calls: what AWS allows is ten; https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
_DEPTH = 10
_ARGUMENTS = 10_000
# Characters of a call that may have the same value as an argument so often that it matters.
_LONG = 200
_POINTER = 8

_CALL = re.compile(r"\s*(States\.[A-Za-z0-9_]+)\s*\(")
_NUMBER = re.compile(r"-?(?:\d+\.\d+|\d+)(?:[eE][+-]?\d+)?(?=\s*[,)])")
_WORD = re.compile(r"(true|false|null)(?=\s*[,)])")
_WORDS = {"true": True, "false": False, "null": None}
_SPACE = re.compile(r"\s*")


class BadCall(Exception):
    """The text is no intrinsic function call."""


class Call:
    """A parsed call: ``arguments`` are literals, paths (``Source``) and calls."""

    __slots__ = ("arguments", "name", "run", "text")

    def __init__(self, name: str, arguments: tuple[Any, ...], text: str) -> None:
        self.name = name
        self.arguments = arguments
        self.text = text
        self.run = FUNCTIONS[name].run

    def read(self, input: Any, scope: Scope) -> Any:
        """What the call gives; raises StatesError (``States.IntrinsicFailure``), or NotFound of a path inside."""
        patience = scope.patience
        patience.check()
        given = [
            argument.read(input, scope) if isinstance(argument, (Call, paths.Source)) else argument.value
            for argument in self.arguments
        ]
        if len(self.text) > _LONG and exceeds(given):
            raise self._failure("The arguments are too large.")
        try:
            made = self.run(given, scope)
        except Failed as failed:
            raise self._failure(str(failed)) from None
        except RecursionError:
            raise self._failure("An argument is nested too deeply.") from None
        if isinstance(made, (str, list)):
            patience.take(len(made) * (1 if isinstance(made, str) else _POINTER))
        return made

    def _failure(self, what: str) -> StatesError:
        return StatesError(INTRINSIC, f"The function '{self.text}' had the following error: {what}", inner=True)

    def sources(self) -> Iterator[paths.Source]:
        """The paths in it, also in calls in it."""
        for argument in self.arguments:
            if isinstance(argument, Call):
                yield from argument.sources()
            elif isinstance(argument, paths.Source):
                yield argument


class _Literal:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


@lru_cache(maxsize=2048)
def call(text: str) -> Call:
    """The call that ``text`` is; raises BadCall."""
    parsed, end = _call(text, 0, 1)
    if text[end:].strip():
        raise BadCall(text)
    return parsed


def _call(text: str, at: int, depth: int) -> tuple[Call, int]:
    head = _CALL.match(text, at)
    if head is None or depth > _DEPTH or head.group(1) not in FUNCTIONS:
        raise BadCall(text)
    arguments: list[Any] = []
    place = _space(text, head.end())
    if text[place : place + 1] != ")":
        while True:
            argument, place = _argument(text, place, depth)
            if len(arguments) == _ARGUMENTS:
                raise BadCall(text)
            arguments.append(argument)
            place = _space(text, place)
            if text[place : place + 1] != ",":
                break
            place = _space(text, place + 1)
    if text[place : place + 1] != ")":
        raise BadCall(text)
    function = FUNCTIONS[head.group(1)]
    if not function.fewest <= len(arguments) <= function.most:
        raise BadCall(text)
    for index, argument in enumerate(arguments):
        if isinstance(argument, _Literal) and not function.fits(index, argument.value):
            raise BadCall(text)
    return Call(head.group(1), tuple(arguments), text[at : place + 1].strip()), place + 1


def _argument(text: str, at: int, depth: int) -> tuple[Any, int]:
    first = text[at : at + 1]
    if first == "'":
        return _string(text, at)
    if first == "$":
        end = _path_end(text, at)
        try:
            return paths.source(text[at:end].strip()), end
        except paths.BadPath:
            raise BadCall(text) from None
    if first == "S":
        return _call(text, at, depth + 1)
    number = _NUMBER.match(text, at)
    if number is not None:
        digits = number.group(0)
        return _Literal(int(digits) if digits.lstrip("-").isdigit() else float(digits)), number.end()
    word = _WORD.match(text, at)
    if word is not None:
        return _Literal(_WORDS[word.group(1)]), word.end()
    raise BadCall(text)


def _string(text: str, at: int) -> tuple[_Literal, int]:
    r"""A literal in single quotes. ``\'``, ``\\``, ``\{`` and ``\}`` are escapes; those of braces stay for Format."""
    parts: list[str] = []
    place = at + 1
    while place < len(text):
        letter = text[place]
        if letter == "'":
            return _Literal("".join(parts)), place + 1
        if letter == "\\":
            follows = text[place + 1 : place + 2]
            if follows in ("{", "}"):
                parts.append("\\" + follows)
            elif follows == "\\":
                parts.append("\\\\" if text[place + 2 : place + 3] in ("{", "}") else "\\")
            elif follows == "'":
                parts.append("'")
            else:
                raise BadCall(text)
            place += 2
            continue
        parts.append(letter)
        place += 1
    raise BadCall(text)


def _path_end(text: str, at: int) -> int:
    """Where a path in an argument list ends: at a comma or the closing parenthesis outside its own brackets and quotes."""
    depth, quote, place = 0, "", at
    while place < len(text):
        letter = text[place]
        if quote:
            if letter == "\\":
                place += 1
            elif letter == quote:
                quote = ""
        elif letter in "'\"" and depth:
            quote = letter
        elif letter in "[(":
            depth += 1
        elif letter in "])":
            if not depth:
                return place
            depth -= 1
        elif letter == "," and not depth:
            return place
        place += 1
    return place


def _space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at

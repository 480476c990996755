"""Values in statements: constants, parameters, and lists, maps and sets of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.partiql.lexer import NAME, NUMBER, STRING, Word, Words, malformed
from cumulet.services.dynamodb.values import DEEPEST, check_value, kind, normal_number, too_deep

_LEAST = -(1 << 31)
"""Exponents and scales are 32-bit integers."""
_LONG = 100
"""Characters of an exponent that is none, whatever its digits."""
_SCALARS = frozenset({"S", "N", "B"})


class Constant(NamedTuple):
    value: api.AttributeValue


class Parameter(NamedTuple):
    """A `?`; `place` counts them from 0."""

    place: int


class ListOf(NamedTuple):
    parts: tuple[Literal, ...]


class SetOf(NamedTuple):
    elements: tuple[Literal, ...]


class MapOf(NamedTuple):
    entries: tuple[tuple[str, Literal], ...]


Literal = Constant | Parameter | ListOf | SetOf | MapOf


class Literals:
    """Reads values, and counts the parameters among them."""

    __slots__ = ("parameters", "words")

    def __init__(self, words: Words) -> None:
        self.words = words
        self.parameters = 0

    def begins(self) -> bool:
        """Whether a value stands here."""
        word = self.words.peek()
        if word.kind in (STRING, NUMBER):
            return True
        if word.kind == NAME:
            return word.text.upper() in ("TRUE", "FALSE", "NULL")
        return any(self.words.is_sign(sign) for sign in ("?", "[", "{", "<<", "-", "+"))

    def item(self) -> Literal:
        """The item of an INSERT: paths in messages begin within its attributes."""
        return self.read(paths=False)

    def read(self, depth: int = 0, path: str = "root", *, paths: bool = True) -> Literal:
        """A value. Raises ValidationException; `path` says where within the whole value."""
        words = self.words
        if depth > DEEPEST:
            raise too_deep()
        word = words.next()
        if word.kind == STRING:
            return Constant(api.AttributeValue(s=word.text))
        if word.kind == NUMBER:
            return _number(word.text, path)
        if word.kind == NAME:
            return self._named(word, path)
        return self._signed(word.text, depth, path, paths=paths)

    def _named(self, word: Word, path: str) -> Literal:
        name = word.text.upper()
        if name == "NULL":
            return Constant(api.AttributeValue(null=True))
        if name in ("TRUE", "FALSE"):
            return Constant(api.AttributeValue(bool=name == "TRUE"))
        if self.words.is_sign("("):
            raise invalid(f"Unsupported data type: {word.text.lower()} under key {path} at {self.words.place(word)}")
        self.words.at -= 1
        raise self.words.unexpected("Expected a value")

    def _signed(self, sign: str, depth: int, path: str, *, paths: bool) -> Literal:
        words = self.words
        if sign == "?":
            self.parameters += 1
            return Parameter(self.parameters - 1)
        if sign in ("-", "+") and words.peek().kind == NUMBER:
            return _number(sign + words.next().text, path)
        if sign == "[":
            return ListOf(tuple(self._until("]", depth, path)))
        if sign == "<<":
            return SetOf(tuple(self._until(">>", depth, path)))
        if sign == "{":
            return self._map(depth, path, paths=paths)
        words.at = max(words.at - (1 if sign else 0), 0)
        raise words.unexpected("Expected a value")

    def _until(self, end: str, depth: int, path: str) -> list[Literal]:
        parts: list[Literal] = []
        if self.words.take_sign(end):
            return parts
        while True:
            parts.append(self.read(depth + 1, f"{path}[{len(parts)}]"))
            if self.words.take_sign(end):
                return parts
            self.words.expect_sign(",")

    def _map(self, depth: int, path: str, *, paths: bool) -> MapOf:
        words = self.words
        entries: list[tuple[str, Literal]] = []
        while not words.take_sign("}"):
            if entries:
                words.expect_sign(",")
            if words.peek().kind != STRING:
                raise words.unexpected("Expected a string as the key of a map")
            key = words.next().text
            words.expect_sign(":")
            entries.append((key, self.read(depth + 1, f"{path}.{key}" if paths else path)))
        return MapOf(tuple(entries))


def _number(text: str, path: str) -> Constant:
    """Raises ValidationException for what is beyond DynamoDB's numbers, or cannot be told at all."""
    digits, _, exponent = text.lower().partition("e")
    power = int(exponent[:_LONG] or "0")
    scale = len(digits.partition(".")[2]) - power
    if len(exponent) >= _LONG or not (_LEAST <= power < -_LEAST and _LEAST <= scale < -_LEAST):
        raise malformed("")
    try:
        return Constant(api.AttributeValue(n=normal_number(text)))
    except AwsError as error:
        raise invalid(f"{error.message} under {path}") from None


def built(literal: Literal, parameters: Sequence[api.AttributeValue]) -> api.AttributeValue:
    """The value of a literal with the parameters of a call. Raises ValidationException."""
    if isinstance(literal, Constant):
        return literal.value
    if isinstance(literal, Parameter):
        return parameters[literal.place]
    if isinstance(literal, ListOf):
        return api.AttributeValue(l=[built(part, parameters) for part in literal.parts])
    if isinstance(literal, MapOf):
        return api.AttributeValue(m={key: built(part, parameters) for key, part in literal.entries})
    return _set([built(element, parameters) for element in literal.elements])


def _set(elements: list[api.AttributeValue]) -> api.AttributeValue:
    kinds = {kind(element) for element in elements}
    if not kinds:
        raise invalid("Empty bags are not supported")
    if len(kinds) != 1 or not kinds <= _SCALARS:
        raise invalid("A set must hold strings, numbers or binaries, at least one, and all of one type")
    value = api.AttributeValue(
        ss=[each.s for each in elements if each.s is not None] or None,
        ns=[each.n for each in elements if each.n is not None] or None,
        bs=[each.b for each in elements if each.b is not None] or None,
    )
    check_value(value)
    return value

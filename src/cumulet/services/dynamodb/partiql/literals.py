"""Values in statements: constants, parameters, and lists, maps and sets of these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.partiql.lexer import NAME, NUMBER, STRING, Words
from cumulet.services.dynamodb.values import DEEPEST, check_value, kind, normal_number, too_deep

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

    def read(self, depth: int = 0) -> Literal:
        """A value. Raises ValidationException."""
        words = self.words
        if depth > DEEPEST:
            raise too_deep()
        word = words.next()
        if word.kind == STRING:
            return Constant(api.AttributeValue(s=word.text))
        if word.kind == NUMBER:
            return Constant(api.AttributeValue(n=normal_number(word.text)))
        if word.kind == NAME:
            return self._named(word.text.upper())
        return self._signed(word.text, depth)

    def _named(self, name: str) -> Literal:
        if name == "NULL":
            return Constant(api.AttributeValue(null=True))
        if name not in ("TRUE", "FALSE"):
            self.words.at -= 1
            raise self.words.unexpected("Expected a value")
        return Constant(api.AttributeValue(bool=name == "TRUE"))

    def _signed(self, sign: str, depth: int) -> Literal:
        words = self.words
        if sign == "?":
            self.parameters += 1
            return Parameter(self.parameters - 1)
        if sign in ("-", "+") and words.peek().kind == NUMBER:
            return Constant(api.AttributeValue(n=normal_number(sign + words.next().text)))
        if sign == "[":
            return ListOf(tuple(self._until("]", depth)))
        if sign == "<<":
            return SetOf(tuple(self._until(">>", depth)))
        if sign == "{":
            return self._map(depth)
        words.at = max(words.at - (1 if sign else 0), 0)
        raise words.unexpected("Expected a value")

    def _until(self, end: str, depth: int) -> list[Literal]:
        parts: list[Literal] = []
        if self.words.take_sign(end):
            return parts
        while True:
            parts.append(self.read(depth + 1))
            if self.words.take_sign(end):
                return parts
            self.words.expect_sign(",")

    def _map(self, depth: int) -> MapOf:
        words = self.words
        entries: list[tuple[str, Literal]] = []
        while not words.take_sign("}"):
            if entries:
                words.expect_sign(",")
            if words.peek().kind != STRING:
                raise words.unexpected("Expected a string as the key of a map")
            key = words.next().text
            words.expect_sign(":")
            entries.append((key, self.read(depth + 1)))
        return MapOf(tuple(entries))


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
    if len(kinds) != 1 or not kinds <= _SCALARS:
        raise invalid("A set must hold strings, numbers or binaries, at least one, and all of one type")
    value = api.AttributeValue(
        ss=[each.s for each in elements if each.s is not None] or None,
        ns=[each.n for each in elements if each.n is not None] or None,
        bs=[each.b for each in elements if each.b is not None] or None,
    )
    check_value(value)
    return value

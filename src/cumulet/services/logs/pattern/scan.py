"""What the three forms of filter patterns share: reading their text, and comparing values."""

import operator
import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from cumulet.kernel.errors import NotImplementedHere

Test = Callable[[Any], bool]

_SPACE = re.compile(r"\s*")
_OPERATOR = re.compile(r"!=|<=|>=|=|<|>")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BARE = re.compile(r"[^\s()\[\]{}=!<>&|,\"]+")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_ESCAPE = re.compile(r"\\(.)")
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_DEEPEST = 50


class PatternError(ValueError):
    """The text is not a filter pattern; the message says where."""


class Pattern(Struct, frozen=True):
    """A compiled pattern: does a message match, and which values of it does the pattern name."""

    matches: Callable[[str], bool]
    extract: Callable[[str], dict[str, str]]


class Scanner:
    """A cursor over the text of a pattern."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip(self) -> None:
        found = _SPACE.match(self.text, self.at)
        assert found is not None
        self.at = found.end()

    def take(self, expression: "re.Pattern[str]") -> str | None:
        """The match at the cursor, which moves past it."""
        self.skip()
        found = expression.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def literal(self, text: str) -> bool:
        """Move past `text` if it comes next."""
        self.skip()
        if not self.text.startswith(text, self.at):
            return False
        self.at += len(text)
        return True

    def expect(self, text: str) -> None:
        if not self.literal(text):
            raise self.error(f"expected {text!r}")

    def done(self) -> bool:
        self.skip()
        return self.at >= len(self.text)

    def error(self, problem: str) -> PatternError:
        return PatternError(f"Invalid filter pattern: {problem} at character {self.at + 1}")

    def comparison(self) -> Test:
        """Reads `= value`, `>= 4` and the like; gives a test of a string, number or boolean."""
        sign = self.take(_OPERATOR)
        if sign is None:
            raise self.error("expected a comparison")
        text, quoted = self.value()
        if sign in _ORDER:
            return _ordering(self, sign, text)
        equal = _text_test(text) if quoted or not _NUMBER.fullmatch(text) else _number_test(text)
        return equal if sign == "=" else lambda value: not equal(value)

    def value(self) -> tuple[str, bool]:
        """A quoted or bare value, and whether it was quoted."""
        quoted = self.take(_QUOTED)
        if quoted is not None:
            return unescape(quoted[1:-1]), True
        bare = self.take(_BARE)
        if bare is None:
            raise self.error("expected a value")
        refuse_regex(bare)
        return bare, False

    def logic(self, primary: Callable[[], Test], depth: int = 0) -> Test:
        """Reads `primary`s joined by && (which binds stronger) and ||, with parentheses."""
        options = [self._conjunction(primary, depth)]
        while self.literal("||"):
            options.append(self._conjunction(primary, depth))
        return options[0] if len(options) == 1 else lambda value: any(option(value) for option in options)

    def _conjunction(self, primary: Callable[[], Test], depth: int) -> Test:
        parts = [self._operand(primary, depth)]
        while self.literal("&&"):
            parts.append(self._operand(primary, depth))
        return parts[0] if len(parts) == 1 else lambda value: all(part(value) for part in parts)

    def _operand(self, primary: Callable[[], Test], depth: int) -> Test:
        if not self.literal("("):
            return primary()
        if depth >= _DEEPEST:
            raise self.error(f"more than {_DEEPEST} parentheses deep")
        inner = self.logic(primary, depth + 1)
        self.expect(")")
        return inner


def unescape(text: str) -> str:
    """`\\"` and `\\\\` without their backslash."""
    return _ESCAPE.sub(r"\1", text)


def refuse_regex(text: str) -> None:
    """Python's engine can be made to take for ever by a pattern, so there are none until one that is linear is in."""
    if text.startswith("%"):
        raise NotImplementedHere("Regular expressions (%...%) in filter patterns are not implemented in Cumulet yet.")


def as_text(value: Any) -> str:
    """A JSON scalar as filter patterns compare and extract it."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return "null" if value is None else str(value)


def _ordering(scanner: Scanner, sign: str, text: str) -> Test:
    if not _NUMBER.fullmatch(text):
        raise scanner.error(f"{sign} compares numbers")
    bound, compare = float(text), _ORDER[sign]

    def test(value: Any) -> bool:
        number = _number(value)
        return number is not None and compare(number, bound)

    return test


def _number_test(text: str) -> Test:
    wanted = float(text)
    return lambda value: _number(value) == wanted


def _number(value: Any) -> float | None:
    if isinstance(value, str):
        return float(value) if len(value) < 64 and _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _text_test(text: str) -> Test:
    """Equality, where `*` stands for any run of characters."""
    if "*" not in text:
        return lambda value: as_text(value) == text
    first, *middle, last = text.split("*")

    def test(value: Any) -> bool:
        subject = as_text(value)
        at, end = len(first), len(subject) - len(last)
        if end < at or not subject.startswith(first) or not subject.endswith(last):
            return False
        for part in middle:
            found = subject.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True

    return test

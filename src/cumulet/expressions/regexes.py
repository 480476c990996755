"""Regular expressions of others, in Java's syntax, whose work is bounded.

Python's engine tries alternatives one after the other and can be made to run for years; here an expression is first measured. Repeats
that can fail after having matched multiply the work by the text's length each, a repeat within a repeat can double it with each
character: what could take too long for a text is refused.
"""

import re
from functools import lru_cache
from re import _parser as parser  # type: ignore[attr-defined]  # what `re` itself parses with: the only way to see an expression's parts
from typing import Any

LONGEST = 2_000
_MOST_WORK = 20_000_000
_FEW = 16
_SHORT = 24
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE, "u": 0, "d": 0}
_POSSIBLE_CLASSES = {
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Upper": "A-Z",
    "Lower": "a-z",
    "Punct": r"!-/:-@\[-`{-~",
    "Space": r"\s",
    "XDigit": "0-9a-fA-F",
    "L": "^\\W\\d_",
    "Lu": "A-Z",
    "Ll": "a-z",
    "N": r"\d",
    "Nd": r"\d",
}
_CLASS = re.compile(r"\\p\{(?:Is|java)?(\w+)\}")
_NAMED = re.compile(r"\(\?<(?=[A-Za-z])")


class InvalidExpression(ValueError):
    """A text that is no regular expression, or one that is too long."""


class TooComplex(ValueError):
    """An expression that could take too long for a text of this length."""


class Expression:
    """A regular expression with Java's flags (`i`, `m`, `s`, `x`); raises InvalidExpression."""

    __slots__ = ("_nested", "_powers", "compiled")

    def __init__(self, text: str, flags: str = "") -> None:
        if len(text) > LONGEST:
            raise InvalidExpression(f"a regular expression has at most {LONGEST} characters")
        python = 0
        for flag in flags:
            if flag not in _FLAGS:
                raise InvalidExpression(f"'{flag}' is no flag of regular expressions")
            python |= _FLAGS[flag]
        translated = _NAMED.sub("(?P<", _CLASS.sub(_class, text)).replace("\\Z", "(?=\\n?\\Z)").replace("\\z", "\\Z")
        try:
            self.compiled = re.compile(translated, python | re.ASCII)
            tree = parser.parse(translated, python | re.ASCII)
        except (re.error, RecursionError, OverflowError) as error:
            raise InvalidExpression(str(error)) from error
        self._powers, self._nested = _measure(tree, last=True)

    def allow(self, text: str) -> None:
        """Raises TooComplex when this expression could take too long for `text`."""
        size = len(text)
        work = 2**size if self._nested and size > _SHORT else size ** (1 + self._powers) if self._powers else size
        if work > _MOST_WORK and size > _SHORT:
            raise TooComplex("this regular expression could take too long for a text of this length")

    def matches(self, text: str) -> bool:
        """Whether the whole text matches, as Java's `matches`."""
        self.allow(text)
        return self.compiled.fullmatch(text) is not None


def _class(found: re.Match[str]) -> str:
    inside = _POSSIBLE_CLASSES.get(found.group(1))
    if inside is None:
        raise InvalidExpression(f"{found.group()} is not supported")
    return f"[{inside}]"


@lru_cache(1024)
def expression(text: str, flags: str = "") -> Expression:
    """An expression, compiled once."""
    return Expression(text, flags)


def _measure(tree: Any, *, last: bool) -> tuple[int, bool]:
    """How many repeats can be retried because something follows them, and whether one is in another."""
    powers, nested = 0, False
    items = list(tree)
    for index, (kind, value) in enumerate(items):
        is_last = last and index == len(items) - 1
        name = str(kind)
        if name in {"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"}:
            inner_powers, inner_nested = _repeat(value, name)
            nested = nested or inner_nested
            powers += inner_powers + (0 if is_last or value[1] <= _FEW else 1)
        elif name == "BRANCH":
            counts = [_measure(branch, last=is_last) for branch in value[1]]
            powers += max(count for count, _ in counts)
            nested = nested or any(deep for _, deep in counts)
        elif name in {"SUBPATTERN", "ATOMIC_GROUP"}:
            inner_powers, inner_nested = _measure(value[-1] if name == "SUBPATTERN" else value, last=is_last)
            powers, nested = powers + inner_powers, nested or inner_nested
        elif name in {"ASSERT", "ASSERT_NOT"}:
            inner_powers, inner_nested = _measure(value[1], last=False)
            powers, nested = powers + inner_powers, nested or inner_nested
        elif name.startswith("GROUPREF"):
            powers += 1
    return powers, nested


def _repeat(value: Any, name: str) -> tuple[int, bool]:
    """A repeat of what contains repeats or alternatives is measured as nested, unless it is short."""
    _, most, body = value
    inner_powers, inner_nested = _measure(body, last=False)
    if most <= 1:
        return inner_powers, inner_nested
    ambiguous = inner_powers > 0 or inner_nested or _has_choice(body)
    return inner_powers, name != "POSSESSIVE_REPEAT" and ambiguous


def _has_choice(tree: Any) -> bool:
    for kind, value in tree:
        name = str(kind)
        if name in {"MAX_REPEAT", "MIN_REPEAT", "BRANCH"}:
            return True
        if name == "SUBPATTERN" and _has_choice(value[-1]):
            return True
    return False

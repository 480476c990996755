"""Regular expressions of others, in Java's syntax, whose work is bounded.

Python's engine tries alternatives one after the other and can be made to run for years; here an expression is first measured, and what
could take too long for a text is refused. Repeats without an end that something follows multiply the work by the text's length each,
other choices by how many there are; a repeat of what itself can match in several ways doubles it with each character.
"""

import math
import re
from functools import lru_cache
from re import _parser as parser  # type: ignore[attr-defined]  # what `re` itself parses with: the only way to see an expression's parts
from typing import Any, NamedTuple

LONGEST = 2_000
_MOST_WORK = 23.0
"""The logarithm (to 2) of the steps one matching may take: some 20 ms, in which nothing else runs."""
_SKIPPED = 2.0
"""The same of how much faster a repeat is tried again where a certain character must follow it."""
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
_ANYTHING = re.compile(r"\((?:\?:)?(?:\.\|\\n|\\n\|\.|\.\|\n|\n\|\.)\)")
"""`(.|\\n)`: what API Gateway's documents write for any character, which would be tried in two ways each."""
_NAMED = re.compile(r"\(\?<(?=[A-Za-z])")


class InvalidExpression(ValueError):
    """A text that is no regular expression, or one that is too long."""


class TooComplex(ValueError):
    """An expression that could take too long for a text of this length."""


class _Cost(NamedTuple):
    """How many repeats can be tried again at each length, the logarithm of all other choices, and whether repeats are nested."""

    powers: int
    bits: float
    nested: bool

    def plus(self, other: "_Cost") -> "_Cost":
        """Of both, one after the other."""
        return _Cost(self.powers + other.powers, self.bits + other.bits, self.nested or other.nested)


class Expression:
    """A regular expression with Java's flags (`i`, `m`, `s`, `x`); raises InvalidExpression."""

    __slots__ = ("_cost", "_ends_anyhow", "compiled")

    def __init__(self, text: str, flags: str = "") -> None:
        if len(text) > LONGEST:
            raise InvalidExpression(f"a regular expression has at most {LONGEST} characters")
        python = 0
        for flag in flags:
            if flag not in _FLAGS:
                raise InvalidExpression(f"'{flag}' is no flag of regular expressions")
            python |= _FLAGS[flag]
        text = _ANYTHING.sub("((?s:.))", text)
        translated = _NAMED.sub("(?P<", _CLASS.sub(_class, text)).replace("\\Z", "(?=\\n?\\Z)").replace("\\z", "\\Z")
        try:
            self.compiled = re.compile(translated, python | re.ASCII)
            tree = parser.parse(translated, python | re.ASCII)
        except (re.error, RecursionError, OverflowError) as error:
            raise InvalidExpression(str(error)) from error
        self._cost = _measure(tree, last=True)
        self._ends_anyhow = bool(python & re.DOTALL) and _ends_in_anything(tree)

    def steps(self, text: str, *, whole: bool = False) -> int:
        """How many steps this expression may take for `text` at most, `whole` where it is to match all of it.

        Raises TooComplex when those are too many.
        """
        size = len(text)
        # A search begins at each character; a match of the whole text at the first, and what ends in `.*` never fails at the end.
        powers = self._cost.powers + (0 if whole and self._ends_anyhow else 1)
        work = self._cost.bits + powers * math.log2(size + 1) + (size if self._cost.nested else 0)
        if work > _MOST_WORK:
            raise TooComplex("this regular expression could take too long for a text of this length")
        return int(2**work)

    def matches(self, text: str) -> bool:
        """Whether the whole text matches, as Java's `matches`."""
        self.steps(text, whole=True)
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


_NOTHING = _Cost(0, 0.0, False)
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"})


def _measure(tree: Any, *, last: bool) -> _Cost:
    """What a sequence costs; `last`: nothing can fail behind it."""
    cost = _NOTHING
    items = list(tree)
    for index, (kind, value) in enumerate(items):
        name, is_last = str(kind), last and index == len(items) - 1
        if name in _REPEATS:
            cost = cost.plus(_repeat(value, possessive=name == "POSSESSIVE_REPEAT", last=is_last))
            if value[1] is parser.MAXREPEAT and len(value[2]) == 1 and not is_last and _is_literal(items, index + 1):
                cost = cost.plus(_Cost(0, -_SKIPPED, False))
        elif name == "BRANCH":
            parts = [_measure(branch, last=is_last) for branch in value[1]]
            most = _Cost(max(p.powers for p in parts), max(p.bits for p in parts), any(p.nested for p in parts))
            cost = cost.plus(most).plus(_Cost(0, math.log2(len(parts)), False))
        elif name in {"SUBPATTERN", "ATOMIC_GROUP"}:
            cost = cost.plus(_measure(value[-1] if name == "SUBPATTERN" else value, last=is_last))
        elif name in {"ASSERT", "ASSERT_NOT"}:
            cost = cost.plus(_measure(value[1], last=False))
        elif name.startswith("GROUPREF"):
            cost = cost.plus(_Cost(1, 0.0, False))
    return cost


def _is_literal(items: list[Any], at: int) -> bool:
    return at < len(items) and str(items[at][0]) == "LITERAL"


def _ends_in_anything(tree: Any) -> bool:
    """Whether it ends in `.*`, in each of its branches."""
    items = list(tree)
    if not items:
        return False
    kind, value = str(items[-1][0]), items[-1][1]
    if kind == "BRANCH":
        return all(_ends_in_anything(branch) for branch in value[1])
    if kind == "SUBPATTERN":
        return _ends_in_anything(value[-1])
    if kind != "MAX_REPEAT" or value[0] > 1 or value[1] is not parser.MAXREPEAT:
        return False
    inner = list(value[2])
    while len(inner) == 1 and str(inner[0][0]) == "SUBPATTERN":
        inner = list(inner[0][1][-1])
    return len(inner) == 1 and str(inner[0][0]) == "ANY"


def _repeat(value: Any, *, possessive: bool, last: bool) -> _Cost:
    least, most, body = value
    inner = _measure(body, last=False)
    if most is parser.MAXREPEAT:
        own = _Cost(0 if last or possessive else 1, 0.0, False)
        if inner == _NOTHING:
            return own
        if _is_told_apart(body):
            return own.plus(_Cost(1, 0.0, False))
        return own.plus(_Cost(inner.powers, inner.bits, True))
    choices = 0.0 if possessive else math.log2(most - least + 1)
    return _Cost(inner.powers * most, inner.bits * most + choices, inner.nested)


def _is_told_apart(body: Any) -> bool:
    """Whether a body such as `[a-z]+,` matches in one way alone: one repeat of single characters, and behind it another character."""
    items = list(body)
    if len(items) == 1 and str(items[0][0]) == "SUBPATTERN":
        return _is_told_apart(items[0][1][-1])
    repeats = [place for place, (kind, _) in enumerate(items) if str(kind) in _REPEATS]
    if len(repeats) != 1 or repeats[0] + 1 >= len(items):
        return False
    place = repeats[0]
    inside, behind = _any_case(_signs(items[place][1][2])), _any_case(_signs(items[place + 1 : place + 2]))
    others = (_signs([item]) for at, item in enumerate(items) if at != place)
    return bool(inside) and bool(behind) and not inside & behind and all(others)


_ALL = frozenset(map(chr, range(128))) | {"\u0100"}
"""ASCII, and one character for all others."""
_CATEGORIES = {"CATEGORY_DIGIT": r"\d", "CATEGORY_SPACE": r"\s", "CATEGORY_WORD": r"\w"} | {
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_NOT_WORD": r"\W",
}


def _any_case(signs: frozenset[str]) -> frozenset[str]:
    return signs | {sign.swapcase() for sign in signs if sign.isascii()}


def _signs(items: Any) -> frozenset[str]:
    """The characters that a single item matches; none when it is something else."""
    items = list(items)
    if len(items) != 1:
        return frozenset()
    kind, value = str(items[0][0]), items[0][1]
    if kind == "LITERAL":
        return frozenset({chr(value) if value < len(_ALL) - 1 else "\u0100"})
    if kind == "ANY":
        return _ALL
    if kind == "NOT_LITERAL":
        return _ALL - {chr(value)}
    if kind != "IN":
        return frozenset()
    negated = bool(value) and str(value[0][0]) == "NEGATE"
    found = frozenset().union(*(_member(*member) for member in (value[1:] if negated else value)))
    return _ALL - found if negated else found


def _member(kind: Any, value: Any) -> frozenset[str]:
    name = str(kind)
    if name == "LITERAL":
        return _signs([(kind, value)])
    if name == "RANGE":
        low, high = value
        return frozenset(sign for sign in _ALL if low <= ord(sign) <= high) | (
            {"\u0100"} if high >= len(_ALL) - 1 else set()
        )
    known = _CATEGORIES.get(str(value))
    return frozenset(sign for sign in _ALL if known and re.match(known, sign, re.ASCII))

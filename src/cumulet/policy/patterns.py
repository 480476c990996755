"""Wildcards of policies: `*` is any run of characters, `?` any one.

Matching is linear in the text: pieces between stars are searched for from left to right, never backtracked into, so a
hostile policy cannot make an evaluation slow.
"""

import re
from collections.abc import Callable
from functools import lru_cache

Matcher = Callable[[str], bool]

# Inside a prepared pattern wildcards are these characters, so that `*` and `?` from `${*}` or from a variable's value
# stay literal. Surrogates cannot be in text that came over the wire.
STAR = "\ud800"
ANY = "\ud801"
_TO_WILDCARDS = str.maketrans({"*": STAR, "?": ANY})
_DROP = str.maketrans({STAR: None, ANY: None})


def wildcards(text: str) -> str:
    """A pattern as written in a policy, prepared."""
    return text.translate(_TO_WILDCARDS)


def literal(text: str) -> str:
    """Text that matches only itself, prepared."""
    return text.translate(_DROP) if STAR in text or ANY in text else text


def everything(_: str) -> bool:
    return True


@lru_cache(8192)
def matcher(prepared: str) -> Matcher:
    """The test for one prepared pattern; the whole text must match."""
    if prepared == STAR:
        return everything
    if STAR not in prepared and ANY not in prepared:
        return prepared.__eq__
    if ANY in prepared:
        return _Pieces(prepared).match
    first, *middle, last = prepared.split(STAR)
    if not middle and not last:
        return lambda text: text.startswith(first)
    shortest = len(prepared) - len(middle) - 1

    def match(text: str) -> bool:
        if len(text) < shortest or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        for piece in middle:
            at = text.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return at <= end

    return match


class _Pieces:
    """A pattern with `?`: each piece between stars has a fixed length, so a search for it never backtracks."""

    def __init__(self, prepared: str) -> None:
        pieces = prepared.split(STAR)
        self._lengths = [len(piece) for piece in pieces]
        self._patterns = [
            re.compile("".join("." if c == ANY else re.escape(c) for c in piece), re.DOTALL) for piece in pieces
        ]

    def match(self, text: str) -> bool:
        patterns, lengths = self._patterns, self._lengths
        if len(patterns) == 1:
            return patterns[0].fullmatch(text) is not None
        end = len(text) - lengths[-1]
        if sum(lengths) > len(text) or patterns[0].match(text) is None or patterns[-1].match(text, end) is None:
            return False
        at = lengths[0]
        for pattern, length in zip(patterns[1:-1], lengths[1:-1], strict=True):
            found = pattern.search(text, at, end)
            if found is None:
                return False
            at = found.start() + length
        return at <= end


def arn_matcher(prepared: str) -> Matcher:
    """The test of ArnLike: each of the six parts of an ARN is matched by itself, so a `*` does not reach past a colon."""
    parts = prepared.split(":", 5)
    if len(parts) < 6:
        return matcher(prepared)  # a lone `*`, or something that is no ARN
    tests = [matcher(part) for part in parts]

    def match(text: str) -> bool:
        found = text.split(":", 5)
        return len(found) == 6 and all(test(part) for test, part in zip(tests, found, strict=True))

    return match

"""How much more than its document an expression may come to hold: an estimate from its text, on the high side.

What an expression refers to, it can hold as often as it does so; within a path step, a call of a function for every item
or the like, once for each item that the document could have. Each ``:=`` can hold what those before it hold several times
over. A fold or a function with a name can do so without end, and nothing is said of those.
"""

from __future__ import annotations

import math

from cumulet.expressions.jsonata.syntax import Token, tokens

_ENDLESS = frozenset(("$reduce", "$pad", "$range", "**"))
_EACH = frozenset(("$map", "$filter", "$sift", "$each", "$single", "$sort"))
# These make items, or copies, of the characters of a string.
_LETTERS = frozenset(("$split", "$match", "$replace", "$join", "$formatNumber"))
_DEFINITIONS = 40


class Growth:
    """``factor``, the size of the document apart; ``loops`` over its items, ``letters``: over the characters of its strings."""

    __slots__ = ("factor", "letters", "loops")

    def __init__(self, text: str) -> None:
        sequence = tokens(text)
        self.loops = self.letters = referred = assigned = 0
        self.factor = 1.0
        for place, token in enumerate(sequence):
            following = sequence[place + 1] if place + 1 < len(sequence) else None
            referred += token.kind == "variable"
            assigned += token.text == ":="
            self.letters += token.text in _LETTERS
            self.loops += _is_loop(token, following)
            if token.text == "..":
                self.factor *= _range(sequence, place)
            elif token.text in _ENDLESS or (token.text in (":=", "~>") and _is_function(following)):
                self.factor = math.inf
        if assigned:
            many = max(2.0, referred / assigned)
            self.factor *= many**assigned if assigned < _DEFINITIONS else math.inf
        self.factor *= 1 + referred

    def bytes(self, document: str) -> float:
        """What the expression may hold of this document (JSON text)."""
        if not (self.loops or self.letters):
            return self.factor * len(document)
        try:
            each = float(1 + document.count(",")) ** self.loops * float(len(document)) ** self.letters
        except OverflowError:
            return math.inf
        return self.factor * len(document) * each

    @property
    def bounded(self) -> bool:
        """Whether there is any bound."""
        return self.factor < math.inf


def _is_loop(token: Token, following: Token | None) -> bool:
    if token.text == "." and following is not None:
        return following.text in ("(", "{", "[") or following.kind == "variable"
    return token.text in _EACH or (token.text in ("|", "@") and token.kind == "operator")


def _is_function(token: Token | None) -> bool:
    return token is not None and token.text in ("function", "λ")


def _range(sequence: tuple[Token, ...], place: int) -> float:
    """How many values ``[first..last]`` has: as many as can be, unless both are written out."""
    if place < 2 or place + 2 >= len(sequence):
        return math.inf
    opened, first, last, closed = (sequence[place + offset] for offset in (-2, -1, 1, 2))
    if opened.text != "[" or closed.text != "]" or not (first.text.isdigit() and last.text.isdigit()):
        return math.inf
    return max(1.0, float(last.text) - float(first.text) + 1)

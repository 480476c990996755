"""How much more than its input an expression may come to hold: a bound from its text, coarse and never too low.

Without own variables, ranges and recursion an expression holds little more than it is given. Each ``:=`` can hold what
the ones before it hold several times over; a fold or a recursive function can do so without end.
"""

from __future__ import annotations

import math
import re

_ENDLESS = re.compile(r"\$reduce\b|\$pad\b|\$range\b|~>\s*function|:=\s*(?:function|λ)|\*\*")
_RANGE = re.compile(r"\.\.")
_LITERAL_RANGE = re.compile(r"\[\s*(-?\d{1,9})\s*\.\.\s*(-?\d{1,9})\s*\]")
_LAMBDA = re.compile(r"\bfunction\b|λ")
_NAMES = re.compile(r"\$[A-Za-z_]")
# A path step, a filter or a function over items may hold its result once for each of them.
_NESTED = re.compile(r"\.\s*[({]|&")


def growth(text: str) -> float:
    """The factor; infinite where there is none."""
    if _ENDLESS.search(text):
        return math.inf
    factor = 1.0
    assigned = text.count(":=")
    if assigned:
        factor *= max(2.0, len(_NAMES.findall(text)) / assigned) ** assigned if assigned < 40 else math.inf
    for first, last in _LITERAL_RANGE.findall(text):
        factor *= max(1, int(last) - int(first) + 1)
    if len(_RANGE.findall(text)) > len(_LITERAL_RANGE.findall(text)):
        return math.inf
    nested = len(_NESTED.findall(text)) + 3 * len(_LAMBDA.findall(text))
    return factor * (1 + nested) ** 2

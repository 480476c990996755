"""Where the statements of a policy stand in its text; the simulator tells users."""

import re
from typing import NamedTuple

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')


class Place(NamedTuple):
    """A position in a text; both count from 1."""

    line: int
    column: int


class Span(NamedTuple):
    """Where a statement's object begins (behind its brace) and ends (behind its brace), as AWS counts."""

    start: Place
    end: Place


def statement_spans(text: str) -> list[Span]:
    """The spans of a valid policy's statements, in order."""
    spans: list[Span] = []
    depth = 0
    start: Place | None = None
    key = ""
    level = 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in "{[":
            depth += 1
            inside = key == '"Statement"' and depth <= 3
            if mark == "{" and start is None and inside and depth > 1:
                start, level = _place(text, token.end()), depth
        elif mark in "}]":
            if start is not None and depth == level:
                spans.append(Span(start, _place(text, token.end())))
                start = None
            depth -= 1
        elif depth == 1:
            key = mark
    return spans


def _place(text: str, offset: int) -> Place:
    line = text.count("\n", 0, offset) + 1
    return Place(line, offset - (text.rfind("\n", 0, offset) + 1) + 1)

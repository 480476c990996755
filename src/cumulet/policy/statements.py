"""What statements of PartiQL do to which tables: the permissions that they need."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import Struct

_WORD = re.compile(
    r"""(?P<space>\s+|--[^\n]*|/\*.*?(?:\*/|\Z))
    |'(?:[^']|'')*(?:'|\Z)
    |(?P<quoted>"(?:[^"]|"")*")
    |(?P<name>[A-Za-z_$][A-Za-z0-9_$]*)
    |.""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ACTIONS = {
    "SELECT": "PartiQLSelect",
    "EXISTS": "PartiQLSelect",
    "INSERT": "PartiQLInsert",
    "UPDATE": "PartiQLUpdate",
    "FROM": "PartiQLUpdate",
    "DELETE": "PartiQLDelete",
}


class Head(NamedTuple):
    """What a statement does (a permission without its service), to which table, and by which index of it (or "")."""

    action: str
    table: str
    index_name: str


class _Word(NamedTuple):
    text: str
    is_name: bool
    quoted: bool

    @property
    def meant(self) -> str:
        return self.text[1:-1].replace('""', '"') if self.quoted else self.text


@lru_cache(1024)
def head(statement: str) -> Head | None:
    """What a PartiQL statement does to what; None if it is none. DynamoDB refuses statements that it reads otherwise."""
    words = [
        _Word(match[0], match.lastgroup == "name", match.lastgroup == "quoted")
        for match in _WORD.finditer(statement)
        if match.lastgroup != "space"
    ]
    action = _ACTIONS.get(words[0].text.upper()) if words and words[0].is_name else None
    if action is None:
        return None
    at = _source(words)
    if at is None or at >= len(words) or not (words[at].is_name or words[at].quoted):
        return None
    index = ""
    if len(words) > at + 2 and words[at + 1].text == "." and (words[at + 2].is_name or words[at + 2].quoted):
        index = words[at + 2].meant
    return Head(action, words[at].meant, index)


def _source(words: list[_Word]) -> int | None:
    """Where the table is named."""
    verb = words[0].text.upper()
    if verb in ("UPDATE", "FROM"):
        return 1
    if verb in ("INSERT", "DELETE"):
        return 2
    for at, word in enumerate(words):
        if word.is_name and word.text.upper() == "FROM" and words[at - 1].text != ".":
            return at + 1
    return None


def heads(request: Any) -> Iterator[tuple[Head, Struct]]:
    """Those of a request's statements, with the part that holds each; what is no statement is refused by the operation."""
    for part in _parts(request):
        found = head(part.statement)
        if found is not None:
            yield found, part


def _parts(request: Any) -> Iterator[Any]:
    if getattr(request, "statement", None) is not None:
        yield request
    for member in ("statements", "transact_statements"):
        yield from getattr(request, member, None) or ()

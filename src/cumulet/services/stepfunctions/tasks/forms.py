"""JSON as a form (`application/x-www-form-urlencoded`), nested members and arrays included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from cumulet.services.stepfunctions.tasks.shapes import to_json

FORMATS = frozenset(("INDICES", "REPEAT", "COMMAS", "BRACKETS"))


def form(value: Any, arrays: str) -> str:
    """`value` (an object) as fields; `arrays` is one of FORMATS: how an array's items are told.

    A member of a member is `outer[inner]`. Spaces are `%20`.
    """
    return "&".join(f"{name}={text}" for name, text in _fields("", value, arrays))


def text_of(value: Any) -> str:
    """A scalar as text: strings as they are, null as nothing, the others as JSON has them."""
    if isinstance(value, str):
        return value
    return "" if value is None else to_json(value).decode()


def _fields(name: str, value: Any, arrays: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            inner = _encoded(key)
            yield from _fields(f"{name}%5B{inner}%5D" if name else inner, item, arrays)
    elif isinstance(value, list):
        yield from _items(name, value, arrays)
    else:
        yield name, _encoded(text_of(value))


def _items(name: str, values: list[Any], arrays: str) -> Iterator[tuple[str, str]]:
    if arrays == "COMMAS":
        yield name, ",".join(_encoded(text_of(each)) for each in values)
        return
    for index, each in enumerate(values):
        mark = {"INDICES": f"%5B{index}%5D", "BRACKETS": "%5B%5D"}.get(arrays, "")
        yield from _fields(f"{name}{mark}", each, arrays)


def _encoded(text: str) -> str:
    return quote(text, safe="~")

"""Structs to and from plain Python values, for formats whose parsers give dicts and lists: CBOR, and JSON off its fast path."""

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any

from cumulet.api.model import Member, Model, Shape
from cumulet.wire import timestamps
from cumulet.wire.shapes import ShapeCompiler

Convert = Callable[[Any], Any]
_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class WrongType(Exception):
    """A value that its shape cannot hold. `wanted` is Java's name of the type, as AWS's messages have it."""

    def __init__(self, value: Any, wanted: str) -> None:
        super().__init__(f"{type(value).__name__} is no {wanted}")
        self.value = value
        self.wanted = wanted


def read_blob(value: Any) -> bytes:
    """Bytes, or the base 64 of them."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise WrongType(value, "Blob")
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise WrongType(value, "Blob") from None


def read_timestamp(value: Any) -> float:
    """A number, a text in any of AWS's forms, or CBOR's own."""
    if isinstance(value, datetime):
        value = value.timestamp()
    try:
        if isinstance(value, str):
            return timestamps.read(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return timestamps.checked(float(value))
    except (ValueError, OverflowError):
        pass
    raise WrongType(value, "Timestamp")


def read_string(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise WrongType(value, "String")


def read_boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise WrongType(value, "Boolean")


def read_double(value: Any) -> float:
    if isinstance(value, str) and value in _NUMBERS:
        return _NUMBERS[value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    raise WrongType(value, "Double")


def _read_whole(wanted: str) -> Convert:
    def read(value: Any) -> int:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if isinstance(value, float) and value.is_integer():
            return int(value)
        raise WrongType(value, wanted)

    return read


READERS: dict[str, Convert] = {
    "string": read_string,
    "character": read_string,
    "blob": read_blob,
    "timestamp": read_timestamp,
    "boolean": read_boolean,
    "double": read_double,
    "float": read_double,
    "integer": _read_whole("Integer"),
    "long": _read_whole("Long"),
}


class ValueReader(ShapeCompiler[Convert]):
    """Plain values to structs. A required member that is missing becomes None: validation has the words for it."""

    def structure(self, name: str, shape: Shape) -> Convert:
        struct = getattr(self.api, name)
        parts = {}
        for key, member in shape.members.items():
            if not (shape.eventstream and self.model.shape(member.shape).error):
                parts[member.field or key] = (member.attribute, self.of(member))
        blank = {member.attribute: None for key, member in shape.members.items() if key in shape.required}

        def read(value: Any) -> Any:
            if not isinstance(value, dict):
                raise WrongType(value, "Structure")
            arguments: dict[str, Any] = dict(blank)
            for key, part in value.items():
                found = parts.get(key)
                if found is not None and part is not None:
                    arguments[found[0]] = found[1](part)
            return struct(**arguments)

        return read

    def list_(self, member: Member, shape: Shape) -> Convert:
        assert shape.member is not None
        item = self.of(shape.member)

        def read(value: Any) -> Any:
            if not isinstance(value, list | tuple):
                raise WrongType(value, "List")
            return [None if part is None else item(part) for part in value]

        return read

    def map_(self, member: Member, shape: Shape) -> Convert:
        assert shape.value is not None
        item = self.of(shape.value)

        def read(value: Any) -> Any:
            if not isinstance(value, dict):
                raise WrongType(value, "Map")
            return {read_string(key): None if part is None else item(part) for key, part in value.items()}

        return read

    def scalar(self, member: Member, shape: Shape) -> Convert:
        return (lambda value: value) if shape.document else READERS[shape.type]


class ValueWriter(ShapeCompiler[Convert]):
    """Structs to plain values: for JSON with moments as text, and (`binary`) for CBOR."""

    def __init__(self, model: Model, *, binary: bool = False) -> None:
        super().__init__(model)
        self._binary = binary

    def structure(self, name: str, shape: Shape) -> Convert:
        parts = [
            (member.field or key, member.attribute, self.of(member))
            for key, member in shape.members.items()
            if not (shape.eventstream and self.model.shape(member.shape).error)
        ]

        def write(value: Any) -> Any:
            written = {}
            for key, attribute, part in parts:
                held = getattr(value, attribute)
                if held is not None:
                    written[key] = part(held)
            return written

        return write

    def list_(self, member: Member, shape: Shape) -> Convert:
        assert shape.member is not None
        item = self.of(shape.member)
        return lambda value: [item(part) for part in value]

    def map_(self, member: Member, shape: Shape) -> Convert:
        assert shape.value is not None
        item = self.of(shape.value)
        return lambda value: {key: item(part) for key, part in value.items()}

    def scalar(self, member: Member, shape: Shape) -> Convert:
        if shape.type == "timestamp" and not shape.document:
            if self._binary:
                from cbor2 import CBORTag  # noqa: PLC0415  loaded with the first client that speaks it

                return lambda value: CBORTag(1, value)
            form = member.timestamp_format or shape.timestamp_format
            if form in (timestamps.ISO8601, timestamps.RFC822):
                return timestamps.writer(form)
        return lambda value: value


def irregular(model: Model, name: str) -> bool:
    """Whether a structure holds, at any depth, moments that JSON does not write as numbers."""
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        shape = model.shape(name)
        members = [*shape.members.values(), *(part for part in (shape.member, shape.value) if part)]
        for member in members:
            inner = model.shape(member.shape)
            if inner.type == "timestamp" and (member.timestamp_format or inner.timestamp_format) not in (
                "",
                timestamps.UNIX,
            ):
                return True
        waiting += [member.shape for member in members]
    return False

"""Structs to and from plain Python values, for formats whose parsers give dicts and lists: CBOR, and JSON off its fast path."""

import base64
import binascii
import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from cumulet.api.model import Member, Model, Shape
from cumulet.wire import timestamps
from cumulet.wire.shapes import ShapeCompiler
from cumulet.wire.wrong_types import WrongType

Convert = Callable[[Any], Any]
_NUMBERS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_BOOLEANS = {"TRUE": True, "YES": True, "1": True, "FALSE": False, "NO": False, "0": False}


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


def read_lenient_blob(value: Any) -> bytes:
    """The same, with DynamoDB's words for what is no base 64."""
    if isinstance(value, str) and len(value) % 4:
        told = f"Base64 encoded length is expected a multiple of 4 bytes but found: {len(value)}"
        raise WrongType(value, "Blob", why=told)
    try:
        return read_blob(value)
    except WrongType as error:
        if isinstance(value, str):
            error.why = "Invalid last non-pad Base64 character dectected"
        raise


def read_lenient_boolean(value: Any) -> bool:
    """A boolean, or the text of one."""
    if not isinstance(value, str):
        return read_boolean(value)
    if (known := _BOOLEANS.get(value.upper())) is None:
        raise WrongType(value, "Boolean", why="Unexpected token received from parser")
    return known


def _truncate(wanted: str) -> Convert:
    whole = _read_whole(wanted)

    def read(value: Any) -> int:
        return int(value) if isinstance(value, float) and math.isfinite(value) else whole(value)

    return read


LENIENT_READERS: dict[str, Convert] = READERS | {
    "blob": read_lenient_blob,
    "boolean": read_lenient_boolean,
    "integer": _truncate("Integer"),
    "long": _truncate("Long"),
}


class ValueReader(ShapeCompiler[Convert]):
    """Plain values to structs. A required member that is missing becomes None: validation has the words for it.

    `lenient`: as DynamoDB reads: `"yes"` is true, and 2.7 is 2.
    """

    def __init__(self, model: Model, *, lenient: bool = False) -> None:
        super().__init__(model)
        self._readers = LENIENT_READERS if lenient else READERS

    def structure(self, name: str, shape: Shape) -> Convert:
        struct = getattr(self.api, name)
        parts = {}
        for key, member in shape.members.items():
            if not (shape.eventstream and self.model.shape(member.shape).error):
                parts[member.field or key] = (member.attribute, self.of(member))
        blank = {member.attribute: None for key, member in shape.members.items() if key in shape.required}

        def read(value: Any) -> Any:
            if not isinstance(value, dict):
                raise WrongType(value, "Structure", shape=name)
            arguments: dict[str, Any] = dict(blank)
            for key, part in value.items():
                found = parts.get(key)
                if found is not None and part is not None:
                    arguments[found[0]] = found[1](part)
            return struct(**arguments)

        return read

    def list_(self, member: Member, shape: Shape) -> Convert:
        assert shape.member is not None
        item = _within(self.of(shape.member))

        def read(value: Any) -> Any:
            if not isinstance(value, list | tuple):
                raise WrongType(value, "List")
            return [None if part is None else item(part) for part in value]

        return read

    def map_(self, member: Member, shape: Shape) -> Convert:
        assert shape.value is not None
        item = _within(self.of(shape.value))
        inner = self._told(shape.value)

        def read(value: Any) -> Any:
            if not isinstance(value, dict):
                raise WrongType(value, "Map", shape=inner)
            return {read_string(key): None if part is None else item(part) for key, part in value.items()}

        return read

    def _told(self, member: Member) -> str:
        """What a map's values are called in the message about what is no such map."""
        shape = self.model.shape(member.shape)
        if shape.type == "list" and shape.member is not None:
            return f"List<{self._told(shape.member)}>"
        return "String" if shape.type == "string" else member.shape

    def scalar(self, member: Member, shape: Shape) -> Convert:
        return (lambda value: value) if shape.document else self._readers[shape.type]


def _within(item: Convert) -> Convert:
    """The reader of a list's or map's items, whose errors say that they are one's."""

    def read(part: Any) -> Any:
        try:
            return item(part)
        except WrongType as error:
            error.within = error.within or error.value is part
            raise

    return read


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

"""Between a task's JSON and the structs of an operation, compiled once a shape from its model."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache, partial
from importlib import import_module
from typing import Any

import msgspec
from msgspec import Raw, Struct

from cumulet.api.model import Member, Shape, load
from cumulet.kernel.streams import BytesStream, Stream
from cumulet.services.stepfunctions.tasks.vocabulary import java_name, pascal_name

Convert = Callable[[Any], Any]

to_json = msgspec.json.Encoder().encode


class BadField(ValueError):
    """A field of the parameters cannot be used; `problem` is how AWS says so."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


class Shapes:
    """The shapes of one service. `java`: names are those of `aws-sdk:` tasks, else those of optimised integrations."""

    def __init__(self, module: str, java: bool) -> None:
        self.model = load(module)
        self._api = import_module(f"cumulet.api.{module}")
        self._name = java_name if java else pascal_name
        self._java = java
        self._readers: dict[str, Convert] = {}
        self._writers: dict[str, Convert] = {}

    def request(self, operation: str, parameters: Any) -> Struct:
        """The request struct; raises BadField. What is null or missing is None, required or not: see `Calls`' check."""
        if parameters is None:
            parameters = {}
        request: Struct = self._reader(self.model.operations[operation].input)(parameters)
        return request

    def result(self, operation: str, result: Any) -> dict[str, Any]:
        """The result as JSON values; streams have to be read before (`Text` in their place)."""
        output = self.model.operations[operation].output
        if result is None or not output:
            return {}
        written: dict[str, Any] = self._writer(output)(result)
        return written

    def streaming(self, operation: str) -> str | None:
        """The attribute of the result that is a stream of bytes; None where there is none."""
        output = self.model.operations[operation].output
        for member in self.model.shape(output).members.values() if output else ():
            if member.streaming or self.model.shape(member.shape).streaming:
                return member.attribute
        return None

    def events(self, operation: str) -> bool:
        """Whether the operation answers a stream of events, which tasks cannot take."""
        output = self.model.operations[operation].output
        return bool(output) and any(
            self.model.shape(member.shape).eventstream for member in self.model.shape(output).members.values()
        )

    # JSON to structs

    def _reader(self, name: str) -> Convert:
        found = self._readers.get(name)
        if found is None:
            self._readers[name] = partial(_later, self._readers, name)
            found = self._readers[name] = self._structure_reader(self.model.shape(name), name)
        return found

    def _reader_of(self, member: Member) -> Convert:
        shape = self.model.shape(member.shape)
        if shape.document:
            return _same
        if shape.type == "structure":
            return self._reader(member.shape)
        if shape.type == "list":
            assert shape.member is not None
            return partial(_read_list, self._reader_of(shape.member))
        if shape.type == "map":
            assert shape.value is not None
            return partial(_read_map, self._reader_of(shape.value))
        if member.streaming or shape.streaming:
            return lambda value: BytesStream(to_json(value))  # text too: it has quotes then, as on AWS
        return _READERS.get(shape.type, _text)

    def _structure_reader(self, shape: Shape, name: str) -> Convert:
        cls = getattr(self._api, name)
        required = {member.attribute: None for key, member in shape.members.items() if key in shape.required}
        fields: dict[str, tuple[str, str, Convert]] = {}
        for key, member in shape.members.items():
            shown = self._name(key)
            field = (member.attribute, shown, self._reader_of(member))
            fields[key] = fields[pascal_name(key)] = fields[shown] = field

        def read(value: Any) -> Struct:
            if not isinstance(value, dict):
                raise BadField("has an invalid format")
            values: dict[str, Any] = dict(required)
            for key, part in value.items():
                found = fields.get(key)
                if found is None:
                    raise BadField(f"The field '{key}' is not supported by Step Functions")
                if part is None:
                    continue
                attribute, shown, convert = found
                try:
                    values[attribute] = convert(part)
                except BadField as error:
                    if error.problem.startswith("The "):
                        raise
                    raise BadField(f"The value of the field '{shown}' {error.problem}") from None
            made: Struct = cls(**values)
            return made

        return read

    # structs to JSON

    def _writer(self, name: str) -> Convert:
        found = self._writers.get(name)
        if found is None:
            self._writers[name] = partial(_later, self._writers, name)
            found = self._writers[name] = self._structure_writer(self.model.shape(name))
        return found

    def _writer_of(self, member: Member) -> Convert:
        shape = self.model.shape(member.shape)
        if shape.document or member.streaming or shape.streaming:
            return _same
        if shape.type == "structure":
            return self._writer(member.shape)
        if shape.type == "list":
            assert shape.member is not None
            convert = self._writer_of(shape.member)
            return _same if convert is _same else lambda values: [convert(value) for value in values]
        if shape.type == "map":
            assert shape.value is not None
            return partial(_write_map, self._writer_of(shape.value))
        if shape.type == "timestamp":
            return instant if self._java else _milliseconds
        return _write_blob if shape.type == "blob" else _same

    def _structure_writer(self, shape: Shape) -> Convert:
        parts = []
        for key, member in shape.members.items():
            shown, field = self._name(key), member.field or key
            # The SDK's structures always have the map of such headers, empty where there are none.
            always = self._java and member.location == "headers"
            parts.append((member.attribute, field, shown, self._writer_of(member), always))

        def write(value: Any) -> dict[str, Any]:
            known = isinstance(value, Struct)
            if not known:  # an item that its service keeps as JSON
                value = msgspec.json.decode(value if isinstance(value, Raw) else to_json(value))
            written = {}
            for attribute, field, shown, convert, always in parts:
                held = getattr(value, attribute, None) if known else value.get(field)
                if held is not None:
                    written[shown] = convert(held)
                elif always:
                    written[shown] = {}
            return written

        return write


@cache
def shapes(module: str, java: bool) -> Shapes:
    """The shapes behind `cumulet.api.<module>`."""
    return Shapes(module, java)


class Text(Struct):
    """The content of a stream that was read, in the stream's place."""

    content: bytes


def _later(made: dict[str, Convert], name: str, value: Any) -> Any:
    """What a shape that leads back to itself is converted by while it is compiled."""
    return made[name](value)


def _same(value: Any) -> Any:
    return _write_blob(value.content) if isinstance(value, Text) else value


def _read_list(convert: Convert, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BadField("has an invalid format")
    return [convert(item) for item in value]


def _read_map(convert: Convert, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadField("has an invalid format")
    return {key: convert(item) for key, item in value.items()}


def _write_map(convert: Convert, value: Any) -> dict[str, Any]:
    if isinstance(value, Raw):
        value = msgspec.json.decode(value)
    return {key: convert(item) for key, item in value.items()}


def _text(value: Any) -> str:
    """Text, or other JSON written as text: an execution's input may be given as it is."""
    return value if isinstance(value, str) else to_json(value).decode()


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else to_json(value)


def _integer(value: Any) -> int:
    if isinstance(value, bool):
        raise BadField("has an invalid format")
    if isinstance(value, int):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    try:
        return int(value)
    except (TypeError, ValueError):
        raise BadField("has an invalid format") from None


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise BadField("has an invalid format")
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise BadField("has an invalid format") from None
    if not math.isfinite(found):
        raise BadField("has an invalid format")
    return found


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise BadField("has an invalid format")


def _moment(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise BadField("has an invalid format") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


_READERS: dict[str, Convert] = {
    "integer": _integer,
    "long": _integer,
    "double": _number,
    "float": _number,
    "boolean": _boolean,
    "timestamp": _moment,
    "blob": _bytes,
}


def instant(seconds: float) -> str:
    """Seconds since 1970 as Java prints an instant: `2026-01-02T03:04:05.678Z`, without a fraction that is zero."""
    milliseconds = round(seconds * 1000)
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    fraction = milliseconds % 1000
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:03d}Z" if fraction else f"{text}Z"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


def _write_blob(value: Any) -> str:
    """Bytes as the text they are, else in base 64."""
    content = bytes(value) if not isinstance(value, str) else _decoded(value)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return base64.b64encode(content).decode()


def _decoded(text: str) -> bytes:
    """A blob of an item that its service keeps as JSON."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return text.encode()


async def read_stream(stream: Stream, most: int) -> bytes | None:
    """The whole of a stream; None when it has more than `most` bytes."""
    if stream.length is not None and stream.length > most:
        return None
    pieces, size = [], 0
    async for piece in stream:
        size += len(piece)
        if size > most:
            return None
        pieces.append(piece)
    return b"".join(pieces)

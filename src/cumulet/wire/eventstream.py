"""Event streams: messages of headers and a payload, each with its length and two checksums.

https://smithy.io/2.0/aws/amazon-eventstream.html
"""

import struct
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec

from cumulet.api.model import Shape
from cumulet.kernel.errors import AwsError, InternalFailure
from cumulet.wire.context import Context
from cumulet.wire.values import irregular

CONTENT_TYPE = "application/vnd.amazon.eventstream"
_STRING = 7


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One message."""
    head = bytearray()
    for name, value in headers.items():
        raw_name, raw = name.encode(), value.encode()
        head += struct.pack(">B", len(raw_name)) + raw_name + struct.pack(">BH", _STRING, len(raw)) + raw
    prelude = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    message = prelude + struct.pack(">I", zlib.crc32(prelude)) + bytes(head) + payload
    return message + struct.pack(">I", zlib.crc32(message))


def unframe(data: bytes) -> tuple[dict[str, str], bytes, bytes]:
    """The first message of `data` and what follows it. Raises ValueError for broken checksums or a cut message."""
    if len(data) < 16:
        raise ValueError("an event stream message has at least 16 bytes")
    total, head_length, prelude_sum = struct.unpack_from(">III", data)
    if zlib.crc32(data[:8]) != prelude_sum:
        raise ValueError("the checksum of the prelude is wrong")
    if not 16 + head_length <= total <= len(data):
        raise ValueError("the message is cut short")
    if zlib.crc32(data[: total - 4]) != struct.unpack_from(">I", data, total - 4)[0]:
        raise ValueError("the checksum of the message is wrong")
    return _headers(data[12 : 12 + head_length]), data[12 + head_length : total - 4], data[total:]


def _headers(head: bytes) -> dict[str, str]:
    found, at = {}, 0
    while at < len(head):
        size = head[at]
        name = head[at + 1 : at + 1 + size].decode()
        at += 1 + size
        if head[at] != _STRING:
            raise ValueError(f"the header {name} is no string")
        (length,) = struct.unpack_from(">H", head, at + 1)
        found[name] = head[at + 3 : at + 3 + length].decode()
        at += 3 + length
    return found


Render = Callable[[Any], tuple[bytes, str]]


class EventStreamWriter:
    """The events of one output shape as messages. `xml`: rest-xml's events; otherwise they are JSON."""

    def __init__(self, context: Context, shape: Shape, key: str, *, xml: bool) -> None:
        self._context = context
        self._xml = xml
        self._attribute = shape.members[key].attribute
        self._rest = [
            (member.field or name, member.attribute)
            for name, member in shape.members.items()
            if name != key and not member.location
        ]
        union = context.model.shape(shape.members[key].shape)
        self._events: list[tuple[str, str, Render]] = []
        for name, member in union.members.items():
            event = context.model.shape(member.shape)
            if event.error is None:
                self._events.append((name, member.attribute, self._render(member.shape, event)))

    @classmethod
    def of(cls, context: Context, output: str, *, xml: bool = False) -> "EventStreamWriter | None":
        """The writer for an output with an event stream in it; None for other outputs."""
        if not output:
            return None
        shape = context.model.shape(output)
        for name, member in shape.members.items():
            if context.model.shape(member.shape).eventstream:
                return cls(context, shape, name, xml=xml)
        return None

    def _render(self, name: str, event: Shape) -> Render:
        for member in event.members.values():
            if member.eventpayload:
                kind = self._context.model.shape(member.shape).type
                if kind == "blob":
                    return lambda value: (getattr(value, member.attribute) or b"", "application/octet-stream")
                if kind == "structure":
                    inner = self._whole(member.shape, member.location_name or member.shape)
                    return lambda value: inner(getattr(value, member.attribute))
                return lambda value: ((getattr(value, member.attribute) or "").encode(), "text/plain")
        return self._whole(name, name)

    def _whole(self, name: str, tag: str) -> Render:
        if self._xml:
            write_xml = self._context.xml_writer.structure_of(name)

            def render_xml(value: Any) -> tuple[bytes, str]:
                parts: list[str] = []
                write_xml(tag, value, parts)
                return "".join(parts).encode(), "text/xml"

            return render_xml
        convert = self._context.value_writer.structure_of(name) if irregular(self._context.model, name) else None
        return lambda value: (msgspec.json.encode(convert(value) if convert else value), "application/json")

    async def frames(self, result: Any, *, initial: bool = False) -> AsyncIterator[bytes]:
        """The messages of a result. `initial`: what is not stream goes first, as the RPC protocols have it."""
        if initial:
            rest = {key: held for key, attribute in self._rest if (held := getattr(result, attribute)) is not None}
            yield frame(
                {":message-type": "event", ":event-type": "initial-response", ":content-type": "application/json"},
                msgspec.json.encode(rest),
            )
        events = getattr(result, self._attribute)
        if events is None:
            return
        try:
            async for event in events:
                yield self.event(event)
        except AwsError as error:
            yield self.exception(error)
        except Exception:  # noqa: BLE001 - the status has been sent: this is the only place left to tell the client
            yield self.exception(InternalFailure("The stream ended by an error of the service."))

    def event(self, value: Any) -> bytes:
        """The message of one event: whichever member of the union is set."""
        for name, attribute, render in self._events:
            held = getattr(value, attribute)
            if held is not None:
                payload, kind = render(held)
                headers = {":event-type": name, ":content-type": kind, ":message-type": "event"}
                return frame(headers if payload else {":event-type": name, ":message-type": "event"}, payload)
        raise ValueError(f"no event is set in a {type(value).__name__}")

    @staticmethod
    def exception(error: AwsError) -> bytes:
        """The message that ends a stream with an error."""
        headers = {":exception-type": error.code, ":content-type": "application/json", ":message-type": "exception"}
        return frame(headers, msgspec.json.encode({"message": error.message, **error.fields}))

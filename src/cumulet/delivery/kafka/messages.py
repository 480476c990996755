"""What a record of Kafka is to those who read it.

https://docs.aws.amazon.com/lambda/latest/dg/with-kafka.html#smaa-sample-event
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec
from msgspec import UNSET, Struct, UnsetType

_TYPES = {0: "CREATE_TIME", 1: "LOG_APPEND_TIME"}


class Message(Protocol):
    """A record as the client library gives it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Found(Struct, frozen=True, array_like=True):
    """A record that was read. `timestamp` is in milliseconds since 1970, `shown` its element of an event as JSON."""

    offset: int
    timestamp: int
    shown: bytes


class _Shown(Struct):
    """One record of an event, in AWS's order; keys and values are base64. What a record does not have is left out."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    timestamp_type: str = msgspec.field(name="timestampType")
    key: bytes | UnsetType
    value: bytes | UnsetType
    headers: list[dict[str, list[int]]]


_encode = msgspec.json.Encoder().encode


def found(message: Message) -> Found:
    """The record of a message. Bytes of headers are numbers from -128 to 127, as Java has them."""
    shown = _Shown(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        timestamp=message.timestamp,
        timestamp_type=_TYPES.get(message.timestamp_type, "NO_TIMESTAMP_TYPE"),
        key=UNSET if message.key is None else message.key,
        value=UNSET if message.value is None else message.value,
        headers=[{name: _signed(value or b"")} for name, value in message.headers],
    )
    return Found(message.offset, message.timestamp, _encode(shown))


def _signed(value: bytes) -> list[int]:
    return [byte - 256 if byte > 127 else byte for byte in value]

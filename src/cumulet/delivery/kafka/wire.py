"""What the node and the process of a client say to each other: MessagePack, with its length (4 bytes) in front."""

from typing import Any

import msgspec
from msgspec import Struct

LARGEST = 64 * 1024 * 1024
"""Bytes of one thing said."""


class Gone(Exception):
    """The cluster cannot be read. The message says why."""


class Settings(Struct, frozen=True):
    """What a client reads: a topic of the cluster that `servers` lead to, as `member` of a group.

    `since` is where a group without offsets begins: TRIM_HORIZON, LATEST, or seconds since 1970. `memory` is in bytes.
    """

    servers: tuple[str, ...]
    topic: str
    group: str
    member: str
    since: str | float
    memory: int


class Question(Struct, array_like=True):
    """What the node asks; `number` is the answer's. With the name "cancel", the answer is not wanted any more."""

    number: int
    name: str
    values: tuple[Any, ...] = ()


class Answer(Struct, array_like=True):
    """What was found, or the problem. Those numbered 0 are no answers: RELEASE and LOOK, or a problem that ends the process."""

    number: int
    found: Any = None
    problem: str = ""


RELEASE, LOOK = "release", "look"

_encode = msgspec.msgpack.Encoder().encode


def framed(said: Question | Answer) -> bytes:
    body = _encode(said)
    return len(body).to_bytes(4, "big") + body

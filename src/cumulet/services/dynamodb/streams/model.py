"""Streams, their shards, and the texts that clients see: ARNs, sequence numbers, iterators."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from functools import cached_property

import msgspec
from msgspec import Struct

from cumulet.kernel.arn import Arn
from cumulet.kernel.ids import digits
from cumulet.services.dynamodb.model import Key

RETENTION = 86_400.0
"""Seconds for which records can be read, and a stream that was ended can be found."""
SHARD_SECONDS = 4 * 3600.0
"""Seconds after which a shard is followed by another, as on AWS."""
ITERATOR_SECONDS = 900.0
_FIRST = 10**20


class Stream(Struct, frozen=True, kw_only=True, dict=True):
    """One stream of a table; `label` is the moment it was made as text. `closed`: when it was turned off."""

    id: int
    table: int
    account: str
    region: str
    name: str
    label: str
    view: str
    key: Key
    created: float
    closed: float | None = None

    @cached_property
    def arn(self) -> str:
        return str(Arn("dynamodb", self.region, self.account, f"table/{self.name}/stream/{self.label}"))

    def publisher(self, publish: Callable[[str], None]) -> Callable[[], None]:
        """What wakes the stream's readers; made once, as every write needs it."""
        found: Callable[[], None] | None = self.__dict__.get("_publisher")
        if found is None:
            name = topic(self.arn)

            def found() -> None:
                publish(name)

            self.__dict__["_publisher"] = found
        return found


class Shard(Struct, frozen=True, kw_only=True):
    """A part of a stream: its records have numbers from `first` to `last` (None while it is open)."""

    stream: int
    id: str
    first: int
    opened: float
    last: int | None = None
    closed: float | None = None
    parent: str = ""

    @classmethod
    def opening(cls, stream: int, first: int, now: float, parent: str = "") -> Shard:
        return cls(
            stream=stream, id=f"shardId-{int(now * 1000):020d}-{digits(8)}", first=first, opened=now, parent=parent
        )


class Iterator(Struct, array_like=True, frozen=True):
    """A place in a shard: the next record has a number from `next` on. `made`: when, in seconds since 1970."""

    shard: str
    next: int
    made: float


_decode = msgspec.json.Decoder(Iterator).decode


def topic(arn: str) -> str:
    """The signal that a stream has more."""
    return f"dynamodb-stream:{arn}"


def sequence_number(moment: int) -> str:
    """A sequence number as text: 21 digits, so that they sort as text too."""
    return str(_FIRST + moment)


def sequence_of(text: str) -> int | None:
    """The number in a sequence number; None when the text is none of ours."""
    if not (text.isascii() and text.isdecimal()):
        return None
    return max(-1, int(text) - _FIRST)


def iterator_text(arn: str, iterator: Iterator) -> str:
    return f"{arn}|1|{b64encode(msgspec.json.encode(iterator)).decode()}"


def read_iterator(text: str) -> tuple[str, Iterator] | None:
    """The stream's ARN and the place; None when it is no iterator."""
    arn, _, rest = text.partition("|1|")
    try:
        return arn, _decode(b64decode(rest, validate=True))
    except ValueError:  # msgspec's errors are, too
        return None

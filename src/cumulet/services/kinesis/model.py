"""Streams, their shards and consumers."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from functools import cached_property

from msgspec import Struct

from cumulet.kernel.arn import Arn
from cumulet.services.kinesis import sequences

PROVISIONED, ON_DEMAND = "PROVISIONED", "ON_DEMAND"
AUTO, BY_KEY = "AUTO", "USER_PARTITION_KEY"
HOUR = 3600.0
SHORTEST, LONGEST = 24, 8_760
"""Hours that records can be kept."""
RECORD_KIB = 1024
HASHES = 1 << 128
"""Hash keys are below this."""
MICROSECONDS = 1_000_000

StreamKey = tuple[str, str, str]
"""Account, region and name of a stream."""


class Stream(Struct, frozen=True, kw_only=True, dict=True):
    """One stream. `floor`: records from before this moment are gone, whatever the retention is now. `scaled`: when UpdateShardCount
    changed it. `warm` is its warm throughput in MiB a second, `data_keys` a data key, encrypted and in base 64, under each key
    of KMS that records were written with."""

    id: int
    account: str
    region: str
    name: str
    created: float
    mode: str = PROVISIONED
    retention: int = SHORTEST
    floor: float = 0.0
    key_id: str = ""
    data_keys: dict[str, str] = {}
    metrics: list[str] = []
    warm: int | None = None
    record_kib: int = RECORD_KIB
    distribution: str = BY_KEY
    scaled: list[float] = []
    tags: dict[str, str] = {}
    policy: str = ""

    @property
    def key(self) -> StreamKey:
        return self.account, self.region, self.name

    @cached_property
    def arn(self) -> str:
        return stream_arn(self.key)

    @property
    def sealed_with(self) -> int:
        """The place among the data keys, from 1, of that which records are written with now; 0 without one."""
        return list(self.data_keys).index(self.key_id) + 1 if self.key_id in self.data_keys else 0

    def horizon(self, now: float) -> float:
        """The moment from which on records can be read."""
        return max(self.floor, now - self.retention * HOUR)


class Shard(Struct, frozen=True, kw_only=True, dict=True):
    """A part of a stream: records whose hash is from `low` to `high`, with indices from `first` to `last` (None while it is open).

    `created` is the second in its sequence numbers, `opened` when it was made. `parent` and `adjacent` are the shards that it came
    from, by number.
    """

    number: int
    created: int
    first: int
    opened: float
    low: int
    high: int
    parent: int | None = None
    adjacent: int | None = None
    last: int | None = None
    closed: float | None = None

    @cached_property
    def id(self) -> str:
        return shard_id(self.number)

    @cached_property
    def base(self) -> int:
        return sequences.base(self.created, self.number)

    def sequence(self, index: int) -> str:
        """The sequence number of a record."""
        return sequences.number(self.base, index)


class Consumer(Struct, frozen=True, kw_only=True):
    """A registered consumer of a stream, which has reads of its own."""

    name: str
    stream_arn: str
    created: float
    tags: dict[str, str] = {}
    policy: str = ""

    @property
    def arn(self) -> str:
        return f"{self.stream_arn}/consumer/{self.name}:{int(self.created)}"


class Ring:
    """The open shards of a stream by the hash keys they take."""

    __slots__ = ("_starts", "shards")

    def __init__(self, shards: list[Shard]) -> None:
        self.shards = sorted((each for each in shards if each.last is None), key=lambda each: each.low)
        self._starts = [each.low for each in self.shards]

    def of(self, hash_key: int) -> Shard:
        return self.shards[bisect_right(self._starts, hash_key) - 1]


def stream_arn(key: StreamKey) -> str:
    account, region, name = key
    return str(Arn("kinesis", region, account, f"stream/{name}"))


def shard_id(number: int) -> str:
    return f"shardId-{number:012d}"


def shard_number(text: str) -> int | None:
    """The number in a shard's id. As on AWS only what follows the last hyphen counts; None when that is no number."""
    digits = text.rpartition("-")[2]
    if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
        return None
    number = int(digits)
    return number if number < 1 << 31 else None


def hash_key(partition_key: str) -> int:
    """Where a partition key belongs."""
    return int.from_bytes(hashlib.md5(partition_key.encode(), usedforsecurity=False).digest())


def even(count: int) -> list[tuple[int, int]]:
    """The hash key ranges of as many shards of equal size."""
    size = HASHES // count
    return [(size * place, size * (place + 1) - 1 if place < count - 1 else HASHES - 1) for place in range(count)]


def arrival(index: int) -> float:
    """When a record came, in seconds with milliseconds."""
    return index // 1000 / 1000


def topic(stream: Stream, shard: int) -> str:
    """The signal that a shard has more records, or has ended."""
    return f"kinesis:{stream.arn}/{shard}"


def consumer_stream(arn: str) -> tuple[str, str]:
    """The stream's ARN, and the consumer's name with its moment, of a consumer's ARN; empty texts when it is none."""
    stream, consumer, name = arn.partition("/consumer/")
    return (stream, name) if consumer else ("", "")

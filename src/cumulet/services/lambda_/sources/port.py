"""What a source is to the pollers: the ports. One file beside this one for each source that this node has."""

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct


class Item(Struct):
    """One message of a queue.

    `record` is its element of the event's Records, as JSON; `until` is when it goes to someone else unless it is removed
    (seconds on the clock); `handle` is what the source needs to remove it.
    """

    id: str
    record: bytes
    until: float
    handle: str
    trace: str = ""


class SourceGone(Exception):
    """The source cannot be read: it is not there, or this function may not. The message says which, as AWS would."""


class QueueSource(Protocol):
    """Messages that are taken, and then removed or left to come again."""

    async def receive(self, limit: int, patience: int) -> Sequence[Item]:
        """Up to `limit` messages, as soon as there are any within `patience` seconds on the clock. Raises SourceGone."""
        ...

    async def remove(self, items: Sequence[Item]) -> None:
        """They have been dealt with. What cannot be removed comes again."""
        ...

    async def give_back(self, items: Sequence[Item]) -> None:
        """Nobody has seen them: they are as if they had not been received, and others may have them at once."""
        ...

    def view(self, item: Item) -> Any:
        """What filters look at."""
        ...


class Shard(Struct, frozen=True):
    """A part of a stream that is read in order. `parents` are read to their ends before it."""

    id: str
    parents: tuple[str, ...] = ()


class Record(Struct, frozen=True):
    """One record of a shard.

    `sequence` is its place, growing within the shard as text of equal length or as a number; `arrival` the seconds since 1970
    at which the stream took it; `key` what must stay in order among itself; `record` its element of the event's Records.
    """

    sequence: str
    arrival: float
    key: str
    record: bytes


class Reading(Struct, frozen=True):
    """What a read found. `position` is where the next one goes on, also when there were no records (None: where this one began).

    `ended`: the shard is closed, and this was the rest of it.
    """

    records: Sequence[Record]
    position: str | None = None
    ended: bool = False


class ShardSource(Protocol):
    """A stream."""

    async def shards(self) -> Sequence[Shard]:
        """The shards there are now, those that are closed but still held included. Raises SourceGone."""
        ...

    async def read(self, shard: str, after: str | None, limit: int) -> Reading:
        """Records after a position; from the mapping's starting position when `after` is None. Raises SourceGone."""
        ...

    async def wait(self, shard: str, patience: float) -> None:
        """Until the shard may have more (or the stream other shards), at most `patience` seconds of real time."""
        ...

    def view(self, record: Record) -> Any:
        """What filters look at."""
        ...

    def batch_info(self, shard: str, records: Sequence[Record]) -> tuple[str, dict[str, Any]]:
        """The name and value of the member that tells a failure destination which records were given up."""
        ...

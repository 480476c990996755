"""Streams in memory: every call begins with finding its stream, and every record with finding its shard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cumulet.services.kinesis.errors import no_stream
from cumulet.services.kinesis.model import MICROSECONDS, Ring, Shard, Stream, StreamKey
from cumulet.services.kinesis.records import RecordStore
from cumulet.services.kinesis.store import StreamStore

_MOST = 10_000


class Opened:
    """A stream that is in use: its shards by number, which of them takes a hash key, and the index each has come to.

    `busy` counts writes under way. The one process that holds the data folder has each stream in here once, so an index that was
    given to a record is given to no other.
    """

    __slots__ = ("_last", "busy", "changing", "gone", "ring", "shards", "stream")

    def __init__(self, stream: Stream, shards: list[Shard], last: dict[int, int]) -> None:
        self.stream = stream
        self.busy = 0
        self.gone = False
        self.changing: asyncio.Future[None] | None = None
        self._last = last
        self.shards: dict[int, Shard] = {}
        self.set_shards(shards)

    def set_shards(self, shards: list[Shard]) -> None:
        self.shards = {each.number: each for each in shards}
        self.ring = Ring(shards)

    def set_stream(self, stream: Stream) -> None:
        self.stream = stream

    def next(self, shard: Shard, now: float, least: int = 0) -> int:
        """The index of the next record: the moment in microseconds, or one more than the last, or than `least`."""
        last = max(self.last(shard), least)
        index = int(now * MICROSECONDS)
        self._last[shard.number] = index = index if index > last else last + 1
        return index

    def last(self, shard: Shard) -> int:
        """The largest index that a record of the shard was given, or the one the shard began with."""
        return self._last.get(shard.number, shard.first)

    def listed(self, now: float) -> list[Shard]:
        """Shards that may have records yet, in the order of their numbers."""
        horizon = self.stream.horizon(now)
        return [each for each in self.shards.values() if each.closed is None or each.closed > horizon]

    async def settled(self) -> None:
        """Wait until no shard is being changed."""
        while self.changing is not None:
            await asyncio.shield(self.changing)  # who goes away meanwhile must not cancel what others wait for, too

    @asynccontextmanager
    async def reshaping(self) -> AsyncIterator[None]:
        """Nothing is written while shards change: what was written before comes before the change in the store, too."""
        await self.settled()
        self.changing = asyncio.get_running_loop().create_future()
        try:
            if self.gone:
                raise no_stream(self.stream.key)
            yield
        finally:
            self.changing.set_result(None)
            self.changing = None


class Directory:
    """The streams of a node by account, region and name."""

    def __init__(self, streams: StreamStore, records: RecordStore) -> None:
        self._streams = streams
        self._records = records
        self._opened: dict[StreamKey, Opened] = {}

    async def find(self, key: StreamKey) -> Opened:
        """Raises ResourceNotFoundException."""
        found = self._opened.get(key)
        return found if found is not None else await self._open(key)

    async def writable(self, key: StreamKey) -> Opened:
        """The same, once no shard of it is being changed: who does not wait for anything else until then may write."""
        while True:
            opened = await self.find(key)
            if opened.changing is None:
                return opened
            await opened.settled()

    def known(self, key: StreamKey) -> Opened | None:
        """The stream if it is in memory."""
        return self._opened.get(key)

    def closed(self, opened: Opened) -> None:
        """The stream was deleted."""
        opened.gone = True
        self._opened.pop(opened.stream.key, None)

    async def _open(self, key: StreamKey) -> Opened:
        found = await self._streams.find(key)
        if found is None:
            raise no_stream(key)
        stream, shards = found
        last = {}
        for each in shards:
            if each.last is None:
                last[each.number] = max(each.first, await self._records.newest(stream.id, each.number))
        if len(self._opened) >= _MOST:
            self._forget_idle()
        # Somebody else may have opened it meanwhile, and be writing.
        return self._opened.setdefault(key, Opened(stream, shards, last))

    def _forget_idle(self) -> None:
        for key, opened in list(self._opened.items()):
            if not opened.busy and opened.changing is None:
                del self._opened[key]

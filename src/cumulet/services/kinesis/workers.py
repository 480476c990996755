"""What time does to streams: records that are past their retention are deleted, and those of streams that are gone."""

from __future__ import annotations

import asyncio
import logging

from cumulet.kernel.clock import Clock, wait_until
from cumulet.services.kinesis.directory import Directory
from cumulet.services.kinesis.model import Stream
from cumulet.services.kinesis.records import RecordStore
from cumulet.services.kinesis.store import StreamStore
from cumulet.storage.database import StorageError

log = logging.getLogger(__name__)

_SECONDS = 3600.0
"""Reading shows nothing that has expired, so deleting it may wait."""
_STREAMS = 100


class Trimmer:
    """Deletes in small pieces, so that requests do not wait for it."""

    def __init__(self, streams: StreamStore, records: RecordStore, directory: Directory, clock: Clock) -> None:
        self._streams = streams
        self._records = records
        self._directory = directory
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """A stream was deleted."""
        self._woken.set()

    async def work(self) -> None:
        while True:
            self._woken.clear()
            try:
                for stream in await self._records.dropped():
                    while await self._records.empty(stream):
                        pass
                await self._expire()
            except StorageError:
                log.exception("expired records of streams could not be deleted, again in %.0f s", _SECONDS)
            await wait_until(self._clock, self._clock.now() + _SECONDS, self._woken)

    async def _expire(self) -> None:
        after = -1
        while streams := await self._streams.everywhere(after, _STREAMS):
            for stream in streams:
                await self._trim(stream)
            after = streams[-1].id

    async def _trim(self, stream: Stream) -> None:
        found = await self._streams.find(stream.key)
        if found is None:
            return
        horizon = stream.horizon(self._clock.now())
        for shard in found[1]:
            while await self._records.expire(stream.id, shard.number, horizon):
                pass
        gone = await self._streams.forget_shards(stream, horizon)
        opened = self._directory.known(stream.key)
        if gone and opened is not None:
            for number in gone:
                opened.shards.pop(number, None)

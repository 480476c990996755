"""Kinesis data streams as sources by a registered consumer, to which records are pushed.

https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html#services-kinesis-dedicated
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import AsyncIterator, Iterable, Sequence

from cumulet.api import kinesis as api
from cumulet.kernel.calls import Calls
from cumulet.kernel.errors import AwsError
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.sources.kinesis import KinesisSource, Role
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.sources.port import Reading, Shard
from cumulet.storage.signals import Signals

_AHEAD, _BYTES_AHEAD = 2_000, 4 << 20
"""Records, and bytes of data, that are held before a subscription has to wait."""


class _Pushed:
    """One subscription: what has come and was not read yet. `after` is the position of the last record that was read, `ended` says
    that the shard was closed and these are the rest of it, `over` that no more come."""

    def __init__(self, after: str | None) -> None:
        self.after = after
        self.records: deque[api.Record] = deque()
        self.ended = self.over = False
        self.more = asyncio.Event()
        self._room = asyncio.Event()
        self._bytes = 0

    def take(self, limit: int) -> list[api.Record]:
        self.more.clear()
        taken = [self.records.popleft() for _ in range(min(limit, len(self.records)))]
        self._bytes -= _size(taken)
        self._room.set()
        return taken

    async def follow(self, events: AsyncIterator[api.SubscribeToShardEventStream]) -> None:
        """Until the subscription ends: after five minutes, with the shard, or because somebody else has it now."""
        try:
            async for each in events:
                event = each.subscribe_to_shard_event
                self.records.extend(event.records)
                self._bytes += _size(event.records)
                self.ended = not event.continuation_sequence_number
                if event.records or self.ended:
                    self.more.set()
                while len(self.records) >= _AHEAD or self._bytes >= _BYTES_AHEAD:
                    self._room.clear()
                    await self._room.wait()
        except AwsError:
            pass  # whoever reads subscribes again, and is told
        finally:
            self.over = True
            self.more.set()


def _size(records: Iterable[api.Record]) -> int:
    return sum([len(each.data) for each in records])


class FanOutSource(KinesisSource):
    """A stream that a registered consumer reads: each shard by a subscription, which follows another as long as somebody reads."""

    def __init__(self, mapping: Mapping, calls: Calls, signals: Signals, reader: Role, tasks: Tasks) -> None:
        super().__init__(mapping, calls, signals, reader)
        self._tasks = tasks
        self._pushed: dict[str, _Pushed] = {}

    async def shards(self) -> Sequence[Shard]:
        await self._run("DescribeStreamConsumer", api.DescribeStreamConsumerInput(consumer_arn=self._source))
        return await super().shards()

    async def read(self, shard: str, after: str | None, limit: int) -> Reading:
        pushed = self._pushed.get(shard)
        if pushed is None or pushed.after != after or (pushed.over and not pushed.records and not pushed.ended):
            pushed = await self._subscribe(shard, after)
        records = [self._record(shard, each) for each in pushed.take(limit)]
        if records:
            pushed.after = records[-1].sequence
        return Reading(records, pushed.after, pushed.ended and not pushed.records)

    async def wait(self, shard: str, patience: float) -> None:
        pushed = self._pushed[shard]
        if pushed.records or pushed.over:
            return
        try:
            async with asyncio.timeout(patience):
                await pushed.more.wait()
        except TimeoutError:
            return

    async def _subscribe(self, shard: str, after: str | None) -> _Pushed:
        position = api.StartingPosition(type="TRIM_HORIZON")
        if after is not None:
            position.type, position.sequence_number = "AFTER_SEQUENCE_NUMBER", after
        elif self._since is not None:
            position.type, position.timestamp = "AT_TIMESTAMP", self._since
        request = api.SubscribeToShardInput(consumer_arn=self._source, shard_id=shard, starting_position=position)
        answer: api.SubscribeToShardOutput = await self._run("SubscribeToShard", request)
        pushed = self._pushed[shard] = _Pushed(after)
        task = self._tasks.start(f"follow {shard} of {self._source}", pushed.follow(answer.event_stream))
        unread = weakref.finalize(self, task.cancel)
        task.add_done_callback(lambda _: unread.detach())  # else what came last is kept as long as somebody reads
        return pushed

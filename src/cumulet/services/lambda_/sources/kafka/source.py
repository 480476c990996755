"""One topic of a cluster as a source: a member of its consumer group, in a process of its own, whose offsets are how far a mapping is."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import msgspec

from cumulet.delivery.kafka.messages import Found
from cumulet.delivery.kafka.process import Client
from cumulet.delivery.kafka.wire import Gone, Settings
from cumulet.services.lambda_.sources.kafka import records
from cumulet.services.lambda_.sources.kafka.rules import Topic
from cumulet.services.lambda_.sources.port import Reading, Record, Shard, SourceGone

_MEMORY = 256 * 1024 * 1024
"""Bytes for what a cluster answers and what that unpacks to, of which a fetch has 6 MB."""


class KafkaSource:
    """A topic. `since` is where a group without offsets begins: TRIM_HORIZON, LATEST, or seconds since 1970."""

    def __init__(self, topic: Topic, member: str, since: str | float) -> None:
        self.topic = topic
        self._client = Client(Settings(topic.servers, topic.name, topic.group, member, since, _MEMORY))
        self._event = records.event_maker(topic.servers)

    def tell(self, release: Callable[[float], Awaitable[None]], look: Callable[[], None]) -> None:
        """`release` is awaited before partitions go to other members; `look` is called when there may be others."""
        self._client.release, self._client.look = release, look

    # The port

    async def shards(self) -> Sequence[Shard]:
        await self._client.begin()
        return [Shard(self._name(number)) for number in await self._ask("partitions")]

    async def read(self, shard: str, after: str | None, limit: int) -> Reading:
        answer = await self._ask("read", _number(shard), int(after or -1) + 1, limit)
        found = [records.record_of(each) for each in msgspec.convert(answer, list[Found])]
        return Reading(found, found[-1].sequence if found else None)

    async def wait(self, shard: str, patience: float) -> None:
        await self._ask("wait", _number(shard), patience)

    def view(self, record: Record) -> Any:
        return records.view(record)

    def batch_info(self, shard: str, found: Sequence[Record]) -> tuple[str, dict[str, Any]]:
        size = len(self._event(shard, found, None))
        return "KafkaBatchInfo", records.batch_info(self.topic.servers, shard, found, size)

    # What the group knows

    async def positions(self) -> dict[str, int]:
        """The offset to go on with, of each partition. Of those that the group has none of yet, it is kept at once."""
        await self._client.begin()
        return {self._name(number): offset for number, offset in (await self._ask("positions")).items()}

    async def commit(self, shard: str, offset: int) -> None:
        """Everything before `offset` has been dealt with. Raises SourceGone when the partition is somebody else's by now."""
        await self._ask("commit", _number(shard), offset)

    async def produce(self, topic: str, messages: Iterable[tuple[bytes | None, bytes]]) -> None:
        """Write keys and values to a topic of the same cluster; returns when all replicas have them. Raises SourceGone."""
        await self._ask("produce", topic, list(messages))

    async def close(self) -> None:
        await self._client.close()

    # Inside

    async def _ask(self, name: str, *values: Any) -> Any:
        try:
            return await self._client.ask(name, *values)
        except Gone as error:
            raise SourceGone(str(error)) from error

    def _name(self, number: int) -> str:
        return records.shard_name(self.topic.name, number)


def _number(shard: str) -> int:
    return int(shard.rpartition("-")[2])

"""One topic of a cluster, read as a member of its consumer group; the group's offsets are how far a mapping has come.

The client library is loaded with this module: only where there is such a mapping.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from cumulet.services.lambda_.sources.kafka import records
from cumulet.services.lambda_.sources.kafka.probe import Unreachable, speaks_plainly
from cumulet.services.lambda_.sources.kafka.rules import Topic
from cumulet.services.lambda_.sources.port import Reading, Record, Shard, SourceGone

logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what is wrong is in the mapping's LastProcessingResult

_SESSION = 10_000
"""Milliseconds without a sign of life after which the cluster gives the partitions to others."""
_REBALANCE = 60_000
"""Milliseconds that members have to come back when partitions are dealt out anew."""
_RELEASE = 45.0
"""Seconds of those that invocations may take to end."""
_UNUSED = 24 * 3600 * 1000
"""Milliseconds a member may go without reading: a function may take its time, and be tried again for hours."""
_JOIN = 30.0
_FETCH, _FETCH_PARTITION = 6 * 1024 * 1024, 1024 * 1024
_AHEAD = 500
_METADATA = 30_000
_STEP = 1.0


class KafkaSource:
    """A topic. `since` is where a group without offsets begins: TRIM_HORIZON, LATEST, or seconds since 1970.

    `release` is awaited before partitions go to other members; `look` is called when there may be others.
    """

    def __init__(self, topic: Topic, member: str, since: str | float) -> None:
        self.topic = topic
        self.release: Callable[[float], Awaitable[None]] | None = None
        self.look: Callable[[], None] | None = None
        self._member = member
        self._since = since
        self._consumer: Any = None
        self._producer: Any = None
        self._dealt = asyncio.Event()
        self._next: dict[str, int] = {}
        self._held: dict[str, list[Record]] = {}
        self._event = records.event_maker(topic.servers)

    # The port

    async def shards(self) -> Sequence[Shard]:
        with _gone():
            consumer = await self._open()
            await self._joined(consumer)
            found = sorted(consumer.assignment())
            if not found and not consumer.partitions_for_topic(self.topic.name):
                raise SourceGone(f"The topic {self.topic.name} does not exist.")
        return [Shard(_name(partition)) for partition in found]

    async def read(self, shard: str, after: str | None, limit: int) -> Reading:
        partition, start = self._partition(shard), int(after or -1) + 1
        if self._next.get(shard) != start:
            self._held.pop(shard, None)
            self._consumer.seek(partition, start)
        found = self._held.pop(shard, [])
        if not found:
            found = await self._fetch(shard, partition, 0, limit)
        found, rest = found[:limit], found[limit:]
        if rest:
            self._held[shard] = rest
        self._next[shard] = int(found[-1].sequence) + 1 if found else start
        return Reading(found, found[-1].sequence if found else None)

    async def wait(self, shard: str, patience: float) -> None:
        """In short steps: partitions that are being dealt out anew are not waited for."""
        deadline = asyncio.get_running_loop().time() + patience
        while not self._held.get(shard) and asyncio.get_running_loop().time() < deadline:
            found = await self._fetch(shard, self._partition(shard), _STEP, _AHEAD)
            if found:
                self._held[shard] = found

    def view(self, record: Record) -> Any:
        return records.view(record)

    def batch_info(self, shard: str, found: Sequence[Record]) -> tuple[str, dict[str, Any]]:
        size = len(self._event(shard, found, None))
        return "KafkaBatchInfo", records.batch_info(self.topic.servers, shard, found, size)

    # What the group knows

    async def positions(self) -> dict[str, int]:
        """The offset to go on with, of each partition. Of those that the group has none of yet, it is kept at once."""
        with _gone():
            consumer = await self._open()
            partitions = sorted(consumer.assignment())
            committed = await asyncio.gather(*(consumer.committed(each) for each in partitions))
            found = {each: offset for each, offset in zip(partitions, committed, strict=True) if offset is not None}
            new = [each for each in partitions if each not in found]
            if new:
                begun = await self._beginnings(new)
                await consumer.commit(begun)
                found |= begun
        return {_name(partition): offset for partition, offset in found.items()}

    async def commit(self, shard: str, offset: int) -> None:
        """Everything before `offset` has been dealt with. Raises SourceGone when the partition is somebody else's by now."""
        with _gone():
            await self._consumer.commit({self._partition(shard): offset})

    async def produce(self, topic: str, messages: Iterable[tuple[bytes | None, bytes]]) -> None:
        """Write keys and values to a topic of the same cluster; returns when all replicas have them. Raises SourceGone."""
        with _gone():
            if self._producer is None:
                producer = AIOKafkaProducer(**await self._way(), acks="all", enable_idempotence=True)
                await _started(producer)
                self._producer = producer
            sent = [await self._producer.send(topic, value, key) for key, value in messages]
            await asyncio.gather(*sent)

    async def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        producer, self._producer = self._producer, None
        for each in (consumer, producer):
            if each is not None:
                with contextlib.suppress(KafkaError, OSError):
                    await each.stop()

    # Inside

    async def _open(self) -> Any:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **await self._way(),
                group_id=self.topic.group,
                group_instance_id=self._member,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=_SESSION,
                rebalance_timeout_ms=_REBALANCE,
                max_poll_interval_ms=_UNUSED,
                fetch_max_bytes=_FETCH,
                max_partition_fetch_bytes=_FETCH_PARTITION,
            )
            self._dealt.clear()
            await _started(consumer, partial(self._subscribe, consumer))
            self._consumer = consumer
        return self._consumer

    async def _subscribe(self, consumer: Any) -> None:
        """Asked of all topics first: asking for one that is not there could create it."""
        if self.topic.name not in await consumer.topics():
            raise SourceGone(f"The topic {self.topic.name} does not exist.")
        consumer.subscribe([self.topic.name], listener=_Listener(self))

    async def _way(self) -> dict[str, Any]:
        """How the cluster is reached: TLS where its servers do not speak without it."""
        common = {
            "bootstrap_servers": list(self.topic.servers),
            "client_id": "cumulet-lambda",
            "metadata_max_age_ms": _METADATA,
        }
        try:
            if await speaks_plainly(self.topic.servers):
                return common
        except Unreachable as error:
            raise SourceGone(
                f"Connection error. Please check your event source connection configuration. ({error})"
            ) from error
        context = await asyncio.to_thread(ssl.create_default_context)
        return common | {"security_protocol": "SSL", "ssl_context": context}

    async def _joined(self, consumer: Any) -> None:
        """Until partitions were dealt out. Raises SourceGone, or what the library says keeps them."""
        try:
            async with asyncio.timeout(_JOIN):
                await self._dealt.wait()
        except TimeoutError:
            await consumer.getmany(timeout_ms=0, max_records=1)  # raises what is wrong with the group
            raise SourceGone(f"The consumer group {self.topic.group} could not be joined.") from None

    async def _beginnings(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        consumer = self._consumer
        if self._since == "TRIM_HORIZON":
            return dict(await consumer.beginning_offsets(partitions))
        ends = dict(await consumer.end_offsets(partitions))
        if isinstance(self._since, str):
            return ends
        moment = int(self._since * 1000)
        found = await consumer.offsets_for_times(dict.fromkeys(partitions, moment))
        return {each: ends[each] if found.get(each) is None else found[each].offset for each in partitions}

    def _partition(self, shard: str) -> TopicPartition:
        """Raises SourceGone when it is not this member's."""
        partition = TopicPartition(self.topic.name, int(shard.rpartition("-")[2]))
        if self._consumer is None or partition not in self._consumer.assignment():
            raise SourceGone(f"The partition {shard} was given to another member of the consumer group.")
        return partition

    async def _fetch(self, shard: str, partition: TopicPartition, patience: float, limit: int) -> list[Record]:
        with _gone():
            found = await self._consumer.getmany(partition, timeout_ms=int(patience * 1000), max_records=limit)
        start = self._next.get(shard, 0)
        return [records.record_of(each) for each in found.get(partition, ()) if each.offset >= start]


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """Is told when partitions come and go."""

    def __init__(self, source: KafkaSource) -> None:
        self._source = source

    async def on_partitions_revoked(self, revoked: Any) -> None:
        source = self._source
        source._dealt.clear()
        if source.release is not None:
            await source.release(_RELEASE)

    async def on_partitions_assigned(self, assigned: Any) -> None:
        source = self._source
        source._next.clear()
        source._held.clear()
        source._dealt.set()
        if source.look is not None:
            source.look()


async def _started(client: Any, then: Callable[[], Awaitable[None]] | None = None) -> None:
    """Start a client; one that cannot be, or with which `then` fails, is stopped."""
    try:
        await client.start()
        if then is not None:
            await then()
    except BaseException:
        await client.stop()
        raise


@contextlib.contextmanager
def _gone() -> Iterator[None]:
    """Errors of the cluster are the source's."""
    try:
        yield
    except (KafkaError, OSError) as error:
        raise SourceGone(f"{type(error).__name__}: {error}") from error


def _name(partition: TopicPartition) -> str:
    return records.shard_name(partition.topic, partition.partition)

"""One topic of a cluster, read as a member of its consumer group; the group's offsets are how far a reader has come.

The client library is loaded with this module: only in a process of its own.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from cumulet.delivery.kafka.messages import Found, found
from cumulet.delivery.kafka.probe import Unreachable, speaks_plainly
from cumulet.delivery.kafka.wire import Gone, Settings

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
_ANSWER = 8 * 1024 * 1024
"""Bytes after which an answer to `read` has no further record."""
_METADATA = 30_000
_STEP = 1.0


class Member:
    """A topic. `release` is awaited before partitions go to other members; `look` is called when there may be others.

    `trouble` says what keeps going wrong in the library's own work, empty when nothing does.
    """

    def __init__(
        self,
        settings: Settings,
        release: Callable[[float], Awaitable[None]],
        look: Callable[[], None],
        trouble: Callable[[], str],
    ) -> None:
        self.release, self.look, self.trouble = release, look, trouble
        self._settings = settings
        self._consumer: Any = None
        self._producer: Any = None
        self._dealt = asyncio.Event()
        self._next: dict[int, int] = {}
        self._held: dict[int, list[Found]] = {}

    async def partitions(self) -> list[int]:
        """Those that this member is to read."""
        consumer = await self._joined()
        dealt = sorted(each.partition for each in consumer.assignment())
        if not dealt and not consumer.partitions_for_topic(self._settings.topic):
            raise Gone(f"The topic {self._settings.topic} does not exist.")
        return dealt

    async def read(self, number: int, start: int, limit: int) -> list[Found]:
        """What there is from the offset `start` on: `limit` records at most, and few megabytes more than AWS's events hold."""
        partition = self._partition(number)
        if self._next.get(number) != start:
            self._held.pop(number, None)
            self._consumer.seek(partition, start)
        records = self._held.pop(number, [])
        if not records:
            records = await self._fetch(partition, 0, limit)
        records, rest = _cut(records, limit)
        if rest:
            self._held[number] = rest
        self._next[number] = records[-1].offset + 1 if records else start
        return records

    async def wait(self, number: int, patience: float) -> None:
        """For a record, in short steps: partitions that are being dealt out anew are not waited for."""
        deadline = asyncio.get_running_loop().time() + patience
        while not self._held.get(number) and asyncio.get_running_loop().time() < deadline:
            records = await self._fetch(self._partition(number), _STEP, _AHEAD)
            if records:
                self._held[number] = records
        if not self._held.get(number) and (trouble := self.trouble()):
            raise Gone(trouble)

    # What the group knows

    async def positions(self) -> dict[int, int]:
        """The offset to go on with, of each partition. Of those that the group has none of yet, it is kept at once."""
        consumer = await self._joined()
        partitions = sorted(consumer.assignment())
        committed = await asyncio.gather(*(consumer.committed(each) for each in partitions))
        known = {each: offset for each, offset in zip(partitions, committed, strict=True) if offset is not None}
        new = [each for each in partitions if each not in known]
        if new:
            begun = await self._beginnings(new)
            await consumer.commit(begun)
            known |= begun
        return {each.partition: offset for each, offset in known.items()}

    async def commit(self, number: int, offset: int) -> None:
        """Everything before `offset` has been dealt with. Raises Gone when the partition is somebody else's by now."""
        await self._consumer.commit({self._partition(number): offset})

    async def produce(self, topic: str, messages: Iterable[tuple[bytes | None, bytes]]) -> None:
        """Write keys and values to a topic of the same cluster; returns when all replicas have them."""
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
                group_id=self._settings.group,
                group_instance_id=self._settings.member,
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
        topic = self._settings.topic
        if topic not in await consumer.topics():
            raise Gone(f"The topic {topic} does not exist.")
        consumer.subscribe([topic], listener=_Listener(self))

    async def _way(self) -> dict[str, Any]:
        """How the cluster is reached: TLS where its servers do not speak without it."""
        servers = self._settings.servers
        common = {
            "bootstrap_servers": list(servers),
            "client_id": "cumulet-lambda",
            "metadata_max_age_ms": _METADATA,
        }
        try:
            if await speaks_plainly(servers):
                return common
        except Unreachable as error:
            raise Gone(
                f"Connection error. Please check your event source connection configuration. ({error})"
            ) from error
        return common | {"security_protocol": "SSL", "ssl_context": ssl.create_default_context()}

    async def _joined(self) -> Any:
        """The consumer, once partitions were dealt out. Raises Gone, or what the library says keeps them."""
        consumer = await self._open()
        try:
            async with asyncio.timeout(_JOIN):
                await self._dealt.wait()
        except TimeoutError:
            await consumer.getmany(timeout_ms=0, max_records=1)  # raises what is wrong with the group
            raise Gone(f"The consumer group {self._settings.group} could not be joined.") from None
        return consumer

    async def _beginnings(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        consumer, since = self._consumer, self._settings.since
        if since == "TRIM_HORIZON":
            return dict(await consumer.beginning_offsets(partitions))
        ends = dict(await consumer.end_offsets(partitions))
        if isinstance(since, str):
            return ends
        times = await consumer.offsets_for_times(dict.fromkeys(partitions, int(since * 1000)))
        return {each: ends[each] if times.get(each) is None else times[each].offset for each in partitions}

    def _partition(self, number: int) -> TopicPartition:
        """Raises Gone when it is not this member's."""
        partition = TopicPartition(self._settings.topic, number)
        if self._consumer is None or partition not in self._consumer.assignment():
            raise Gone(
                f"The partition {number} of {partition.topic} was given to another member of the consumer group."
            )
        return partition

    async def _fetch(self, partition: TopicPartition, patience: float, limit: int) -> list[Found]:
        fetched = await self._consumer.getmany(partition, timeout_ms=int(patience * 1000), max_records=limit)
        start = self._next.get(partition.partition, 0)
        return [found(each) for each in fetched.get(partition, ()) if each.offset >= start]

    def dealing(self) -> None:
        """Partitions are about to be dealt out anew."""
        self._dealt.clear()

    def dealt(self) -> None:
        self._next.clear()
        self._held.clear()
        self._dealt.set()
        self.look()


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # the library has no types
    """Is told when partitions come and go."""

    def __init__(self, member: Member) -> None:
        self._member = member

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self._member.dealing()
        await self._member.release(_RELEASE)

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self._member.dealt()


async def _started(client: Any, then: Callable[[], Awaitable[None]] | None = None) -> None:
    """Start a client; one that cannot be, or with which `then` fails, is stopped."""
    try:
        await client.start()
        if then is not None:
            await then()
    except BaseException:
        await client.stop()
        raise


def _cut(records: list[Found], limit: int) -> tuple[list[Found], list[Found]]:
    """What an answer may have of these, and the rest."""
    count = size = 0
    for record in records[:limit]:
        size += len(record.shown)
        if count and size > _ANSWER:
            break
        count += 1
    return records[:count], records[count:]


@contextlib.contextmanager
def gone() -> Iterator[None]:
    """Whatever goes wrong with a cluster becomes Gone: what it answers can make the library fail anywhere."""
    try:
        yield
    except (Gone, MemoryError):
        raise
    except Exception as error:
        raise Gone(f"{type(error).__name__}: {error}") from error

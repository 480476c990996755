"""What works for a mapping of a Kafka cluster: readers of its partitions, as long as those are its own."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgspec

from cumulet.services.lambda_.events.destinations import DESTINATION
from cumulet.services.lambda_.sources.batches import FOREVER, Rules
from cumulet.services.lambda_.sources.calls import Answer, Invoker
from cumulet.services.lambda_.sources.checkpoints import Checkpoint, Discard, failure_notice, failure_record
from cumulet.services.lambda_.sources.kafka import records
from cumulet.services.lambda_.sources.kafka.rules import failure_topic, topic_of
from cumulet.services.lambda_.sources.kafka.source import KafkaSource
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.sources.port import Record
from cumulet.services.lambda_.sources.queue_poller import Function
from cumulet.services.lambda_.sources.shard_poller import MakeReader, ShardPoller
from cumulet.services.lambda_.state import Lambda

_WINDOW = 0.5
"""Seconds of a batching window that a mapping does not name."""
_RETRIES = 10
"""Retries when they have no end but there is a failure destination.
https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html"""


def source_of(mapping: Mapping) -> KafkaSource:
    """The topic that a mapping reads."""
    configuration = mapping.configuration
    since: str | float = configuration.starting_position or "TRIM_HORIZON"
    if since == "AT_TIMESTAMP":
        since = configuration.starting_position_timestamp or 0.0
    return KafkaSource(topic_of(configuration), f"lambda-{mapping.uuid}", since)


def rules_of(mapping: Mapping, rules: Rules) -> Rules:
    """A stream's rules as they are for Kafka."""
    window = mapping.configuration.maximum_batching_window_in_seconds
    endless = rules.retries == FOREVER and bool(mapping.failure_destination)
    return msgspec.structs.replace(
        rules, window=_WINDOW if window is None else window, retries=_RETRIES if endless else rules.retries
    )


class KafkaWorker:
    """One mapping's work."""

    def __init__(self, source: KafkaSource, poller: ShardPoller) -> None:
        self._source = source
        self._poller = poller
        source.tell(poller.release, poller.look)

    def start(self) -> None:
        self._poller.start()

    async def stop(self) -> None:
        try:
            await self._poller.stop()
        finally:
            await self._source.close()

    async def drained(self) -> None:
        """Nothing goes on after `stop`."""


class Pollers:
    """A function that a limited number of pollers invokes, one batch each."""

    def __init__(self, function: Invoker, mapping: Mapping) -> None:
        config = mapping.configuration.provisioned_poller_config
        self._function = function
        self._places = asyncio.Semaphore(config.maximum_pollers) if config and config.maximum_pollers else None

    async def invoke(self, payload: bytes, trace: str = "") -> Answer:
        if self._places is None:
            return await self._function.invoke(payload, trace)
        async with self._places:
            return await self._function.invoke(payload, trace)

    async def room(self, note: Any) -> None:
        await self._function.room(note)


class GroupLedger:
    """The offsets of a mapping's consumer group, and its failure destination."""

    def __init__(self, lambda_: Lambda, mapping: Mapping, source: KafkaSource) -> None:
        self._lambda = lambda_
        self._mapping = mapping
        self._source = source
        self._event = records.event_maker(source.topic.servers)

    async def load(self) -> dict[str, Checkpoint]:
        return {
            shard: Checkpoint(position=str(offset - 1)) for shard, offset in (await self._source.positions()).items()
        }

    async def save(self, shard: str, checkpoint: Checkpoint, discard: Discard | None = None) -> None:
        """What is given up is told first: it may be told twice, but not be lost."""
        if discard is not None:
            await self._tell(discard)
        await self._source.commit(shard, int(checkpoint.position or -1) + 1)

    async def _tell(self, discard: Discard) -> None:
        topic = failure_topic(self._mapping.configuration)
        if topic is not None:
            await self._source.produce(topic, [self._message(discard, record) for record in discard.records])
            return
        notice = await failure_notice(self._lambda, self._mapping, self._source, discard, self._whole)
        if notice is None:
            return
        async with self._lambda.db.transaction() as tx:
            await self._lambda.outbox.add(tx, DESTINATION, msgspec.msgpack.encode(notice))

    def _message(self, discard: Discard, record: Record) -> tuple[bytes | None, bytes]:
        """What a topic gets of one record, and its key.

        https://docs.aws.amazon.com/lambda/latest/dg/kafka-on-failure-destination.html
        """
        event = self._event(discard.shard, [record], None)
        name, info = self._source.batch_info(discard.shard, [record])
        del info["recordsInfo"]
        info["recordInfo"] = {"offset": record.sequence, "timestamp": records.moment(record)}
        body = failure_record(self._mapping, discard, name, info, self._lambda.clock.now(), msgspec.Raw(event))
        return records.key_of(record), body

    def _whole(self, shard: str, found: Sequence[Record]) -> str:
        return self._event(shard, found, None).decode()


def kafka_worker(lambda_: Lambda, mapping: Mapping, invoker: Invoker, note: Any, reader: Any) -> KafkaWorker:
    """The worker of a mapping. `reader` makes readers of any stream, given what is Kafka's own."""
    source = source_of(mapping)
    ledger = GroupLedger(lambda_, mapping, source)
    function: Function = Pollers(invoker, mapping)
    make: MakeReader = partial(
        reader,
        source=source,
        source_arn="",
        function=function,
        ledger=ledger,
        form=records.form(source.topic.servers),
    )
    return KafkaWorker(source, ShardPoller(source, ledger, make, note=note, clock=lambda_.clock, tasks=lambda_.tasks))

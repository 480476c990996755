"""SubscribeToShard: records are sent as they come, for five minutes of the clock.

The next event is made when the client has taken the last. So one that reads slowly holds one event in memory, as records and as a message: some
3 MB at most, or two and a half times a larger record. The gateway ends its connection when it takes nothing for half a minute.

https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from cumulet.api import kinesis as api
from cumulet.kernel.call import Call
from cumulet.kernel.clock import wait_until
from cumulet.services.kinesis import reading
from cumulet.services.kinesis.directory import Opened
from cumulet.services.kinesis.encryption import may_read
from cumulet.services.kinesis.errors import dry_run, unknown_shard
from cumulet.services.kinesis.model import Consumer, Shard, shard_number, topic
from cumulet.services.kinesis.resources import find_consumer
from cumulet.services.kinesis.state import Kinesis
from cumulet.services.kinesis.subscriptions import SECONDS, Subscription, in_use

_BEAT = 5.0
"""Seconds after which an event without records says that the subscription is alive."""
_MOST = 1_000
"""Records of an event; ten thousand small ones would take several times the memory of their data."""
_MOST_BYTES = 1 << 20


async def subscribe_to_shard(
    kinesis: Kinesis, call: Call, request: api.SubscribeToShardInput
) -> api.SubscribeToShardOutput:
    opened, consumer = await find_consumer(kinesis, call, request.consumer_arn)
    number = shard_number(request.shard_id)
    if number is None:
        raise unknown_shard(opened.stream.key, request.shard_id)
    shard = reading.find_shard(kinesis, opened, number)
    place = request.starting_position
    index = reading.start(kinesis, opened, shard, place.type, place.sequence_number, place.timestamp)
    await may_read(kinesis, call, opened.stream, [opened.stream.sealed_with])
    now = kinesis.clock.now()
    kinesis.subscriptions.check(opened.stream, consumer, shard, now)
    if request.dry_run:
        raise dry_run()
    subscription = kinesis.subscriptions.take(consumer, shard, now)
    return api.SubscribeToShardOutput(event_stream=_events(kinesis, call, opened, consumer, shard, index, subscription))


async def _events(
    kinesis: Kinesis,
    call: Call,
    opened: Opened,
    consumer: Consumer,
    shard: Shard,
    index: int,
    subscription: Subscription,
) -> AsyncIterator[api.SubscribeToShardEventStream]:
    end, number = subscription.since + SECONDS, shard.number
    forget = kinesis.signals.subscribe(topic(opened.stream, number), subscription.wake)
    beat = subscription.since + _BEAT
    try:
        while True:
            subscription.woken.clear()  # before the read, so that nothing comes unnoticed after it
            if subscription.taken:
                raise in_use(opened.stream, consumer, shard)
            now = kinesis.clock.now()
            if now >= end or (kinesis.subscriptions.winding_down and call.presence is not None):
                return
            shard = opened.shards.get(number, shard)
            span = await reading.read(kinesis, opened, shard, index, _MOST, _MOST_BYTES)
            await may_read(kinesis, call, opened.stream, {row[3] for row in span.rows})
            index = span.rows[-1][0] + 1 if span.rows else index
            ended = span.whole and shard.last is not None
            if span.rows or ended or now >= beat:
                beat = now + _BEAT
                event = api.SubscribeToShardEvent(
                    records=[reading.shown(shard, row) for row in span.rows],
                    # There is nothing to go on with after a shard's end, which AWS tells by null.
                    continuation_sequence_number=None if ended else shard.sequence(max(index - 1, shard.first)),  # type: ignore[arg-type]
                    millis_behind_latest=reading.behind(kinesis, span),
                    child_shards=reading.children(opened, shard) if ended else None,
                )
                yield api.SubscribeToShardEventStream(subscribe_to_shard_event=event)
            if ended:
                return
            if span.whole:
                await wait_until(kinesis.clock, min(beat, end), subscription.woken)
    finally:
        forget()

"""Operations on consumers with reads of their own (enhanced fan-out).

https://docs.aws.amazon.com/streams/latest/dev/enhanced-consumers.html
"""

from __future__ import annotations

from cumulet.api import kinesis as api
from cumulet.kernel.call import Call
from cumulet.services.kinesis import paging, tags
from cumulet.services.kinesis.directory import Opened
from cumulet.services.kinesis.errors import invalid
from cumulet.services.kinesis.model import Consumer
from cumulet.services.kinesis.resources import find_consumer, no_consumer
from cumulet.services.kinesis.state import Kinesis
from cumulet.storage.database import Conflict

_PAGE = 100
_ACTIVE = "ACTIVE"


async def register_stream_consumer(
    kinesis: Kinesis, call: Call, request: api.RegisterStreamConsumerInput
) -> api.RegisterStreamConsumerOutput:
    opened = await kinesis.by_arn(call, request.stream_arn)
    stream, limit = opened.stream, kinesis.limits.consumers
    consumer = Consumer(
        name=request.consumer_name,
        stream_arn=stream.arn,
        created=float(int(kinesis.clock.now())),
        tags=tags.added({}, request.tags or {}),
    )
    if await kinesis.consumers.find(stream, consumer.name) is None:
        if await kinesis.consumers.count(stream) >= limit:
            raise api.LimitExceededException(
                f"Stream {stream.name} under account {stream.account} has {limit} registered consumers, which is its limit."
            )
        try:
            await kinesis.consumers.add(stream, consumer)
        except Conflict:
            pass
        else:
            return api.RegisterStreamConsumerOutput(consumer=_shown(consumer))
    raise api.ResourceInUseException(
        f"Consumer {consumer.name} under stream {stream.name} already exists for account {stream.account}."
    )


async def deregister_stream_consumer(kinesis: Kinesis, call: Call, request: api.DeregisterStreamConsumerInput) -> None:
    opened, consumer = await _find(kinesis, call, request)
    await kinesis.consumers.remove(opened.stream, consumer.name)
    kinesis.subscriptions.end(consumer.arn)


async def describe_stream_consumer(
    kinesis: Kinesis, call: Call, request: api.DescribeStreamConsumerInput
) -> api.DescribeStreamConsumerOutput:
    opened, consumer = await _find(kinesis, call, request)
    return api.DescribeStreamConsumerOutput(
        consumer_description=api.ConsumerDescription(
            consumer_name=consumer.name,
            consumer_arn=consumer.arn,
            consumer_status=_ACTIVE,
            consumer_creation_timestamp=consumer.created,
            stream_arn=opened.stream.arn,
        )
    )


async def list_stream_consumers(
    kinesis: Kinesis, call: Call, request: api.ListStreamConsumersInput
) -> api.ListStreamConsumersOutput:
    opened = await kinesis.by_arn(call, request.stream_arn)
    after = ""
    if request.next_token:
        arn, after, _ = paging.read(kinesis, "consumers", request.next_token)
        if arn != opened.stream.arn:
            raise invalid("Invalid NextToken: it is not of the stream in StreamARN.")
    limit = request.max_results or _PAGE
    found = await kinesis.consumers.page(opened.stream, after, limit + 1)
    page = found[:limit]
    token = paging.token(kinesis, "consumers", opened.stream.arn, page[-1].name) if len(found) > limit else None
    return api.ListStreamConsumersOutput(consumers=[_shown(each) for each in page], next_token=token)


async def _find(
    kinesis: Kinesis, call: Call, request: api.DescribeStreamConsumerInput | api.DeregisterStreamConsumerInput
) -> tuple[Opened, Consumer]:
    """By ARN, or by stream and name; raises InvalidArgumentException where they contradict each other."""
    if request.consumer_arn:
        opened, consumer = await find_consumer(kinesis, call, request.consumer_arn)
        if (request.consumer_name or consumer.name) != consumer.name or (
            request.stream_arn or opened.stream.arn
        ) != opened.stream.arn:
            raise invalid("ConsumerARN, ConsumerName and StreamARN are not of the same consumer.")
        return opened, consumer
    if not (request.stream_arn and request.consumer_name):
        raise invalid("Either ConsumerARN, or both StreamARN and ConsumerName should be provided.")
    opened = await kinesis.by_arn(call, request.stream_arn)
    found = await kinesis.consumers.find(opened.stream, request.consumer_name)
    if found is None:
        raise no_consumer(opened, request.consumer_name)
    return opened, found


def _shown(consumer: Consumer) -> api.Consumer:
    return api.Consumer(
        consumer_name=consumer.name,
        consumer_arn=consumer.arn,
        consumer_status=_ACTIVE,
        consumer_creation_timestamp=consumer.created,
    )

"""Consumers by their ARN, which names the stream, the consumer and the second it was made in."""

from __future__ import annotations

from cumulet.api import kinesis as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.kinesis.directory import Opened
from cumulet.services.kinesis.model import Consumer, consumer_stream
from cumulet.services.kinesis.state import Kinesis


def is_consumer(arn: str) -> bool:
    """Whether an ARN is a consumer's, not a stream's. Raises NotImplementedHere for those of queues and channels."""
    resource = arn.split(":", 5)[5]
    if resource.startswith(("queue/", "channel/")):
        raise NotImplementedHere(
            "Queues and channels of streams are not implemented in Cumulet's kinesis yet. See docs/services/kinesis.md."
        )
    return "/consumer/" in resource


async def find_consumer(kinesis: Kinesis, call: Call, arn: str) -> tuple[Opened, Consumer]:
    """A consumer and its stream; raises ResourceNotFoundException."""
    stream_arn, name = consumer_stream(arn)
    opened = await kinesis.by_arn(call, stream_arn)
    consumer = await kinesis.consumers.find(opened.stream, name.partition(":")[0])
    if consumer is None or consumer.arn != arn:
        raise no_consumer(opened, arn)
    return opened, consumer


def no_consumer(opened: Opened, name: str) -> api.ResourceNotFoundException:
    """`name`: as the request had it."""
    account = opened.stream.account
    return api.ResourceNotFoundException(
        f"Consumer {name} under stream {opened.stream.name} and account {account} not found."
    )

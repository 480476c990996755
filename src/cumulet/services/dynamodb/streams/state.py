"""What the operations of DynamoDB Streams share."""

from __future__ import annotations

from msgspec import Struct

from cumulet.api import dynamodbstreams as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.clock import Clock
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.streams.model import RETENTION, Stream
from cumulet.services.dynamodb.streams.store import StreamStore


class Streams(Struct, frozen=True):
    """The parts of the service."""

    store: StreamStore
    clock: Clock

    async def find(self, call: Call, arn: str) -> Stream:
        """The stream with this ARN, one that ended within the last day included. Raises ResourceNotFoundException."""
        name, label = names_in(arn)
        parsed = Arn.parse(arn)
        stream = None
        if (parsed.account, parsed.region) == (call.account, call.region):
            stream = await self.store.find(call.account, call.region, name, label)
        if stream is None or (stream.closed is not None and stream.closed <= self.horizon()):
            raise api.ResourceNotFoundException(f"Requested resource not found: Stream: {arn} not found")
        return stream

    def horizon(self) -> float:
        """The moment before which there are no records any more."""
        return self.clock.now() - RETENTION


def names_in(arn: str) -> tuple[str, str]:
    """The table's name and the label. Raises ValidationException for what is no stream's ARN."""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        parsed = None
    parts = parsed.resource.split("/") if parsed is not None and parsed.service == "dynamodb" else []
    if len(parts) != 4 or (parts[0], parts[2]) != ("table", "stream"):
        raise invalid(f"Invalid StreamArn: {arn} is not a valid ARN of a stream")
    return parts[1], parts[3]

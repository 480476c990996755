"""What the operations of Kinesis share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct

from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.services.kinesis.allowances import Allowed
from cumulet.services.kinesis.directory import Directory, Opened
from cumulet.services.kinesis.errors import invalid, no_stream
from cumulet.services.kinesis.limits import Limits
from cumulet.services.kinesis.model import Stream, StreamKey, stream_arn, topic
from cumulet.services.kinesis.records import RecordStore
from cumulet.services.kinesis.store import AccountStore, ConsumerStore, StreamStore
from cumulet.services.kinesis.subscriptions import Subscriptions
from cumulet.services.kinesis.throttle import Throttle
from cumulet.services.kinesis.tokens import Tokens
from cumulet.services.kinesis.workers import Trimmer
from cumulet.storage.signals import Signals


class Named(Protocol):
    """Requests that name a stream."""

    @property
    def stream_name(self) -> str | None: ...

    @property
    def stream_arn(self) -> str | None: ...


class Kinesis(Struct, frozen=True):
    """The parts of the service."""

    streams: StreamStore
    consumers: ConsumerStore
    accounts: AccountStore
    records: RecordStore
    directory: Directory
    subscriptions: Subscriptions
    throttle: Throttle
    allowed: Allowed
    tokens: Tokens
    trimmer: Trimmer
    calls: Calls
    clock: Clock
    signals: Signals
    limits: Limits

    async def find(self, call: Call, request: Named) -> Opened:
        """The stream that a request names; raises ResourceNotFoundException, InvalidArgumentException."""
        return await self.directory.find(stream_key(call, request.stream_name, request.stream_arn))

    async def by_arn(self, call: Call, arn: str) -> Opened:
        """The stream with this ARN."""
        return await self.directory.find(stream_key(call, None, arn))

    async def edit(self, opened: Opened, change: Callable[[Stream], Stream]) -> Stream:
        """Change a stream, in the store and in memory; what `change` raises leaves it as it was."""
        return await self.streams.edit(opened.stream, change, opened.set_stream)

    def announce(self, stream: Stream, shard: int) -> None:
        """Wake who waits for records of a shard."""
        self.signals.publish(topic(stream, shard))


def stream_key(call: Call, name: str | None, arn: str | None) -> StreamKey:
    """Where the stream is that a request names by its name, its ARN, or both."""
    if not arn:
        if not name:
            raise invalid("Either StreamName or StreamARN should be provided.")
        return call.account, call.region, name
    parsed = Arn.parse(arn)
    found = parsed.resource.removeprefix("stream/")
    if name and name != found:
        raise invalid(f"StreamName {name} and StreamARN {arn} are of different streams.")
    key = (parsed.account, parsed.region, found)
    # Permissions were looked up for exactly this ARN, so it must be the stream's only one.
    if arn != stream_arn(key) or parsed.region != call.region:
        raise no_stream(key)
    return key

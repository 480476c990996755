"""Kinesis data streams as sources. Those that a registered consumer reads are in `fanout.py`.

https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import kinesis as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.sources.filters import opened
from cumulet.services.lambda_.sources.iterated import IteratedStream
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.sources.port import Record, Shard
from cumulet.storage.signals import Signals

_AT_ONCE = 10_000
"""Records that GetRecords gives."""
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


class Role(Protocol):
    """Who reads: a call as the function's execution role, and that role's ARN once there was one."""

    @property
    def role(self) -> str: ...

    def as_role(self) -> Awaitable[Call]: ...


class _Content(Struct):
    """What came in the record, in AWS's order."""

    version: str = msgspec.field(name="kinesisSchemaVersion")
    key: str = msgspec.field(name="partitionKey")
    sequence: str = msgspec.field(name="sequenceNumber")
    data: bytes
    arrival: float = msgspec.field(name="approximateArrivalTimestamp")


class _Event(Struct):
    """One element of Records, in AWS's order."""

    content: _Content = msgspec.field(name="kinesis")
    source: str = msgspec.field(name="eventSource")
    version: str = msgspec.field(name="eventVersion")
    id: str = msgspec.field(name="eventID")
    name: str = msgspec.field(name="eventName")
    role: str = msgspec.field(name="invokeIdentityArn")
    region: str = msgspec.field(name="awsRegion")
    source_arn: str = msgspec.field(name="eventSourceARN")


_encode = msgspec.json.Encoder().encode


class KinesisSource(IteratedStream):
    """A data stream."""

    service: ClassVar[str] = "kinesis"

    def __init__(self, mapping: Mapping, calls: Calls, signals: Signals, reader: Role) -> None:
        super().__init__(mapping, calls, signals, reader.as_role, stream_of(mapping.source))
        self._reader = reader

    async def shards(self) -> Sequence[Shard]:
        found: list[Shard] = []
        request = api.ListShardsInput(stream_arn=self._stream)
        while True:
            answer: api.ListShardsOutput = await self._run("ListShards", request)
            for each in answer.shards or ():
                parents = (each.parent_shard_id, each.adjacent_parent_shard_id)
                found.append(Shard(each.shard_id, tuple(parent for parent in parents if parent)))
            if not answer.next_token:
                return found
            request = api.ListShardsInput(next_token=answer.next_token)

    def view(self, record: Record) -> Any:
        """What filters look at: the members of the record, its data decoded, beside those of the event."""
        event: dict[str, Any] = msgspec.json.decode(record.record)
        content: dict[str, Any] = event.pop("kinesis")
        with contextlib.suppress(UnicodeDecodeError):  # what is no text stays in base 64
            content["data"] = opened(base64.b64decode(content["data"]).decode())
        return event | content

    def batch_info(self, shard: str, records: Sequence[Record]) -> tuple[str, dict[str, Any]]:
        return "KinesisBatchInfo", self._extent(shard, records, _time)

    def _topic(self, shard: str) -> str:
        return f"kinesis:{self._stream}/{int(shard.rpartition('-')[2])}"

    async def _records(self, shard: str, iterator: str, limit: int) -> tuple[list[Record], str | None]:
        request = api.GetRecordsInput(shard_iterator=iterator, limit=min(limit, _AT_ONCE))
        answer: api.GetRecordsOutput = await self._run("GetRecords", request)
        return [self._record(shard, each) for each in answer.records], answer.next_shard_iterator

    async def _iterator(self, shard: str, after: str | None) -> str:
        request = api.GetShardIteratorInput(stream_arn=self._stream, shard_id=shard, shard_iterator_type="TRIM_HORIZON")
        if after is not None:
            request.shard_iterator_type, request.starting_sequence_number = "AFTER_SEQUENCE_NUMBER", after
        elif self._since is not None:
            request.shard_iterator_type, request.timestamp = "AT_TIMESTAMP", self._since
        answer: api.GetShardIteratorOutput = await self._run("GetShardIterator", request)
        return answer.shard_iterator or ""

    def _record(self, shard: str, given: api.Record) -> Record:
        arrival = given.approximate_arrival_timestamp or 0.0
        key = given.partition_key or ""
        event = _Event(
            content=_Content("1.0", key, given.sequence_number, given.data, arrival),
            source="aws:kinesis",
            version="1.0",
            id=f"{shard}:{given.sequence_number}",
            name="aws:kinesis:record",
            role=self._reader.role,
            region=self._region,
            source_arn=self._source,
        )
        return Record(given.sequence_number, arrival, key, _encode(event))


def stream_of(source: str) -> str:
    """The ARN of the stream, of its own or a consumer's."""
    return source.partition("/consumer/")[0]


async def check_stream(calls: Calls, call: Call, source: str) -> None:
    """Whether a function can read the stream as `call`'s principal.

    Raises InvalidParameterValueException: no such stream or consumer, a permission that is missing.
    """
    there = replace(call, region=Arn.parse(source).region)
    stream = stream_of(source)
    try:
        listed = await calls.run(there, "kinesis", "ListShards", api.ListShardsInput(stream_arn=stream, max_results=1))
        shard = listed.shards[0].shard_id
        if source != stream:
            await _try_consumer(calls, there, source, shard)
            return
        wanted = api.GetShardIteratorInput(stream_arn=stream, shard_id=shard, shard_iterator_type="LATEST")
        found = await calls.run(there, "kinesis", "GetShardIterator", wanted)
        await calls.run(
            there, "kinesis", "GetRecords", api.GetRecordsInput(shard_iterator=found.shard_iterator, limit=1)
        )
    except AwsError as error:
        if error.code in _DENIED:
            raise invalid(
                f"Cannot access stream {source}. Please ensure the role can perform the GetRecords, GetShardIterator, "
                "DescribeStream, ListShards, and ListStreams Actions on your stream in IAM."
            ) from error
        if isinstance(error, api.ResourceNotFoundException):
            raise invalid(f"Stream not found: {source}") from error
        if not isinstance(error, api.ProvisionedThroughputExceededException):
            raise invalid(f"Cannot access stream {source}. {error.message}") from error


async def _try_consumer(calls: Calls, call: Call, consumer: str, shard: str) -> None:
    """What a reader of the consumer will do, as far as it changes nothing. Raises AwsError."""
    await calls.run(call, "kinesis", "DescribeStreamConsumer", api.DescribeStreamConsumerInput(consumer_arn=consumer))
    request = api.SubscribeToShardInput(
        consumer_arn=consumer, shard_id=shard, starting_position=api.StartingPosition(type="LATEST"), dry_run=True
    )
    try:
        await calls.run(call, "kinesis", "SubscribeToShard", request)
    except (api.DryRunOperationException, api.ResourceInUseException):
        return


def _time(when: float) -> str:
    return f"{datetime.fromtimestamp(when, UTC):%Y-%m-%dT%H:%M:%S}.{round(when * 1000) % 1000:03}Z"

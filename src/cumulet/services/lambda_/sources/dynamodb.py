"""Streams of DynamoDB tables as sources.

https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import dynamodbstreams as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.sources.iterated import IteratedStream
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.sources.port import Record, Shard
from cumulet.storage.signals import Signals

_AT_ONCE = 1000
"""Records that GetRecords gives."""
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
_NO_SHARD = "shardId-00000000000000000000-00000000"


class _Content(Struct):
    """What is looked at of a record's `dynamodb` member."""

    at: float = msgspec.field(name="ApproximateCreationDateTime")
    keys: msgspec.Raw = msgspec.field(name="Keys")
    sequence: str = msgspec.field(name="SequenceNumber")


class _User(Struct):
    type: str | None
    principal: str | None = msgspec.field(name="principalId")


class _Event(Struct):
    """One element of Records, in AWS's order."""

    id: str = msgspec.field(name="eventID")
    name: str = msgspec.field(name="eventName")
    version: str = msgspec.field(name="eventVersion")
    source: str = msgspec.field(name="eventSource")
    region: str = msgspec.field(name="awsRegion")
    content: bytes | msgspec.Raw = msgspec.field(name="dynamodb")
    source_arn: str = msgspec.field(name="eventSourceARN")
    user: _User | msgspec.UnsetType = msgspec.field(name="userIdentity", default=msgspec.UNSET)


_encode = msgspec.json.Encoder().encode
_content = msgspec.json.Decoder(_Content).decode


class DynamoDbSource(IteratedStream):
    """A table's stream."""

    service: ClassVar[str] = "dynamodbstreams"

    def __init__(
        self, mapping: Mapping, calls: Calls, signals: Signals, as_role: Callable[[], Awaitable[Call]]
    ) -> None:
        super().__init__(mapping, calls, signals, as_role, mapping.source)

    async def shards(self) -> Sequence[Shard]:
        found: list[Shard] = []
        start: str | None = None
        while True:
            request = api.DescribeStreamInput(stream_arn=self._stream, exclusive_start_shard_id=start)
            answer: api.DescribeStreamOutput = await self._run("DescribeStream", request)
            stream = answer.stream_description or api.StreamDescription()
            for each in stream.shards or ():
                parents = (each.parent_shard_id,) if each.parent_shard_id else ()
                found.append(Shard(each.shard_id or "", parents))
            start = stream.last_evaluated_shard_id
            if not start:
                return found

    def view(self, record: Record) -> Any:
        return msgspec.json.decode(record.record)

    def batch_info(self, shard: str, records: Sequence[Record]) -> tuple[str, dict[str, Any]]:
        return "DDBStreamBatchInfo", self._extent(shard, records, _time)

    def _topic(self, shard: str) -> str:
        return f"dynamodb-stream:{self._stream}"

    async def _records(self, shard: str, iterator: str, limit: int) -> tuple[list[Record], str | None]:
        request = api.GetRecordsInput(shard_iterator=iterator, limit=min(limit, _AT_ONCE))
        answer: api.GetRecordsOutput = await self._run("GetRecords", request)
        return [self._record(each) for each in answer.records or ()], answer.next_shard_iterator

    async def _iterator(self, shard: str, after: str | None) -> str:
        request = api.GetShardIteratorInput(stream_arn=self._stream, shard_id=shard, shard_iterator_type="TRIM_HORIZON")
        if after is not None:
            request.shard_iterator_type, request.sequence_number = "AFTER_SEQUENCE_NUMBER", after
        elif self._since is not None:
            request.shard_iterator_type, request.timestamp = "AT_TIMESTAMP", self._since
        try:
            answer: api.GetShardIteratorOutput = await self._run("GetShardIterator", request)
        except api.TrimmedDataAccessException:  # too late for what came next: go on with what there is
            request.shard_iterator_type, request.sequence_number = "TRIM_HORIZON", None
            answer = await self._run("GetShardIterator", request)
        return answer.shard_iterator or ""

    def _record(self, given: api.Record) -> Record:
        content: Any = given.dynamodb
        raw = content if isinstance(content, msgspec.Raw) else msgspec.Raw(_encode(content))
        facts = _content(raw)
        user = given.user_identity
        event = _Event(
            id=given.event_id or "",
            name=given.event_name or "",
            version=given.event_version or "",
            source=given.event_source or "",
            region=given.aws_region or "",
            content=raw,
            source_arn=self._source,
            user=msgspec.UNSET if user is None else _User(user.type, user.principal_id),
        )
        return Record(facts.sequence, facts.at, bytes(facts.keys).decode(), _encode(event))


async def check_stream(calls: Calls, call: Call, source: str) -> None:
    """Whether a function can read the stream as `call`'s principal.

    Raises InvalidParameterValueException: no such stream, a permission that is missing.
    """
    there = replace(call, region=Arn.parse(source).region)
    # The last two are refused for what they ask, after their sender's permissions were looked at.
    tries: list[tuple[str, Any]] = [
        ("DescribeStream", api.DescribeStreamInput(stream_arn=source)),
        (
            "GetShardIterator",
            api.GetShardIteratorInput(stream_arn=source, shard_id=_NO_SHARD, shard_iterator_type="TRIM_HORIZON"),
        ),
        ("GetRecords", api.GetRecordsInput(shard_iterator=f"{source}|1|")),
    ]
    for operation, request in tries:
        try:
            await calls.run(there, "dynamodbstreams", operation, request)
        except AwsError as error:
            if error.code in _DENIED:
                raise invalid(
                    f"Cannot access stream {source}. Please ensure the role can perform the GetRecords, GetShardIterator, "
                    "DescribeStream, and ListStreams Actions on your stream in IAM."
                ) from error
            if operation == "DescribeStream":
                raise invalid(f"Stream not found: {source}") from error


def _time(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

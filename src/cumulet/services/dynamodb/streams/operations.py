"""Operations of DynamoDB Streams.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_Operations_Amazon_DynamoDB_Streams.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from cumulet.api import dynamodbstreams as api
from cumulet.kernel.call import Call
from cumulet.kernel.service import prompt
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.streams.model import (
    ITERATOR_SECONDS,
    Iterator,
    Shard,
    Stream,
    iterator_text,
    read_iterator,
    sequence_number,
    sequence_of,
)
from cumulet.services.dynamodb.streams.state import Streams, names_in
from cumulet.storage.database import Row

_PAGE = 100
_MOST = 1000
_MOST_BYTES = 1024 * 1024
_STEP = 200
"""Records looked at at once: large ones fill an answer long before the limit."""
_FOREVER = 2**63 - 1
_TTL = ("Service", "dynamodb.amazonaws.com")


async def list_streams(streams: Streams, call: Call, request: api.ListStreamsInput) -> api.ListStreamsOutput:
    limit = _limit(request.limit, _PAGE)
    start = request.exclusive_start_stream_arn
    after = names_in(start) if start else ("", "")
    table = None if request.table_name is None else request.table_name.rpartition("/")[2]
    found = await streams.store.page(call.account, call.region, table, after, streams.horizon(), limit + 1)
    return api.ListStreamsOutput(
        streams=[
            api.Stream(stream_arn=each.arn, table_name=each.name, stream_label=each.label) for each in found[:limit]
        ],
        last_evaluated_stream_arn=found[limit - 1].arn if len(found) > limit else None,
    )


async def describe_stream(streams: Streams, call: Call, request: api.DescribeStreamInput) -> api.DescribeStreamOutput:
    limit = _limit(request.limit, _PAGE)
    stream = await streams.find(call, request.stream_arn)
    shards = await _shards(streams, stream)
    if (wanted := request.shard_filter) is not None:
        if wanted.type != "CHILD_SHARDS" or not wanted.shard_id:
            raise invalid("ShardFilter needs the Type CHILD_SHARDS and a ShardId.")
        shards = [shard for shard in shards if shard.parent == wanted.shard_id]
    if request.exclusive_start_shard_id:
        shards = [shard for shard in shards if shard.id > request.exclusive_start_shard_id]
    parents = [("HASH", stream.key.hash), ("RANGE", stream.key.range)]
    return api.DescribeStreamOutput(
        stream_description=api.StreamDescription(
            stream_arn=stream.arn,
            stream_label=stream.label,
            stream_status="ENABLED" if stream.closed is None else "DISABLED",
            stream_view_type=stream.view,
            creation_request_date_time=stream.created,
            table_name=stream.name,
            key_schema=[api.KeySchemaElement(attribute_name=name, key_type=kind) for kind, name in parents if name],
            shards=[_described(shard) for shard in shards[:limit]],
            last_evaluated_shard_id=shards[limit - 1].id if len(shards) > limit else None,
        )
    )


@prompt
async def get_shard_iterator(
    streams: Streams, call: Call, request: api.GetShardIteratorInput
) -> api.GetShardIteratorOutput:
    stream = await streams.find(call, request.stream_arn)
    shard = await _shard(streams, stream, request.shard_id)
    place = await _place(streams, stream, shard, request)
    iterator = Iterator(shard.id, place, streams.clock.now())
    return api.GetShardIteratorOutput(shard_iterator=iterator_text(stream.arn, iterator))


@prompt
async def get_records(streams: Streams, call: Call, request: api.GetRecordsInput) -> api.GetRecordsOutput:
    limit = _limit(request.limit, _MOST)
    read = read_iterator(request.shard_iterator)
    if read is None:
        raise invalid("Invalid ShardIterator: it is none that GetShardIterator or GetRecords gave.")
    arn, iterator = read
    now = streams.clock.now()
    if now > iterator.made + ITERATOR_SECONDS:
        raise api.ExpiredIteratorException(
            "Iterator expired. The iterator was created at time "
            f"{_moment(iterator.made)} while right now it is {_moment(now)} which is further in the future than the "
            "tolerated delay of 900000 milliseconds."
        )
    stream = await streams.find(call, arn)
    shard = await _shard(streams, stream, iterator.shard)
    last = _FOREVER if shard.last is None else shard.last
    rows, whole = await _read(streams, stream, (max(iterator.next, _horizon(streams)), last), limit)
    following = None
    if not whole or shard.last is None:
        place = rows[-1][0] + 1 if rows else iterator.next
        following = iterator_text(stream.arn, Iterator(shard.id, place, now))
    records = [_record(stream, *row) for row in rows]
    return api.GetRecordsOutput(records=records, next_shard_iterator=following)


async def _read(streams: Streams, stream: Stream, span: tuple[int, int], limit: int) -> tuple[list[Row], bool]:
    """Records within a span of numbers, as many as an answer may have; and whether they are all of it."""
    found: list[Row] = []
    size, first = 0, span[0]
    while True:
        step = min(_STEP, limit - len(found))
        rows = await streams.store.records(stream.id, first, span[1], step)
        for row in rows:
            size += len(row[3])
            if found and size > _MOST_BYTES:
                return found, False
            found.append(row)
        if len(rows) < step:
            return found, True
        if len(found) == limit:
            return found, await streams.store.newest(stream.id, found[-1][0] + 1, span[1]) is None
        first = found[-1][0] + 1


def _record(stream: Stream, seq: int, kind: str, by_ttl: int, body: bytes) -> api.Record:
    """A record; its `dynamodb` member is the JSON it is stored as."""
    name = blake2b(f"{stream.arn}{seq}".encode(), digest_size=16).hexdigest()
    content: api.StreamRecord = msgspec.Raw(body)  # type: ignore[assignment]  # it is written as it is
    return api.Record(
        event_id=name,
        event_name=kind,
        event_version="1.1",
        event_source="aws:dynamodb",
        aws_region=stream.region,
        dynamodb=content,
        user_identity=api.Identity(type=_TTL[0], principal_id=_TTL[1]) if by_ttl else None,
    )


async def _place(streams: Streams, stream: Stream, shard: Shard, request: api.GetShardIteratorInput) -> int:
    """The number from which to read."""
    kind = request.shard_iterator_type
    if request.sequence_number is not None and not kind.endswith("_SEQUENCE_NUMBER"):
        raise invalid(f"SequenceNumber must not be given for the iterator type {kind}.")
    if kind == "TRIM_HORIZON":
        return shard.first
    if kind == "LATEST":
        last = _FOREVER if shard.last is None else shard.last
        newest = await streams.store.newest(stream.id, shard.first, last)
        return shard.first if newest is None else newest + 1
    if kind == "AT_TIMESTAMP":
        if request.timestamp is None:
            raise invalid("Timestamp is required for the iterator type AT_TIMESTAMP.")
        return min(max(shard.first, int(request.timestamp * 1e6)), _FOREVER)
    if request.sequence_number is None:
        raise invalid(f"SequenceNumber is required for the iterator type {kind}.")
    seq = sequence_of(request.sequence_number)
    end = shard.last
    if end is None:
        newest = await streams.store.newest(stream.id, shard.first, _FOREVER)
        end = max(newest or 0, int(streams.clock.now() * 1e6))
    if seq is None or not shard.first <= seq <= end:
        raise invalid(
            f"Invalid SequenceNumber: {request.sequence_number} is not in the shard {shard.id} of the stream {stream.arn}."
        )
    if seq < _horizon(streams):
        raise api.TrimmedDataAccessException(
            f"Attempt to access trimmed data: the record with the sequence number {request.sequence_number} is past "
            "the 24 hours for which a stream holds it."
        )
    return seq if kind == "AT_SEQUENCE_NUMBER" else seq + 1


async def _shards(streams: Streams, stream: Stream) -> list[Shard]:
    horizon = streams.horizon()
    return [each for each in await streams.store.shards(stream.id) if each.closed is None or each.closed > horizon]


async def _shard(streams: Streams, stream: Stream, id_: str) -> Shard:
    shard = await streams.store.shard(stream.id, id_)
    if shard is None or (shard.closed is not None and shard.closed <= streams.horizon()):
        raise api.ResourceNotFoundException(
            f"Requested resource not found: Shard does not exist: {id_} of the stream {stream.arn}"
        )
    return shard


def _described(shard: Shard) -> api.Shard:
    return api.Shard(
        shard_id=shard.id,
        sequence_number_range=api.SequenceNumberRange(
            starting_sequence_number=sequence_number(shard.first),
            ending_sequence_number=None if shard.last is None else sequence_number(shard.last),
        ),
        parent_shard_id=shard.parent or None,
    )


def _horizon(streams: Streams) -> int:
    return int(streams.horizon() * 1e6)


def _limit(given: int | None, most: int) -> int:
    if given is not None and given > most:
        raise invalid(
            f"1 validation error detected: Value '{given}' at 'limit' failed to satisfy constraint: "
            f"Member must have value less than or equal to {most}"
        )
    return given or most


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")

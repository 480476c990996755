"""GetShardIterator and GetRecords."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

from cumulet.api import kinesis as api
from cumulet.kernel.call import Call
from cumulet.kernel.service import prompt
from cumulet.services.kinesis import sequences
from cumulet.services.kinesis.directory import Opened
from cumulet.services.kinesis.encryption import may_read
from cumulet.services.kinesis.errors import dry_run, invalid, no_shard, no_stream, unknown_shard
from cumulet.services.kinesis.model import MICROSECONDS, Shard, arrival, shard_id, shard_number
from cumulet.services.kinesis.records import Span
from cumulet.services.kinesis.state import Kinesis, stream_key
from cumulet.storage.database import Row

ITERATOR_SECONDS = 300.0
_MOST = 10_000
MOST_BYTES = 10 << 20
_BY_NUMBER = ("AT_SEQUENCE_NUMBER", "AFTER_SEQUENCE_NUMBER")
_FOREVER = (1 << 63) - 1
_LATEST = 1e15
"""Seconds: nobody means a moment after that, which in milliseconds may be beyond all numbers."""
_Place = struct.Struct(">QQQ")
"""What an iterator holds: the stream's id, the shard's number, and the index to go on from."""


@prompt
async def get_shard_iterator(
    kinesis: Kinesis, call: Call, request: api.GetShardIteratorInput
) -> api.GetShardIteratorOutput:
    key = stream_key(call, request.stream_name, request.stream_arn)
    number = shard_number(request.shard_id)
    if number is None:
        raise unknown_shard(key, request.shard_id)
    try:
        opened = await kinesis.directory.find(key)
    except api.ResourceNotFoundException:
        if request.stream_arn:
            raise
        raise no_shard(key, number) from None
    shard = find_shard(kinesis, opened, number)
    index = start(
        kinesis, opened, shard, request.shard_iterator_type, request.starting_sequence_number, request.timestamp
    )
    if request.dry_run:
        raise dry_run()
    return api.GetShardIteratorOutput(shard_iterator=_iterator(kinesis, opened, shard, index))


def find_shard(kinesis: Kinesis, opened: Opened, number: int) -> Shard:
    """A shard that can be read; raises ResourceNotFoundException."""
    shard = opened.shards.get(number)
    horizon = opened.stream.horizon(kinesis.clock.now())
    if shard is None or (shard.closed is not None and shard.closed <= horizon):
        raise no_shard(opened.stream.key, number)
    return shard


def start(
    kinesis: Kinesis, opened: Opened, shard: Shard, kind: str, number: str | None, timestamp: float | None
) -> int:
    """The index to read from; raises InvalidArgumentException."""
    if (kind in _BY_NUMBER) != (number is not None):
        given = "no" if number is None else "also a"
        raise invalid(
            "Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON "
            f"or LATEST and no StartingSequenceNumber. Request specified {kind} and {given} StartingSequenceNumber."
        )
    if number is not None:
        index = _index_of(opened, shard, number)
        return index if kind == "AT_SEQUENCE_NUMBER" else index + 1
    if kind == "LATEST":
        return opened.last(shard) + 1
    if kind == "TRIM_HORIZON":
        return shard.first
    return _at(kinesis, shard, timestamp)


def _at(kinesis: Kinesis, shard: Shard, timestamp: float | None) -> int:
    if timestamp is None:
        raise invalid(
            "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter."
        )
    now, timestamp = kinesis.clock.now(), max(0.0, min(timestamp, _LATEST))
    if timestamp > now:
        raise invalid(
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
            f"timestampInMillis: {int(timestamp * 1000)}, currentTimestampInMillis: {int(now * 1000)}"
        )
    # Records show milliseconds, so one of this very millisecond is wanted, too.
    return max(shard.first, round(timestamp * MICROSECONDS) // 1000 * 1000)


def _index_of(opened: Opened, shard: Shard, text: str) -> int:
    """The index in a sequence number of the shard; raises InvalidArgumentException."""
    stream = opened.stream
    found = sequences.parse(text)
    used = f"StartingSequenceNumber {text} used in GetShardIterator on shard {shard.id} in stream {stream.name} under account {stream.account} is invalid"
    if found is None:
        raise invalid(f"{used}.")
    if found.shard != shard.number:
        raise invalid(
            f"Invalid StartingSequenceNumber. It encodes {shard_id(found.shard)}, while it was used in a call to a shard with {shard.id}"
        )
    if found.created != shard.created or found.place < shard.first:
        raise invalid(f"{used} because it did not come from this stream.")
    return found.place


@prompt
async def get_records(kinesis: Kinesis, call: Call, request: api.GetRecordsInput) -> api.GetRecordsOutput:
    opened, shard, index = await _opened(kinesis, call, request)
    stream = opened.stream
    if request.dry_run:
        raise dry_run()
    if kinesis.throttle.on:
        kinesis.throttle.check_read(stream, shard)
    span = await read(kinesis, opened, shard, index, request.limit or _MOST, MOST_BYTES)
    await may_read(kinesis, call, opened.stream, {row[3] for row in span.rows})
    if kinesis.throttle.on:
        kinesis.throttle.did_read(stream, shard, sum(len(row[2]) for row in span.rows))
    ended = span.whole and shard.last is not None
    following = span.rows[-1][0] + 1 if span.rows else index
    return api.GetRecordsOutput(
        records=[shown(shard, row) for row in span.rows],
        next_shard_iterator=None if ended else _iterator(kinesis, opened, shard, following),
        millis_behind_latest=behind(kinesis, span),
        child_shards=children(opened, shard) if ended else None,
    )


async def _opened(kinesis: Kinesis, call: Call, request: api.GetRecordsInput) -> tuple[Opened, Shard, int]:
    """What an iterator means; raises InvalidArgumentException, ExpiredIteratorException, ResourceNotFoundException."""
    found = kinesis.tokens.read(request.shard_iterator)
    if found is None or len(found[2]) != _Place.size:
        raise invalid("Invalid ShardIterator.")
    made, arn, content = found
    if request.stream_arn and request.stream_arn != arn:
        raise invalid("Invalid ShardIterator: it is not of the stream in StreamARN.")
    now = kinesis.clock.now()
    if now > made + ITERATOR_SECONDS:
        raise api.ExpiredIteratorException(
            f"Iterator expired. The iterator was created at time {_moment(made)} while right now it is {_moment(now)} which is "
            f"further in the future than the tolerated delay of {int(ITERATOR_SECONDS * 1000)} milliseconds."
        )
    id_, number, index = _Place.unpack(content)
    key = stream_key(call, None, arn)
    try:
        opened = await kinesis.directory.find(key)
    except api.ResourceNotFoundException:
        raise no_shard(key, number) from None
    if opened.stream.id != id_:
        raise no_shard(key, number)
    return opened, find_shard(kinesis, opened, number), index


async def read(kinesis: Kinesis, opened: Opened, shard: Shard, index: int, most: int, most_bytes: int) -> Span:
    """Records from an index on that are not too old."""
    if opened.gone:
        raise no_stream(opened.stream.key)
    first = max(index, int(opened.stream.horizon(kinesis.clock.now()) * MICROSECONDS))
    last = _FOREVER if shard.last is None else shard.last
    return await kinesis.records.read(opened.stream.id, shard.number, first, last, most, most_bytes)


def shown(shard: Shard, row: Row) -> api.Record:
    """A record as AWS shows it."""
    index, key, data, encrypted = row
    return api.Record(
        sequence_number=shard.sequence(index),
        approximate_arrival_timestamp=arrival(index),
        data=data,
        partition_key=key,
        encryption_type="KMS" if encrypted else None,
    )


def behind(kinesis: Kinesis, span: Span) -> int:
    """How far what was read is behind the newest, in milliseconds."""
    if span.whole or not span.rows:
        return 0
    return max(0, int((kinesis.clock.now() - arrival(span.rows[-1][0])) * 1000))


def children(opened: Opened, shard: Shard) -> list[api.ChildShard]:
    """The shards that a closed one became."""
    return [
        api.ChildShard(
            shard_id=each.id,
            parent_shards=[shard_id(number) for number in (each.parent, each.adjacent) if number is not None],
            hash_key_range=api.HashKeyRange(starting_hash_key=str(each.low), ending_hash_key=str(each.high)),
        )
        for each in opened.shards.values()
        if shard.number in (each.parent, each.adjacent)
    ]


def _iterator(kinesis: Kinesis, opened: Opened, shard: Shard, index: int) -> str:
    stream = opened.stream
    return kinesis.tokens.make(kinesis.clock.now(), stream.arn, _Place.pack(stream.id, shard.number, index))


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")

"""PutRecord and PutRecords."""

from __future__ import annotations

import itertools

from cumulet.api import kinesis as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.service import prompt
from cumulet.services.kinesis import sequences
from cumulet.services.kinesis.directory import Opened
from cumulet.services.kinesis.encryption import may_write
from cumulet.services.kinesis.errors import dry_run, invalid
from cumulet.services.kinesis.model import AUTO, HASHES, MICROSECONDS, Shard, Stream, hash_key
from cumulet.services.kinesis.state import Kinesis, stream_key
from cumulet.storage.database import Row

_LARGEST_REQUEST = 10 << 20
_turns = itertools.count()
"""Whose turn it is among the shards of streams that distribute records themselves."""


@prompt
async def put_record(kinesis: Kinesis, call: Call, request: api.PutRecordInput) -> api.PutRecordOutput:
    opened = await _writable(kinesis, call, request)
    stream = opened.stream
    shard = _shard(opened, request)
    size = _size(stream, request)
    after = request.sequence_number_for_ordering
    least = _ordering(kinesis, opened, after) if after else 0
    if request.dry_run:
        raise dry_run()
    if kinesis.throttle.on:
        kinesis.throttle.check_write(stream, shard, size)
    index = opened.next(shard, kinesis.clock.now(), least)
    encrypted = stream.sealed_with
    opened.busy += 1
    try:
        await kinesis.records.add((stream.id, shard.number, index, request.partition_key, request.data, encrypted))
    finally:
        opened.busy -= 1
    kinesis.announce(stream, shard.number)
    return api.PutRecordOutput(
        shard_id=shard.id, sequence_number=shard.sequence(index), encryption_type="KMS" if encrypted else None
    )


@prompt
async def put_records(kinesis: Kinesis, call: Call, request: api.PutRecordsInput) -> api.PutRecordsOutput:
    opened = await _writable(kinesis, call, request)
    stream = opened.stream
    shards = [_shard(opened, entry) for entry in request.records]
    sizes = [_size(stream, entry) for entry in request.records]
    if sum(sizes) > _LARGEST_REQUEST:
        raise invalid(f"Records size exceeds {_LARGEST_REQUEST >> 20} MB limit")
    if request.dry_run:
        raise dry_run()
    now, encrypted = kinesis.clock.now(), stream.sealed_with
    rows: list[Row] = []
    results: list[api.PutRecordsResultEntry] = []
    written: set[int] = set()
    for entry, shard, size in zip(request.records, shards, sizes, strict=True):
        if kinesis.throttle.on and (failed := _refused(kinesis, stream, shard, size)) is not None:
            results.append(failed)
            continue
        index = opened.next(shard, now)
        rows.append((stream.id, shard.number, index, entry.partition_key, entry.data, encrypted))
        results.append(api.PutRecordsResultEntry(sequence_number=shard.sequence(index), shard_id=shard.id))
        written.add(shard.number)
    if rows:
        opened.busy += 1
        try:
            await kinesis.records.add_all(rows)
        finally:
            opened.busy -= 1
    for number in written:
        kinesis.announce(stream, number)
    return api.PutRecordsOutput(
        failed_record_count=len(results) - len(rows), records=results, encryption_type="KMS" if encrypted else None
    )


async def _writable(kinesis: Kinesis, call: Call, request: api.PutRecordInput | api.PutRecordsInput) -> Opened:
    """The stream, to which records can be written as long as nothing is awaited."""
    key = stream_key(call, request.stream_name, request.stream_arn)
    opened = await kinesis.directory.writable(key)
    while key_id := opened.stream.key_id:
        await may_write(kinesis, call, opened)
        opened = await kinesis.directory.writable(key)
        if opened.stream.key_id == key_id:
            break
    return opened


def _shard(opened: Opened, entry: api.PutRecordInput | api.PutRecordsRequestEntry) -> Shard:
    """Where a record belongs; raises InvalidArgumentException."""
    if opened.stream.distribution == AUTO:
        shards = opened.ring.shards
        return shards[next(_turns) % len(shards)]
    if entry.partition_key is None:
        raise invalid("PartitionKey must be specified unless the stream's RecordDistributionStrategy is AUTO.")
    if entry.explicit_hash_key is None:
        return opened.ring.of(hash_key(entry.partition_key))
    explicit = int(entry.explicit_hash_key)
    if explicit >= HASHES:
        raise invalid(
            "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was "
            f"{entry.explicit_hash_key}"
        )
    return opened.ring.of(explicit)


def _size(stream: Stream, entry: api.PutRecordInput | api.PutRecordsRequestEntry) -> int:
    """The bytes of a record with its key; raises InvalidArgumentException for one that is too large for the stream."""
    key = entry.partition_key
    size = len(entry.data) + (0 if key is None else len(key) if key.isascii() else len(key.encode()))
    if size > stream.record_kib << 10:
        raise invalid(
            f"Record size exceeds the stream's limit: data and partition key have {size} bytes, MaxRecordSizeInKiB of stream "
            f"{stream.name} under account {stream.account} is {stream.record_kib}."
        )
    return size


def _ordering(kinesis: Kinesis, opened: Opened, text: str) -> int:
    """The index that a record's must be above; raises InvalidArgumentException for a number that no record can have by now."""
    found = sequences.parse(text)
    now = int(kinesis.clock.now() * MICROSECONDS)
    newest = max((opened.last(each) for each in opened.ring.shards), default=0)
    if found is None or found.place > max(now, newest):
        stream = opened.stream
        raise invalid(
            f"ExclusiveMinimumSequenceNumber {text} used in PutRecord on stream {stream.name} under account {stream.account} is "
            "invalid."
        )
    return found.place


def _refused(kinesis: Kinesis, stream: Stream, shard: Shard, size: int) -> api.PutRecordsResultEntry | None:
    try:
        kinesis.throttle.check_write(stream, shard, size)
    except AwsError as error:
        return api.PutRecordsResultEntry(error_code=error.code, error_message=error.message)
    return None

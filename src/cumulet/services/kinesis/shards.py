"""Operations on shards: list, split, merge, change their number.

https://docs.aws.amazon.com/streams/latest/dev/kinesis-using-sdk-java-resharding.html
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from cumulet.api import kinesis as api
from cumulet.kernel.call import Call
from cumulet.services.kinesis import paging, reshaping
from cumulet.services.kinesis.capacity import check_shards
from cumulet.services.kinesis.directory import Opened
from cumulet.services.kinesis.errors import invalid, unknown_shard
from cumulet.services.kinesis.model import ON_DEMAND, PROVISIONED, Shard, Stream, shard_id, shard_number
from cumulet.services.kinesis.reshaping import Plan
from cumulet.services.kinesis.state import Kinesis
from cumulet.services.kinesis.store import Counts

_PAGE = 1000
_DAY = 86_400.0
_SCALINGS = 10
_MOST_SHARDS = 10_000
_FILTERS_WITH_TIME = ("AT_TIMESTAMP", "FROM_TIMESTAMP")


def shown(shard: Shard) -> api.Shard:
    """A shard as AWS shows it."""
    return api.Shard(
        shard_id=shard.id,
        parent_shard_id=None if shard.parent is None else shard_id(shard.parent),
        adjacent_parent_shard_id=None if shard.adjacent is None else shard_id(shard.adjacent),
        hash_key_range=api.HashKeyRange(starting_hash_key=str(shard.low), ending_hash_key=str(shard.high)),
        sequence_number_range=api.SequenceNumberRange(
            starting_sequence_number=shard.sequence(shard.first),
            ending_sequence_number=None if shard.last is None else shard.sequence(shard.last),
        ),
    )


async def list_shards(kinesis: Kinesis, call: Call, request: api.ListShardsInput) -> api.ListShardsOutput:
    named = request.stream_name or request.stream_arn
    if request.next_token:
        if named:  # permissions were looked up for that stream
            raise invalid("NextToken and StreamName cannot be provided together.")
        arn, after, rest = paging.read(kinesis, "shards", request.next_token)
        opened = await kinesis.by_arn(call, arn)
        wanted = msgspec.json.decode(rest, type=api.ShardFilter) if rest else None
    elif named:
        opened = await kinesis.find(call, request)
        after, wanted = request.exclusive_start_shard_id or "", request.shard_filter
    else:
        raise invalid("Either NextToken or StreamName should be provided.")
    created = request.stream_creation_timestamp
    if created is not None and int(created) != int(opened.stream.created):
        account, _, name = opened.stream.key
        raise api.ResourceNotFoundException(f"Stream {name} under account {account} was not created at that time.")
    shards = [each for each in _filtered(kinesis, opened, wanted) if each.id > after]
    limit = request.max_results or _PAGE
    token = None
    if len(shards) > limit:
        rest = msgspec.json.encode(wanted).decode() if wanted else ""
        token = paging.token(kinesis, "shards", opened.stream.arn, shards[limit - 1].id, rest)
    return api.ListShardsOutput(shards=[shown(each) for each in shards[:limit]], next_token=token)


def _filtered(kinesis: Kinesis, opened: Opened, wanted: api.ShardFilter | None) -> list[Shard]:
    """Shards that a filter lets through; all that can still be read without one."""
    now = kinesis.clock.now()
    shards = opened.listed(now)
    if wanted is None or wanted.type == "FROM_TRIM_HORIZON":
        return shards
    if wanted.type == "AFTER_SHARD_ID":
        if not wanted.shard_id:
            raise invalid("ShardFilter of type AFTER_SHARD_ID needs a ShardId.")
        return [each for each in shards if each.id > wanted.shard_id]
    if wanted.type == "AT_LATEST":
        return [each for each in shards if each.closed is None]
    moment = opened.stream.horizon(now)
    if wanted.type in _FILTERS_WITH_TIME:
        if wanted.timestamp is None:
            raise invalid(f"ShardFilter of type {wanted.type} needs a Timestamp.")
        moment = max(moment, wanted.timestamp)
    ahead = wanted.type == "FROM_TIMESTAMP"
    # AWS takes a moment before the stream for its beginning.
    moment = max(moment, min(each.opened for each in shards))
    return [
        each for each in shards if (ahead or each.opened <= moment) and (each.closed is None or each.closed > moment)
    ]


async def split_shard(kinesis: Kinesis, call: Call, request: api.SplitShardInput) -> None:
    opened = await kinesis.find(call, request)
    async with opened.reshaping():
        shard = _open_shard(opened, request.shard_to_split)
        start = int(request.new_starting_hash_key)
        if not shard.low + 1 < start < shard.high:
            raise invalid(
                f"NewStartingHashKey {start} used in SplitShard() on shard {shard.id} in {_named(opened.stream)} is not both "
                f"greater than one plus the shard's StartingHashKey {shard.low} and less than the shard's EndingHashKey "
                f"{shard.high}."
            )
        plan = _plan(kinesis, opened)
        plan.split(shard, start)
        await _do(kinesis, opened, plan)


async def merge_shards(kinesis: Kinesis, call: Call, request: api.MergeShardsInput) -> None:
    opened = await kinesis.find(call, request)
    async with opened.reshaping():
        one = _open_shard(opened, request.shard_to_merge)
        other = _open_shard(opened, request.adjacent_shard_to_merge)
        if one.high + 1 != other.low and other.high + 1 != one.low:
            raise invalid(
                f"Shards {one.id} and {other.id} in {_named(opened.stream)} are not an adjacent pair of shards eligible for merging"
            )
        plan = _plan(kinesis, opened)
        plan.merge(one, other)
        await _do(kinesis, opened, plan)


async def update_shard_count(
    kinesis: Kinesis, call: Call, request: api.UpdateShardCountInput
) -> api.UpdateShardCountOutput:
    opened = await kinesis.find(call, request)
    async with opened.reshaping():
        stream, target = opened.stream, request.target_shard_count
        now, count = kinesis.clock.now(), len(opened.ring.shards)
        if stream.mode == ON_DEMAND:
            raise api.ValidationException(
                f"Request is invalid. {_named(stream)} is in ON_DEMAND mode, in which its shards are managed for you."
            )
        _check_scaling(stream, count, target, now)
        plan = _plan(kinesis, opened)
        await plan.scale(target)
        recent = [*(each for each in stream.scaled if each > now - _DAY), now]
        await _do(kinesis, opened, plan, lambda found: replace(found, scaled=recent))
    return api.UpdateShardCountOutput(
        stream_name=stream.name, current_shard_count=count, target_shard_count=target, stream_arn=stream.arn
    )


def _check_scaling(stream: Stream, count: int, target: int, now: float) -> None:
    """The bounds of UpdateShardCount; raises LimitExceededException, InvalidArgumentException."""
    if target > _MOST_SHARDS:
        raise api.LimitExceededException(
            f"UpdateShardCount cannot scale {_named(stream)} up to more than {_MOST_SHARDS} shards."
        )
    if target > 2 * count:
        raise invalid(
            f"UpdateShardCount cannot scale up over double your current open shard count. Current open shard count: {count}. Target shard count: {target}"
        )
    if target * 2 < count:
        raise invalid(
            f"UpdateShardCount cannot scale down below half your current open shard count. Current open shard count: {count}. Target shard count: {target}"
        )
    if sum(each > now - _DAY for each in stream.scaled) >= _SCALINGS:
        raise api.LimitExceededException(
            f"{_named(stream)} was scaled {_SCALINGS} times in the last 24 hours, which is as often as UpdateShardCount may."
        )


def _plan(kinesis: Kinesis, opened: Opened) -> Plan:
    """What is going to be changed. Every open shard's last index is one that no record has."""
    now = kinesis.clock.now()
    return Plan(list(opened.ring.shards), 1 + max(opened.shards), now, lambda shard: opened.next(shard, now))


async def _do(kinesis: Kinesis, opened: Opened, plan: Plan, change: reshaping.Change = lambda stream: stream) -> None:
    stream = opened.stream
    more = len(plan.open) - len(opened.ring.shards)

    def fits(counts: Counts) -> None:
        if stream.mode == PROVISIONED and more > 0:
            check_shards(kinesis.limits.shards, stream, counts, more)

    shards = {**opened.shards, **{each.number: each for each in (*plan.added, *plan.closed)}}  # some are both

    def done(changed: Stream) -> None:
        opened.set_stream(changed)
        opened.set_shards([shards[number] for number in sorted(shards)])
        for each in plan.closed:
            kinesis.announce(stream, each.number)

    old = [each for each in plan.closed if each.number in opened.shards]
    added = [shards[each.number] for each in plan.added]
    await kinesis.streams.reshape(stream, old, added, change, done, fits)


def _open_shard(opened: Opened, text: str) -> Shard:
    number = shard_number(text)
    if number is None:
        raise unknown_shard(opened.stream.key, text)
    shard = opened.shards.get(number)
    if shard is None:
        raise unknown_shard(opened.stream.key, shard_id(number))
    if shard.last is not None:
        raise invalid(
            f"Shard {shard.id} in {_named(opened.stream)} has already been merged or split, and thus is not eligible for merging or splitting."
        )
    return shard


def _named(stream: Stream) -> str:
    return f"stream {stream.name} under account {stream.account}"

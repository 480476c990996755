"""Operations on streams: create, delete, describe, list."""

from __future__ import annotations

from cumulet.api import kinesis as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import token
from cumulet.services.kinesis import model, paging, tags
from cumulet.services.kinesis.capacity import check_shards
from cumulet.services.kinesis.errors import invalid
from cumulet.services.kinesis.limits import Limits
from cumulet.services.kinesis.model import MICROSECONDS, ON_DEMAND, PROVISIONED, Shard, Stream
from cumulet.services.kinesis.settings import check_warm_throughput
from cumulet.services.kinesis.shards import shown
from cumulet.services.kinesis.state import Kinesis
from cumulet.services.kinesis.store import Counts
from cumulet.storage.database import Conflict

_PAGE = 100
_ON_DEMAND_SHARDS = 4


async def create_stream(kinesis: Kinesis, call: Call, request: api.CreateStreamInput) -> None:
    mode = _mode(request)
    if mode == ON_DEMAND and request.warm_throughput_mi_bps is not None:
        await check_warm_throughput(kinesis, call, request.warm_throughput_mi_bps)
    now = kinesis.clock.now()
    stream = Stream(
        id=int(token(6), 16),
        account=call.account,
        region=call.region,
        name=request.stream_name,
        created=now,
        mode=mode,
        warm=request.warm_throughput_mi_bps,
        record_kib=request.max_record_size_in_ki_b or model.RECORD_KIB,
        distribution=request.record_distribution_strategy or model.BY_KEY,
        tags=tags.added({}, request.tags or {}),
    )
    count = request.shard_count or max(_ON_DEMAND_SHARDS, request.warm_throughput_mi_bps or 0)
    if await kinesis.streams.find(stream.key) is not None:
        raise _exists(stream)
    # Here, as nobody may have billions of shards laid out; and where they are kept, as others are made meanwhile.
    _check_room(kinesis.limits, stream, await kinesis.streams.counts(call.account, call.region), count)
    first = int(now * MICROSECONDS)
    shards = [
        Shard(number=number, created=int(now), first=first, opened=now, low=low, high=high)
        for number, (low, high) in enumerate(model.even(count))
    ]
    try:
        await kinesis.streams.add(stream, shards, lambda counts: _check_room(kinesis.limits, stream, counts, count))
    except Conflict:
        raise _exists(stream) from None


def _mode(request: api.CreateStreamInput) -> str:
    """Without a mode, it is the number of shards that tells."""
    details = request.stream_mode_details
    mode = details.stream_mode if details else PROVISIONED if request.shard_count is not None else ON_DEMAND
    if mode == PROVISIONED and not request.shard_count:
        raise invalid("ShardCount must be specified, and greater than 0, for a stream in PROVISIONED mode.")
    if mode == ON_DEMAND and request.shard_count is not None:
        raise invalid("ShardCount cannot be specified for a stream in ON_DEMAND mode.")
    if mode == PROVISIONED and request.warm_throughput_mi_bps is not None:
        raise invalid("WarmThroughputMiBps is only supported for streams in ON_DEMAND mode.")
    if mode == PROVISIONED and request.record_distribution_strategy == model.AUTO:
        raise invalid("RecordDistributionStrategy AUTO is only supported for streams in ON_DEMAND mode.")
    return mode


def _check_room(limits: Limits, stream: Stream, counts: Counts, shards: int) -> None:
    if stream.mode == PROVISIONED:
        check_shards(limits.shards, stream, counts, shards)
    elif counts.on_demand >= limits.on_demand_streams:
        raise api.LimitExceededException(
            f"This request would exceed the limit of on-demand streams for the account {stream.account} in {stream.region}. "
            f"Limit: {limits.on_demand_streams}."
        )


def _exists(stream: Stream) -> api.ResourceInUseException:
    return api.ResourceInUseException(f"Stream {stream.name} under account {stream.account} already exists.")


async def delete_stream(kinesis: Kinesis, call: Call, request: api.DeleteStreamInput) -> None:
    opened = await kinesis.find(call, request)
    async with opened.reshaping():
        stream = opened.stream
        consumers = await kinesis.consumers.count(stream)
        if consumers and not request.enforce_consumer_deletion:
            raise api.ResourceInUseException(
                f"Stream {stream.name} under account {stream.account} has {consumers} registered consumers. Deregister them, "
                "or set EnforceConsumerDeletion."
            )
        await kinesis.streams.remove(stream, lambda: kinesis.directory.closed(opened))
    for number in opened.shards:
        kinesis.announce(stream, number)
    kinesis.trimmer.wake()


async def describe_stream(kinesis: Kinesis, call: Call, request: api.DescribeStreamInput) -> api.DescribeStreamOutput:
    opened = await kinesis.find(call, request)
    stream, limit = opened.stream, min(request.limit or _PAGE, 1000)
    shards = opened.listed(kinesis.clock.now())
    if request.exclusive_start_shard_id:
        shards = [each for each in shards if each.id > request.exclusive_start_shard_id]
    return api.DescribeStreamOutput(
        stream_description=api.StreamDescription(
            stream_name=stream.name,
            stream_arn=stream.arn,
            stream_status="ACTIVE",
            stream_mode_details=api.StreamModeDetails(stream_mode=stream.mode),
            shards=[shown(each) for each in shards[:limit]],
            has_more_shards=len(shards) > limit,
            retention_period_hours=stream.retention,
            stream_creation_timestamp=_seconds(stream),
            enhanced_monitoring=_monitoring(stream),
            encryption_type="KMS" if stream.key_id else "NONE",
            key_id=stream.key_id or None,
        )
    )


async def describe_stream_summary(
    kinesis: Kinesis, call: Call, request: api.DescribeStreamSummaryInput
) -> api.DescribeStreamSummaryOutput:
    opened = await kinesis.find(call, request)
    stream = opened.stream
    on_demand = stream.mode == ON_DEMAND
    warm = None
    if on_demand and stream.warm is not None:
        warm = api.WarmThroughputObject(target_mi_bps=stream.warm, current_mi_bps=stream.warm)
    return api.DescribeStreamSummaryOutput(
        stream_description_summary=api.StreamDescriptionSummary(
            stream_name=stream.name,
            stream_arn=stream.arn,
            stream_status="ACTIVE",
            stream_mode_details=api.StreamModeDetails(stream_mode=stream.mode),
            retention_period_hours=stream.retention,
            stream_creation_timestamp=_seconds(stream),
            enhanced_monitoring=_monitoring(stream),
            encryption_type="KMS" if stream.key_id else "NONE",
            key_id=stream.key_id or None,
            open_shard_count=len(opened.ring.shards),
            consumer_count=await kinesis.consumers.count(stream),
            warm_throughput=warm,
            max_record_size_in_ki_b=stream.record_kib,
            record_distribution_strategy=stream.distribution if on_demand else None,
        )
    )


def _monitoring(stream: Stream) -> list[api.EnhancedMetrics]:
    return [api.EnhancedMetrics(shard_level_metrics=stream.metrics)]


def _seconds(stream: Stream) -> float:
    return float(int(stream.created))


async def list_streams(kinesis: Kinesis, call: Call, request: api.ListStreamsInput) -> api.ListStreamsOutput:
    limit = request.limit or _PAGE
    after = request.exclusive_start_stream_name or ""
    if request.next_token:
        after = paging.read(kinesis, "streams", request.next_token)[1]
    found = await kinesis.streams.page(call.account, call.region, after, limit + 1)
    page = found[:limit]
    more = len(found) > limit
    return api.ListStreamsOutput(
        stream_names=[each.name for each in page],
        has_more_streams=more,
        next_token=paging.token(kinesis, "streams", "", page[-1].name) if more else None,
        stream_summaries=[
            api.StreamSummary(
                stream_name=each.name,
                stream_arn=each.arn,
                stream_status="ACTIVE",
                stream_mode_details=api.StreamModeDetails(stream_mode=each.mode),
                stream_creation_timestamp=_seconds(each),
            )
            for each in page
        ],
    )


async def describe_limits(kinesis: Kinesis, call: Call, request: api.DescribeLimitsInput) -> api.DescribeLimitsOutput:
    counts = await kinesis.streams.counts(call.account, call.region)
    return api.DescribeLimitsOutput(
        shard_limit=kinesis.limits.shards,
        open_shard_count=counts.shards,
        on_demand_stream_count=counts.on_demand,
        on_demand_stream_count_limit=kinesis.limits.on_demand_streams,
    )

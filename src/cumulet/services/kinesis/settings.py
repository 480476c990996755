"""Operations on what a stream is set to, and an account."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import kinesis as api
from cumulet.kernel.call import Call
from cumulet.services.kinesis import model
from cumulet.services.kinesis.encryption import usable_key
from cumulet.services.kinesis.errors import invalid
from cumulet.services.kinesis.model import HOUR, ON_DEMAND, PROVISIONED, Stream
from cumulet.services.kinesis.state import Kinesis

_METRICS = (
    "IncomingBytes",
    "IncomingRecords",
    "IteratorAgeMilliseconds",
    "OutgoingBytes",
    "OutgoingRecords",
    "ReadProvisionedThroughputExceeded",
    "WriteProvisionedThroughputExceeded",
)
_ALL = "ALL"
_COMMITMENT_SECONDS = 86_400.0
_MOST_WARM = 10_240


async def increase_stream_retention_period(
    kinesis: Kinesis, call: Call, request: api.IncreaseStreamRetentionPeriodInput
) -> None:
    opened, hours = await kinesis.find(call, request), request.retention_period_hours
    _check_hours(hours)

    def change(found: Stream) -> Stream:
        if hours < found.retention:
            raise invalid(
                f"Requested retention period ({hours} hours) for stream {found.name} can not be shorter than existing retention "
                f"period ({found.retention} hours). Use DecreaseRetentionPeriod API."
            )
        return replace(found, retention=hours, floor=found.horizon(kinesis.clock.now()))

    await kinesis.edit(opened, change)


async def decrease_stream_retention_period(
    kinesis: Kinesis, call: Call, request: api.DecreaseStreamRetentionPeriodInput
) -> None:
    opened, hours = await kinesis.find(call, request), request.retention_period_hours
    _check_hours(hours)

    def change(found: Stream) -> Stream:
        if hours > found.retention:
            raise invalid(
                f"Requested retention period ({hours} hours) for stream {found.name} can not be longer than existing retention "
                f"period ({found.retention} hours). Use IncreaseRetentionPeriod API."
            )
        return replace(found, retention=hours, floor=max(found.floor, kinesis.clock.now() - hours * HOUR))

    await kinesis.edit(opened, change)


def _check_hours(hours: int) -> None:
    if hours < model.SHORTEST:
        raise invalid(
            f"Minimum allowed retention period is {model.SHORTEST} hours. Requested retention period ({hours} hours) is too short."
        )
    if hours > model.LONGEST:
        raise invalid(
            f"Maximum allowed retention period is {model.LONGEST} hours. Requested retention period ({hours} hours) is too long."
        )


async def start_stream_encryption(kinesis: Kinesis, call: Call, request: api.StartStreamEncryptionInput) -> None:
    opened = await kinesis.find(call, request)
    if request.encryption_type != "KMS":
        raise invalid("EncryptionType must be KMS.")
    await usable_key(kinesis, call, opened.stream, request.key_id)
    await kinesis.edit(opened, lambda found: replace(found, key_id=request.key_id))


async def stop_stream_encryption(kinesis: Kinesis, call: Call, request: api.StopStreamEncryptionInput) -> None:
    opened = await kinesis.find(call, request)
    if request.encryption_type != "KMS":
        raise invalid("EncryptionType must be KMS.")
    # What was written under the key can be read by whom that decrypts its data key for, so this stays.
    await kinesis.edit(opened, lambda found: replace(found, key_id=""))


async def enable_enhanced_monitoring(
    kinesis: Kinesis, call: Call, request: api.EnableEnhancedMonitoringInput
) -> api.EnhancedMonitoringOutput:
    opened = await kinesis.find(call, request)
    wanted = set(_METRICS if _ALL in request.shard_level_metrics else request.shard_level_metrics)
    before = opened.stream.metrics
    changed = await kinesis.edit(opened, lambda found: replace(found, metrics=sorted({*found.metrics, *wanted})))
    return _monitoring(changed, before)


async def disable_enhanced_monitoring(
    kinesis: Kinesis, call: Call, request: api.DisableEnhancedMonitoringInput
) -> api.EnhancedMonitoringOutput:
    opened = await kinesis.find(call, request)
    gone = set(_METRICS if _ALL in request.shard_level_metrics else request.shard_level_metrics)
    before = opened.stream.metrics
    changed = await kinesis.edit(opened, lambda found: replace(found, metrics=sorted({*found.metrics} - gone)))
    return _monitoring(changed, before)


def _monitoring(stream: Stream, before: list[str]) -> api.EnhancedMonitoringOutput:
    return api.EnhancedMonitoringOutput(
        stream_name=stream.name,
        current_shard_level_metrics=before,
        desired_shard_level_metrics=stream.metrics,
        stream_arn=stream.arn,
    )


async def update_stream_mode(kinesis: Kinesis, call: Call, request: api.UpdateStreamModeInput) -> None:
    opened = await kinesis.by_arn(call, request.stream_arn)
    mode, warm = request.stream_mode_details.stream_mode, request.warm_throughput_mi_bps
    if warm is not None:
        if mode != ON_DEMAND:
            raise invalid("WarmThroughputMiBps is only supported for streams in ON_DEMAND mode.")
        await check_warm_throughput(kinesis, call, warm)

    def change(found: Stream) -> Stream:
        if mode == PROVISIONED:
            return replace(found, mode=mode, warm=None, distribution=model.BY_KEY)
        return replace(found, mode=mode, warm=found.warm if warm is None else warm)

    await kinesis.edit(opened, change)


async def update_max_record_size(kinesis: Kinesis, call: Call, request: api.UpdateMaxRecordSizeInput) -> None:
    if not request.stream_arn:
        raise invalid("StreamARN should be provided.")
    opened = await kinesis.by_arn(call, request.stream_arn)
    await kinesis.edit(opened, lambda found: replace(found, record_kib=request.max_record_size_in_ki_b))


async def update_stream_warm_throughput(
    kinesis: Kinesis, call: Call, request: api.UpdateStreamWarmThroughputInput
) -> api.UpdateStreamWarmThroughputOutput:
    opened, warm = await kinesis.find(call, request), request.warm_throughput_mi_bps
    if opened.stream.mode != ON_DEMAND:
        raise api.ValidationException("Warm throughput is only supported for streams in ON_DEMAND mode.")
    await check_warm_throughput(kinesis, call, warm)
    before = opened.stream.warm
    changed = await kinesis.edit(opened, lambda found: replace(found, warm=warm))
    return api.UpdateStreamWarmThroughputOutput(
        stream_arn=changed.arn,
        stream_name=changed.name,
        warm_throughput=api.WarmThroughputObject(target_mi_bps=warm, current_mi_bps=before),
    )


async def update_stream_record_distribution_strategy(
    kinesis: Kinesis, call: Call, request: api.UpdateStreamRecordDistributionStrategyInput
) -> None:
    opened = await kinesis.by_arn(call, request.stream_arn)
    if opened.stream.mode != ON_DEMAND:
        raise invalid("The record distribution strategy is only supported for streams in ON_DEMAND mode.")
    await kinesis.edit(opened, lambda found: replace(found, distribution=request.record_distribution_strategy))


class Commitment(Struct, frozen=True):
    """An account's minimum throughput billing commitment: when it began, and when it ended if it did."""

    started: float | None = None
    ended: float | None = None

    def status(self, now: float) -> str:
        if self.started is None:
            return "DISABLED"
        if self.ended is None:
            return "ENABLED"
        return "DISABLED" if now >= self.ended else "ENABLED_UNTIL_EARLIEST_ALLOWED_END"

    def shown(self, now: float) -> api.MinimumThroughputBillingCommitmentOutput:
        status = self.status(now)
        earliest = None if self.started is None else self.started + _COMMITMENT_SECONDS
        return api.MinimumThroughputBillingCommitmentOutput(
            status=status,
            started_at=self.started,
            ended_at=self.ended if status == "DISABLED" else None,
            earliest_allowed_end_at=None if status == "DISABLED" else earliest,
        )


_decode = msgspec.json.Decoder(Commitment).decode


async def _commitment(kinesis: Kinesis, call: Call) -> Commitment:
    found = await kinesis.accounts.find(call.account, call.region)
    return Commitment() if found is None else _decode(found)


async def check_warm_throughput(kinesis: Kinesis, call: Call, wanted: int) -> None:
    """Only accounts with a commitment have it; raises ValidationException, LimitExceededException."""
    if (await _commitment(kinesis, call)).status(kinesis.clock.now()) == "DISABLED":
        raise api.ValidationException(
            f"The account {call.account} has no MinimumThroughputBillingCommitment enabled, which warm throughput needs. Use "
            "UpdateAccountSettings."
        )
    if wanted > _MOST_WARM:
        raise api.LimitExceededException(f"Warm throughput cannot be more than {_MOST_WARM} MiBps.")


async def describe_account_settings(
    kinesis: Kinesis, call: Call, request: api.DescribeAccountSettingsInput
) -> api.DescribeAccountSettingsOutput:
    found = await _commitment(kinesis, call)
    return api.DescribeAccountSettingsOutput(minimum_throughput_billing_commitment=found.shown(kinesis.clock.now()))


async def update_account_settings(
    kinesis: Kinesis, call: Call, request: api.UpdateAccountSettingsInput
) -> api.UpdateAccountSettingsOutput:
    now = kinesis.clock.now()
    found = await _commitment(kinesis, call)
    if request.minimum_throughput_billing_commitment.status == "ENABLED":
        if found.status(now) == "DISABLED":
            found = Commitment(started=now)
        changed = Commitment(started=found.started)
    elif found.started is None or found.ended is not None:
        changed = found
    else:
        changed = Commitment(started=found.started, ended=max(now, found.started + _COMMITMENT_SECONDS))
    await kinesis.accounts.put(call.account, call.region, msgspec.json.encode(changed).decode())
    return api.UpdateAccountSettingsOutput(minimum_throughput_billing_commitment=changed.shown(now))

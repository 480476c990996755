"""Operations on Object Lock: a bucket's default, and the retention and legal hold of versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.services.s3.errors import error, invalid_argument, invalid_request, malformed_xml
from cumulet.services.s3.locks import MODES, PROTECTED, configuration
from cumulet.services.s3.model import Bucket, Facts, Stored
from cumulet.services.s3.state import S3, access_denied
from cumulet.services.s3.versions import change_facts, find

_LONGEST_DAYS = 36_500


def check_locked_bucket(bucket: Bucket) -> None:
    if ("object-lock", "") not in bucket.settings:
        raise invalid_request("Bucket is missing Object Lock Configuration")


def _unset() -> Exception:
    return error(404, "NoSuchObjectLockConfiguration", "The specified object does not have a ObjectLock configuration")


async def get_object_lock_configuration(
    s3: S3, call: Call, request: api.GetObjectLockConfigurationRequest
) -> api.GetObjectLockConfigurationOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    config = configuration(bucket)
    if config is None:
        raise error(
            404,
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
            BucketName=bucket.name,
        )
    return api.GetObjectLockConfigurationOutput(object_lock_configuration=config)


async def put_object_lock_configuration(
    s3: S3, call: Call, request: api.PutObjectLockConfigurationRequest
) -> api.PutObjectLockConfigurationOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    config = request.object_lock_configuration
    if bucket.versioning != "Enabled":
        raise error(
            409,
            "InvalidBucketState",
            "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration",
        )
    if config is None or config.object_lock_enabled != "Enabled":
        raise malformed_xml()
    _check_rule(config.rule)
    await s3.put_setting(bucket, "object-lock", config)
    return api.PutObjectLockConfigurationOutput()


def _check_rule(rule: api.ObjectLockRule | None) -> None:
    if rule is None:
        return
    default = rule.default_retention
    if default is None or default.mode not in MODES or (default.days is None) == (default.years is None):
        raise malformed_xml()
    period = default.days if default.days is not None else (default.years or 0) * 365
    if period <= 0:
        raise invalid_argument("Default retention period must be a positive integer value.", "DefaultRetention")
    if period > _LONGEST_DAYS:
        raise invalid_argument("Default retention period too large.", "DefaultRetention")


async def get_object_retention(
    s3: S3, call: Call, request: api.GetObjectRetentionRequest
) -> api.GetObjectRetentionOutput:
    facts = (await _version(s3, call, request, "GET")).details()
    if facts.retain_until is None:
        raise _unset()
    return api.GetObjectRetentionOutput(
        retention=api.ObjectLockRetention(mode=facts.lock_mode, retain_until_date=facts.retain_until)
    )


async def put_object_retention(
    s3: S3, call: Call, request: api.PutObjectRetentionRequest
) -> api.PutObjectRetentionOutput:
    row = await _version(s3, call, request, "PUT")
    wanted, now = request.retention, s3.clock.now()
    mode, until = (wanted.mode, wanted.retain_until_date) if wanted else (None, None)
    if (mode is None) != (until is None) or (mode is not None and mode not in MODES):
        raise malformed_xml()
    if until is not None and until <= now:
        raise invalid_argument("The retain until date must be in the future!", "RetainUntilDate", _pacific(until))

    def change(facts: Facts) -> None:
        held = facts.retain_until is not None and facts.retain_until > now
        weaker = until is None or until < (facts.retain_until or 0) or mode != facts.lock_mode
        if held and weaker and not (request.bypass_governance_retention and facts.lock_mode == "GOVERNANCE"):
            raise access_denied(PROTECTED)
        facts.lock_mode, facts.retain_until = mode or "", until

    await change_facts(s3, row, change)
    return api.PutObjectRetentionOutput()


async def get_object_legal_hold(
    s3: S3, call: Call, request: api.GetObjectLegalHoldRequest
) -> api.GetObjectLegalHoldOutput:
    facts = (await _version(s3, call, request, "GET")).details()
    if not facts.legal_hold:
        raise _unset()
    return api.GetObjectLegalHoldOutput(legal_hold=api.ObjectLockLegalHold(status=facts.legal_hold))


async def put_object_legal_hold(
    s3: S3, call: Call, request: api.PutObjectLegalHoldRequest
) -> api.PutObjectLegalHoldOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    row, _ = await find(s3, bucket, request.key, request.version_id, "PUT", marker_is_error=True)
    status = request.legal_hold.status if request.legal_hold else None
    if status not in {"ON", "OFF"}:
        raise malformed_xml()
    check_locked_bucket(bucket)

    def change(facts: Facts) -> None:
        facts.legal_hold = str(status)

    await change_facts(s3, row, change)
    return api.PutObjectLegalHoldOutput()


async def _version(s3: S3, call: Call, request: Any, method: str) -> Stored:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    row, _ = await find(s3, bucket, request.key, request.version_id, method, marker_is_error=True)
    check_locked_bucket(bucket)
    return row


def _pacific(when: float) -> str:
    """As S3 words dates in this one message."""
    from zoneinfo import ZoneInfo  # noqa: PLC0415  time and memory for a rare message

    return datetime.fromtimestamp(when, ZoneInfo("America/Los_Angeles")).strftime("%a %b %d %H:%M:%S %Z %Y")

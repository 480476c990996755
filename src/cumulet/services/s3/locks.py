"""The rules of Object Lock: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html"""

from datetime import UTC, datetime
from typing import Any

from cumulet.api import s3 as api
from cumulet.services.s3.errors import invalid_argument, invalid_request
from cumulet.services.s3.model import Bucket, Facts, Stored
from cumulet.services.s3.state import S3, access_denied

MODES = {"GOVERNANCE", "COMPLIANCE"}
_DAY = 86_400
PROTECTED = "Access Denied because object protected by object lock."


def configuration(bucket: Bucket) -> Any:
    """The bucket's ObjectLockConfiguration, None when it has none."""
    return bucket.setting("object-lock", api.ObjectLockConfiguration)


def apply(s3: S3, bucket: Bucket, facts: Facts, request: Any) -> None:
    """Put the lock that a write asks for, or the bucket's default one, into the facts."""
    mode, until, hold = (
        request.object_lock_mode,
        request.object_lock_retain_until_date,
        request.object_lock_legal_hold_status,
    )
    locked = ("object-lock", "") in bucket.settings
    if mode is None and until is None and hold is None and not locked:
        return
    if (mode or until or hold) and not locked:
        raise invalid_request("Bucket is missing Object Lock Configuration")
    if (mode is None) != (until is None):
        raise invalid_argument(
            "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied",
            "x-amz-object-lock-mode" if mode is None else "x-amz-object-lock-retain-until-date",
        )
    if mode is not None:
        if mode not in MODES:
            raise invalid_argument("Unknown wormMode directive.", "x-amz-object-lock-mode", mode)
        if until <= s3.clock.now():
            raise invalid_argument(
                "The retain until date must be in the future!", "x-amz-object-lock-retain-until-date", _iso(until)
            )
        facts.lock_mode, facts.retain_until = mode, until
    else:
        _apply_default(s3, bucket, facts)
    facts.legal_hold = hold or ""


def _apply_default(s3: S3, bucket: Bucket, facts: Facts) -> None:
    config = configuration(bucket)
    default = config.rule.default_retention if config.rule else None
    if default is not None and default.mode:
        days = default.days if default.days is not None else default.years * 365
        facts.lock_mode, facts.retain_until = default.mode, s3.now() + days * _DAY


def check_removable(s3: S3, row: Stored, bypass: bool) -> None:
    """Raises AccessDenied when a lock keeps the version from being deleted."""
    facts = row.details()
    if facts.legal_hold == "ON":
        raise access_denied(PROTECTED)
    if (
        facts.retain_until is not None
        and facts.retain_until > s3.clock.now()
        and not (bypass and facts.lock_mode == "GOVERNANCE")
    ):
        raise access_denied(PROTECTED)


def _iso(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

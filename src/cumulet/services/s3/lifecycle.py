"""Lifecycle configurations, and what their rules mean for one object.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lifecycle-mgmt.html
"""

from __future__ import annotations

from email.utils import formatdate
from typing import Any
from urllib.parse import quote

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import token
from cumulet.services.s3.errors import invalid_argument, invalid_request, malformed_xml
from cumulet.services.s3.events import iso_millis
from cumulet.services.s3.model import Bucket, Facts, Stored
from cumulet.services.s3.settings import keep, missing, setting
from cumulet.services.s3.state import S3

DAY = 86_400
LAST_DAY = 253_402_214_400  # the last that dates can be written of: rules may have days up to 2**31
_MOST_RULES = 1000
_DEFAULT_SIZE = "all_storage_classes_128K"
_SIZES = {_DEFAULT_SIZE, "varies_by_storage_class"}


def rules_of(bucket: Bucket) -> list[api.LifecycleRule]:
    """The bucket's rules that are enabled."""
    if ("lifecycle", "") not in bucket.settings:
        return []
    config = bucket.setting("lifecycle", api.GetBucketLifecycleConfigurationOutput)
    return [rule for rule in config.rules or [] if rule.status == "Enabled"]


def applies(rule: api.LifecycleRule, row: Stored, facts: Facts) -> bool:
    """Whether a rule's filter takes in a version."""
    prefix, tags, above, below = _criteria(rule)
    if not row.key.startswith(prefix) or any(facts.tags.get(tag.key) != tag.value for tag in tags):
        return False
    return (above is None or row.size > above) and (below is None or row.size < below)


def _criteria(rule: api.LifecycleRule) -> tuple[str, list[api.Tag], int | None, int | None]:
    one: Any = rule.filter
    if one is None:
        return rule.prefix or "", [], None, None
    if one.and_ is not None:
        one = one.and_
        return one.prefix or "", one.tags or [], one.object_size_greater_than, one.object_size_less_than
    tags = [one.tag] if one.tag is not None else []
    return one.prefix or "", tags, one.object_size_greater_than, one.object_size_less_than


def prefix_of(rule: api.LifecycleRule) -> str:
    return _criteria(rule)[0]


def expires_at(rule: api.LifecycleRule, row: Stored) -> float | None:
    """When a rule expires a current version: at midnight after its days have passed, or on its date."""
    expiration = rule.expiration
    if expiration is None:
        return None
    if expiration.date is not None:
        return expiration.date
    return midnight_after(row.modified, expiration.days) if expiration.days is not None else None


def midnight_after(since: float, days: int) -> float:
    return float(min(-(-(since + days * DAY) // DAY) * DAY, LAST_DAY))


def expiration_of(bucket: Bucket, row: Stored, facts: Facts) -> str | None:
    """The x-amz-expiration header of an object that a rule will expire."""
    soonest: tuple[float, str] | None = None
    for rule in rules_of(bucket):
        when = expires_at(rule, row)
        if when is not None and applies(rule, row, facts) and (soonest is None or when < soonest[0]):
            soonest = (when, rule.id or "")
    if soonest is None:
        return None
    return f'expiry-date="{formatdate(soonest[0], usegmt=True)}", rule-id="{quote(soonest[1])}"'


async def get_bucket_lifecycle_configuration(
    s3: S3, call: Call, request: api.GetBucketLifecycleConfigurationRequest
) -> api.GetBucketLifecycleConfigurationOutput:
    bucket, config = await setting(s3, call, request, "lifecycle", api.GetBucketLifecycleConfigurationOutput)
    if config is None:
        raise missing(bucket, "NoSuchLifecycleConfiguration", "The lifecycle configuration does not exist")
    return api.GetBucketLifecycleConfigurationOutput(
        rules=config.rules, transition_default_minimum_object_size=config.transition_default_minimum_object_size
    )


async def put_bucket_lifecycle_configuration(
    s3: S3, call: Call, request: api.PutBucketLifecycleConfigurationRequest
) -> api.PutBucketLifecycleConfigurationOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    size = request.transition_default_minimum_object_size or _DEFAULT_SIZE
    if size not in _SIZES:
        raise invalid_request(f"Invalid TransitionDefaultMinimumObjectSize found: {size}")
    config = request.lifecycle_configuration
    if config is None or not config.rules or len(config.rules) > _MOST_RULES:
        raise malformed_xml()
    for rule in config.rules:
        _check(rule)
    ids = [rule.id for rule in config.rules]
    if len(set(ids)) < len(ids):
        raise invalid_argument("Rule ID must be unique. Found same ID for more than one rule", "ID")
    kept = api.GetBucketLifecycleConfigurationOutput(rules=config.rules, transition_default_minimum_object_size=size)
    await s3.put_setting(bucket, "lifecycle", kept)
    return api.PutBucketLifecycleConfigurationOutput(transition_default_minimum_object_size=size)


def _check(rule: api.LifecycleRule) -> None:
    if rule.status not in {"Enabled", "Disabled"} or (rule.filter is None) == (rule.prefix is None):
        raise malformed_xml()
    if rule.id is None:
        rule.id = token(16)
    if len(rule.id) > 255:
        raise invalid_argument("ID length should not exceed allowed limit of 255", "ID")
    if not (
        rule.expiration
        or rule.transitions
        or rule.noncurrent_version_expiration
        or rule.noncurrent_version_transitions
        or rule.abort_incomplete_multipart_upload
    ):
        raise invalid_request("At least one action needs to be specified in a rule.")
    _check_expiration(rule)
    if rule.filter is not None:
        _check_filter(rule.filter)


def _check_expiration(rule: api.LifecycleRule) -> None:
    noncurrent = rule.noncurrent_version_expiration
    if noncurrent is not None and not (noncurrent.noncurrent_days or noncurrent.newer_noncurrent_versions):
        raise malformed_xml()
    expiration = rule.expiration
    if expiration is None:
        return
    if expiration.expired_object_delete_marker and (expiration.days is not None or expiration.date is not None):
        raise malformed_xml()
    if expiration.days is not None and expiration.days <= 0:
        raise invalid_argument("'Days' for Expiration action must be a positive integer", "Days")
    if expiration.date is not None and expiration.date % DAY:
        raise invalid_argument("'Date' must be at midnight GMT", "Date", iso_millis(expiration.date))


def _check_filter(one: api.LifecycleRuleFilter) -> None:
    """A filter has one criterion, or an And of several."""
    given = [
        one.prefix is not None,
        one.tag is not None,
        one.object_size_greater_than is not None,
        one.object_size_less_than is not None,
        one.and_ is not None,
    ]
    if sum(given) > 1:
        raise malformed_xml()
    if one.and_ is not None:
        keys = [tag.key for tag in one.and_.tags or []]
        if len(set(keys)) < len(keys):
            raise invalid_request("Duplicate Tag Keys are not allowed.")


async def delete_bucket_lifecycle(s3: S3, call: Call, request: api.DeleteBucketLifecycleRequest) -> None:
    await keep(s3, call, request, "lifecycle", None)

"""Acting on lifecycle rules: expiring objects and versions, aborting uploads that were left."""

from __future__ import annotations

from cumulet.api import s3 as api
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.s3 import lifecycle
from cumulet.services.s3.deletes import Wish, remove
from cumulet.services.s3.model import Bucket, Stored, after_prefix
from cumulet.services.s3.state import S3
from cumulet.services.s3.uploads import abort
from cumulet.services.s3.walk import LAST

_BATCH = 500


async def run(s3: S3) -> None:
    """Act once on every rule of every bucket."""
    for name in await s3.buckets.with_setting("lifecycle"):
        bucket = await s3.buckets.find(name)
        if bucket is None:
            continue
        call = Call(
            account=bucket.account,
            region=bucket.region,
            principal=Principal.service("s3.amazonaws.com", bucket.account),
            request_id=new_id(),
        )
        for rule in lifecycle.rules_of(bucket):
            await _expire_current(s3, call, bucket, rule)
            await _expire_older(s3, call, bucket, rule)
            await _abort_uploads(s3, bucket, rule)


async def _expire_current(s3: S3, call: Call, bucket: Bucket, rule: api.LifecycleRule) -> None:
    if rule.expiration is None:
        return
    prefix, now = lifecycle.prefix_of(rule), s3.clock.now()
    start, end = prefix, after_prefix(prefix) or LAST
    while True:
        rows = await s3.objects.page(bucket.id, start, end, _BATCH)
        for row in rows:
            when = lifecycle.expires_at(rule, row)
            if when is not None and when <= now and lifecycle.applies(rule, row, row.details()):
                await remove(s3, call, bucket, Wish(row.key, if_match=row.etag), expired=True)
        if len(rows) < _BATCH:
            return
        start = rows[-1].key + "\x00"


async def _expire_older(s3: S3, call: Call, bucket: Bucket, rule: api.LifecycleRule) -> None:
    """Noncurrent versions past their days and count, and delete markers with nothing below them."""
    if rule.noncurrent_version_expiration is None and not (
        rule.expiration and rule.expiration.expired_object_delete_marker
    ):
        return
    prefix = lifecycle.prefix_of(rule)
    start, end, batch = prefix, after_prefix(prefix) or LAST, _BATCH
    while True:
        found = await s3.objects.versions(bucket.id, start, end, batch)
        whole = len(found) < batch
        groups = _by_key([row for row, _ in found])
        if not whole and len(groups) == 1:
            batch *= 2  # all of one key's versions, and more to come
            continue
        for rows in groups if whole else groups[:-1]:
            await _expire_versions(s3, call, bucket, rule, rows)
        if whole:
            return
        start = groups[-1][0].key


def _by_key(rows: list[Stored]) -> list[list[Stored]]:
    groups: list[list[Stored]] = []
    for row in rows:
        if groups and groups[-1][0].key == row.key:
            groups[-1].append(row)
        else:
            groups.append([row])
    return groups


async def _expire_versions(s3: S3, call: Call, bucket: Bucket, rule: api.LifecycleRule, rows: list[Stored]) -> None:
    """`rows` are the versions of one key, newest first. A version became noncurrent when the next one came."""
    marker = rule.expiration is not None and rule.expiration.expired_object_delete_marker
    if marker and len(rows) == 1 and rows[0].marker:
        await _remove(s3, call, bucket, rows[0])
        return
    noncurrent = rule.noncurrent_version_expiration
    if noncurrent is None:
        return
    now, kept = s3.clock.now(), noncurrent.newer_noncurrent_versions or 0
    for position in range(1, len(rows)):
        row = rows[position]
        since = lifecycle.midnight_after(rows[position - 1].modified, noncurrent.noncurrent_days or 0)
        if position > kept and since <= now and lifecycle.applies(rule, row, row.details()):
            await _remove(s3, call, bucket, row)


async def _remove(s3: S3, call: Call, bucket: Bucket, row: Stored) -> None:
    try:
        await remove(s3, call, bucket, Wish(row.key, row.version), expired=True)
    except AwsError as problem:
        if problem.code != "AccessDenied":  # a lock keeps it; its time will come
            raise


async def _abort_uploads(s3: S3, bucket: Bucket, rule: api.LifecycleRule) -> None:
    left = rule.abort_incomplete_multipart_upload
    if left is None or left.days_after_initiation is None:
        return
    prefix, now = lifecycle.prefix_of(rule), s3.clock.now()
    for upload in await s3.uploads.page(bucket.id, prefix, after_prefix(prefix) or LAST, _BATCH):
        if lifecycle.midnight_after(upload.initiated, left.days_after_initiation) <= now:
            await abort(s3, upload)

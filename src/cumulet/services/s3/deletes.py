"""Operations that delete objects and versions."""

from __future__ import annotations

import asyncio

from msgspec import Struct

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.service import prompt
from cumulet.services.s3 import conditions, events
from cumulet.services.s3.errors import (
    invalid_argument,
    invalid_version,
    malformed_xml,
    no_such_version,
    unsupported_header,
)
from cumulet.services.s3.locks import check_removable
from cumulet.services.s3.model import ENABLED, NULL, Bucket, Stored, is_version, new_version
from cumulet.services.s3.state import S3
from cumulet.services.s3.versions import drop_null, let_go
from cumulet.storage.database import Transaction

MOST_KEYS = 1000


class Removed(Struct):
    """What a deletion did. `marker` tells that a delete marker was made or removed, `version` its or the version's id."""

    marker: bool = False
    version: str | None = None
    found: bool = True


class Wish(Struct):
    """A deletion that is asked for."""

    key: str
    version: str | None = None
    bypass: bool = False
    if_match: str | None = None


@prompt
async def delete_object(s3: S3, call: Call, request: api.DeleteObjectRequest) -> api.DeleteObjectOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    for header, value in (
        ("x-amz-if-match-last-modified-time", request.if_match_last_modified_time),
        ("x-amz-if-match-size", request.if_match_size),
    ):
        if value is not None:
            raise unsupported_header(header)
    _check_bypass(bucket, request.bypass_governance_retention)
    if request.version_id is not None and not is_version(request.version_id):
        raise invalid_version(request.version_id)
    wish = Wish(request.key, request.version_id, bool(request.bypass_governance_retention), request.if_match)
    removed = await remove(s3, call, bucket, wish)
    return api.DeleteObjectOutput(delete_marker=removed.marker or None, version_id=removed.version)


@prompt
async def delete_objects(s3: S3, call: Call, request: api.DeleteObjectsRequest) -> api.DeleteObjectsOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    wanted = request.delete.objects
    if not wanted or len(wanted) > MOST_KEYS:
        raise malformed_xml()
    _check_bypass(bucket, request.bypass_governance_retention)
    bypass = bool(request.bypass_governance_retention)
    # Side by side, so that they share commits.
    answers = await asyncio.gather(*(_delete_one(s3, call, bucket, one, bypass) for one in wanted))
    deleted = [answer for answer in answers if isinstance(answer, api.DeletedObject)]
    errors = [answer for answer in answers if isinstance(answer, api.Error)]
    return api.DeleteObjectsOutput(
        deleted=None if request.delete.quiet or not deleted else deleted, errors=errors or None
    )


async def _delete_one(
    s3: S3, call: Call, bucket: Bucket, one: api.ObjectIdentifier, bypass: bool
) -> api.DeletedObject | api.Error:
    try:
        if one.version_id is not None and not is_version(one.version_id):
            raise no_such_version(one.key, one.version_id)
        removed = await remove(s3, call, bucket, Wish(one.key, one.version_id, bypass, one.e_tag))
    except AwsError as problem:
        return api.Error(code=problem.code, key=one.key, message=problem.message, version_id=one.version_id)
    return _deleted(one, removed)


def _deleted(one: api.ObjectIdentifier, removed: Removed) -> api.DeletedObject:
    answer = api.DeletedObject(key=one.key, version_id=one.version_id)
    if removed.marker:
        answer.delete_marker = True
        answer.delete_marker_version_id = removed.version
    return answer


def _check_bypass(bucket: Bucket, bypass: bool | None) -> None:
    if bypass is not None and ("object-lock", "") not in bucket.settings:
        raise invalid_argument(
            "x-amz-bypass-governance-retention is only applicable to Object Lock enabled buckets.",
            "x-amz-bypass-governance-retention",
        )


async def remove(s3: S3, call: Call, bucket: Bucket, wish: Wish, *, expired: bool = False) -> Removed:
    """Delete a version, or the key as the bucket's versioning has it, with its event, in one transaction.

    `expired` tells that a lifecycle rule asked for it, which names the event.
    """
    names = (events.EXPIRED, events.EXPIRED_MARKER) if expired else (events.DELETE, events.MARKER)
    async with s3.db.transaction() as tx:
        if wish.version is not None:
            removed, row = await _remove_version(s3, tx, bucket, wish)
        else:
            removed, row = await _remove_current(s3, tx, bucket, wish)
        if row is not None:
            event = names[1] if row.marker and wish.version is None else names[0]
            await events.add(s3, tx, call, bucket, event, row, events.notices(bucket, event, wish.key))
    return removed


async def _remove_current(s3: S3, tx: Transaction, bucket: Bucket, wish: Wish) -> tuple[Removed, Stored | None]:
    current = await s3.objects.current_in(tx, bucket.id, wish.key)
    if wish.if_match is not None:
        _check_condition(current, wish)
    if current is not None:
        await s3.objects.disturb(tx, bucket.id, wish.key)
    if not bucket.versioning:
        if current is None:
            # S3 tells of a deletion even when there was nothing to delete.
            return Removed(), _ghost(s3, bucket, wish.key)
        await let_go(s3, tx, current)
        await s3.objects.drop_current(tx, bucket.id, wish.key)
        return Removed(), _at(current, s3.next_order())
    marker = _ghost(s3, bucket, wish.key)
    marker.marker = 1
    if current is not None:
        marker.order = max(marker.order, current.order + 1)
    marker.version = new_version(marker.order) if bucket.versioning == ENABLED else NULL
    if current is not None:
        if bucket.versioning == ENABLED or current.version != NULL:
            await s3.objects.archive(tx, bucket.id, wish.key)
        else:
            await let_go(s3, tx, current)
        if bucket.versioning != ENABLED:
            await drop_null(s3, tx, bucket, wish.key)
    await s3.objects.replace(tx, marker, None)
    return Removed(marker=True, version=marker.version), marker


def _check_condition(current: Stored | None, wish: Wish) -> None:
    if wish.if_match == "*":
        if current is None or current.marker:
            conditions.check_write(current, wish.key, "", None)
        return
    conditions.check_write(current, wish.key, wish.if_match, None)


def _ghost(s3: S3, bucket: Bucket, key: str) -> Stored:
    """A row without bytes: a delete marker, or what the event of a deletion of nothing tells of."""
    return Stored(bucket.id, key, s3.next_order(), NULL, 0, 0, "", s3.now(), "", "", "", "", "", b"")


def _at(row: Stored, order: int) -> Stored:
    row.order = order
    return row


async def _remove_version(s3: S3, tx: Transaction, bucket: Bucket, wish: Wish) -> tuple[Removed, Stored | None]:
    assert wish.version is not None
    found = await s3.objects.version_in(tx, bucket.id, wish.key, wish.version)
    if found is None:
        return Removed(version=wish.version if bucket.versioning else None, found=False), None
    row, current = found
    if wish.if_match is not None:
        _check_condition(row, wish)
    if not row.marker and ("object-lock", "") in bucket.settings:
        check_removable(s3, row, wish.bypass)
    await let_go(s3, tx, row)
    if current:
        await s3.objects.drop_current(tx, bucket.id, wish.key)
        await s3.objects.promote(tx, bucket.id, wish.key)
        await s3.objects.disturb(tx, bucket.id, wish.key)
    else:
        await s3.objects.drop_older(tx, row)
    return Removed(marker=bool(row.marker), version=row.version if bucket.versioning else None), _at(
        row, s3.next_order()
    )

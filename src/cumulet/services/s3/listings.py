"""Operations that list objects and versions."""

from __future__ import annotations

import base64
import binascii
import re
from operator import itemgetter
from typing import Any
from urllib.parse import quote

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.kernel.service import prompt
from cumulet.services.s3 import acls
from cumulet.services.s3.errors import invalid_argument
from cumulet.services.s3.model import NULL, Bucket, is_version, order_of, quoted
from cumulet.services.s3.state import S3
from cumulet.services.s3.walk import Item, Page, Version, walk, walk_versions
from cumulet.storage.database import Row

MOST = 1000
_PLAIN = re.compile(r"[A-Za-z0-9/*\-._]*")  # what is the same in a URL


def encoder(encoding_type: str | None) -> Any:
    """How keys are written in an answer; raises InvalidArgument for an unknown encoding type."""
    if encoding_type is None:
        return _as_it_is
    if encoding_type != "url":
        raise invalid_argument("Invalid Encoding Method specified in Request", "encoding-type", encoding_type)
    return _url


def _as_it_is(text: str | None) -> str | None:
    return text


def _url(text: str | None) -> str | None:
    if text is None or _PLAIN.fullmatch(text):
        return text
    return quote(text, safe="/*-._").replace("%20", "+").replace("~", "%7E")


def check_most(value: int | None, name: str) -> int:
    if value is None:
        return MOST
    if value < 0:
        raise invalid_argument(f"Argument {name} must be an integer between 0 and 2147483647", name, str(value))
    return min(value, MOST)


async def _page(s3: S3, bucket: Bucket, request: Any, after: str, limit: int) -> Page[Row]:
    async def fetch(start: str, end: str, count: int) -> list[Row]:
        return await s3.objects.listed(bucket.id, start, end, count)

    return await walk(fetch, itemgetter(0), request.prefix or "", request.delimiter or "", after, limit)


def _objects(page: Page[Row], encode: Any, owner: api.Owner | None) -> list[api.Object] | None:
    return [
        api.Object(
            key=encode(key),
            last_modified=modified,
            e_tag=quoted(etag),
            size=size,
            storage_class=storage_class,
            owner=owner,
            checksum_algorithm=[algorithm] if algorithm else None,
            checksum_type=checksum_type if algorithm else None,
        )
        for key, modified, etag, size, storage_class, algorithm, checksum_type in page.items
    ] or None


def _prefixes(page: Page[Any], encode: Any) -> list[api.CommonPrefix] | None:
    return [api.CommonPrefix(prefix=encode(one)) for one in page.prefixes] or None


@prompt
async def list_objects(s3: S3, call: Call, request: api.ListObjectsRequest) -> api.ListObjectsOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    encode, limit = encoder(request.encoding_type), check_most(request.max_keys, "max-keys")
    page = await _page(s3, bucket, request, request.marker or "", limit)
    owner = acls.owner(bucket.account)
    return api.ListObjectsOutput(
        name=bucket.name,
        prefix=encode(request.prefix or ""),
        marker=encode(request.marker or ""),
        next_marker=encode(page.last) if page.truncated and request.delimiter else None,
        max_keys=limit,
        delimiter=encode(request.delimiter) or None,
        is_truncated=page.truncated,
        encoding_type=request.encoding_type,
        contents=_objects(page, encode, owner),
        common_prefixes=_prefixes(page, encode),
    )


@prompt
async def list_objects_v2(s3: S3, call: Call, request: api.ListObjectsV2Request) -> api.ListObjectsV2Output:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    encode, limit = encoder(request.encoding_type), check_most(request.max_keys, "max-keys")
    token = request.continuation_token
    if token == "":
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token")
    after = _from_token(token) if token is not None else request.start_after or ""
    page = await _page(s3, bucket, request, after, limit)
    owner = acls.owner(bucket.account) if request.fetch_owner else None
    return api.ListObjectsV2Output(
        name=bucket.name,
        prefix=encode(request.prefix or ""),
        delimiter=encode(request.delimiter) or None,
        max_keys=limit,
        encoding_type=request.encoding_type,
        key_count=len(page.items) + len(page.prefixes),
        is_truncated=page.truncated,
        continuation_token=token,
        next_continuation_token=_to_token(page.last) if page.truncated else None,
        start_after=encode(request.start_after) if token is None else None,
        contents=_objects(page, encode, owner),
        common_prefixes=_prefixes(page, encode),
    )


def _to_token(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def _from_token(token: str) -> str:
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise invalid_argument("The continuation token provided is incorrect", "continuation-token") from None


async def list_object_versions(
    s3: S3, call: Call, request: api.ListObjectVersionsRequest
) -> api.ListObjectVersionsOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    encode, limit = encoder(request.encoding_type), check_most(request.max_keys, "max-keys")
    if request.version_id_marker is not None and request.key_marker is None:
        raise invalid_argument(
            "A version-id marker cannot be specified without a key marker.",
            "version-id-marker",
            request.version_id_marker,
        )
    if request.version_id_marker == "" and request.key_marker is not None:
        raise invalid_argument("A version-id marker cannot be empty.", "version-id-marker", "")
    page = await _versions(s3, bucket, request, limit)
    owner = acls.owner(bucket.account)
    answer = api.ListObjectVersionsOutput(
        name=bucket.name,
        prefix=encode(request.prefix or ""),
        delimiter=encode(request.delimiter) or None,
        key_marker=encode(request.key_marker or ""),
        version_id_marker=request.version_id_marker or "",
        max_keys=limit,
        encoding_type=request.encoding_type,
        is_truncated=page.truncated,
        versions=[_version(one, encode, owner) for one in page.items if not one.row.marker] or None,
        delete_markers=[_marker(one, encode, owner) for one in page.items if one.row.marker] or None,
        common_prefixes=_prefixes(page, encode),
    )
    if page.truncated:
        answer.next_key_marker = encode(page.last)
        if page.items and page.items[-1].row.key == page.last:
            answer.next_version_id_marker = page.items[-1].row.version
    return answer


async def _versions(s3: S3, bucket: Bucket, request: Any, limit: int) -> Page[Version]:
    """A page of versions. A key has many, so the walk by keys is joined by what a page left of its last key."""

    async def fetch(start: str, end: str, count: int) -> list[Version]:
        return [Version(*found) for found in await s3.objects.versions(bucket.id, start, end, count)]

    begun: list[Version] = []
    if request.key_marker and request.version_id_marker:
        begun = await _rest_of_key(s3, bucket, request.key_marker, request.version_id_marker, limit + 1)
    if len(begun) > limit:
        return Page(begun[:limit], [], True, request.key_marker)
    # One more than fits tells whether the page is the last.
    page = await walk_versions(
        fetch, request.prefix or "", request.delimiter or "", request.key_marker or "", limit - len(begun) or 1
    )
    return joined(begun, page, request.key_marker or "", limit)


def joined(begun: list[Item], page: Page[Item], key: str, limit: int) -> Page[Item]:
    """What was left of the marker's key, then the page of the keys after it, within `limit`."""
    if len(begun) == limit and begun:
        return Page(begun, [], bool(page.items or page.prefixes), key)
    page.items = begun + page.items
    page.last = page.last or (key if begun else "")
    return page


async def _rest_of_key(s3: S3, bucket: Bucket, key: str, version: str, limit: int) -> list[Version]:
    if version == NULL:
        found = await s3.objects.version(bucket.id, key, version)
        order = found[0].order if found else 0
    elif is_version(version):
        order = order_of(version)
    else:
        raise invalid_argument("Invalid version id specified", "version-id-marker", version)
    rows = [Version(row, False) for row in await s3.objects.older_than(bucket.id, key, order, limit)]
    current = await s3.objects.current(bucket.id, key)
    if current is not None and current[0].order < order:
        # The marker's version, and all above it, were deleted since.
        rows.insert(0, Version(current[0], True))
    return rows[:limit]


def _version(one: Version, encode: Any, owner: api.Owner) -> api.ObjectVersion:
    row = one.row
    return api.ObjectVersion(
        key=encode(row.key),
        version_id=row.version,
        is_latest=one.latest,
        last_modified=row.modified,
        e_tag=quoted(row.etag),
        size=row.size,
        storage_class=row.storage_class,
        owner=owner,
        checksum_algorithm=[row.algorithm] if row.algorithm else None,
        checksum_type=row.checksum_type if row.algorithm else None,
    )


def _marker(one: Version, encode: Any, owner: api.Owner) -> api.DeleteMarkerEntry:
    row = one.row
    return api.DeleteMarkerEntry(
        key=encode(row.key), version_id=row.version, is_latest=one.latest, last_modified=row.modified, owner=owner
    )

"""Operations that copy from one object to another, or into a part."""

from __future__ import annotations

import re
from typing import Any

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.kernel.service import prompt
from cumulet.kernel.streams import Stream
from cumulet.policy import copy_source
from cumulet.services.s3 import checksums, conditions, events, sse_kms
from cumulet.services.s3.errors import error, invalid_argument, invalid_request, no_such_key
from cumulet.services.s3.facts import HEADERS, check_key, encryption_members, facts_of, storage_class
from cumulet.services.s3.intake import Promise, taken_in
from cumulet.services.s3.lifecycle import expiration_of
from cumulet.services.s3.model import LARGEST_PUT, NULL, Bucket, Facts, Stored, is_version, quoted
from cumulet.services.s3.objects import check_retrievable, new_row, unlock
from cumulet.services.s3.ranges import copy_range
from cumulet.services.s3.reading import Gone, open_bytes
from cumulet.services.s3.state import S3
from cumulet.services.s3.uploads import check_part_checksum, cipher_key, keep_part, part_target
from cumulet.services.s3.versions import find, keep, shown_version

_SOURCE_ARN = re.compile(r"arn:aws:s3:[a-z0-9-]*:\d*:accesspoint/.*")
_ATTEMPTS = 3
_REPLACE = "REPLACE"
_DIRECTIVES = {None, "COPY", _REPLACE}


class _Source:
    """The object that is copied from."""

    def __init__(self, bucket: Bucket, row: Stored, data: bytes | None, key: bytes, asked: str | None) -> None:
        self.bucket = bucket
        self.row = row
        self.data = data
        self.key = key
        self.asked_version = asked
        self.facts = row.details()

    @property
    def shown_version(self) -> str | None:
        version = shown_version(self.bucket, self.row)
        return None if version == NULL else version


def parse_source(text: str) -> tuple[str, str, str | None]:
    """Bucket, key and version id in an x-amz-copy-source header, which is URL-encoded."""
    if _SOURCE_ARN.match(text):
        raise error(501, "NotImplemented", "Copying from an access point is not implemented.")
    bucket, key, version = copy_source.split(text)
    if not bucket or not key:
        raise invalid_argument("Invalid copy source object key", "x-amz-copy-source", "x-amz-copy-source")
    return bucket, key, version


async def _source(s3: S3, call: Call, request: Any) -> _Source:
    """The source of a copy, with its conditions checked."""
    name, key, version = parse_source(request.copy_source)
    bucket = await s3.bucket(call, name, request.expected_source_bucket_owner)
    row, data = await _find(s3, bucket, key, version)
    conditions.check_source(
        row,
        s3.clock.now(),
        request.copy_source_if_match,
        request.copy_source_if_none_match,
        request.copy_source_if_modified_since,
        request.copy_source_if_unmodified_since,
    )
    facts = row.details()
    customer_key = unlock(facts, request, "copy_source_sse") or await sse_kms.open_key(s3, call, bucket, key, facts)
    check_retrievable(row, facts)
    return _Source(bucket, row, data, customer_key, version)


async def _find(s3: S3, bucket: Bucket, key: str, version: str | None) -> tuple[Stored, bytes | None]:
    if version is not None and is_version(version):
        found = await s3.objects.version(bucket.id, key, version)
        if found is not None and found[0].marker:
            raise invalid_request(
                "The source of a copy request may not specifically refer to a delete marker by version id."
            )
    found = await find(s3, bucket, key, version)
    if found[0].marker:
        raise no_such_key(key)
    return found


async def _open(s3: S3, call: Call, source: _Source, start: int, end: int) -> Stream:
    """The source's bytes; looks it up again when they were replaced meanwhile."""
    for attempt in range(_ATTEMPTS):
        try:
            return await open_bytes(s3, source.row, source.data, start, end, source.key)
        except Gone:
            if attempt + 1 == _ATTEMPTS or source.asked_version:
                raise no_such_key(source.row.key) from None
            source.row, source.data = await find(s3, source.bucket, source.row.key, None)
            renewed = await sse_kms.open_key(s3, call, source.bucket, source.row.key, source.row.details())
            source.key = renewed or source.key
            end = min(end, source.row.size)
    raise AssertionError("unreachable")


@prompt
async def copy_object(s3: S3, call: Call, request: api.CopyObjectRequest) -> api.CopyObjectOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    check_key(request.key)
    conditions.check_write_headers(request.if_match, request.if_none_match)
    _check_directives(request)
    source = await _source(s3, call, request)
    if source.row.size > LARGEST_PUT:
        raise invalid_request(
            "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
        )
    facts, customer_key = facts_of(s3, bucket, request)
    _check_in_place(bucket, request, source, facts)
    kind = storage_class(request)
    _take_over(request, source, facts)
    algorithm = source.row.algorithm or checksums.DEFAULT
    if request.checksum_algorithm:
        algorithm = checksums.checked_algorithm(request.checksum_algorithm)
    key = customer_key or await sse_kms.new_key(s3, call, bucket, request.key, facts, request)
    promise = Promise(algorithm, customer_key=key)
    check = None
    if request.if_match is not None or request.if_none_match is not None:

        def check(current: Stored | None) -> None:
            conditions.check_write(current, request.key, request.if_match, request.if_none_match)

    body = await _open(s3, call, source, 0, source.row.size)
    async with taken_in(s3, body, promise) as taken:
        row = new_row(s3, bucket, request.key, taken, facts, kind)
        await keep(s3, call, bucket, row, taken.data, events.COPY, check)
    return api.CopyObjectOutput(
        copy_object_result=api.CopyObjectResult(
            e_tag=quoted(row.etag),
            last_modified=row.modified,
            checksum_type=row.checksum_type,
            **checksums.members(row.algorithm, facts.checksum),
        ),
        copy_source_version_id=source.shown_version,
        version_id=shown_version(bucket, row),
        expiration=expiration_of(bucket, row, facts),
        **encryption_members(facts),
    )


def _check_directives(request: api.CopyObjectRequest) -> None:
    for value, name in (
        (request.metadata_directive, "x-amz-metadata-directive"),
        (request.tagging_directive, "x-amz-tagging-directive"),
    ):
        if value not in _DIRECTIVES:
            raise invalid_argument("Unknown metadata directive.", name, value)


def _check_in_place(bucket: Bucket, request: api.CopyObjectRequest, source: _Source, facts: Facts) -> None:
    """A copy of an object onto itself must change something."""
    row = source.row
    if bucket.id != row.bucket or request.key != row.key or source.asked_version is not None:
        return
    changes = (
        request.metadata_directive == _REPLACE
        or request.storage_class is not None
        or request.server_side_encryption is not None
        or request.website_redirect_location is not None
        or request.sse_customer_algorithm is not None
        or (request.metadata_directive is None and bucket.versioning == "Suspended" and row.version != "null")
        or ("encryption", "") in bucket.settings
        or bool(source.facts.kms_key)
        or facts.encryption != source.facts.encryption
    )
    if not changes:
        raise invalid_request(
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
            "metadata, storage class, website redirect location or encryption attributes."
        )


def _take_over(request: api.CopyObjectRequest, source: _Source, facts: Facts) -> None:
    """What the copy has from its source: metadata and tags, unless they are replaced."""
    if request.metadata_directive != _REPLACE:
        redirect = facts.headers.get("website_redirect_location")
        facts.headers = {
            name: value
            for name, value in source.facts.headers.items()
            if name in HEADERS and name != "website_redirect_location"
        }
        if redirect is not None:
            facts.headers["website_redirect_location"] = redirect
        facts.metadata, facts.expires = source.facts.metadata, source.facts.expires
    if request.tagging_directive != _REPLACE:
        facts.tags = source.facts.tags


async def upload_part_copy(s3: S3, call: Call, request: api.UploadPartCopyRequest) -> api.UploadPartCopyOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    upload = await part_target(s3, bucket, request)
    source = await _source(s3, call, request)
    start, end = 0, source.row.size
    if request.copy_source_range is not None:
        start, end = copy_range(request.copy_source_range, source.row.size)
    key = await cipher_key(s3, call, bucket, upload, request)
    promise = Promise(upload.algorithm or checksums.DEFAULT, customer_key=key, stated=True)
    check_part_checksum(upload, promise)
    body = await _open(s3, call, source, start, end)
    async with taken_in(s3, body, promise) as taken:
        part = await keep_part(s3, upload, request.part_number, taken)
    shown = checksums.members(part.algorithm, part.checksum) if upload.algorithm else {}
    return api.UploadPartCopyOutput(
        copy_part_result=api.CopyPartResult(e_tag=quoted(part.etag), last_modified=part.modified, **shown),
        copy_source_version_id=source.shown_version,
        **encryption_members(upload.details()),
    )

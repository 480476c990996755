"""Operations on objects: put, get, head."""

from __future__ import annotations

from collections.abc import Coroutine
from operator import attrgetter
from typing import Any

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.kernel.service import prompt
from cumulet.kernel.streams import BytesStream
from cumulet.services.s3 import checksums, cipher, conditions, events, headers, sse_kms
from cumulet.services.s3.errors import error, invalid_request
from cumulet.services.s3.facts import ARCHIVED, check_key, encoded, encryption_members, facts_of, storage_class
from cumulet.services.s3.intake import Taken, promise_of, taken_at_once, taken_in
from cumulet.services.s3.lifecycle import expiration_of
from cumulet.services.s3.model import Bucket, Facts, Part, Stored, quoted
from cumulet.services.s3.ranges import byte_range
from cumulet.services.s3.reading import Gone, open_bytes
from cumulet.services.s3.state import S3, access_denied
from cumulet.services.s3.versions import find, keep, shown_version

_OVERRIDES = (
    "cache_control", "content_disposition", "content_encoding", "content_language", "content_type", "expires",
)  # fmt: skip
_overrides = attrgetter(*(f"response_{name}" for name in _OVERRIDES))
_NO_OVERRIDES = (None,) * len(_OVERRIDES)
_conditions = attrgetter("if_match", "if_none_match", "if_modified_since", "if_unmodified_since")
_NO_CONDITIONS = (None,) * 4
_ATTEMPTS = 3


@prompt
def put_object(s3: S3, call: Call, request: api.PutObjectRequest) -> Coroutine[Any, Any, api.PutObjectOutput]:
    return _put(s3, call, request, events.PUT)


def post_object(s3: S3, call: Call, request: api.PutObjectRequest) -> Coroutine[Any, Any, api.PutObjectOutput]:
    """PostObject, which no model has: a put by an HTML form, which the gateway has checked and taken apart."""
    return _put(s3, call, request, events.POST)


async def _put(s3: S3, call: Call, request: api.PutObjectRequest, event: str) -> api.PutObjectOutput:
    bucket = s3.known(request.bucket, request.expected_bucket_owner) or await s3.bucket(
        call, request.bucket, request.expected_bucket_owner
    )
    check_key(request.key)
    conditions.check_write_headers(request.if_match, request.if_none_match)
    kind = storage_class(request)
    facts, key = facts_of(s3, bucket, request)
    promise = promise_of(request)
    if not key and facts.encryption in sse_kms.METHODS:
        key = await sse_kms.new_key(s3, call, bucket, request.key, facts, request)
    promise.customer_key = key
    check = None
    if request.if_match is not None or request.if_none_match is not None:

        def check(current: Stored | None) -> None:
            conditions.check_write(current, request.key, request.if_match, request.if_none_match)

    taken = taken_at_once(request.body, promise)
    if taken is not None:
        row = new_row(s3, bucket, request.key, taken, facts, kind)
        await keep(s3, call, bucket, row, taken.data, event, check)
        return put_answer(bucket, row, facts)
    async with taken_in(s3, request.body, promise) as taken:
        row = new_row(s3, bucket, request.key, taken, facts, kind)
        await keep(s3, call, bucket, row, taken.data, event, check)
    return put_answer(bucket, row, facts)


def new_row(s3: S3, bucket: Bucket, key: str, taken: Taken, facts: Facts, kind: str) -> Stored:
    """A row for bytes that were taken in; its order and version are settled when it is kept."""
    facts.checksum, facts.customer_nonce = taken.checksum, taken.nonce
    etag = taken.md5
    return Stored(
        bucket.id, key, 0, "", 0, taken.size, etag, s3.now(), kind, taken.algorithm, checksums.FULL_OBJECT, "",
        taken.blob, encoded(facts),
    )  # fmt: skip


def put_answer(bucket: Bucket, row: Stored, facts: Facts) -> api.PutObjectOutput:
    answer = api.PutObjectOutput(
        e_tag=quoted(row.etag),
        checksum_type=row.checksum_type,
        expiration=expiration_of(bucket, row, facts),
        version_id=row.version if bucket.versioning == "Enabled" else None,
        **encryption_members(facts),
    )
    setattr(answer, checksums.MEMBERS[row.algorithm], facts.checksum)
    return answer


@prompt
def get_object(
    s3: S3, call: Call, request: api.GetObjectRequest
) -> api.GetObjectOutput | Coroutine[Any, Any, api.GetObjectOutput]:
    """An object whose bytes are in its row is answered at once."""
    bucket = _known_bucket(s3, request)
    found = s3.objects.current_at_once(bucket.id, request.key) if bucket is not None else None
    if bucket is None or found is None:
        return _get_object(s3, call, request)
    row, data = found
    facts = row.details()
    if data is None or row.marker or facts.customer_key_md5 or facts.kms_data_key:
        return _get_object(s3, call, request)
    unlock(facts, request)
    answer = api.GetObjectOutput()
    start, end = _describe(s3, bucket, request, row, facts, answer)
    check_retrievable(row, facts)
    answer.body = BytesStream(data if end - start == len(data) else data[start:end])
    return answer


async def _get_object(s3: S3, call: Call, request: api.GetObjectRequest) -> api.GetObjectOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    for attempt in range(_ATTEMPTS):
        row, data = await find(s3, bucket, request.key, request.version_id)
        facts = row.details()
        key = unlock(facts, request) or await sse_kms.open_key(s3, call, bucket, request.key, facts)
        answer = api.GetObjectOutput()
        start, end = _describe(s3, bucket, request, row, facts, answer, await _part_asked_for(s3, request, row))
        check_retrievable(row, facts)
        try:
            answer.body = await open_bytes(s3, row, data, start, end, key)
        except Gone:
            if attempt + 1 == _ATTEMPTS:
                raise
            continue
        return answer
    raise AssertionError("unreachable")


@prompt
def head_object(
    s3: S3, call: Call, request: api.HeadObjectRequest
) -> api.HeadObjectOutput | Coroutine[Any, Any, api.HeadObjectOutput]:
    bucket = _known_bucket(s3, request)
    row = s3.objects.current_row_at_once(bucket.id, request.key) if bucket is not None else None
    if bucket is None or row is None or row.marker:
        return _head_object(s3, call, request)
    return _head(s3, bucket, request, row)


async def _head_object(s3: S3, call: Call, request: api.HeadObjectRequest) -> api.HeadObjectOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    row, _ = await find(s3, bucket, request.key, request.version_id, "HEAD")
    return _head(s3, bucket, request, row, await _part_asked_for(s3, request, row))


def _head(
    s3: S3, bucket: Bucket, request: api.HeadObjectRequest, row: Stored, part: Part | None = None
) -> api.HeadObjectOutput:
    facts = row.details()
    unlock(facts, request)
    answer = api.HeadObjectOutput()
    _describe(s3, bucket, request, row, facts, answer, part)
    if row.storage_class in ARCHIVED and facts.restore:
        answer.restore = facts.restore
    return answer


def _known_bucket(s3: S3, request: Any) -> Bucket | None:
    """The bucket of a read that may be answered at once: it is in memory, and the current version is asked for, not a part."""
    if request.version_id is not None or request.part_number is not None:
        return None
    return s3.known(request.bucket, request.expected_bucket_owner)


async def _part_asked_for(s3: S3, request: Any, row: Stored) -> Part | None:
    """The part of a multipart object that a read names, if there is such a part."""
    if request.part_number is None or not row.upload:
        return None
    return await s3.uploads.part(row.upload, request.part_number)


def unlock(facts: Facts, request: Any, prefix: str = "sse") -> bytes:
    """The customer's key that a read sends, checked against the one the object was written with."""
    if not facts.customer_key_md5 and getattr(request, f"{prefix}_customer_algorithm") is None:
        return b""
    key = cipher.key_of(request, prefix, reading=True)
    if not facts.customer_key_md5:
        raise invalid_request("The encryption parameters are not applicable to this object.")
    if not key:
        raise invalid_request(
            "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to "
            "retrieve the object."
        )
    if cipher.key_digest(key) != facts.customer_key_md5:
        raise access_denied(cipher.WRONG_KEY)
    return key


def check_retrievable(row: Stored, facts: Facts) -> None:
    """Archived objects must be restored before they are read."""
    if row.storage_class in ARCHIVED and 'ongoing-request="false"' not in facts.restore:
        raise error(
            403,
            "InvalidObjectState",
            "The operation is not valid for the object's storage class",
            StorageClass=row.storage_class,
        )


def _describe(
    s3: S3, bucket: Bucket, request: Any, row: Stored, facts: Facts, answer: Any, part: Part | None = None
) -> tuple[int, int]:
    """Check the request's conditions and fill in everything but the body; gives the range that was asked for.

    `part` is the one that the request names, if there is such a part.
    """
    asked = _conditions(request)
    if asked != _NO_CONDITIONS:
        conditions.check_read(row, *asked, s3.clock.now())
    answer.accept_ranges = "bytes"
    answer.last_modified = row.modified
    answer.e_tag = quoted(row.etag)
    answer.version_id = shown_version(bucket, row)
    if request.version_id is None:
        answer.expiration = expiration_of(bucket, row, facts)
    if row.storage_class != "STANDARD":
        answer.storage_class = row.storage_class
    if request.part_number is None:
        start, end, checksum = _extent(request, row, facts, answer)
    else:
        start, end, checksum = _part_extent(request, row, facts, answer, part)
    answer.content_length = end - start
    if checksum and (request.checksum_mode or "").upper() == "ENABLED":
        setattr(answer, checksums.MEMBERS[row.algorithm], checksum)
        answer.checksum_type = row.checksum_type
    _describe_facts(facts, answer)
    overrides = _overrides(request)
    if overrides != _NO_OVERRIDES:
        for name, override in zip(_OVERRIDES, overrides, strict=True):
            if override is not None:
                setattr(answer, name, headers.checked_override(name, override))
    return start, end


def _describe_facts(facts: Facts, answer: Any) -> None:
    answer.content_type = "binary/octet-stream"
    for name, value in facts.headers.items():
        setattr(answer, name, value)
    answer.expires = facts.expires
    answer.metadata = {name: headers.mail_safe(value) for name, value in facts.metadata.items()}
    if facts.tags:
        answer.tag_count = len(facts.tags)
    if facts.lock_mode:
        answer.object_lock_mode = facts.lock_mode
        answer.object_lock_retain_until_date = facts.retain_until
    if facts.legal_hold:
        answer.object_lock_legal_hold_status = facts.legal_hold
    for name, value in encryption_members(facts).items():
        setattr(answer, name, value)


def _extent(request: Any, row: Stored, facts: Facts, answer: Any) -> tuple[int, int, str]:
    """Start and end of what is asked for (a range, everything), and the checksum that goes with it."""
    found = byte_range(request.range, row.size) if request.range else None
    if found is None:
        return 0, row.size, facts.checksum
    start, end = found
    answer.content_range = f"bytes {start}-{end - 1}/{row.size}"
    return start, end, facts.checksum if end - start == row.size else ""


def _part_extent(request: Any, row: Stored, facts: Facts, answer: Any, part: Part | None) -> tuple[int, int, str]:
    """As `_extent`, of a part."""
    if request.range:
        raise invalid_request("Cannot specify both Range header and partNumber query parameter")
    number, count = request.part_number, facts.parts or 1
    start, end, checksum = 0, row.size, facts.checksum
    if part is not None:
        start, end = part.start, part.start + part.size
        answer.parts_count = count
        if row.checksum_type == checksums.COMPOSITE:
            checksum = part.checksum
        elif part.size != row.size:
            checksum = ""
    elif row.upload or number != 1:
        raise error(
            416,
            "InvalidPartNumber",
            "The requested partnumber is not satisfiable",
            ActualPartCount=str(count),
            PartNumberRequested=str(number),
        )
    if end > start:
        answer.content_range = f"bytes {start}-{end - 1}/{row.size}"
    return start, end, checksum

"""Operations on multipart uploads and their parts, up to completion."""

from __future__ import annotations

from typing import Any

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import token
from cumulet.services.s3 import acls, checksums, cipher, sse_kms
from cumulet.services.s3.errors import invalid_argument, invalid_request, no_such_upload
from cumulet.services.s3.facts import check_key, encoded, encryption_members, facts_of, storage_class
from cumulet.services.s3.intake import Promise, Taken, promise_of, taken_in
from cumulet.services.s3.listings import check_most, encoder, joined
from cumulet.services.s3.model import MOST_PARTS, Bucket, Part, Upload, quoted
from cumulet.services.s3.state import S3, TRASH
from cumulet.services.s3.walk import Page, walk_repeated


async def create_multipart_upload(
    s3: S3, call: Call, request: api.CreateMultipartUploadRequest
) -> api.CreateMultipartUploadOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    check_key(request.key)
    kind = storage_class(request)
    algorithm, type_ = _checksum(request)
    facts, _ = facts_of(s3, bucket, request)
    await sse_kms.new_key(s3, call, bucket, request.key, facts, request)
    upload = Upload(
        token(48), bucket.id, request.key, s3.next_order(), s3.now(), kind, algorithm, type_, 0, encoded(facts)
    )
    await s3.uploads.add(upload)
    return api.CreateMultipartUploadOutput(
        bucket=bucket.name,
        key=request.key,
        upload_id=upload.id,
        checksum_algorithm=algorithm or None,
        checksum_type=type_ or None,
        **encryption_members(facts),
    )


def _checksum(request: api.CreateMultipartUploadRequest) -> tuple[str, str]:
    """Algorithm and type of the upload's checksum; two empty strings when it is left to S3."""
    if request.checksum_algorithm is None:
        if request.checksum_type is not None:
            raise invalid_request(
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
            )
        return "", ""
    algorithm = checksums.checked_algorithm(request.checksum_algorithm)
    return algorithm, checksums.type_for(algorithm, request.checksum_type)


async def find_upload(s3: S3, bucket: Bucket, key: str, id: str) -> Upload:
    """The upload of that id and key; raises NoSuchUpload."""
    upload = await s3.uploads.find(id, bucket.id, key)
    if upload is None:
        raise no_such_upload(id)
    return upload


async def upload_part(s3: S3, call: Call, request: api.UploadPartRequest) -> api.UploadPartOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    upload = await part_target(s3, bucket, request)
    promise = promise_of(request)
    promise.customer_key = await cipher_key(s3, call, bucket, upload, request)
    check_part_checksum(upload, promise)
    async with taken_in(s3, request.body, promise) as taken:
        await keep_part(s3, upload, request.part_number, taken)
    facts = upload.details()
    shown = checksums.members(taken.algorithm, taken.checksum) if promise.stated or upload.algorithm else {}
    return api.UploadPartOutput(e_tag=quoted(taken.md5), **shown, **encryption_members(facts))


async def part_target(s3: S3, bucket: Bucket, request: Any) -> Upload:
    """The upload that a part is for; checks the part's number."""
    if not 1 <= request.part_number <= MOST_PARTS:
        raise invalid_argument(
            "Part number must be an integer between 1 and 10000, inclusive", "partNumber", str(request.part_number)
        )
    return await find_upload(s3, bucket, request.key, request.upload_id)


def part_key(upload: Upload, request: Any) -> bytes:
    """The customer's key for a part: the one that the upload began with, or none."""
    key, began_with = cipher.key_of(request), upload.details().customer_key_md5
    if bool(key) != bool(began_with):
        raise invalid_request(
            "The multipart upload initiate requested encryption. Subsequent part requests must include the appropriate "
            "encryption parameters."
        )
    if key and cipher.key_digest(key) != began_with:
        raise invalid_request("The provided encryption parameters did not match the ones used originally.")
    return key


async def cipher_key(s3: S3, call: Call, bucket: Bucket, upload: Upload, request: Any) -> bytes:
    """What a part is encrypted with: the customer's key, the upload's own, or nothing."""
    return part_key(upload, request) or await sse_kms.open_key(s3, call, bucket, upload.key, upload.details())


def check_part_checksum(upload: Upload, promise: Promise) -> None:
    """Settle which checksums of a part are computed: the upload's algorithm, and the one the client sent."""
    promise.part = True
    if not upload.algorithm:
        promise.also = checksums.DEFAULT
        return
    if promise.stated and promise.algorithm != upload.algorithm:
        raise checksum_type_mismatch(upload.algorithm, promise.algorithm)
    if not promise.stated:
        if upload.checksum_type == checksums.COMPOSITE:
            raise checksum_type_mismatch(upload.algorithm, "null")
        promise.algorithm = upload.algorithm


def checksum_type_mismatch(expected: str, actual: str) -> Exception:
    return invalid_request(
        f"Checksum Type mismatch occurred, expected checksum Type: {expected.lower()}, actual checksum Type: "
        f"{actual.lower()}"
    )


async def keep_part(s3: S3, upload: Upload, number: int, taken: Taken) -> Part:
    """Keep bytes that were taken in as a part; raises NoSuchUpload when the upload ended meanwhile."""
    algorithm = upload.algorithm or checksums.DEFAULT
    checksum = taken.checksum if taken.algorithm == algorithm else taken.also
    part = Part(number, 0, taken.size, taken.md5, algorithm, checksum, s3.now(), taken.blob, taken.nonce)
    if not await s3.uploads.put_part(upload.id, part, taken.data):
        raise no_such_upload(upload.id)
    s3.signals.publish(TRASH)
    return part


async def abort_multipart_upload(
    s3: S3, call: Call, request: api.AbortMultipartUploadRequest
) -> api.AbortMultipartUploadOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    upload = await find_upload(s3, bucket, request.key, request.upload_id)
    await abort(s3, upload)
    return api.AbortMultipartUploadOutput()


async def abort(s3: S3, upload: Upload) -> None:
    """End an upload and let go of its parts."""
    async with s3.db.transaction() as tx:
        if await s3.uploads.take(tx, upload.id) is None:
            raise no_such_upload(upload.id)
        await s3.objects.discard_parts(tx, upload.id)
        tx.after_commit(lambda: s3.signals.publish(TRASH))


async def list_parts(s3: S3, call: Call, request: api.ListPartsRequest) -> api.ListPartsOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    upload = await find_upload(s3, bucket, request.key, request.upload_id)
    limit = check_most(request.max_parts, "max-parts")
    after = request.part_number_marker or 0
    found = await s3.uploads.parts(upload.id, after, limit + 1)
    shown = found[:limit]
    return api.ListPartsOutput(
        bucket=bucket.name,
        key=upload.key,
        upload_id=upload.id,
        part_number_marker=after,
        next_part_number_marker=shown[-1].number if shown else 0,
        max_parts=limit,
        is_truncated=len(found) > limit,
        parts=[_listed(upload, part) for part in shown] or None,
        initiator=_initiator(bucket),
        owner=acls.owner(bucket.account),
        storage_class=upload.storage_class,
        checksum_algorithm=upload.algorithm or None,
        checksum_type=upload.checksum_type or None,
    )


def _listed(upload: Upload, part: Part) -> api.Part:
    return api.Part(
        part_number=part.number,
        last_modified=part.modified,
        e_tag=quoted(part.etag),
        size=part.size,
        **(checksums.members(part.algorithm, part.checksum) if upload.algorithm else {}),
    )


def _initiator(bucket: Bucket) -> api.Initiator:
    return api.Initiator(id=acls.owner(bucket.account).id, display_name=bucket.account)


async def list_multipart_uploads(
    s3: S3, call: Call, request: api.ListMultipartUploadsRequest
) -> api.ListMultipartUploadsOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    encode, limit = encoder(request.encoding_type), check_most(request.max_uploads, "max-uploads")
    marker = request.key_marker or ""
    id_marker = request.upload_id_marker if marker else ""
    page = await _uploads(s3, bucket, request, marker, id_marker or "", limit)
    last = page.items[-1] if page.items and page.items[-1].key == page.last else None
    return api.ListMultipartUploadsOutput(
        bucket=bucket.name,
        key_marker=encode(marker),
        upload_id_marker=id_marker or "",
        next_key_marker=encode(last.key if last else ""),
        next_upload_id_marker=last.id if last else "",
        delimiter=encode(request.delimiter) or None,
        prefix=encode(request.prefix) or None,
        max_uploads=limit,
        is_truncated=page.truncated,
        encoding_type=request.encoding_type,
        uploads=[_listed_upload(bucket, one, encode) for one in page.items] or None,
        common_prefixes=[api.CommonPrefix(prefix=encode(one)) for one in page.prefixes] or None,
    )


async def _uploads(
    s3: S3, bucket: Bucket, request: api.ListMultipartUploadsRequest, marker: str, id_marker: str, limit: int
) -> Page[Upload]:
    """A page of uploads: the rest of the marker's key first, then the keys after it."""

    async def fetch(start: str, end: str, count: int) -> list[Upload]:
        return await s3.uploads.page(bucket.id, start, end, count)

    begun: list[Upload] = []
    if id_marker:
        at = await s3.uploads.find(id_marker, bucket.id, marker)
        if at is None:
            raise invalid_argument("Invalid uploadId marker", "upload-id-marker", id_marker)
        begun = await s3.uploads.begun_after(bucket.id, at, limit + 1)
        if len(begun) > limit:
            return Page(begun[:limit], [], True, marker)
    page = await walk_repeated(
        fetch,
        lambda one: (one.key, (one.order, one.id)),
        request.prefix or "",
        request.delimiter or "",
        _past_prefix(marker, request.prefix or "", request.delimiter or ""),
        limit - len(begun) or 1,
    )
    return joined(begun, page, marker, limit)


def _past_prefix(marker: str, prefix: str, delimiter: str) -> str:
    """A marker within a common prefix stands for all of it, unlike in listings of objects."""
    at = marker.find(delimiter, len(prefix)) if delimiter and marker.startswith(prefix) else -1
    return marker[: at + len(delimiter)] if at >= 0 else marker


def _listed_upload(bucket: Bucket, upload: Upload, encode: Any) -> api.MultipartUpload:
    return api.MultipartUpload(
        upload_id=upload.id,
        key=encode(upload.key),
        initiated=upload.initiated,
        storage_class=upload.storage_class,
        owner=acls.owner(bucket.account),
        initiator=_initiator(bucket),
        checksum_algorithm=upload.algorithm or None,
        checksum_type=upload.checksum_type or None,
    )

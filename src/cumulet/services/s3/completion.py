"""CompleteMultipartUpload: parts become an object without being copied."""

from __future__ import annotations

import hashlib
import itertools
from urllib.parse import quote

from cumulet.api import s3 as api
from cumulet.kernel import checksums as digests
from cumulet.kernel.call import Call
from cumulet.services.s3 import checksums, conditions, events
from cumulet.services.s3.errors import error, invalid_request, malformed_xml, no_such_upload
from cumulet.services.s3.facts import encoded, encryption_members
from cumulet.services.s3.lifecycle import expiration_of
from cumulet.services.s3.model import (
    ENABLED,
    MOST_PARTS,
    NULL,
    SMALLEST_PART,
    Bucket,
    Facts,
    Part,
    Stored,
    Upload,
    new_version,
    quoted,
    unquoted,
)
from cumulet.services.s3.state import S3, TRASH
from cumulet.services.s3.uploads import part_key
from cumulet.services.s3.versions import put_in


async def complete_multipart_upload(
    s3: S3, call: Call, request: api.CompleteMultipartUploadRequest
) -> api.CompleteMultipartUploadOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    conditions.check_write_headers(request.if_match, request.if_none_match)
    upload = await s3.uploads.find(request.upload_id, bucket.id, request.key)
    if upload is None:
        return await _repeated(s3, call, bucket, request)
    named = request.multipart_upload.parts if request.multipart_upload else None
    if not named:
        raise invalid_request("You must specify at least one part")
    if request.sse_customer_key is not None:
        part_key(upload, request)
    _check_mode(upload, request)
    parts = await _check_parts(s3, upload, named)
    facts = upload.details()
    row = _row(s3, bucket, upload, parts, facts, request)
    await _keep(s3, call, bucket, upload, row, [part.number for part in parts], request)
    return _answer(call, bucket, row, facts)


async def _repeated(
    s3: S3, call: Call, bucket: Bucket, request: api.CompleteMultipartUploadRequest
) -> api.CompleteMultipartUploadOutput:
    """The same answer again for a client that lost the first one, as long as the object is still that upload's."""
    found = await s3.objects.current(bucket.id, request.key)
    if found is None or found[0].upload != request.upload_id:
        raise no_such_upload(request.upload_id)
    return _answer(call, bucket, found[0], found[0].details())


def _answer(call: Call, bucket: Bucket, row: Stored, facts: Facts) -> api.CompleteMultipartUploadOutput:
    # Of objects under a key of KMS, AWS tells S3's own checksum to those who read them, and not here.
    told = not facts.kms_data_key or row.algorithm != checksums.DEFAULT
    return api.CompleteMultipartUploadOutput(
        location=f"{call.endpoint}/{bucket.name}/{quote(row.key)}",
        bucket=bucket.name,
        key=row.key,
        e_tag=quoted(row.etag),
        checksum_type=row.checksum_type or None if told else None,
        version_id=row.version if bucket.versioning == ENABLED else None,
        expiration=expiration_of(bucket, row, facts),
        **(checksums.members(row.algorithm, facts.checksum) if told else {}),
        **({} if facts.customer_key_md5 else encryption_members(facts)),
    )


def _check_mode(upload: Upload, request: api.CompleteMultipartUploadRequest) -> None:
    wanted = request.checksum_type
    if wanted is not None and wanted != upload.checksum_type:
        raise invalid_request(
            f"The upload was created using the {upload.checksum_type or 'null'} checksum mode. The complete request must "
            "use the same checksum mode."
        )


async def _check_parts(s3: S3, upload: Upload, named: list[api.CompletedPart]) -> list[Part]:
    """The parts that the request names, in order; raises InvalidPartOrder, InvalidPart, EntityTooSmall."""
    numbers = [part.part_number for part in named if part.part_number is not None]
    if len(numbers) < len(named):
        raise malformed_xml()
    if any(b <= a for a, b in itertools.pairwise(numbers)):
        raise error(
            400,
            "InvalidPartOrder",
            "The list of parts was not in ascending order. Parts must be ordered by part number.",
            UploadId=upload.id,
        )
    have = {part.number: part for part in await s3.uploads.parts(upload.id, 0, MOST_PARTS)}
    parts = [_check_part(upload, one, have.get(one.part_number or 0)) for one in named]
    for part in parts[:-1]:
        if part.size < SMALLEST_PART:
            raise error(
                400,
                "EntityTooSmall",
                "Your proposed upload is smaller than the minimum allowed size",
                ETag=part.etag,
                MinSizeAllowed=str(SMALLEST_PART),
                PartNumber=str(part.number),
                ProposedSize=str(part.size),
            )
    return parts


def _check_part(upload: Upload, named: api.CompletedPart, part: Part | None) -> Part:
    etag = unquoted(named.e_tag or "")
    if part is None or part.etag != etag:
        raise _invalid_part(upload, named)
    algorithm, value = checksums.sent(named)
    if not algorithm:
        if upload.checksum_type == checksums.COMPOSITE:
            raise invalid_request(
                f"The upload was created using a {upload.algorithm.lower()} checksum. The complete request must include "
                f"the checksum for each part. It was missing for part {named.part_number} in the request."
            )
        return part
    if upload.algorithm and algorithm != upload.algorithm:
        raise error(
            400,
            "BadDigest",
            f"The {algorithm.lower()} you specified for part {named.part_number} did not match what we received.",
        )
    if not upload.algorithm or value != part.checksum:
        raise _invalid_part(upload, named)
    return part


def _invalid_part(upload: Upload, named: api.CompletedPart) -> Exception:
    return error(
        400,
        "InvalidPart",
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified "
        "entity tag may not match the part's entity tag.",
        ETag=unquoted(named.e_tag or ""),
        PartNumber=str(named.part_number),
        UploadId=upload.id,
    )


def _row(
    s3: S3,
    bucket: Bucket,
    upload: Upload,
    parts: list[Part],
    facts: Facts,
    request: api.CompleteMultipartUploadRequest,
) -> Stored:
    """The object that the parts make, with its ETag and checksum."""
    size = sum(part.size for part in parts)
    if request.mpu_object_size is not None and request.mpu_object_size != size:
        raise invalid_request(
            f"The provided 'x-amz-mp-object-size' header value {request.mpu_object_size} does not match what was "
            f"computed: {size}"
        )
    algorithm = upload.algorithm or checksums.DEFAULT
    type_ = upload.checksum_type or checksums.FULL_OBJECT
    if facts.customer_key_md5 and not upload.algorithm:
        algorithm = type_ = ""  # S3 keeps none of its own then
    elif type_ == checksums.COMPOSITE:
        facts.checksum = digests.composite(algorithm, [part.checksum for part in parts])
    else:
        facts.checksum = digests.full_object(algorithm, [(part.checksum, part.size) for part in parts])
    _check_whole(algorithm, facts.checksum, request)
    facts.parts = len(parts)
    md5 = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False)
    order = s3.next_order()
    return Stored(
        bucket.id, upload.key, order, new_version(order) if bucket.versioning == ENABLED else NULL, 0, size,
        f"{md5.hexdigest()}-{len(parts)}", s3.now(), upload.storage_class, algorithm, type_, upload.id, "",
        encoded(facts),
    )  # fmt: skip


def _check_whole(algorithm: str, calculated: str, request: api.CompleteMultipartUploadRequest) -> None:
    """The checksum of the whole object, when the request has one."""
    sent, value = checksums.sent(request)
    if not sent:
        return
    if sent != algorithm:
        raise error(400, "BadDigest", f"The {sent.lower()} you specified did not match the calculated checksum.")
    if value.partition("-")[0] != calculated.partition("-")[0]:
        raise error(400, "BadDigest", f"The {sent.lower()} you specified did not match the calculated checksum.")


async def _keep(
    s3: S3,
    call: Call,
    bucket: Bucket,
    upload: Upload,
    row: Stored,
    numbers: list[int],
    request: api.CompleteMultipartUploadRequest,
) -> None:
    """End the upload and make the object current, in one transaction."""
    conditional = request.if_match is not None or request.if_none_match is not None

    async with s3.db.transaction() as tx:
        taken = await s3.uploads.take(tx, upload.id)
        if taken is None:
            raise no_such_upload(upload.id)

        def check(current: Stored | None) -> None:
            if conditional:
                conditions.check_completion(current, taken, request.if_match, request.if_none_match)

        await put_in(s3, tx, bucket, row, None, check)
        await s3.uploads.keep_only(tx, upload.id, numbers)
        notices = events.notices(bucket, events.COMPLETE, row.key)
        await events.add(s3, tx, call, bucket, events.COMPLETE, row, notices)
        tx.after_commit(lambda: s3.signals.publish(TRASH))

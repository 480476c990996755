"""GetObjectAttributes."""

from __future__ import annotations

from typing import Any

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.services.s3 import checksums
from cumulet.services.s3.errors import invalid_argument
from cumulet.services.s3.model import Facts, Stored
from cumulet.services.s3.objects import unlock
from cumulet.services.s3.state import S3
from cumulet.services.s3.versions import find, shown_version

_ATTRIBUTES = {"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"}
_MOST_PARTS = 1000


async def get_object_attributes(
    s3: S3, call: Call, request: api.GetObjectAttributesRequest
) -> api.GetObjectAttributesOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    wanted = {one.strip() for part in request.object_attributes for one in part.split(",")}
    if not wanted or wanted - _ATTRIBUTES:
        raise invalid_argument("Invalid attribute name specified.", "x-amz-object-attributes")
    row, _ = await find(s3, bucket, request.key, request.version_id)
    facts = row.details()
    unlock(facts, request)
    answer = api.GetObjectAttributesOutput(last_modified=row.modified, version_id=shown_version(bucket, row))
    if "ETag" in wanted:
        answer.e_tag = row.etag
    if "StorageClass" in wanted:
        answer.storage_class = row.storage_class
    if "ObjectSize" in wanted:
        answer.object_size = row.size
    if "Checksum" in wanted and facts.checksum:
        shown: dict[str, Any] = checksums.members(row.algorithm, facts.checksum.partition("-")[0])
        answer.checksum = api.Checksum(checksum_type=row.checksum_type, **shown)
    if "ObjectParts" in wanted and row.upload:
        answer.object_parts = await _parts(s3, request, row, facts)
    return answer


async def _parts(
    s3: S3, request: api.GetObjectAttributesRequest, row: Stored, facts: Facts
) -> api.GetObjectAttributesParts:
    """The parts are told of only when they have checksums of their own."""
    answer = api.GetObjectAttributesParts(total_parts_count=facts.parts)
    if row.checksum_type != checksums.COMPOSITE:
        return answer
    limit = min(request.max_parts or _MOST_PARTS, _MOST_PARTS)
    after = request.part_number_marker or 0
    found = await s3.uploads.parts(row.upload, after, limit + 1)
    shown = found[:limit]
    answer.max_parts = limit
    answer.part_number_marker = after
    answer.next_part_number_marker = shown[-1].number if shown else 0
    answer.is_truncated = len(found) > limit
    answer.parts = [
        api.ObjectPart(part_number=part.number, size=part.size, **checksums.members(part.algorithm, part.checksum))
        for part in shown
    ] or None
    return answer

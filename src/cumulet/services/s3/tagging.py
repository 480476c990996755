"""Operations on the tags of buckets and objects."""

from __future__ import annotations

from cumulet.api import s3 as api
from cumulet.kernel.call import Call
from cumulet.services.s3 import events
from cumulet.services.s3.facts import RESERVED_ON_OBJECTS, check_tags
from cumulet.services.s3.model import Bucket, Facts, Stored
from cumulet.services.s3.settings import keep, missing, setting
from cumulet.services.s3.state import S3
from cumulet.services.s3.versions import change_facts, find, shown_version
from cumulet.storage.database import Transaction


def tag_list(tags: dict[str, str]) -> list[api.Tag]:
    return [api.Tag(key=key, value=value) for key, value in tags.items()]


def _pairs(tagging: api.Tagging) -> list[tuple[str, str]]:
    return [(tag.key, tag.value) for tag in tagging.tag_set]


async def get_bucket_tagging(s3: S3, call: Call, request: api.GetBucketTaggingRequest) -> api.GetBucketTaggingOutput:
    bucket, config = await setting(s3, call, request, "tagging", api.Tagging)
    if config is None:
        raise missing(bucket, "NoSuchTagSet", "The TagSet does not exist")
    return api.GetBucketTaggingOutput(tag_set=config.tag_set)


async def put_bucket_tagging(s3: S3, call: Call, request: api.PutBucketTaggingRequest) -> None:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    check_tags(_pairs(request.tagging), 50, "Bucket tag count cannot be greater than 50")
    await s3.put_setting(bucket, "tagging", request.tagging if request.tagging.tag_set else None)


async def delete_bucket_tagging(s3: S3, call: Call, request: api.DeleteBucketTaggingRequest) -> None:
    await keep(s3, call, request, "tagging", None)


async def get_object_tagging(s3: S3, call: Call, request: api.GetObjectTaggingRequest) -> api.GetObjectTaggingOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    row, _ = await find(s3, bucket, request.key, request.version_id, marker_is_error=True)
    return api.GetObjectTaggingOutput(tag_set=tag_list(row.details().tags), version_id=shown_version(bucket, row))


async def put_object_tagging(s3: S3, call: Call, request: api.PutObjectTaggingRequest) -> api.PutObjectTaggingOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    row, _ = await find(s3, bucket, request.key, request.version_id, "PUT", marker_is_error=True)
    tags = check_tags(_pairs(request.tagging), 10, "Object tags cannot be greater than 10", RESERVED_ON_OBJECTS)
    await _set_tags(s3, call, bucket, row, tags, events.TAGGED)
    return api.PutObjectTaggingOutput(version_id=shown_version(bucket, row))


async def delete_object_tagging(
    s3: S3, call: Call, request: api.DeleteObjectTaggingRequest
) -> api.DeleteObjectTaggingOutput:
    bucket = await s3.bucket(call, request.bucket, request.expected_bucket_owner)
    row, _ = await find(s3, bucket, request.key, request.version_id, "DELETE", marker_is_error=True)
    await _set_tags(s3, call, bucket, row, {}, events.UNTAGGED)
    return api.DeleteObjectTaggingOutput(version_id=shown_version(bucket, row))


async def _set_tags(s3: S3, call: Call, bucket: Bucket, row: Stored, tags: dict[str, str], event: str) -> None:
    def change(facts: Facts) -> None:
        facts.tags = tags

    async def tell(tx: Transaction, now: Stored) -> None:
        await events.add(s3, tx, call, bucket, event, now, events.notices(bucket, event, now.key))

    await change_facts(s3, row, change, tell)

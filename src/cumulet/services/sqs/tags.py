"""Operations on a queue's tags."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from cumulet.api import sqs as api
from cumulet.kernel.call import Call
from cumulet.services.sqs.errors import InvalidParameterValue, MissingParameter
from cumulet.services.sqs.state import Sqs
from cumulet.services.sqs.store import Record

_MOST = 50


def check(queue_name: str, tags: Mapping[str, str]) -> None:
    """AWS's limits on tags; raises InvalidParameterValue."""
    if len(tags) > _MOST:
        raise InvalidParameterValue(f"Too many tags added for queue {queue_name}.")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or key.lower().startswith("aws:"):
            raise InvalidParameterValue(
                "Tag keys must be between 1 and 128 characters in length, and must not start with aws:."
            )
        if len(value) > 256:
            raise InvalidParameterValue("Tag values must be between 0 and 256 characters in length.")


async def tag_queue(sqs: Sqs, call: Call, request: api.TagQueueRequest) -> None:
    queue = await sqs.queue(call, request.queue_url)
    if not request.tags:
        raise MissingParameter.named("Tags")

    def change(record: Record) -> Record:
        tags = record.tags | request.tags
        check(queue.name, tags)
        return replace(record, tags=tags)

    await sqs.queues.edit(queue, change)


async def untag_queue(sqs: Sqs, call: Call, request: api.UntagQueueRequest) -> None:
    queue = await sqs.queue(call, request.queue_url)
    if not request.tag_keys:
        raise InvalidParameterValue("Tag keys must be between 1 and 128 characters in length.")
    gone = frozenset(request.tag_keys)

    def change(record: Record) -> Record:
        return replace(record, tags={key: value for key, value in record.tags.items() if key not in gone})

    await sqs.queues.edit(queue, change)


async def list_queue_tags(sqs: Sqs, call: Call, request: api.ListQueueTagsRequest) -> api.ListQueueTagsResult:
    queue = await sqs.queue(call, request.queue_url)
    return api.ListQueueTagsResult(tags=await sqs.queues.tags(queue) or None)

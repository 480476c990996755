"""Tags of streams and consumers, by both of the APIs there are for them.

https://docs.aws.amazon.com/streams/latest/dev/tagging.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from cumulet.api import kinesis as api
from cumulet.kernel.call import Call
from cumulet.services.kinesis.errors import invalid
from cumulet.services.kinesis.resources import find_consumer, is_consumer
from cumulet.services.kinesis.state import Kinesis

_MOST = 50
_ALLOWED = re.compile(r"[\w\s.:/=+\-@]*")


def added(present: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Tags with others added; raises InvalidArgumentException."""
    for text in (*given, *given.values()):
        if not _ALLOWED.fullmatch(text):
            raise invalid(
                "Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @."
            )
    if any(name.lower().startswith("aws:") for name in given):
        raise invalid("Tag keys cannot begin with aws:.")
    together = {**present, **given}
    if len(together) > _MOST:
        raise invalid(f"A resource cannot have more than {_MOST} tags associated with it.")
    return together


def _without(present: Mapping[str, str], gone: Iterable[str]) -> dict[str, str]:
    names = set(gone)
    return {name: value for name, value in present.items() if name not in names}


async def add_tags_to_stream(kinesis: Kinesis, call: Call, request: api.AddTagsToStreamInput) -> None:
    opened = await kinesis.find(call, request)
    await kinesis.edit(opened, lambda found: replace(found, tags=added(found.tags, request.tags)))


async def remove_tags_from_stream(kinesis: Kinesis, call: Call, request: api.RemoveTagsFromStreamInput) -> None:
    opened = await kinesis.find(call, request)
    await kinesis.edit(opened, lambda found: replace(found, tags=_without(found.tags, request.tag_keys)))


async def list_tags_for_stream(
    kinesis: Kinesis, call: Call, request: api.ListTagsForStreamInput
) -> api.ListTagsForStreamOutput:
    opened = await kinesis.find(call, request)
    limit = request.limit or _MOST
    start = request.exclusive_start_tag_key or ""
    found = [(name, value) for name, value in sorted(opened.stream.tags.items()) if name > start]
    return api.ListTagsForStreamOutput(
        tags=[api.Tag(key=name, value=value) for name, value in found[:limit]], has_more_tags=len(found) > limit
    )


async def tag_resource(kinesis: Kinesis, call: Call, request: api.TagResourceInput) -> None:
    if is_consumer(request.resource_arn):
        opened, consumer = await find_consumer(kinesis, call, request.resource_arn)
        await kinesis.consumers.edit(
            opened.stream, consumer.name, lambda found: replace(found, tags=added(found.tags, request.tags))
        )
        return
    opened = await kinesis.by_arn(call, request.resource_arn)
    await kinesis.edit(opened, lambda found: replace(found, tags=added(found.tags, request.tags)))


async def untag_resource(kinesis: Kinesis, call: Call, request: api.UntagResourceInput) -> None:
    if is_consumer(request.resource_arn):
        opened, consumer = await find_consumer(kinesis, call, request.resource_arn)
        await kinesis.consumers.edit(
            opened.stream, consumer.name, lambda found: replace(found, tags=_without(found.tags, request.tag_keys))
        )
        return
    opened = await kinesis.by_arn(call, request.resource_arn)
    await kinesis.edit(opened, lambda found: replace(found, tags=_without(found.tags, request.tag_keys)))


async def list_tags_for_resource(
    kinesis: Kinesis, call: Call, request: api.ListTagsForResourceInput
) -> api.ListTagsForResourceOutput:
    if is_consumer(request.resource_arn):
        tags = (await find_consumer(kinesis, call, request.resource_arn))[1].tags
    else:
        tags = (await kinesis.by_arn(call, request.resource_arn)).stream.tags
    return api.ListTagsForResourceOutput(tags=[api.Tag(key=name, value=value) for name, value in sorted(tags.items())])

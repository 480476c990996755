"""Tags of keys."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import kms as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.kms import model, paging
from cumulet.services.kms.model import Key
from cumulet.services.kms.state import Kms

_MOST = 50
_PAGE = 50


class Invalid(AwsError):
    """A request that cannot be."""

    code = "ValidationException"


def read(tags: list[api.Tag] | None, present: dict[str, str] | None = None) -> dict[str, str]:
    """Tags of a request added to those that are there; raises TagException."""
    given = {tag.tag_key: tag.tag_value for tag in tags or ()}
    if len(given) != len(tags or ()):
        raise api.TagException("Duplicate tag keys")
    if any(name.lower().startswith("aws:") for name in given):
        raise api.TagException("Tags beginning with aws: are reserved")
    together = {**(present or {}), **given}
    if len(together) > _MOST:
        raise api.TagException("Too many tags")
    return together


async def tag_resource(kms: Kms, call: Call, request: api.TagResourceRequest) -> None:
    key = await kms.key(call, request.key_id)

    def change(found: Key) -> Key:
        model.check_customers(found)
        model.check_present(found)
        return replace(found, tags=read(request.tags, found.tags))

    await kms.keys.edit(key, change)


async def untag_resource(kms: Kms, call: Call, request: api.UntagResourceRequest) -> None:
    key = await kms.key(call, request.key_id)
    gone = set(request.tag_keys)

    def change(found: Key) -> Key:
        model.check_customers(found)
        model.check_present(found)
        return replace(found, tags={name: value for name, value in found.tags.items() if name not in gone})

    await kms.keys.edit(key, change)


async def list_resource_tags(
    kms: Kms, call: Call, request: api.ListResourceTagsRequest
) -> api.ListResourceTagsResponse:
    key = await kms.key(call, request.key_id)
    items, marker = paging.cut(sorted(key.tags.items()), request.marker, request.limit or _PAGE, lambda item: item[0])
    return api.ListResourceTagsResponse(
        tags=[api.Tag(tag_key=name, tag_value=value) for name, value in items],
        truncated=marker is not None,
        next_marker=marker,
    )

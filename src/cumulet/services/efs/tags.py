"""Tags of file systems and access points, by the operations of today and those of before."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from cumulet.api import efs as api
from cumulet.kernel.call import Call
from cumulet.services.efs.errors import bad_request
from cumulet.services.efs.model import Tags, short, tag_list, tags_of
from cumulet.services.efs.paging import page
from cumulet.services.efs.state import Efs, place_of

_MOST = 50


async def tag_resource(efs: Efs, call: Call, request: api.TagResourceRequest) -> None:
    await _change(efs, call, request.resource_id, _added(tags_of(request.tags)))


async def untag_resource(efs: Efs, call: Call, request: api.UntagResourceRequest) -> None:
    await _change(efs, call, request.resource_id, _removed(request.tag_keys))


async def list_tags_for_resource(
    efs: Efs, call: Call, request: api.ListTagsForResourceRequest
) -> api.ListTagsForResourceResponse:
    shown, token = page(
        sorted((await _tags(efs, call, request.resource_id)).items()),
        request.next_token,
        request.max_results,
        lambda tag: tag[0],
    )
    return api.ListTagsForResourceResponse(tags=tag_list(dict(shown)), next_token=token)


async def create_tags(efs: Efs, call: Call, request: api.CreateTagsRequest) -> None:
    await _change(efs, call, request.file_system_id, _added(tags_of(request.tags)))


async def delete_tags(efs: Efs, call: Call, request: api.DeleteTagsRequest) -> None:
    await _change(efs, call, request.file_system_id, _removed(request.tag_keys))


async def describe_tags(efs: Efs, call: Call, request: api.DescribeTagsRequest) -> api.DescribeTagsResponse:
    shown, marker = page(
        sorted((await _tags(efs, call, request.file_system_id)).items()),
        request.marker,
        request.max_items,
        lambda tag: tag[0],
    )
    return api.DescribeTagsResponse(marker=request.marker, tags=tag_list(dict(shown)), next_marker=marker)


async def _tags(efs: Efs, call: Call, id: str) -> Tags:
    if short(id).startswith("fsap-"):
        return (await efs.access_point(call, id)).tags
    return (await efs.file_system(call, id)).tags


async def _change(efs: Efs, call: Call, id: str, change: Callable[[Tags], Tags]) -> None:
    place = place_of(call)
    if short(id).startswith("fsap-"):
        await efs.store.edit_access_point(place, short(id), lambda one: replace(one, tags=change(one.tags)))
    else:
        await efs.store.edit_file_system(place, short(id), lambda one: replace(one, tags=change(one.tags)))


def _added(tags: Tags) -> Callable[[Tags], Tags]:
    def change(before: Tags) -> Tags:
        together = {**before, **tags}
        if len(together) > _MOST:
            raise bad_request(f"A resource can have {_MOST} tags at most.")
        return together

    return change


def _removed(keys: list[str]) -> Callable[[Tags], Tags]:
    return lambda before: {key: value for key, value in before.items() if key not in keys}

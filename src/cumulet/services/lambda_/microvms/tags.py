"""Tags of images."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from cumulet.api import lambda_microvms as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.microvms.checks import check_tags
from cumulet.services.lambda_.microvms.errors import no_image
from cumulet.services.lambda_.microvms.names import ImageKey, key_of
from cumulet.services.lambda_.microvms.state import Microvms


async def tag_resource(service: Microvms, call: Call, request: api.TagResourceRequest) -> None:
    await _retag(service, call, request.resource, lambda tags: tags | request.tags)


async def untag_resource(service: Microvms, call: Call, request: api.UntagResourceRequest) -> None:
    gone = frozenset(request.tag_keys)
    await _retag(service, call, request.resource, lambda tags: {one: tags[one] for one in tags if one not in gone})


async def list_tags(service: Microvms, call: Call, request: api.ListTagsRequest) -> api.ListTagsResponse:
    return api.ListTagsResponse(tags=(await service.image(_own(call, request.resource))).tags)


async def _retag(service: Microvms, call: Call, arn: str, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
    key = _own(call, arn)
    async with service.db.transaction() as tx:
        image = await service.image(key, tx)
        tags = change(image.tags)
        check_tags(tags, service.limits)
        await service.store.put_image(tx, key, replace(image, tags=tags))


def _own(call: Call, arn: str) -> ImageKey:
    key = key_of(call, arn)
    if key.account != call.account:
        raise no_image(arn)
    return key

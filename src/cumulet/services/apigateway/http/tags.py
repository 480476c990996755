"""Operations on tags of APIs, stages, VPC links and portals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.http.errors import bad
from cumulet.services.apigateway.http.state import HttpApis, place_of
from cumulet.services.apigateway.http.store import STAGE, VPC_LINK
from cumulet.storage.database import Transaction

_ARN = re.compile(r"arn:aws[a-z-]*:apigateway:(?P<region>[a-z0-9-]+):\d*:/(?P<path>.+)")
_MOST = 50


async def get_tags(http: HttpApis, call: Call, request: api.GetTagsRequest) -> api.GetTagsResponse:
    async with http.db.transaction() as tx:
        return api.GetTagsResponse(tags=await _change(http, tx, call, request.resource_arn, {}, ()))


async def tag_resource(http: HttpApis, call: Call, request: api.TagResourceRequest) -> api.TagResourceResponse:
    async with http.db.transaction() as tx:
        await _change(http, tx, call, request.resource_arn, request.tags or {}, ())
    return api.TagResourceResponse()


async def untag_resource(http: HttpApis, call: Call, request: api.UntagResourceRequest) -> None:
    async with http.db.transaction() as tx:
        await _change(http, tx, call, request.resource_arn, {}, tuple(request.tag_keys))


def check_tags(tags: Mapping[str, str] | None) -> None:
    """AWS's limits on tags; raises BadRequestException."""
    if tags is None:
        return
    if len(tags) > _MOST:
        raise bad(f"Too many tags: a resource has at most {_MOST}.")
    for key, value in tags.items():
        if not 1 <= len(key) <= 128 or key.lower().startswith("aws:"):
            raise bad("Tag keys must be between 1 and 128 characters in length, and must not start with aws:")
        if len(value) > 256:
            raise bad("Tag values cannot be longer than 256 characters.")


async def _change(
    http: HttpApis, tx: Transaction, call: Call, arn: str, added: Mapping[str, str], removed: tuple[str, ...]
) -> dict[str, str]:
    """The tags of what an ARN names, after a change. Raises NotFoundException and BadRequestException."""
    match = _ARN.fullmatch(unquote(arn))
    if match is None or match["region"] != call.region:
        raise bad(f"Invalid ARN specified in the request: {arn}")
    parts = match["path"].split("/")

    def tags_of(item: api.Api | api.Stage | api.VpcLink) -> dict[str, str]:
        item.tags = {key: value for key, value in {**(item.tags or {}), **added}.items() if key not in removed}
        check_tags(item.tags)
        return item.tags

    changes = bool(added or removed)
    if parts[0] == "apis" and len(parts) == 2:
        item = await http.api(call, parts[1], tx)
        tags = tags_of(item)
        if changes:
            await http.apis.put(tx, item)
        return tags
    if parts[0] == "apis" and len(parts) == 4 and parts[2] == "stages":
        await http.api(call, parts[1], tx)
        stage = await http.part(parts[1], STAGE, parts[3], within=tx)
        tags = tags_of(stage)
        if changes:
            await http.parts.put(tx, parts[1], STAGE, stage)
        return tags
    if parts[0] == "vpclinks" and len(parts) == 2:
        link = await http.part(place_of(call), VPC_LINK, parts[1], within=tx)
        tags = tags_of(link)
        if changes:
            await http.parts.put(tx, place_of(call), VPC_LINK, link)
        return tags
    raise bad(f"Invalid ARN specified in the request: {arn}")

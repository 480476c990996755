"""Operations on tags of APIs, stages, VPC links and portals."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.domains.hosts import key_of
from cumulet.services.apigateway.http.errors import bad, missing
from cumulet.services.apigateway.http.portals.kinds import PORTAL, PRODUCT
from cumulet.services.apigateway.http.state import HttpApis, place_of
from cumulet.services.apigateway.http.store import STAGE, VPC_LINK, Kind
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
    found = None
    if match is not None and match["region"] == call.region:
        found = await _tagged(http, tx, call, match["path"].split("/"))
    if found is None:
        raise bad(f"Invalid ARN specified in the request: {arn}")
    item, put = found
    tags = {key: value for key, value in {**(item.tags or {}), **added}.items() if key not in removed}
    if added or removed:
        check_tags(tags)
        item.tags = tags
        await put()
    return tags


async def _tagged(
    http: HttpApis, tx: Transaction, call: Call, parts: list[str]
) -> tuple[Any, Callable[[], Awaitable[None]]] | None:
    """What has tags at a path of an ARN, and what keeps it when it is changed; None for a path of nothing."""
    match parts:
        case ["apis", id]:
            item = await http.api(call, id, tx)
            return item, lambda: http.apis.put(tx, item)
        case ["apis", id, "stages", name]:
            await http.api(call, id, tx)
            stage = await http.part(id, STAGE, name, within=tx)
            return stage, lambda: http.parts.put(tx, id, STAGE, stage)
        case ["vpclinks", id]:
            link = await http.part(place_of(call), VPC_LINK, id, within=tx)
            return link, lambda: http.parts.put(tx, place_of(call), VPC_LINK, link)
        case ["domainnames", id]:
            domain = await http.domains.store.get(key_of(call.region, *_name_and_id(id)), tx)
            if domain is None or domain.account != call.account:
                raise missing("DomainName", id)
            return domain.body, lambda: http.domains.store.put(tx, domain)
        case ["portals" | "portalproducts" as name, id]:
            kind: Kind[Any] = PORTAL if name == "portals" else PRODUCT
            held = await http.part(place_of(call), kind, id, within=tx)
            return held, lambda: http.parts.put(tx, place_of(call), kind, held)
    return None


def _name_and_id(text: str) -> tuple[str, str | None]:
    name, _, id = text.partition("+")
    return name, id or None

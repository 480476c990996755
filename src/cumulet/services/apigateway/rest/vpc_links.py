"""VPC links: ways to private load balancers. Here a link is there at once, and leads to the address that its integration names."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, limit_exceeded, not_found
from cumulet.services.apigateway.rest.apis.fresh import part_id
from cumulet.services.apigateway.rest.pages import page
from cumulet.services.apigateway.rest.patch import Rules, value
from cumulet.services.apigateway.state import ApiGateway
from cumulet.services.apigateway.tags import check_tags
from cumulet.storage.database import Transaction

_RULES = Rules({"/name": value("name"), "/description": value("description")}, listing=True)
_READY = "Your vpc link is ready for use"


async def create_vpc_link(gateway: ApiGateway, call: Call, request: api.CreateVpcLinkRequest) -> api.VpcLink:
    if not request.name:
        raise bad_request("Name cannot be empty")
    for arn in request.target_arns:
        try:
            Arn.parse(arn)
        except ValueError:
            raise bad_request(f"Invalid ARN. ARN is not well formed {arn}") from None
    if len(request.target_arns) != 1:
        raise bad_request("A vpc link has exactly one target ARN")
    check_tags(request.tags, gateway.limits)
    link = api.VpcLink(
        id=part_id(),
        name=request.name,
        description=request.description,
        target_arns=request.target_arns,
        status="AVAILABLE",
        status_message=_READY,
        tags=request.tags or None,
    )
    async with gateway.db.transaction() as tx:
        if await gateway.vpc_links.count(call.account, call.region, tx) >= gateway.limits.vpc_links:
            raise limit_exceeded(
                "Maximum number of vpc links for this account has been reached. Please contact AWS if you need more."
            )
        await gateway.vpc_links.put(tx, call.account, call.region, link.id or "", link)
    return replace(link, status="PENDING", status_message=None)


async def get_vpc_link(gateway: ApiGateway, call: Call, request: api.GetVpcLinkRequest) -> api.VpcLink:
    return _shown(await _need(gateway, call, request.vpc_link_id))


async def get_vpc_links(gateway: ApiGateway, call: Call, request: api.GetVpcLinksRequest) -> api.VpcLinks:
    found, position = await page(
        lambda after, limit: gateway.vpc_links.page(call.account, call.region, after, limit),
        lambda link: link.id,
        request.position,
        request.limit,
    )
    return api.VpcLinks(items=found, position=position)


async def update_vpc_link(gateway: ApiGateway, call: Call, request: api.UpdateVpcLinkRequest) -> api.VpcLink:
    async with gateway.db.transaction() as tx:
        link = await _need(gateway, call, request.vpc_link_id, tx)
        _RULES.apply(link, request.patch_operations)
        if not link.name:
            raise bad_request("Name cannot be empty")
        await gateway.vpc_links.put(tx, call.account, call.region, request.vpc_link_id, link)
    return _shown(link)


async def delete_vpc_link(gateway: ApiGateway, call: Call, request: api.DeleteVpcLinkRequest) -> None:
    async with gateway.db.transaction() as tx:
        await _need(gateway, call, request.vpc_link_id, tx)
        await gateway.vpc_links.delete(tx, call.account, call.region, request.vpc_link_id)


def _shown(link: api.VpcLink) -> api.VpcLink:
    return link if link.tags is not None else replace(link, tags={})


async def _need(gateway: ApiGateway, call: Call, id: str, within: Transaction | None = None) -> api.VpcLink:
    link = await gateway.vpc_links.get(call.account, call.region, id, within)
    if link is None:
        raise not_found("Invalid Vpc Link identifier specified")
    return link

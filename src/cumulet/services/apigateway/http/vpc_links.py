"""Operations on VPC links. This machine has no VPCs: a link is what integrations name, and its subnets are not looked at."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http.errors import bad
from cumulet.services.apigateway.http.model import copied
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.state import HttpApis, place_of
from cumulet.services.apigateway.http.store import VPC_LINK
from cumulet.services.apigateway.http.tags import check_tags


async def create_vpc_link(http: HttpApis, call: Call, request: api.CreateVpcLinkRequest) -> api.CreateVpcLinkResponse:
    if not 1 <= len(request.name) <= 128:
        raise bad("Name must be between 1 and 128 characters.")
    if not request.subnet_ids:
        raise bad("At least one subnet is required for a VPC link")
    check_tags(request.tags)
    link = copied(
        api.VpcLink,
        request,
        created_date=http.clock.now(),
        security_group_ids=request.security_group_ids or [],
        tags=request.tags or {},
        vpc_link_id=short_id(6),
        vpc_link_status="AVAILABLE",
        vpc_link_status_message="VPC link is ready to route traffic",
        vpc_link_version="V2",
    )
    async with http.db.transaction() as tx:
        await http.parts.put(tx, place_of(call), VPC_LINK, link)
    pending = "VPC link is provisioning ENIs"
    return copied(api.CreateVpcLinkResponse, replace(link, vpc_link_status="PENDING", vpc_link_status_message=pending))


async def get_vpc_link(http: HttpApis, call: Call, request: api.GetVpcLinkRequest) -> api.GetVpcLinkResponse:
    return copied(api.GetVpcLinkResponse, await http.part(place_of(call), VPC_LINK, request.vpc_link_id))


async def get_vpc_links(http: HttpApis, call: Call, request: api.GetVpcLinksRequest) -> api.GetVpcLinksResponse:
    items, token = await page(
        lambda after, limit: http.parts.page(place_of(call), VPC_LINK, "", after, limit),
        VPC_LINK.id_of,
        request.max_results,
        request.next_token,
    )
    return api.GetVpcLinksResponse(items=items, next_token=token)


async def update_vpc_link(http: HttpApis, call: Call, request: api.UpdateVpcLinkRequest) -> api.UpdateVpcLinkResponse:
    async with http.db.transaction() as tx:
        link = await http.part(place_of(call), VPC_LINK, request.vpc_link_id, within=tx)
        link.name = request.name or link.name
        await http.parts.put(tx, place_of(call), VPC_LINK, link)
    return copied(api.UpdateVpcLinkResponse, link)


async def delete_vpc_link(http: HttpApis, call: Call, request: api.DeleteVpcLinkRequest) -> api.DeleteVpcLinkResponse:
    async with http.db.transaction() as tx:
        await http.part(place_of(call), VPC_LINK, request.vpc_link_id, within=tx)
        await http.parts.delete(tx, place_of(call), VPC_LINK, request.vpc_link_id)
    return api.DeleteVpcLinkResponse()

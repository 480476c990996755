"""Operations on portals; publishing.py makes web sites of them."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http.errors import bad, conflict
from cumulet.services.apigateway.http.model import copied, updated
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.portals import logos
from cumulet.services.apigateway.http.portals.kinds import PORTAL, PRODUCT, arn
from cumulet.services.apigateway.http.state import HttpApis, place_of
from cumulet.services.apigateway.http.tags import check_tags
from cumulet.storage.database import Transaction

_ZONE = "Z1UJRXOUMOOFQ8"


async def create_portal(http: HttpApis, call: Call, request: api.CreatePortalRequest) -> api.CreatePortalResponse:
    check_tags(request.tags)
    id = short_id()
    logo = await logos.read(http.calls, call, request.logo_uri) if request.logo_uri else None
    portal = copied(
        api.GetPortalResponse,
        request,
        endpoint_configuration=_endpoint(call, id, request.endpoint_configuration),
        included_portal_product_arns=request.included_portal_product_arns or [],
        last_modified=http.clock.now(),
        portal_arn=arn(call, f"portals/{id}"),
        portal_id=id,
        publish_status="DISABLED",
        tags=request.tags or {},
    )
    _uploaded(portal, http.clock.now() if logo is not None else None)
    async with http.db.transaction() as tx:
        await _check(http, call, tx, portal)
        await logos.keep(tx, id, logo)
        await http.parts.put(tx, place_of(call), PORTAL, portal)
    return copied(api.CreatePortalResponse, portal)


async def get_portal(http: HttpApis, call: Call, request: api.GetPortalRequest) -> api.GetPortalResponse:
    return await http.part(place_of(call), PORTAL, request.portal_id)


async def list_portals(http: HttpApis, call: Call, request: api.ListPortalsRequest) -> api.ListPortalsResponse:
    items, token = await page(
        lambda after, limit: http.parts.page(place_of(call), PORTAL, "", after, limit),
        PORTAL.id_of,
        request.max_results,
        request.next_token,
    )
    return api.ListPortalsResponse(items=[copied(api.PortalSummary, item) for item in items], next_token=token)


async def update_portal(http: HttpApis, call: Call, request: api.UpdatePortalRequest) -> api.UpdatePortalResponse:
    uri, now = request.logo_uri, http.clock.now()
    logo = await logos.read(http.calls, call, uri) if uri else None
    async with http.db.transaction() as tx:
        before = await http.part(place_of(call), PORTAL, request.portal_id, within=tx)
        endpoint = before.endpoint_configuration
        if request.endpoint_configuration is not None:
            endpoint = _endpoint(call, request.portal_id, request.endpoint_configuration)
        portal = updated(before, request, endpoint_configuration=endpoint, last_modified=now)
        await _check(http, call, tx, portal)
        if uri is None:
            _uploaded(portal, _last_uploaded(before))
        else:
            _uploaded(portal, now if logo is not None else None)
            await logos.keep(tx, request.portal_id, logo)
        await http.parts.put(tx, place_of(call), PORTAL, portal)
    return copied(api.UpdatePortalResponse, portal)


async def delete_portal(http: HttpApis, call: Call, request: api.DeletePortalRequest) -> None:
    async with http.db.transaction() as tx:
        portal = await http.part(place_of(call), PORTAL, request.portal_id, within=tx)
        if portal.publish_status != "DISABLED":
            raise conflict("The portal is published. Disable it before you delete it.")
        await http.publications.delete(tx, request.portal_id, previews=True)
        await logos.keep(tx, request.portal_id, None)
        await http.parts.delete(tx, place_of(call), PORTAL, request.portal_id)


def _last_uploaded(portal: api.GetPortalResponse) -> float | None:
    return portal.portal_content.theme.logo_last_uploaded if portal.portal_content is not None else None


def _uploaded(portal: api.GetPortalResponse, moment: float | None) -> None:
    """Say since when a portal has its logo, which is the service's to say."""
    if portal.portal_content is not None:
        theme = replace(portal.portal_content.theme, logo_last_uploaded=moment)
        portal.portal_content = replace(portal.portal_content, theme=theme)


async def _check(http: HttpApis, call: Call, tx: Transaction, portal: api.GetPortalResponse) -> None:
    """That the products that a portal shows are there. Raises BadRequestException."""
    known = {product.portal_product_arn for product in await http.parts.page(place_of(call), PRODUCT, within=tx)}
    for product in portal.included_portal_product_arns or []:
        if product not in known:
            raise bad(f"Invalid portal product ARN specified: {product}")


def _endpoint(call: Call, id: str, given: api.EndpointConfigurationRequest) -> api.EndpointConfigurationResponse:
    managed = given.acm_managed
    if managed is None and given.none is None:
        raise bad("An endpoint configuration is required: acmManaged or none")
    return api.EndpointConfigurationResponse(
        certificate_arn=managed.certificate_arn if managed is not None else None,
        domain_name=managed.domain_name if managed is not None else None,
        portal_default_domain_name=f"p-{id}.apigw-portal.{call.region}.on.aws",
        portal_domain_hosted_zone_id=_ZONE,
    )

"""Publishing portals: what their visitors see is what they were when they were published.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-portals-publish-portal.html
"""

from __future__ import annotations

import re
import secrets

import msgspec
from msgspec.structs import asdict

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.apigateway.http.errors import conflict
from cumulet.services.apigateway.http.portals.kinds import ENDPOINT_PAGE, PAGE, PORTAL, PRODUCT
from cumulet.services.apigateway.http.portals.logos import kept
from cumulet.services.apigateway.http.portals.publications import (
    FOREVER,
    Endpoint,
    Product,
    Section,
    Site,
    Text,
)
from cumulet.services.apigateway.http.state import HttpApis, place_of
from cumulet.services.apigateway.rest.parts import DOCUMENTATION
from cumulet.services.apigateway.rest.parts import PartStore as RestParts
from cumulet.storage.database import Transaction

PREVIEW_SECONDS = 3_600.0
PATH = "/_aws/portals/"
_COLOR = re.compile(r"#[0-9a-fA-F]{3,8}|[a-zA-Z]{3,30}|rgba?\([0-9., %]{5,40}\)")


async def publish_portal(http: HttpApis, call: Call, request: api.PublishPortalRequest) -> api.PublishPortalResponse:
    """Raises ConflictException for a domain name at which another portal is."""
    async with http.db.transaction() as tx:
        portal = await http.part(place_of(call), PORTAL, request.portal_id, within=tx)
        site = await _site(http, call, tx, portal)
        portal.publish_status = "PUBLISHED"
        portal.last_published = http.clock.now()
        portal.last_published_description = request.description
        await http.parts.put(tx, place_of(call), PORTAL, portal)
        endpoint = portal.endpoint_configuration
        domain = (endpoint.domain_name or "").lower() if endpoint is not None else ""
        if await http.publications.holder(tx, domain) not in ("", request.portal_id):
            raise conflict(f"The domain name {domain} is another published portal's.")
        await http.publications.put(tx, request.portal_id, request.portal_id, site, domain=domain, expires=FOREVER)
    return api.PublishPortalResponse()


async def disable_portal(http: HttpApis, call: Call, request: api.DisablePortalRequest) -> None:
    async with http.db.transaction() as tx:
        portal = await http.part(place_of(call), PORTAL, request.portal_id, within=tx)
        portal.publish_status = "DISABLED"
        await http.parts.put(tx, place_of(call), PORTAL, portal)
        await http.publications.delete(tx, request.portal_id, previews=False)


async def preview_portal(http: HttpApis, call: Call, request: api.PreviewPortalRequest) -> api.PreviewPortalResponse:
    """At an address of its own for an hour. As on AWS its pages cannot try methods."""
    name = f"{request.portal_id}-{secrets.token_hex(16)}"
    async with http.db.transaction() as tx:
        portal = await http.part(place_of(call), PORTAL, request.portal_id, within=tx)
        site = await _site(http, call, tx, portal, tried=False)
        portal.preview = api.Preview(preview_status="PREVIEW_READY", preview_url=f"{call.endpoint}{PATH}{name}/")
        await http.parts.put(tx, place_of(call), PORTAL, portal)
        await http.publications.delete(tx, request.portal_id, previews=True)
        expires = http.clock.now() + PREVIEW_SECONDS
        await http.publications.put(tx, name, request.portal_id, site, domain="", expires=expires)
    return api.PreviewPortalResponse()


async def _site(
    http: HttpApis, call: Call, tx: Transaction, portal: api.GetPortalResponse, *, tried: bool = True
) -> Site:
    """Raises NotImplementedHere for portals whose visitors sign in with Cognito."""
    if portal.authorization is not None and portal.authorization.cognito_config is not None:
        raise NotImplementedHere(
            "Portals with Cognito are not implemented in Cumulet's apigatewayv2 yet, as there is no Cognito to sign in with:"
            " publish it without authorization. See docs/services/apigateway.md."
        )
    content = portal.portal_content
    assert content is not None
    found = {one.portal_product_arn: one for one in await http.parts.page(place_of(call), PRODUCT, within=tx)}
    wanted = [found[arn] for arn in portal.included_portal_product_arns or [] if arn in found]
    given = asdict(content.theme.custom_colors)
    return Site(
        name=content.display_name,
        description=content.description or "",
        colors={name: color for name, color in given.items() if isinstance(color, str) and _COLOR.fullmatch(color)},
        products=[await _product(http, call, tx, one, tried) for one in wanted],
        logo=await kept(tx, portal.portal_id or ""),
    )


async def _product(
    http: HttpApis, call: Call, tx: Transaction, product: api.GetPortalProductResponse, tried: bool
) -> Product:
    scope, id = place_of(call), product.portal_product_id or ""
    order = product.display_order or api.DisplayOrder()
    pages = {one.product_page_arn or "": one for one in await http.parts.page(scope, PAGE, id, within=tx)}
    ends = {
        one.product_rest_endpoint_page_arn or "": one
        for one in await http.parts.page(scope, ENDPOINT_PAGE, id, within=tx)
    }
    first = [arn for arn in [order.overview_page_arn or "", *(order.product_page_arns or [])] if arn in pages]
    texts = [_text(pages[arn]) for arn in dict.fromkeys([*first, *pages])]
    sections, left = [], dict(ends)
    for section in order.contents or []:
        arns = [arn for arn in section.product_rest_endpoint_page_arns if left.pop(arn, None) is not None]
        endpoints = [await _endpoint(http, tx, ends[arn], tried) for arn in arns]
        sections.append(Section(section.section_name, endpoints))
    if left:
        sections.append(Section("", [await _endpoint(http, tx, one, tried) for one in left.values()]))
    return Product(id, product.display_name or "", product.description or "", texts, sections)


def _text(page: api.GetProductPageResponse) -> Text:
    content = page.display_content
    return Text(page.product_page_id or "", content.title if content else "", content.body if content else "")


async def _endpoint(
    http: HttpApis, tx: Transaction, page: api.GetProductRestEndpointPageResponse, tried: bool
) -> Endpoint:
    shown, identifier = page.display_content, page.rest_endpoint_identifier
    parts = identifier.identifier_parts if identifier is not None else None
    assert shown is not None
    assert parts is not None
    return Endpoint(
        id=page.product_rest_endpoint_page_id or "",
        title=shown.operation_name or f"{parts.method} {parts.path}",
        verb=parts.method,
        url=shown.endpoint,
        body=shown.body or await _documented(http, tx, parts),
        tried=tried and page.try_it_state == "ENABLED",
    )


async def _documented(http: HttpApis, tx: Transaction, parts: api.IdentifierParts) -> str:
    """What the API's own documentation says of a method."""
    for part in await RestParts(http.db).list(parts.rest_api_id, DOCUMENTATION, within=tx):
        place = part.location
        if place is None or (place.type, place.path or "/", place.method) != ("METHOD", parts.path, parts.method):
            continue
        try:
            properties = msgspec.json.decode(part.properties or "{}")
        except msgspec.DecodeError:
            continue
        if isinstance(properties, dict):
            return "\n\n".join(str(properties[name]) for name in ("summary", "description") if properties.get(name))
    return ""

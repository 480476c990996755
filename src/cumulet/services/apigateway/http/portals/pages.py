"""Operations on pages of portal products: texts, and descriptions of REST APIs' methods."""

from __future__ import annotations

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http.errors import bad
from cumulet.services.apigateway.http.model import copied, endpoint_of, one_of
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.portals.kinds import ENDPOINT_PAGE, PAGE, PRODUCT, arn
from cumulet.services.apigateway.http.state import HttpApis, place_of
from cumulet.storage.database import Transaction

_LARGEST = 32_768


async def create_product_page(
    http: HttpApis, call: Call, request: api.CreateProductPageRequest
) -> api.CreateProductPageResponse:
    product, id = request.portal_product_id, short_id()
    _check(request.display_content)
    made = api.GetProductPageResponse(
        display_content=request.display_content,
        last_modified=http.clock.now(),
        product_page_arn=arn(call, f"portalproducts/{product}/productpages/{id}"),
        product_page_id=id,
    )
    async with http.db.transaction() as tx:
        await http.part(place_of(call), PRODUCT, product, within=tx)
        await http.parts.put(tx, place_of(call), PAGE, made, product)
    return copied(api.CreateProductPageResponse, made)


async def get_product_page(
    http: HttpApis, call: Call, request: api.GetProductPageRequest
) -> api.GetProductPageResponse:
    return await http.part(place_of(call), PAGE, request.product_page_id, request.portal_product_id)


async def list_product_pages(
    http: HttpApis, call: Call, request: api.ListProductPagesRequest
) -> api.ListProductPagesResponse:
    product = request.portal_product_id
    await http.part(place_of(call), PRODUCT, product)
    items, token = await page(
        lambda after, limit: http.parts.page(place_of(call), PAGE, product, after, limit),
        PAGE.id_of,
        request.max_results,
        request.next_token,
    )
    shown = [
        copied(
            api.ProductPageSummaryNoBody, item, page_title=item.display_content.title if item.display_content else ""
        )
        for item in items
    ]
    return api.ListProductPagesResponse(items=shown, next_token=token)


async def update_product_page(
    http: HttpApis, call: Call, request: api.UpdateProductPageRequest
) -> api.UpdateProductPageResponse:
    async with http.db.transaction() as tx:
        held = await http.part(place_of(call), PAGE, request.product_page_id, request.portal_product_id, tx)
        if request.display_content is not None:
            _check(request.display_content)
            held.display_content = request.display_content
        held.last_modified = http.clock.now()
        await http.parts.put(tx, place_of(call), PAGE, held, request.portal_product_id)
    return copied(api.UpdateProductPageResponse, held)


async def delete_product_page(http: HttpApis, call: Call, request: api.DeleteProductPageRequest) -> None:
    place = (request.product_page_id, request.portal_product_id)
    async with http.db.transaction() as tx:
        await http.part(place_of(call), PAGE, *place, tx)
        await http.parts.delete(tx, place_of(call), PAGE, *place)


async def create_product_rest_endpoint_page(
    http: HttpApis, call: Call, request: api.CreateProductRestEndpointPageRequest
) -> api.CreateProductRestEndpointPageResponse:
    one_of("try it state", request.try_it_state, ("ENABLED", "DISABLED"))
    product, id = request.portal_product_id, short_id()
    async with http.db.transaction() as tx:
        await http.part(place_of(call), PRODUCT, product, within=tx)
        parts = await _method(http, call, tx, request.rest_endpoint_identifier)
        made = api.GetProductRestEndpointPageResponse(
            display_content=_shown(call, parts, request.display_content),
            last_modified=http.clock.now(),
            product_rest_endpoint_page_arn=arn(call, f"portalproducts/{product}/productrestendpointpages/{id}"),
            product_rest_endpoint_page_id=id,
            rest_endpoint_identifier=request.rest_endpoint_identifier,
            status="AVAILABLE",
            try_it_state=request.try_it_state or "ENABLED",
        )
        await http.parts.put(tx, place_of(call), ENDPOINT_PAGE, made, product)
    return copied(api.CreateProductRestEndpointPageResponse, made)


async def get_product_rest_endpoint_page(
    http: HttpApis, call: Call, request: api.GetProductRestEndpointPageRequest
) -> api.GetProductRestEndpointPageResponse:
    return await http.part(
        place_of(call), ENDPOINT_PAGE, request.product_rest_endpoint_page_id, request.portal_product_id
    )


async def list_product_rest_endpoint_pages(
    http: HttpApis, call: Call, request: api.ListProductRestEndpointPagesRequest
) -> api.ListProductRestEndpointPagesResponse:
    product = request.portal_product_id
    await http.part(place_of(call), PRODUCT, product)
    items, token = await page(
        lambda after, limit: http.parts.page(place_of(call), ENDPOINT_PAGE, product, after, limit),
        ENDPOINT_PAGE.id_of,
        request.max_results,
        request.next_token,
    )
    shown = [
        copied(
            api.ProductRestEndpointPageSummaryNoBody,
            item,
            endpoint=item.display_content.endpoint if item.display_content else "",
            operation_name=item.display_content.operation_name if item.display_content else None,
        )
        for item in items
    ]
    return api.ListProductRestEndpointPagesResponse(items=shown, next_token=token)


async def update_product_rest_endpoint_page(
    http: HttpApis, call: Call, request: api.UpdateProductRestEndpointPageRequest
) -> api.UpdateProductRestEndpointPageResponse:
    one_of("try it state", request.try_it_state, ("ENABLED", "DISABLED"))
    place = (request.product_rest_endpoint_page_id, request.portal_product_id)
    async with http.db.transaction() as tx:
        held = await http.part(place_of(call), ENDPOINT_PAGE, *place, tx)
        if request.display_content is not None:
            identifier = held.rest_endpoint_identifier
            assert identifier is not None
            assert identifier.identifier_parts is not None
            held.display_content = _shown(call, identifier.identifier_parts, request.display_content)
        held.try_it_state = request.try_it_state or held.try_it_state
        held.last_modified = http.clock.now()
        await http.parts.put(tx, place_of(call), ENDPOINT_PAGE, held, request.portal_product_id)
    return copied(api.UpdateProductRestEndpointPageResponse, held)


async def delete_product_rest_endpoint_page(
    http: HttpApis, call: Call, request: api.DeleteProductRestEndpointPageRequest
) -> None:
    place = (request.product_rest_endpoint_page_id, request.portal_product_id)
    async with http.db.transaction() as tx:
        await http.part(place_of(call), ENDPOINT_PAGE, *place, tx)
        await http.parts.delete(tx, place_of(call), ENDPOINT_PAGE, *place)


def _check(content: api.DisplayContent) -> None:
    if not 1 <= len(content.title) <= 255:
        raise bad("A page's title must be between 1 and 255 characters.")
    if len(content.body) > _LARGEST:
        raise bad(f"A page's body cannot be longer than {_LARGEST} characters.")


async def _method(
    http: HttpApis, call: Call, tx: Transaction, identifier: api.RestEndpointIdentifier
) -> api.IdentifierParts:
    """The method that a page is about, of a stage of a REST API. Raises BadRequestException."""
    parts = identifier.identifier_parts
    if parts is None:
        raise bad("A REST endpoint identifier is required")
    if not await http.rest_apis.owned(call.account, call.region, parts.rest_api_id, tx):
        raise bad("Invalid REST API identifier specified")
    if await http.rest_stages.get(parts.rest_api_id, parts.stage, tx) is None:
        raise bad("Invalid stage identifier specified")
    return parts


def _shown(
    call: Call, parts: api.IdentifierParts, content: api.EndpointDisplayContent | None
) -> api.EndpointDisplayContentResponse:
    """What a page shows: what is given, else where the method is called."""
    given = (
        content.overrides if content is not None and content.overrides is not None else api.DisplayContentOverrides()
    )
    return api.EndpointDisplayContentResponse(
        body=given.body,
        endpoint=given.endpoint
        or f"{endpoint_of(parts.rest_api_id, call.region, 'HTTP', call.endpoint)}/{parts.stage}{parts.path}",
        operation_name=given.operation_name,
    )

"""Operations on portal products, and on who may use them."""

from __future__ import annotations

import msgspec

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http.errors import bad
from cumulet.services.apigateway.http.model import copied, updated
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.portals.kinds import ENDPOINT_PAGE, PAGE, PRODUCT, SHARING, arn
from cumulet.services.apigateway.http.state import HttpApis, place_of
from cumulet.services.apigateway.http.tags import check_tags


async def create_portal_product(
    http: HttpApis, call: Call, request: api.CreatePortalProductRequest
) -> api.CreatePortalProductResponse:
    check_tags(request.tags)
    _check(request.display_name, request.description)
    id = short_id()
    product = copied(
        api.GetPortalProductResponse,
        request,
        last_modified=http.clock.now(),
        portal_product_arn=arn(call, f"portalproducts/{id}"),
        portal_product_id=id,
        tags=request.tags or {},
    )
    async with http.db.transaction() as tx:
        await http.parts.put(tx, place_of(call), PRODUCT, product)
    return copied(api.CreatePortalProductResponse, product)


async def get_portal_product(
    http: HttpApis, call: Call, request: api.GetPortalProductRequest
) -> api.GetPortalProductResponse:
    return await http.part(place_of(call), PRODUCT, request.portal_product_id)


async def list_portal_products(
    http: HttpApis, call: Call, request: api.ListPortalProductsRequest
) -> api.ListPortalProductsResponse:
    items, token = await page(
        lambda after, limit: http.parts.page(place_of(call), PRODUCT, "", after, limit),
        PRODUCT.id_of,
        request.max_results,
        request.next_token,
    )
    shown = [copied(api.PortalProductSummary, item, description=item.description or "") for item in items]
    return api.ListPortalProductsResponse(items=shown, next_token=token)


async def update_portal_product(
    http: HttpApis, call: Call, request: api.UpdatePortalProductRequest
) -> api.UpdatePortalProductResponse:
    async with http.db.transaction() as tx:
        before = await http.part(place_of(call), PRODUCT, request.portal_product_id, within=tx)
        product = updated(before, request, last_modified=http.clock.now())
        _check(product.display_name, product.description)
        await http.parts.put(tx, place_of(call), PRODUCT, product)
    return copied(api.UpdatePortalProductResponse, product)


async def delete_portal_product(http: HttpApis, call: Call, request: api.DeletePortalProductRequest) -> None:
    scope, id = place_of(call), request.portal_product_id
    async with http.db.transaction() as tx:
        await http.part(scope, PRODUCT, id, within=tx)
        await http.parts.delete(tx, scope, PRODUCT, id)
        await http.parts.delete(tx, scope, SHARING, id)
        for kind in (PAGE, ENDPOINT_PAGE):
            await http.parts.delete_below(tx, scope, kind, id)


async def put_portal_product_sharing_policy(
    http: HttpApis, call: Call, request: api.PutPortalProductSharingPolicyRequest
) -> api.PutPortalProductSharingPolicyResponse:
    try:
        document = msgspec.json.decode(request.policy_document)
    except (msgspec.DecodeError, RecursionError):
        document = None
    if not isinstance(document, dict) or "Statement" not in document:
        raise bad("The policy document is not valid")
    async with http.db.transaction() as tx:
        await http.part(place_of(call), PRODUCT, request.portal_product_id, within=tx)
        policy = copied(api.GetPortalProductSharingPolicyResponse, request)
        await http.parts.put(tx, place_of(call), SHARING, policy)
    return api.PutPortalProductSharingPolicyResponse()


async def get_portal_product_sharing_policy(
    http: HttpApis, call: Call, request: api.GetPortalProductSharingPolicyRequest
) -> api.GetPortalProductSharingPolicyResponse:
    return await http.part(place_of(call), SHARING, request.portal_product_id)


async def delete_portal_product_sharing_policy(
    http: HttpApis, call: Call, request: api.DeletePortalProductSharingPolicyRequest
) -> None:
    async with http.db.transaction() as tx:
        await http.part(place_of(call), SHARING, request.portal_product_id, within=tx)
        await http.parts.delete(tx, place_of(call), SHARING, request.portal_product_id)


def _check(name: str | None, description: str | None) -> None:
    if not 1 <= len(name or "") <= 255:
        raise bad("Display name must be between 1 and 255 characters.")
    if len(description or "") > 1024:
        raise bad("Description cannot be longer than 1024 characters.")

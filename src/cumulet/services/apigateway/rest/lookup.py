"""Finding the parts of a caller's API, with AWS's words for those that are not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import not_found
from cumulet.services.apigateway.rest.parts import RESOURCE
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Transaction

if TYPE_CHECKING:
    from cumulet.api import apigateway as api


async def need_api(gateway: ApiGateway, call: Call, api_id: str, within: Transaction | None = None) -> None:
    """Raises NotFoundException unless the caller has this API."""
    if not await gateway.rest.apis.owned(call.account, call.region, api_id, within):
        raise not_found(f"Invalid API identifier specified {call.account}:{api_id}")


async def need_resource(
    gateway: ApiGateway, call: Call, api_id: str, id: str, within: Transaction | None = None
) -> api.Resource:
    """A resource of the caller's API; one word for no such API and no such resource, as in AWS."""
    owned = await gateway.rest.apis.owned(call.account, call.region, api_id, within)
    resource = await gateway.rest.parts.get(api_id, RESOURCE, id, within) if owned else None
    if resource is None:
        raise not_found("Invalid Resource identifier specified")
    return resource


def need_method(resource: api.Resource, http_method: str) -> api.Method:
    method = (resource.resource_methods or {}).get(http_method)
    if method is None:
        raise not_found("Invalid Method identifier specified")
    return method


def need_integration(method: api.Method) -> api.Integration:
    if method.method_integration is None:
        raise not_found("Invalid Integration identifier specified")
    return method.method_integration

"""Operations on responses of routes and integrations, which WebSocket APIs have."""

from __future__ import annotations

import re

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http.errors import bad, conflict
from cumulet.services.apigateway.http.model import copied, merged, one_of, updated
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.services.apigateway.http.store import INTEGRATION, INTEGRATION_RESPONSE, ROUTE, ROUTE_RESPONSE
from cumulet.storage.database import Conflict

_KEY = re.compile(r"\$default|/.+/")
_HANDLING = ("CONVERT_TO_BINARY", "CONVERT_TO_TEXT")


async def create_route_response(
    http: HttpApis, call: Call, request: api.CreateRouteResponseRequest
) -> api.CreateRouteResponseResponse:
    async with http.change(call, request.api_id) as (tx, item):
        _only_websocket(item, "Route responses")
        await http.part(request.api_id, ROUTE, request.route_id, within=tx)
        if request.route_response_key != "$default":
            raise bad("Invalid route response key specified. Only $default is supported")
        response = copied(api.RouteResponse, request, route_response_id=short_id(6))
        try:
            await http.parts.put(tx, request.api_id, ROUTE_RESPONSE, response, request.route_id)
        except Conflict:
            raise conflict(f"RouteResponse with key {request.route_response_key} already exists") from None
    return copied(api.CreateRouteResponseResponse, response)


async def get_route_response(
    http: HttpApis, call: Call, request: api.GetRouteResponseRequest
) -> api.GetRouteResponseResponse:
    await http.api(call, request.api_id)
    found = await http.part(request.api_id, ROUTE_RESPONSE, request.route_response_id, request.route_id)
    return copied(api.GetRouteResponseResponse, found)


async def get_route_responses(
    http: HttpApis, call: Call, request: api.GetRouteResponsesRequest
) -> api.GetRouteResponsesResponse:
    await http.api(call, request.api_id)
    await http.part(request.api_id, ROUTE, request.route_id)
    items, token = await page(
        lambda after, limit: http.parts.page(request.api_id, ROUTE_RESPONSE, request.route_id, after, limit),
        ROUTE_RESPONSE.id_of,
        request.max_results,
        request.next_token,
    )
    return api.GetRouteResponsesResponse(items=items, next_token=token)


async def update_route_response(
    http: HttpApis, call: Call, request: api.UpdateRouteResponseRequest
) -> api.UpdateRouteResponseResponse:
    if request.route_response_key not in (None, "", "$default"):
        raise bad("Invalid route response key specified. Only $default is supported")
    async with http.change(call, request.api_id) as (tx, _):
        before = await http.part(request.api_id, ROUTE_RESPONSE, request.route_response_id, request.route_id, tx)
        response = updated(
            before,
            request,
            route_response_key=before.route_response_key,
            response_models=merged(before.response_models, request.response_models),
            response_parameters=merged(before.response_parameters, request.response_parameters),
        )
        await http.parts.put(tx, request.api_id, ROUTE_RESPONSE, response, request.route_id)
    return copied(api.UpdateRouteResponseResponse, response)


async def delete_route_response(http: HttpApis, call: Call, request: api.DeleteRouteResponseRequest) -> None:
    async with http.change(call, request.api_id) as (tx, _):
        await http.part(request.api_id, ROUTE_RESPONSE, request.route_response_id, request.route_id, tx)
        await http.parts.delete(tx, request.api_id, ROUTE_RESPONSE, request.route_response_id, request.route_id)


async def create_integration_response(
    http: HttpApis, call: Call, request: api.CreateIntegrationResponseRequest
) -> api.CreateIntegrationResponseResponse:
    async with http.change(call, request.api_id) as (tx, item):
        _only_websocket(item, "Integration responses")
        await http.part(request.api_id, INTEGRATION, request.integration_id, within=tx)
        response = copied(api.IntegrationResponse, request, integration_response_id=short_id(6))
        _check(response)
        try:
            await http.parts.put(tx, request.api_id, INTEGRATION_RESPONSE, response, request.integration_id)
        except Conflict:
            message = f"IntegrationResponse with key {request.integration_response_key} already exists"
            raise conflict(message) from None
    return copied(api.CreateIntegrationResponseResponse, response)


async def get_integration_response(
    http: HttpApis, call: Call, request: api.GetIntegrationResponseRequest
) -> api.GetIntegrationResponseResponse:
    await http.api(call, request.api_id)
    found = await http.part(
        request.api_id, INTEGRATION_RESPONSE, request.integration_response_id, request.integration_id
    )
    return copied(api.GetIntegrationResponseResponse, found)


async def get_integration_responses(
    http: HttpApis, call: Call, request: api.GetIntegrationResponsesRequest
) -> api.GetIntegrationResponsesResponse:
    await http.api(call, request.api_id)
    await http.part(request.api_id, INTEGRATION, request.integration_id)
    items, token = await page(
        lambda after, limit: http.parts.page(
            request.api_id, INTEGRATION_RESPONSE, request.integration_id, after, limit
        ),
        INTEGRATION_RESPONSE.id_of,
        request.max_results,
        request.next_token,
    )
    return api.GetIntegrationResponsesResponse(items=items, next_token=token)


async def update_integration_response(
    http: HttpApis, call: Call, request: api.UpdateIntegrationResponseRequest
) -> api.UpdateIntegrationResponseResponse:
    async with http.change(call, request.api_id) as (tx, _):
        before = await http.part(
            request.api_id, INTEGRATION_RESPONSE, request.integration_response_id, request.integration_id, tx
        )
        response = updated(
            before,
            request,
            integration_response_key=request.integration_response_key or before.integration_response_key,
            response_parameters=merged(before.response_parameters, request.response_parameters),
            response_templates=merged(before.response_templates, request.response_templates),
        )
        _check(response)
        try:
            await http.parts.put(tx, request.api_id, INTEGRATION_RESPONSE, response, request.integration_id)
        except Conflict:
            message = f"IntegrationResponse with key {response.integration_response_key} already exists"
            raise conflict(message) from None
    return copied(api.UpdateIntegrationResponseResponse, response)


async def delete_integration_response(
    http: HttpApis, call: Call, request: api.DeleteIntegrationResponseRequest
) -> None:
    async with http.change(call, request.api_id) as (tx, _):
        place = (request.integration_response_id, request.integration_id)
        await http.part(request.api_id, INTEGRATION_RESPONSE, *place, tx)
        await http.parts.delete(tx, request.api_id, INTEGRATION_RESPONSE, *place)


def _only_websocket(item: api.Api, what: str) -> None:
    if item.protocol_type != "WEBSOCKET":
        raise bad(f"{what} are not supported for HTTP APIs")


def _check(response: api.IntegrationResponse) -> None:
    if not _KEY.fullmatch(response.integration_response_key):
        raise bad(
            "Invalid integration response key specified. It must be $default or a regular expression such as /2\\d\\d/"
        )
    one_of("content handling strategy", response.content_handling_strategy, _HANDLING)

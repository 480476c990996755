"""Operations on HTTP and WebSocket APIs."""

from __future__ import annotations

import re

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http import quick
from cumulet.services.apigateway.http.cors import checked
from cumulet.services.apigateway.http.errors import bad, conflict
from cumulet.services.apigateway.http.model import copied, endpoint_of, one_of, updated
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.services.apigateway.http.store import STAGE
from cumulet.services.apigateway.http.tags import check_tags
from cumulet.services.apigateway.ids import custom_id
from cumulet.storage.database import Transaction

_HTTP_SELECTION = "$request.method $request.path"
_KEY_SELECTION = "$request.header.x-api-key"
_KEY_SELECTIONS = (_KEY_SELECTION, "$context.authorizer.usageIdentifierKey")
_SELECTION = re.compile(r"(?:\$\{?request\.(?:body|header|querystring)\.[^{}]+\}?|\$default|[^$]+)+")


async def create_api(http: HttpApis, call: Call, request: api.CreateApiRequest) -> api.CreateApiResponse:
    one_of("protocol", request.protocol_type, ("HTTP", "WEBSOCKET"))
    _check_name(request.name)
    check_tags(request.tags)
    item = copied(
        api.Api,
        request,
        created_date=http.clock.now(),
        disable_execute_api_endpoint=bool(request.disable_execute_api_endpoint),
        ip_address_type=request.ip_address_type or "ipv4",
        api_key_selection_expression=request.api_key_selection_expression or _KEY_SELECTION,
        route_selection_expression=request.route_selection_expression or _HTTP_SELECTION,
        tags=request.tags or {},
        cors_configuration=checked(request.cors_configuration),
    )
    _check(item, request.route_selection_expression)
    async with http.db.transaction() as tx:
        item.api_id = await new_id(http, tx, request.tags)
        await http.apis.add(tx, call.account, call.region, item)
        if request.target:
            await quick.create(http, tx, item, request)
        elif request.route_key or request.credentials_arn:
            raise bad("Target is required when RouteKey or CredentialsArn is specified.")
    return copied(api.CreateApiResponse, shown(item, call))


async def get_api(http: HttpApis, call: Call, request: api.GetApiRequest) -> api.GetApiResponse:
    return copied(api.GetApiResponse, shown(await http.api(call, request.api_id), call))


async def get_apis(http: HttpApis, call: Call, request: api.GetApisRequest) -> api.GetApisResponse:
    items, token = await page(
        lambda after, limit: http.apis.page(call.account, call.region, after, limit),
        lambda item: item.api_id or "",
        request.max_results,
        request.next_token,
    )
    return api.GetApisResponse(items=[shown(item, call) for item in items], next_token=token)


async def update_api(http: HttpApis, call: Call, request: api.UpdateApiRequest) -> api.UpdateApiResponse:
    async with http.change(call, request.api_id) as (tx, before):
        cors = checked(request.cors_configuration) if request.cors_configuration else before.cors_configuration
        item = updated(before, request, cors_configuration=cors)
        item.name = item.name or before.name
        _check(item, item.route_selection_expression)
        await http.apis.put(tx, item)
        if request.target or request.route_key or request.credentials_arn is not None:
            await quick.update(http, tx, item, request)
    return copied(api.UpdateApiResponse, shown(item, call))


async def delete_api(http: HttpApis, call: Call, request: api.DeleteApiRequest) -> None:
    async with http.change(call, request.api_id, deploys=False) as (tx, _):
        for stage in await http.parts.page(request.api_id, STAGE, within=tx):
            http.gone(tx, request.api_id, stage.stage_name)
        await http.apis.delete(tx, request.api_id)
        await http.domains.store.forget_api(tx, request.api_id)
        http.domains.changed(tx)


async def delete_cors_configuration(http: HttpApis, call: Call, request: api.DeleteCorsConfigurationRequest) -> None:
    async with http.change(call, request.api_id) as (tx, item):
        item.cors_configuration = None
        await http.apis.put(tx, item)


def shown(item: api.Api, call: Call) -> api.Api:
    """The API with its address, for the client that asks."""
    item.api_endpoint = endpoint_of(item.api_id or "", call.region, item.protocol_type, call.endpoint)
    return item


async def new_id(http: HttpApis, tx: Transaction, tags: dict[str, str] | None) -> str:
    """An id that no API has, or the one that a tag asks for. Raises BadRequestException and ConflictException."""
    wanted = custom_id(tags)
    if wanted is None:
        return short_id()
    if await http.apis.find(wanted, tx) is not None or await http.rest_apis.find(wanted, tx) is not None:
        raise conflict(f"Another API has the id {wanted}: give this one another.")
    return wanted


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= 128:
        raise bad("Name must be between 1 and 128 characters.")


def _check(item: api.Api, selection: str | None) -> None:
    """The rules of the two protocols. Raises BadRequestException."""
    _check_name(item.name)
    one_of("ipAddressType", item.ip_address_type, ("ipv4", "dualstack"))
    if len(item.description or "") > 1024:
        raise bad("Description cannot be longer than 1024 characters.")
    if len(item.version or "") > 64:
        raise bad("Version cannot be longer than 64 characters.")
    if item.protocol_type == "HTTP":
        plain = (selection or _HTTP_SELECTION).replace("${", "$").replace("}", "")
        if plain != _HTTP_SELECTION:
            raise bad(
                "Invalid routeSelectionExpression specified. It must be '$request.method $request.path' for HTTP APIs"
            )
        if item.disable_schema_validation:
            raise bad("disableSchemaValidation is not supported for HTTP APIs")
        return
    if not selection:
        raise bad("Route selection expression is required for WEBSOCKET APIs")
    if not _SELECTION.fullmatch(selection):
        raise bad(f"Invalid route selection expression specified: {selection}")
    if item.cors_configuration is not None:
        raise bad("CORS configuration is only supported for HTTP APIs")
    if item.api_key_selection_expression not in _KEY_SELECTIONS:
        raise bad(f"Invalid API key selection expression specified. Must be one of [{', '.join(_KEY_SELECTIONS)}]")

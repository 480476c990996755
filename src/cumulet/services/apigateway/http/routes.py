"""Operations on routes, and on the parameters of their requests."""

from __future__ import annotations

import re

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http.errors import bad, conflict, missing
from cumulet.services.apigateway.http.model import copied, merged, one_of, updated
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.services.apigateway.http.store import AUTHORIZER, INTEGRATION, ROUTE, ROUTE_RESPONSE
from cumulet.storage.database import Conflict, Transaction

METHODS = ("ANY", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
_PARAMETER = re.compile(r"\{[a-zA-Z0-9._-]+\+?\}")
_PART = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]*")
_MOST = 300
_AUTHORIZATIONS = ("NONE", "AWS_IAM", "CUSTOM", "JWT")
_FORMAT = (
    "The provided route key is not formatted properly for HTTP protocol. "
    'Format should be "<HTTP METHOD> /<RESOURCE PATH>" or "$default"'
)


async def create_route(http: HttpApis, call: Call, request: api.CreateRouteRequest) -> api.CreateRouteResult:
    async with http.change(call, request.api_id) as (tx, item):
        route = copied(
            api.Route,
            request,
            api_key_required=bool(request.api_key_required),
            authorization_type=request.authorization_type or "NONE",
            route_id=short_id(7),
        )
        await _check(http, tx, item, route)
        if len(await http.parts.page(request.api_id, ROUTE, limit=_MOST, within=tx)) >= _MOST:
            raise bad(f"Maximum number of routes for an API has been reached: {_MOST}")
        await _put(http, tx, request.api_id, route)
    return copied(api.CreateRouteResult, route)


async def get_route(http: HttpApis, call: Call, request: api.GetRouteRequest) -> api.GetRouteResult:
    await http.api(call, request.api_id)
    return copied(api.GetRouteResult, await http.part(request.api_id, ROUTE, request.route_id))


async def get_routes(http: HttpApis, call: Call, request: api.GetRoutesRequest) -> api.GetRoutesResponse:
    await http.api(call, request.api_id)
    items, token = await page(
        lambda after, limit: http.parts.page(request.api_id, ROUTE, "", after, limit),
        ROUTE.id_of,
        request.max_results,
        request.next_token,
    )
    return api.GetRoutesResponse(items=items, next_token=token)


async def update_route(http: HttpApis, call: Call, request: api.UpdateRouteRequest) -> api.UpdateRouteResult:
    async with http.change(call, request.api_id) as (tx, item):
        before = await http.part(request.api_id, ROUTE, request.route_id, within=tx)
        if before.api_gateway_managed and request.route_key not in (None, before.route_key):
            raise bad("The route key of a route that is managed by API Gateway cannot be changed.")
        route = updated(
            before,
            request,
            route_key=request.route_key or before.route_key,
            request_parameters=merged(before.request_parameters, request.request_parameters),
            request_models=merged(before.request_models, request.request_models),
        )
        if route.authorization_type not in ("CUSTOM", "JWT"):
            route.authorizer_id = None
        await _check(http, tx, item, route)
        await _put(http, tx, request.api_id, route)
    return copied(api.UpdateRouteResult, route)


async def delete_route(http: HttpApis, call: Call, request: api.DeleteRouteRequest) -> None:
    async with http.change(call, request.api_id) as (tx, _):
        await http.part(request.api_id, ROUTE, request.route_id, within=tx)
        await http.parts.delete(tx, request.api_id, ROUTE, request.route_id)
        await http.parts.delete_below(tx, request.api_id, ROUTE_RESPONSE, request.route_id)


async def delete_route_request_parameter(
    http: HttpApis, call: Call, request: api.DeleteRouteRequestParameterRequest
) -> None:
    async with http.change(call, request.api_id) as (tx, _):
        route = await http.part(request.api_id, ROUTE, request.route_id, within=tx)
        if request.request_parameter_key not in (route.request_parameters or {}):
            raise missing("RequestParameter", request.request_parameter_key)
        assert route.request_parameters is not None
        del route.request_parameters[request.request_parameter_key]
        await http.parts.put(tx, request.api_id, ROUTE, route)


def check_key(item: api.Api, key: str) -> None:
    """The form of a route key in the API's protocol. Raises BadRequestException."""
    if item.protocol_type == "WEBSOCKET":
        if not key or len(key) > 128:
            raise bad("Route key must be between 1 and 128 characters.")
        if key.startswith("$") and key not in ("$connect", "$disconnect", "$default"):
            raise bad(f"Invalid route key specified: {key}. Only $connect, $disconnect and $default begin with $")
        return
    if key == "$default":
        return
    method, space, path = key.partition(" ")
    if not space or method not in METHODS or not path.startswith("/"):
        raise bad(_FORMAT)
    _check_path(path)


def _check_path(path: str) -> None:
    names: set[str] = set()
    parts = path[1:].split("/")
    for place, part in enumerate(parts):
        if "{" not in part and "}" not in part:
            if not _PART.fullmatch(part):
                raise bad(_FORMAT)
            continue
        if not _PARAMETER.fullmatch(part):
            raise bad(_FORMAT)
        name = part[1:-1].removesuffix("+")
        if name in names:
            raise bad(f"The route key has the path parameter {name} more than once.")
        names.add(name)
        if part.endswith("+}") and place != len(parts) - 1:
            raise bad("A greedy path parameter must be the last part of a route key.")


async def _check(http: HttpApis, tx: Transaction, item: api.Api, route: api.Route) -> None:
    """That what a route names is there, and fits its protocol. Raises BadRequestException and NotFoundException."""
    assert item.api_id is not None
    check_key(item, route.route_key)
    if route.target is not None:
        kind, _, id = route.target.partition("/")
        if kind != "integrations" or not id:
            raise bad(f"Invalid target specified: {route.target}. Format should be integrations/<integration id>")
        await http.part(item.api_id, INTEGRATION, id, within=tx)
    kind = route.authorization_type or "NONE"
    allowed = _AUTHORIZATIONS if item.protocol_type == "HTTP" else _AUTHORIZATIONS[:3]
    one_of("authorization type", kind, allowed)
    if route.authorization_scopes and kind != "JWT":
        raise bad(
            "Invalid Route authorization type specified. "
            "Authorization Scopes are only valid for COGNITO_USER_POOLS and JWT authorization types"
        )
    if kind != "NONE" and item.protocol_type == "WEBSOCKET" and route.route_key != "$connect":
        raise bad("Currently, authorization is restricted to the $connect route only")
    if kind in ("CUSTOM", "JWT"):
        found = await http.parts.get(item.api_id, AUTHORIZER, route.authorizer_id or "", within=tx)
        wanted = "JWT" if kind == "JWT" else "REQUEST"
        if found is None or found.authorizer_type != wanted:
            raise bad(
                f"Invalid authorizer ID specified. Setting the authorization type to {kind} requires a valid "
                + ("JWT authorizer." if kind == "JWT" else "authorizer.")
            )
    if item.protocol_type == "HTTP":
        _check_http(route)


def _check_http(route: api.Route) -> None:
    for name in (
        "model_selection_expression",
        "request_models",
        "request_parameters",
        "route_response_selection_expression",
    ):
        if getattr(route, name):
            words = name.replace("_", " ")
            raise bad(f"{words[0].upper()}{words[1:]} is not supported for HTTP APIs")
    if route.api_key_required:
        raise bad("API keys are not supported for HTTP APIs")


async def _put(http: HttpApis, tx: Transaction, api_id: str, route: api.Route) -> None:
    try:
        await http.parts.put(tx, api_id, ROUTE, route)
    except Conflict:
        raise conflict(f"Route with key {route.route_key} already exists for this API") from None

"""Operations on authorizers."""

from __future__ import annotations

import re

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http.errors import bad, conflict, missing
from cumulet.services.apigateway.http.model import copied, one_of, updated
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.services.apigateway.http.store import AUTHORIZER, ROUTE, STAGE
from cumulet.storage.database import Conflict, Transaction

_HTTP_SOURCE = re.compile(r"\$(request\.(header|querystring)\.\S+|context\.\S+|stageVariables\.\S+)")
_WEBSOCKET_SOURCE = re.compile(r"(route\.request\.(header|querystring)\.\S+|context\.\S+|stageVariables\.\S+)")
_TTL = 300
_LONGEST = 3_600


async def create_authorizer(
    http: HttpApis, call: Call, request: api.CreateAuthorizerRequest
) -> api.CreateAuthorizerResponse:
    async with http.change(call, request.api_id) as (tx, item):
        authorizer = copied(api.Authorizer, request, authorizer_id=short_id(6))
        _complete(item, authorizer)
        check(item, authorizer)
        await _put(http, tx, request.api_id, authorizer)
    return copied(api.CreateAuthorizerResponse, authorizer)


async def get_authorizer(http: HttpApis, call: Call, request: api.GetAuthorizerRequest) -> api.GetAuthorizerResponse:
    await http.api(call, request.api_id)
    return copied(api.GetAuthorizerResponse, await http.part(request.api_id, AUTHORIZER, request.authorizer_id))


async def get_authorizers(http: HttpApis, call: Call, request: api.GetAuthorizersRequest) -> api.GetAuthorizersResponse:
    await http.api(call, request.api_id)
    items, token = await page(
        lambda after, limit: http.parts.page(request.api_id, AUTHORIZER, "", after, limit),
        AUTHORIZER.id_of,
        request.max_results,
        request.next_token,
    )
    return api.GetAuthorizersResponse(items=items, next_token=token)


async def update_authorizer(
    http: HttpApis, call: Call, request: api.UpdateAuthorizerRequest
) -> api.UpdateAuthorizerResponse:
    async with http.change(call, request.api_id) as (tx, item):
        before = await http.part(request.api_id, AUTHORIZER, request.authorizer_id, within=tx)
        authorizer = updated(before, request, name=request.name or before.name)
        _complete(item, authorizer)
        check(item, authorizer)
        await _put(http, tx, request.api_id, authorizer)
    return copied(api.UpdateAuthorizerResponse, authorizer)


async def delete_authorizer(http: HttpApis, call: Call, request: api.DeleteAuthorizerRequest) -> None:
    async with http.change(call, request.api_id) as (tx, _):
        await http.part(request.api_id, AUTHORIZER, request.authorizer_id, within=tx)
        routes = await http.parts.page(request.api_id, ROUTE, within=tx)
        users = [str(route.route_id) for route in routes if route.authorizer_id == request.authorizer_id]
        if users:
            raise conflict(
                f"Cannot delete Authorizer because it is referenced by the following Routes with Ids: [{', '.join(users)}]"
            )
        await http.parts.delete(tx, request.api_id, AUTHORIZER, request.authorizer_id)


async def reset_authorizers_cache(http: HttpApis, call: Call, request: api.ResetAuthorizersCacheRequest) -> None:
    item = await http.api(call, request.api_id)
    if await http.parts.get(request.api_id, STAGE, request.stage_name) is None:
        raise missing("stage")
    if item.protocol_type != "HTTP":
        raise bad("Authorizer caching is only supported for HTTP APIs")
    http.programs.reset_authorizers(request.api_id, request.stage_name)


def _complete(item: api.Api, authorizer: api.Authorizer) -> None:
    if authorizer.authorizer_type == "REQUEST" and item.protocol_type == "HTTP":
        if authorizer.authorizer_result_ttl_in_seconds is None:
            authorizer.authorizer_result_ttl_in_seconds = _TTL if authorizer.identity_source else 0
        if authorizer.enable_simple_responses is None:
            authorizer.enable_simple_responses = False


def check(item: api.Api, authorizer: api.Authorizer) -> None:
    """The rules of the two protocols. Raises BadRequestException."""
    if not 1 <= len(authorizer.name) <= 128:
        raise bad("Name must be between 1 and 128 characters.")
    one_of("authorizer type", authorizer.authorizer_type, ("REQUEST", "JWT"))
    http = item.protocol_type == "HTTP"
    pattern = _HTTP_SOURCE if http else _WEBSOCKET_SOURCE
    for source in authorizer.identity_source or []:
        if not pattern.fullmatch(source):
            raise bad(f"Invalid mapping expression specified: Validation Result: warnings : [], errors : [{source}]")
    if authorizer.authorizer_type == "JWT":
        _check_jwt(authorizer, http=http)
        return
    _check_request(authorizer, http=http)


def _check_request(authorizer: api.Authorizer, *, http: bool) -> None:
    if authorizer.jwt_configuration is not None:
        raise bad("JwtConfiguration is only supported for JWT authorizers")
    uri = authorizer.authorizer_uri or ""
    if not uri:
        raise bad("Authorizer URI is required for REQUEST authorizers")
    if ":lambda:" not in uri:
        raise bad(
            f"Invalid Authorizer URI: {uri}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda function invocation."
        )
    if http:
        if not authorizer.authorizer_payload_format_version:
            raise bad("AuthorizerPayloadFormatVersion is a required parameter for REQUEST authorizer")
        one_of("authorizer payload format version", authorizer.authorizer_payload_format_version, ("1.0", "2.0"))
        if authorizer.enable_simple_responses and authorizer.authorizer_payload_format_version != "2.0":
            raise bad("EnableSimpleResponses flag is not supported for authorizer payload format version 1.0")
        ttl = authorizer.authorizer_result_ttl_in_seconds or 0
        if not 0 <= ttl <= _LONGEST:
            raise bad(f"Authorizer result TTL must be between 0 and {_LONGEST} seconds")
        if ttl and not authorizer.identity_source:
            raise bad("Identity source is required when caching of authorizer results is enabled")


def _check_jwt(authorizer: api.Authorizer, *, http: bool) -> None:
    if not http:
        raise bad("JWT authorizers are only supported for HTTP APIs")
    jwt = authorizer.jwt_configuration
    if jwt is None or not jwt.issuer:
        raise bad("JwtConfiguration with an issuer is a required parameter for authorizer of type JWT")
    if not jwt.issuer.startswith(("https://", "http://")):
        raise bad(
            f"Invalid issuer: {jwt.issuer}. Issuer must have a valid discovery endpoint ended with '/.well-known/openid-configuration'"
        )
    if len(authorizer.identity_source or []) != 1:
        raise bad("Exactly one identity source is required for authorizer of type JWT")
    if authorizer.authorizer_uri or authorizer.authorizer_credentials_arn:
        raise bad("AuthorizerUri and AuthorizerCredentialsArn are only supported for REQUEST authorizers")


async def _put(http: HttpApis, tx: Transaction, api_id: str, authorizer: api.Authorizer) -> None:
    try:
        await http.parts.put(tx, api_id, AUTHORIZER, authorizer)
    except Conflict:
        raise conflict(f"Authorizer with name {authorizer.name} already exists for this API") from None

"""Authorizers: who decides whether a caller may call a method."""

from __future__ import annotations

from msgspec.structs import asdict

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, conflict, limit_exceeded, not_found
from cumulet.services.apigateway.rest.apis.fresh import part_id
from cumulet.services.apigateway.rest.lookup import need_api
from cumulet.services.apigateway.rest.pages import page
from cumulet.services.apigateway.rest.parts import AUTHORIZER, RESOURCE
from cumulet.services.apigateway.rest.patch import Rule, Rules, Step, items, value, whole
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Transaction

_LONGEST = 3600
_DEFAULT_SECONDS = 300
_AUTH_TYPES = {"TOKEN": "custom", "REQUEST": "custom", "COGNITO_USER_POOLS": "cognito_user_pools", "JWT": "jwt"}
_DEFAULT_SOURCE = "method.request.header.Authorization"


async def create_authorizer(gateway: ApiGateway, call: Call, request: api.CreateAuthorizerRequest) -> api.Authorizer:
    api_id = request.rest_api_id
    authorizer = api.Authorizer(
        id=part_id(),
        name=request.name,
        type=request.type,
        provider_arns=request.provider_arns or None,
        auth_type=request.auth_type or _AUTH_TYPES.get(request.type),
        authorizer_uri=request.authorizer_uri,
        authorizer_credentials=request.authorizer_credentials,
        identity_source=request.identity_source or (None if request.type == "REQUEST" else _DEFAULT_SOURCE),
        identity_validation_expression=request.identity_validation_expression,
        authorizer_result_ttl_in_seconds=request.authorizer_result_ttl_in_seconds,
        jwt_configuration=_jwt(request.jwt_configuration),
    )
    if authorizer.authorizer_result_ttl_in_seconds is None and authorizer.auth_type == "custom":
        authorizer.authorizer_result_ttl_in_seconds = _DEFAULT_SECONDS
    async with gateway.db.transaction() as tx:
        if not await gateway.rest.apis.owned(call.account, call.region, api_id, tx):
            raise conflict("Unable to complete operation due to concurrent modification. Please try again later.")
        _check(authorizer)
        await _check_name(gateway, tx, api_id, authorizer)
        if await gateway.rest.parts.count(api_id, AUTHORIZER, tx) >= gateway.limits.authorizers:
            raise limit_exceeded(
                "Maximum number of authorizers for this API has been reached. Please contact AWS if you need more."
            )
        await gateway.rest.parts.put(tx, api_id, AUTHORIZER, authorizer.id or "", authorizer)
    return authorizer


async def get_authorizer(gateway: ApiGateway, call: Call, request: api.GetAuthorizerRequest) -> api.Authorizer:
    return await need_authorizer(gateway, call, request.rest_api_id, request.authorizer_id)


async def get_authorizers(gateway: ApiGateway, call: Call, request: api.GetAuthorizersRequest) -> api.Authorizers:
    await need_api(gateway, call, request.rest_api_id)
    found, position = await page(
        lambda after, limit: gateway.rest.parts.list(request.rest_api_id, AUTHORIZER, after, limit),
        lambda authorizer: authorizer.id,
        request.position,
        request.limit,
    )
    return api.Authorizers(items=found, position=position)


async def update_authorizer(gateway: ApiGateway, call: Call, request: api.UpdateAuthorizerRequest) -> api.Authorizer:
    async with gateway.db.transaction() as tx:
        authorizer = await need_authorizer(gateway, call, request.rest_api_id, request.authorizer_id, tx)
        _RULES.apply(authorizer, request.patch_operations)
        _check(authorizer)
        await _check_name(gateway, tx, request.rest_api_id, authorizer)
        await gateway.rest.parts.put(tx, request.rest_api_id, AUTHORIZER, request.authorizer_id, authorizer)
    return authorizer


async def delete_authorizer(gateway: ApiGateway, call: Call, request: api.DeleteAuthorizerRequest) -> None:
    """Not while a method uses it."""
    api_id, id = request.rest_api_id, request.authorizer_id
    async with gateway.db.transaction() as tx:
        authorizer = await need_authorizer(gateway, call, api_id, id, tx)
        for resource in await gateway.rest.parts.list(api_id, RESOURCE, within=tx):
            for verb, method in (resource.resource_methods or {}).items():
                if method.authorizer_id == id:
                    place = f"{resource.path}/{verb}" if resource.parent_id else f"//{verb}"
                    raise conflict(f"Cannot delete authorizer '{authorizer.name}', is referenced in method: {place}")
        await gateway.rest.parts.delete(tx, api_id, AUTHORIZER, id)


async def need_authorizer(
    gateway: ApiGateway, call: Call, api_id: str, id: str, within: Transaction | None = None
) -> api.Authorizer:
    """An authorizer of the caller's API; raises NotFoundException."""
    owned = await gateway.rest.apis.owned(call.account, call.region, api_id, within)
    authorizer = await gateway.rest.parts.get(api_id, AUTHORIZER, id, within) if owned else None
    if authorizer is None:
        raise not_found("Invalid Authorizer identifier specified")
    return authorizer


async def _check_name(gateway: ApiGateway, tx: Transaction, api_id: str, authorizer: api.Authorizer) -> None:
    if await gateway.rest.parts.named(api_id, AUTHORIZER, "", authorizer.name or "", tx) not in (None, authorizer.id):
        raise bad_request("Authorizer name must be unique. Authorizer already exists in this RestApi.")


def _check(authorizer: api.Authorizer) -> None:
    """Raises BadRequestException."""
    if not authorizer.name:
        raise bad_request("Authorizer name cannot be blank")
    seconds = authorizer.authorizer_result_ttl_in_seconds
    if seconds is not None and not 0 <= seconds <= _LONGEST:
        raise bad_request(f"Authorizer result TTL must be between 0 and {_LONGEST} seconds")
    if authorizer.type in ("TOKEN", "REQUEST"):
        uri = authorizer.authorizer_uri or "null"
        if not uri.startswith("arn:") or ":lambda:path/" not in uri or not uri.endswith("/invocations"):
            raise bad_request(
                f"Invalid Authorizer URI: {uri}. Authorizer URI should be a valid API Gateway ARN that represents a Lambda "
                "function invocation."
            )
    if authorizer.type == "REQUEST" and seconds and not authorizer.identity_source:
        raise bad_request("Identity sources are required for REQUEST authorizers when caching is enabled")
    if authorizer.type == "COGNITO_USER_POOLS" and not authorizer.provider_arns:
        raise bad_request("Invalid Cognito User Pool provider ARNs: at least one is required")
    if authorizer.type == "JWT" and authorizer.jwt_configuration is None:
        raise bad_request("JWT authorizers require a JWT configuration")


def _jwt(asked: api.JwtConfigurationInput | None) -> api.JwtConfiguration | None:
    if asked is None:
        return None
    issuers = [api.JwtIssuer(**asdict(issuer)) for issuer in asked.issuers]
    return api.JwtConfiguration(issuers=issuers, default_algorithms=asked.default_algorithms)


def _providers(authorizer: api.Authorizer, step: Step) -> None:
    items("provider_arns", by_value=True).act(authorizer, step)


_RULES = Rules(
    {
        "/name": value("name"),
        "/type": value("type"),
        "/authType": value("auth_type"),
        "/authorizerUri": value("authorizer_uri"),
        "/authorizerCredentials": value("authorizer_credentials", lambda step: step.value or None),
        "/identitySource": value("identity_source"),
        "/identityValidationExpression": value("identity_validation_expression", lambda step: step.value or None),
        "/authorizerResultTtlInSeconds": value("authorizer_result_ttl_in_seconds", whole),
        "/providerARNs": Rule(("add", "remove", "replace"), _providers),
    },
    listing=True,
)

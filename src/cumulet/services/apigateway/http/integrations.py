"""Operations on integrations."""

from __future__ import annotations

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http.errors import bad, conflict
from cumulet.services.apigateway.http.mappings import check_request, check_response
from cumulet.services.apigateway.http.model import copied, merged, one_of, updated
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.state import HttpApis, place_of
from cumulet.services.apigateway.http.store import INTEGRATION, INTEGRATION_RESPONSE, ROUTE, VPC_LINK
from cumulet.services.apigateway.http.subtypes import SUBTYPES
from cumulet.storage.database import Transaction

_METHODS = ("ANY", "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
_LONGEST = {"HTTP": 30_000, "WEBSOCKET": 29_000}


async def create_integration(
    http: HttpApis, call: Call, request: api.CreateIntegrationRequest
) -> api.CreateIntegrationResult:
    async with http.change(call, request.api_id) as (tx, item):
        integration = copied(
            api.Integration,
            request,
            integration_id=short_id(7),
            tls_config=copied(api.TlsConfig, request.tls_config) if request.tls_config else None,
        )
        complete(item, integration)
        await _check(http, tx, call, item, integration)
        await http.parts.put(tx, request.api_id, INTEGRATION, integration)
    return copied(api.CreateIntegrationResult, integration)


async def get_integration(http: HttpApis, call: Call, request: api.GetIntegrationRequest) -> api.GetIntegrationResult:
    await http.api(call, request.api_id)
    return copied(api.GetIntegrationResult, await http.part(request.api_id, INTEGRATION, request.integration_id))


async def get_integrations(
    http: HttpApis, call: Call, request: api.GetIntegrationsRequest
) -> api.GetIntegrationsResponse:
    await http.api(call, request.api_id)
    items, token = await page(
        lambda after, limit: http.parts.page(request.api_id, INTEGRATION, "", after, limit),
        INTEGRATION.id_of,
        request.max_results,
        request.next_token,
    )
    return api.GetIntegrationsResponse(items=items, next_token=token)


async def update_integration(
    http: HttpApis, call: Call, request: api.UpdateIntegrationRequest
) -> api.UpdateIntegrationResult:
    async with http.change(call, request.api_id) as (tx, item):
        before = await http.part(request.api_id, INTEGRATION, request.integration_id, within=tx)
        integration = updated(
            before,
            request,
            request_parameters=merged(before.request_parameters, request.request_parameters),
            request_templates=merged(before.request_templates, request.request_templates),
            response_parameters=merged(before.response_parameters, request.response_parameters),
            tls_config=copied(api.TlsConfig, request.tls_config) if request.tls_config else before.tls_config,
        )
        complete(item, integration)
        await _check(http, tx, call, item, integration)
        await http.parts.put(tx, request.api_id, INTEGRATION, integration)
    return copied(api.UpdateIntegrationResult, integration)


async def delete_integration(http: HttpApis, call: Call, request: api.DeleteIntegrationRequest) -> None:
    async with http.change(call, request.api_id) as (tx, _):
        integration = await http.part(request.api_id, INTEGRATION, request.integration_id, within=tx)
        if integration.api_gateway_managed:
            raise bad("An integration that is managed by API Gateway cannot be deleted.")
        target = f"integrations/{request.integration_id}"
        routes = await http.parts.page(request.api_id, ROUTE, within=tx)
        users = [str(route.route_id) for route in routes if route.target == target]
        if users:
            raise conflict(
                f"Cannot delete Integration because it is referenced by the following Routes with Ids: [{', '.join(users)}]"
            )
        await http.parts.delete(tx, request.api_id, INTEGRATION, request.integration_id)
        await http.parts.delete_below(tx, request.api_id, INTEGRATION_RESPONSE, request.integration_id)


def complete(item: api.Api, integration: api.Integration) -> None:
    """The defaults of a protocol."""
    kind = integration.integration_type
    integration.connection_type = integration.connection_type or "INTERNET"
    if not integration.timeout_in_millis:
        integration.timeout_in_millis = _LONGEST[item.protocol_type]
    if kind == "AWS_PROXY" and not integration.integration_subtype:
        integration.integration_method = integration.integration_method or "POST"
    integration.payload_format_version = integration.payload_format_version or "1.0"
    if item.protocol_type == "WEBSOCKET":
        integration.passthrough_behavior = integration.passthrough_behavior or "WHEN_NO_MATCH"
        integration.integration_response_selection_expression = "${integration.response.statuscode}"


async def _check(http: HttpApis, tx: Transaction, call: Call, item: api.Api, integration: api.Integration) -> None:
    """Raises BadRequestException and NotFoundException."""
    check(item, integration)
    if integration.connection_type == "VPC_LINK" and item.protocol_type == "HTTP":
        await http.part(place_of(call), VPC_LINK, integration.connection_id or "", within=tx)


def check(item: api.Api, integration: api.Integration) -> None:
    """The rules of the two protocols. Raises BadRequestException."""
    longest = _LONGEST[item.protocol_type]
    if not 50 <= (integration.timeout_in_millis or longest) <= longest:
        raise bad(f"Timeout should be between 50 ms and {longest} ms")
    one_of("connection type", integration.connection_type, ("INTERNET", "VPC_LINK"))
    one_of("integration method", integration.integration_method, _METHODS)
    if item.protocol_type == "HTTP":
        _check_http(integration)
    else:
        _check_websocket(integration)


def _check_http(integration: api.Integration) -> None:
    kind, uri = integration.integration_type, integration.integration_uri or ""
    one_of("integration type for HTTP APIs", kind, ("AWS_PROXY", "HTTP_PROXY"))
    for name in (
        "request_templates",
        "passthrough_behavior",
        "content_handling_strategy",
        "template_selection_expression",
    ):
        if getattr(integration, name):
            words = name.replace("_", " ")
            raise bad(f"{words[0].upper()}{words[1:]} is not supported for HTTP APIs")
    one_of("payload format version", integration.payload_format_version, ("1.0", "2.0"))
    subtype = integration.integration_subtype
    if subtype:
        _check_subtype(integration, subtype)
        return
    if not uri:
        raise bad("Integration URI is required.")
    if kind == "AWS_PROXY":
        if not uri.startswith("arn:"):
            raise bad(f"Invalid integration URI specified: {uri}. It must be the ARN of a Lambda function")
    else:
        if integration.payload_format_version != "1.0":
            raise bad("Only payload format version 1.0 is supported for HTTP_PROXY integrations")
        if not integration.integration_method:
            raise bad("Integration method is required for HTTP_PROXY integrations.")
        private = integration.connection_type == "VPC_LINK" and uri.startswith("arn:")
        if not private and not uri.startswith(("http://", "https://")):
            raise bad("HTTP integration endpoint must be a fully qualified URL: it must begin with http:// or https://")
    check_request(integration.request_parameters or {})
    check_response(integration.response_parameters or {})


def _check_subtype(integration: api.Integration, name: str) -> None:
    subtype = SUBTYPES.get(name)
    if integration.integration_type != "AWS_PROXY" or subtype is None:
        raise bad(f"Invalid integration subtype specified: {name}. Must be one of [{', '.join(SUBTYPES)}]")
    if not integration.credentials_arn:
        raise bad("Credentials ARN is required for integrations with an AWS service.")
    given = integration.request_parameters or {}
    lacking = [parameter for parameter in subtype.required if parameter not in given]
    if lacking:
        raise bad(f"The request parameters {', '.join(lacking)} are required for the integration subtype {name}")
    for parameter in given:
        if parameter not in subtype.parameters:
            raise bad(f"The request parameter {parameter} is not one of the integration subtype {name}")
    check_response(integration.response_parameters or {})


def _check_websocket(integration: api.Integration) -> None:
    kind, uri = integration.integration_type, integration.integration_uri or ""
    one_of("integration type", kind, ("AWS", "HTTP", "MOCK", "HTTP_PROXY", "AWS_PROXY"))
    if integration.integration_subtype:
        raise bad("Integration subtype is not supported for WEBSOCKET APIs")
    if integration.response_parameters:
        raise bad("Response parameters of integrations are not supported for WEBSOCKET APIs")
    one_of("passthrough behavior", integration.passthrough_behavior, ("WHEN_NO_MATCH", "NEVER", "WHEN_NO_TEMPLATES"))
    one_of("content handling strategy", integration.content_handling_strategy, ("CONVERT_TO_BINARY", "CONVERT_TO_TEXT"))
    if kind == "MOCK":
        return
    if not uri:
        raise bad("Integration URI is required.")
    if kind in ("AWS", "AWS_PROXY") and not uri.startswith("arn:"):
        raise bad(f"Invalid ARN specified in the request: {uri}")
    if kind in ("HTTP", "HTTP_PROXY"):
        if not uri.startswith(("http://", "https://")):
            raise bad("Invalid HTTP endpoint specified for URI")
        if not integration.integration_method:
            raise bad("Integration method is required for HTTP integrations.")

"""Integrations of methods, and what their answers become."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import not_found
from cumulet.services.apigateway.rest.lookup import need_integration, need_method, need_resource
from cumulet.services.apigateway.rest.parts import RESOURCE
from cumulet.services.apigateway.rest.resources import integration_rules
from cumulet.services.apigateway.rest.resources.mappings import check_response, check_templates
from cumulet.services.apigateway.state import ApiGateway


async def put_integration(gateway: ApiGateway, call: Call, request: api.PutIntegrationRequest) -> api.Integration:
    mock = request.type == "MOCK"
    integration = api.Integration(
        type=request.type,
        http_method=None if mock else request.integration_http_method,
        uri=None if mock else request.uri,
        connection_type=_connection(request),
        connection_id=request.connection_id,
        credentials=request.credentials or None,
        request_parameters=request.request_parameters or None,
        request_templates=_texts(request.request_templates) or None,
        passthrough_behavior=request.passthrough_behavior or "WHEN_NO_MATCH",
        content_handling=request.content_handling,
        timeout_in_millis=gateway.limits.timeout_ms if request.timeout_in_millis is None else request.timeout_in_millis,
        cache_namespace=request.cache_namespace or request.resource_id,
        cache_key_parameters=request.cache_key_parameters or [],
        tls_config=request.tls_config,
        response_transfer_mode=request.response_transfer_mode,
        integration_target=request.integration_target,
    )
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id, tx)
        method = need_method(resource, request.http_method)
        integration_rules.check(integration, method, gateway.limits)
        method.method_integration = integration
        await gateway.rest.parts.put(tx, request.rest_api_id, RESOURCE, request.resource_id, resource)
    return integration


async def get_integration(gateway: ApiGateway, call: Call, request: api.GetIntegrationRequest) -> api.Integration:
    resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id)
    return need_integration(need_method(resource, request.http_method))


async def update_integration(gateway: ApiGateway, call: Call, request: api.UpdateIntegrationRequest) -> api.Integration:
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id, tx)
        method = need_method(resource, request.http_method)
        integration = need_integration(method)
        integration_rules.RULES.apply(integration, request.patch_operations)
        integration_rules.check(integration, method, gateway.limits)
        await gateway.rest.parts.put(tx, request.rest_api_id, RESOURCE, request.resource_id, resource)
    return integration


async def delete_integration(gateway: ApiGateway, call: Call, request: api.DeleteIntegrationRequest) -> None:
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id, tx)
        method = need_method(resource, request.http_method)
        need_integration(method)
        method.method_integration = None
        await gateway.rest.parts.put(tx, request.rest_api_id, RESOURCE, request.resource_id, resource)


async def put_integration_response(
    gateway: ApiGateway, call: Call, request: api.PutIntegrationResponseRequest
) -> api.IntegrationResponse:
    response = api.IntegrationResponse(
        status_code=request.status_code,
        selection_pattern=request.selection_pattern,
        response_parameters=request.response_parameters,
        response_templates=_texts(request.response_templates),
        content_handling=request.content_handling,
    )
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id, tx)
        method = need_method(resource, request.http_method)
        integration = need_integration(method)
        _check(response, method)
        integration.integration_responses = (integration.integration_responses or {}) | {request.status_code: response}
        await gateway.rest.parts.put(tx, request.rest_api_id, RESOURCE, request.resource_id, resource)
    return shown_response(response)


async def get_integration_response(
    gateway: ApiGateway, call: Call, request: api.GetIntegrationResponseRequest
) -> api.IntegrationResponse:
    resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id)
    integration = need_integration(need_method(resource, request.http_method))
    return shown_response(_need_response(integration, request.status_code))


async def update_integration_response(
    gateway: ApiGateway, call: Call, request: api.UpdateIntegrationResponseRequest
) -> api.IntegrationResponse:
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id, tx)
        method = need_method(resource, request.http_method)
        response = _need_response(need_integration(method), request.status_code)
        integration_rules.RESPONSE_RULES.apply(response, request.patch_operations)
        _check(response, method)
        await gateway.rest.parts.put(tx, request.rest_api_id, RESOURCE, request.resource_id, resource)
    return shown_response(response)


async def delete_integration_response(
    gateway: ApiGateway, call: Call, request: api.DeleteIntegrationResponseRequest
) -> None:
    async with gateway.db.transaction() as tx:
        resource = await need_resource(gateway, call, request.rest_api_id, request.resource_id, tx)
        method = (resource.resource_methods or {}).get(request.http_method)
        if method is None or method.method_integration is None:
            raise not_found("Invalid Integration identifier specified")
        integration = method.method_integration
        _need_response(integration, request.status_code)
        assert integration.integration_responses is not None
        del integration.integration_responses[request.status_code]
        integration.integration_responses = integration.integration_responses or None
        await gateway.rest.parts.put(tx, request.rest_api_id, RESOURCE, request.resource_id, resource)


def _connection(request: api.PutIntegrationRequest) -> str | None:
    if request.type in ("HTTP", "HTTP_PROXY"):
        return request.connection_type or "INTERNET"
    return request.connection_type


def shown_response(response: api.IntegrationResponse) -> api.IntegrationResponse:
    """An empty template is shown as null, as AWS does."""
    templates: dict[str, Any] | None = response.response_templates
    if templates and "" in templates.values():
        return replace(response, response_templates={name: text or None for name, text in templates.items()})
    return response


def _texts(templates: dict[str, str] | None) -> dict[str, str] | None:
    """A template may come as null."""
    return templates and {name: text or "" for name, text in templates.items()}


def _need_response(integration: api.Integration, status: str) -> api.IntegrationResponse:
    response = (integration.integration_responses or {}).get(status)
    if response is None:
        raise not_found("Invalid Response status code specified")
    return response


def _check(response: api.IntegrationResponse, method: api.Method) -> None:
    check_response(response.response_parameters, (method.method_responses or {}).get(response.status_code or ""))
    check_templates(response.response_templates)

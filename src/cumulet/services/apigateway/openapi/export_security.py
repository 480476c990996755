"""Security schemes and gateway responses of a document."""

from __future__ import annotations

from typing import Any

from cumulet.api import apigateway as api
from cumulet.services.apigateway.openapi.security import AUTH_TYPE, AUTHORIZER
from cumulet.services.apigateway.rest.definition import Definition

KEY = "api_key"
SIGNATURE = "sigv4"
_HEADER = "method.request.header."


def schemes(definition: Definition, *, swagger: bool, extension: bool) -> dict[str, Any]:
    """The schemes that methods ask for; with the extension, authorizers in whole."""
    methods = [
        method for resource in definition.resources.values() for method in (resource.resource_methods or {}).values()
    ]
    used = {method.authorizer_id for method in methods}
    found: dict[str, Any] = {}
    for id, authorizer in definition.authorizers.items():
        if id in used:
            found[authorizer.name or id] = _authorizer(authorizer, extension)
    if any(method.api_key_required for method in methods):
        found[KEY] = {"type": "apiKey", "name": "x-api-key", "in": "header"}
    if any(method.authorization_type == "AWS_IAM" for method in methods):
        found[SIGNATURE] = {"type": "apiKey", "name": "Authorization", "in": "header"} | (
            {AUTH_TYPE: "awsSigv4"} if extension else {}
        )
    return found


def demanded(method: api.Method, definition: Definition) -> list[dict[str, list[str]]]:
    """`security` of a method."""
    found: list[dict[str, list[str]]] = []
    authorizer = definition.authorizers.get(method.authorizer_id or "")
    if authorizer is not None:
        found.append({authorizer.name or "": method.authorization_scopes or []})
    if method.authorization_type == "AWS_IAM":
        found.append({SIGNATURE: []})
    if method.api_key_required:
        found.append({KEY: []})
    return found


def _authorizer(authorizer: api.Authorizer, extension: bool) -> dict[str, Any]:
    source = (authorizer.identity_source or "").split(",")[0].strip()
    header = source[len(_HEADER) :] if source.startswith(_HEADER) else "Unused"
    scheme: dict[str, Any] = {"type": "apiKey", "name": header, "in": "header"}
    if not extension:
        return scheme
    described = {
        "identitySource": authorizer.identity_source if authorizer.type == "REQUEST" else None,
        "authorizerUri": authorizer.authorizer_uri,
        "authorizerCredentials": authorizer.authorizer_credentials,
        "providerARNs": authorizer.provider_arns,
        "authorizerResultTtlInSeconds": authorizer.authorizer_result_ttl_in_seconds,
        "identityValidationExpression": authorizer.identity_validation_expression,
        "type": (authorizer.type or "").lower(),
    }
    scheme[AUTH_TYPE] = authorizer.auth_type or "custom"
    scheme[AUTHORIZER] = {name: value for name, value in described.items() if value is not None}
    return scheme


def gateway_responses(definition: Definition) -> dict[str, Any]:
    """`x-amazon-apigateway-gateway-responses`."""
    return {
        kind: {
            name: value
            for name, value in (
                ("statusCode", int(each.status_code) if each.status_code else None),
                ("responseParameters", each.response_parameters),
                ("responseTemplates", each.response_templates),
            )
            if value
        }
        for kind, each in definition.gateway_responses.items()
    }

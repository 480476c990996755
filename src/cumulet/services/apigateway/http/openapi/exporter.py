"""Writes an HTTP API as an OpenAPI 3 document.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-export.html
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cumulet.api import apigatewayv2 as v2
from cumulet.services.apigateway.http.definition import Definition

_X = "x-amazon-apigateway-"
_PARAMETER = re.compile(r"\{([A-Za-z0-9._-]+)\+?\}")


def write(definition: Definition, *, url: str, stage: str, extensions: bool, kind: str) -> bytes:
    """The document; `url` is the API's address, `kind` JSON or YAML."""
    document = _document(definition, url=url, stage=stage, extensions=extensions)
    if kind == "YAML":
        from cumulet.services.apigateway.openapi.yaml_loader import dump  # noqa: PLC0415  few documents are YAML

        return dump(document).encode()
    return msgspec.json.format(msgspec.json.encode(document), indent=2)


def _document(definition: Definition, *, url: str, stage: str, extensions: bool) -> dict[str, Any]:
    api = definition.api
    info = _without_none(title=api.name, description=api.description, version=api.version or "1.0")
    document: dict[str, Any] = {"openapi": "3.0.1", "info": info}
    server: dict[str, Any] = {"url": f"{url}/{{basePath}}", "variables": {"basePath": {"default": stage}}}
    if not stage or stage == "$default":
        server = {"url": url}
    document["servers"] = [server]
    if api.tags:
        document["tags"] = [{"name": name, f"{_X}tag-value": value} for name, value in sorted(api.tags.items())]
    paths: dict[str, Any] = {}
    document["paths"] = paths
    for route in sorted(definition.routes.values(), key=lambda route: route.route_key):
        method, _, path = route.route_key.partition(" ")
        path = path or "/$default"
        verb = f"{_X}any-method" if method in ("ANY", "$default") else method.lower()
        paths.setdefault(path, {})[verb] = _operation(definition, route, path, extensions=extensions)
    if extensions:
        schemes = {
            one.name: _scheme(one) for one in sorted(definition.authorizers.values(), key=lambda held: held.name)
        }
        if schemes:
            document["components"] = {"securitySchemes": schemes}
        if api.cors_configuration is not None:
            document[f"{_X}cors"] = msgspec.to_builtins(api.cors_configuration)
        if api.disable_execute_api_endpoint:
            document[f"{_X}endpoint-configuration"] = {"disableExecuteApiEndpoint": True}
        document[f"{_X}importexport-version"] = "1.0"
    return document


def _operation(definition: Definition, route: v2.Route, path: str, *, extensions: bool) -> dict[str, Any]:
    operation: dict[str, Any] = _without_none(operationId=route.operation_name)
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(path)
    ]
    if parameters:
        operation["parameters"] = parameters
    operation["responses"] = {"default": {"description": f"Default response for {route.route_key}"}}
    if not extensions:
        return operation
    authorizer = definition.authorizers.get(route.authorizer_id or "")
    if authorizer is not None and route.authorization_type in ("JWT", "CUSTOM"):
        operation["security"] = [{authorizer.name: route.authorization_scopes or []}]
    elif route.authorization_type == "AWS_IAM":
        operation[f"{_X}auth"] = {"type": "AWS_IAM"}
    if route.route_key == "$default":
        operation["isDefaultRoute"] = True
    integration = definition.integrations.get((route.target or "").partition("/")[2])
    if integration is not None:
        operation[f"{_X}integration"] = _integration(integration)
    return operation


def _integration(integration: v2.Integration) -> dict[str, Any]:
    tls = integration.tls_config
    return _without_none(
        payloadFormatVersion=integration.payload_format_version,
        type=(integration.integration_type or "").lower(),
        integrationSubtype=integration.integration_subtype,
        httpMethod=integration.integration_method,
        uri=integration.integration_uri,
        connectionType=integration.connection_type,
        connectionId=integration.connection_id,
        credentials=integration.credentials_arn,
        description=integration.description,
        requestParameters=integration.request_parameters,
        responseParameters=integration.response_parameters,
        timeoutInMillis=integration.timeout_in_millis,
        tlsConfig={"serverNameToVerify": tls.server_name_to_verify} if tls is not None else None,
    )


def _scheme(authorizer: v2.Authorizer) -> dict[str, Any]:
    jwt = authorizer.jwt_configuration
    extension = _without_none(
        type=(authorizer.authorizer_type or "").lower(),
        identitySource=",".join(authorizer.identity_source or []) or None,
        jwtConfiguration=_without_none(audience=jwt.audience, issuer=jwt.issuer) if jwt is not None else None,
        authorizerUri=authorizer.authorizer_uri,
        authorizerCredentials=authorizer.authorizer_credentials_arn,
        authorizerPayloadFormatVersion=authorizer.authorizer_payload_format_version,
        authorizerResultTtlInSeconds=authorizer.authorizer_result_ttl_in_seconds,
        enableSimpleResponses=authorizer.enable_simple_responses,
    )
    if jwt is not None:
        return {"type": "oauth2", "flows": {}, f"{_X}authorizer": extension}
    source = (authorizer.identity_source or [""])[0]
    name = source.rpartition(".")[2] if ".header." in source or ".querystring." in source else "Unused"
    place = "query" if ".querystring." in source else "header"
    return {"type": "apiKey", "name": name, "in": place, f"{_X}authorizer": extension}


def _without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

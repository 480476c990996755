"""Documents made of REST APIs, in the form that API Gateway gives them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-export-api.html
"""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.api import apigateway as api
from cumulet.services.apigateway.openapi import documentation
from cumulet.services.apigateway.openapi.export_methods import Methods
from cumulet.services.apigateway.openapi.export_security import gateway_responses, schemes
from cumulet.services.apigateway.rest.definition import Definition
from cumulet.services.apigateway.rest.models.schemas import referred

KINDS = ("swagger", "oas30")
_ALL = frozenset({"integrations", "authorizers", "validators", "gatewayresponses"})
_PREFIX = "x-amazon-apigateway-"


def write(
    definition: Definition,
    *,
    kind: str,
    stage: api.Stage,
    host: str,
    version: str,
    extensions: frozenset[str],
    yaml: bool = False,
) -> bytes:
    """The document of an API: `kind` is `swagger` or `oas30`, `extensions` those of API Gateway (`apigateway`: all but
    `documentation`, which is in it when the stage has a version of it)."""
    wanted = _ALL | extensions if "apigateway" in extensions else extensions
    swagger = kind == "swagger"
    root = _head(definition, swagger, stage, host, version)
    methods = Methods(definition=definition, swagger=swagger, extensions=wanted)
    paths: dict[str, Any] = {}
    for resource in sorted(definition.resources.values(), key=lambda each: each.path or ""):
        if resource.resource_methods:
            paths[resource.path or ""] = methods.written(resource)
    root["paths"] = paths
    root |= _components(definition, swagger, wanted)
    root |= _extensions(definition, wanted, stage)
    if yaml:
        from cumulet.services.apigateway.openapi.yaml_loader import dump  # noqa: PLC0415  seldom asked for

        return dump(root).encode()
    return msgspec.json.format(msgspec.json.encode(root), indent=2)


def _head(definition: Definition, swagger: bool, stage: api.Stage, host: str, version: str) -> dict[str, Any]:
    rest_api = definition.api
    name = stage.stage_name or ""
    info: dict[str, Any] = {"title": rest_api.name}
    if rest_api.description:
        info["description"] = rest_api.description
    info["version"] = version
    if swagger:
        return {"swagger": "2.0", "info": info, "host": host, "basePath": f"/{name}", "schemes": ["https"]}
    servers = [{"url": f"https://{host}/{{basePath}}", "variables": {"basePath": {"default": name}}}]
    return {"openapi": "3.0.1", "info": info, "servers": servers}


def _components(definition: Definition, swagger: bool, wanted: frozenset[str]) -> dict[str, Any]:
    place = "#/definitions/" if swagger else "#/components/schemas/"
    used = _used(definition)
    schemas = {
        name: _localized(msgspec.json.decode(model.schema or "{}"), place)
        for name, model in definition.models.items()
        if name in used
    }
    security = schemes(definition, swagger=swagger, extension="authorizers" in wanted)
    if swagger:
        return ({"securityDefinitions": security} if security else {}) | ({"definitions": schemas} if schemas else {})
    components: dict[str, Any] = {}
    if schemas:
        components["schemas"] = schemas
    if security:
        components["securitySchemes"] = security
    return {"components": components}


def _used(definition: Definition) -> set[str]:
    """Models that methods use, and those that these refer to."""
    waiting = set()
    for resource in definition.resources.values():
        for method in (resource.resource_methods or {}).values():
            waiting |= set((method.request_models or {}).values())
            for response in (method.method_responses or {}).values():
                waiting |= set((response.response_models or {}).values())
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        model = definition.models.get(name)
        if model is not None and name not in found:
            found.add(name)
            waiting |= _references(msgspec.json.decode(model.schema or "{}"))
    return found


def _references(node: Any) -> set[str]:
    if isinstance(node, list):
        return {name for each in node for name in _references(each)}
    if not isinstance(node, dict):
        return set()
    reference = node.get("$ref")
    own = {referred(reference)} if isinstance(reference, str) and "/models/" in reference else set()
    return own | {name for each in node.values() for name in _references(each)}


def _localized(node: Any, place: str) -> Any:
    """A model's schema with references to other models of the document; a schema's dialect is not said there."""
    if isinstance(node, list):
        return [_localized(each, place) for each in node]
    if not isinstance(node, dict):
        return node
    found = {name: _localized(each, place) for name, each in node.items() if name != "$schema"}
    reference = node.get("$ref")
    if isinstance(reference, str) and "/models/" in reference:
        found["$ref"] = place + referred(reference)
    return found


def _extensions(definition: Definition, wanted: frozenset[str], stage: api.Stage) -> dict[str, Any]:
    rest_api, found = definition.api, dict[str, Any]()
    documented = "documentation" in wanted or (bool(wanted & _ALL) and stage.documentation_version is not None)
    if documented and definition.documentation:
        found[documentation.EXTENSION] = documentation.write(definition.documentation, stage.documentation_version)
    if "gatewayresponses" in wanted and definition.gateway_responses:
        found[_PREFIX + "gateway-responses"] = gateway_responses(definition)
    if "validators" in wanted and definition.validators:
        found[_PREFIX + "request-validators"] = {
            each.name: {
                "validateRequestParameters": bool(each.validate_request_parameters),
                "validateRequestBody": bool(each.validate_request_body),
            }
            for each in definition.validators.values()
        }
    return found | _settings(rest_api) if wanted & _ALL else found


def _settings(rest_api: api.RestApi) -> dict[str, Any]:
    """What the API has set for itself."""
    settings: dict[str, Any] = {
        "policy": msgspec.json.decode(rest_api.policy) if rest_api.policy else None,
        "binary-media-types": rest_api.binary_media_types or None,
        "minimum-compression-size": rest_api.minimum_compression_size,
        "security-policy": rest_api.security_policy,
        "endpoint-access-mode": rest_api.endpoint_access_mode,
        "api-key-source": "AUTHORIZER" if rest_api.api_key_source == "AUTHORIZER" else None,
    }
    return {_PREFIX + name: value for name, value in settings.items() if value is not None}

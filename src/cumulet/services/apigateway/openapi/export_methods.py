"""Operations of a document, made of methods."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from cumulet.api import apigateway as api
from cumulet.services.apigateway.openapi.export_security import demanded
from cumulet.services.apigateway.openapi.methods import ANY, VALIDATOR
from cumulet.services.apigateway.rest.definition import Definition

_ORDER = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "ANY")
_PLACES = {"querystring": "query", "header": "header", "path": "path"}
_HEADER = "method.response.header."
_INTEGRATION = "x-amazon-apigateway-integration"
_POSTMAN = "x-postman-url"
_STRING = {"type": "string"}
_DEFAULT_MILLISECONDS = 29_000


class Methods(Struct, frozen=True, kw_only=True):
    """Writes the methods of an API in one of the two forms."""

    definition: Definition
    swagger: bool
    extensions: frozenset[str]

    def written(self, resource: api.Resource) -> dict[str, Any]:
        """What a document has at a resource's path."""
        methods = resource.resource_methods or {}
        return {
            ANY if verb == "ANY" else verb.lower(): self._operation(methods[verb], resource)
            for verb in _ORDER
            if verb in methods
        }

    def _operation(self, method: api.Method, resource: api.Resource) -> dict[str, Any]:
        operation: dict[str, Any] = {}
        if method.operation_name:
            operation["operationId"] = method.operation_name
        if self.swagger:
            operation |= self._types(method)
        parameters = self._parameters(method)
        if self.swagger and method.request_models:
            name = next(iter(method.request_models.values()))
            parameters.append({"in": "body", "name": name, "required": True, "schema": self._reference(name)})
        if parameters:
            operation["parameters"] = parameters
        if not self.swagger and method.request_models:
            operation["requestBody"] = {"content": self._content(method.request_models), "required": True}
        responses = method.method_responses or {}
        operation["responses"] = {status: self._response(status, responses[status]) for status in sorted(responses)}
        security = demanded(method, self.definition)
        if security:
            operation["security"] = security
        return operation | self._extensions(method, resource)

    def _extensions(self, method: api.Method, resource: api.Resource) -> dict[str, Any]:
        found: dict[str, Any] = {}
        validator = self.definition.validators.get(method.request_validator_id or "")
        if validator is not None and "validators" in self.extensions:
            found[VALIDATOR] = validator.name
        if "postman" in self.extensions:
            found[_POSTMAN] = (resource.path or "").replace("{", ":").replace("}", "")
        if method.method_integration is not None and "integrations" in self.extensions:
            found[_INTEGRATION] = integration(method.method_integration, resource.id or "")
        return found

    def _types(self, method: api.Method) -> dict[str, Any]:
        """Content types that come, and that go: of models, else of templates."""
        described = method.method_integration
        consumed = [*(method.request_models or {}), *((described.request_templates or {}) if described else {})]
        produced = [
            *(name for each in (method.method_responses or {}).values() for name in each.response_models or {}),
            *(
                name
                for each in ((described.integration_responses or {}) if described else {}).values()
                for name in each.response_templates or {}
            ),
        ]
        found: dict[str, Any] = {}
        if consumed:
            found["consumes"] = list(dict.fromkeys(consumed))
        if produced:
            found["produces"] = list(dict.fromkeys(produced))
        return found

    def _parameters(self, method: api.Method) -> list[dict[str, Any]]:
        found = []
        for key, required in (method.request_parameters or {}).items():
            _, _, place, name = key.split(".", 3)
            if place not in _PLACES:
                continue
            parameter: dict[str, Any] = {"name": name, "in": _PLACES[place]}
            if self.swagger:
                parameter |= {"required": required, **_STRING}
            else:
                parameter |= ({"required": True} if required else {}) | {"schema": _STRING}
            found.append(parameter)
        return found

    def _reference(self, name: str) -> dict[str, str]:
        return {"$ref": f"#/definitions/{name}" if self.swagger else f"#/components/schemas/{name}"}

    def _content(self, models: dict[str, str]) -> dict[str, Any]:
        return {content_type: {"schema": self._reference(name)} for content_type, name in models.items()}

    def _response(self, status: str, response: api.MethodResponse) -> dict[str, Any]:
        found: dict[str, Any] = {"description": f"{status} response"}
        models = response.response_models or {}
        if self.swagger and models:
            found["schema"] = self._reference(next(iter(models.values())))
        names = [name.removeprefix(_HEADER) for name in response.response_parameters or {}]
        if names:
            found["headers"] = {name: _STRING if self.swagger else {"schema": _STRING} for name in names}
        if not self.swagger:
            found["content"] = self._content(models)
        return found


def integration(described: api.Integration, resource_id: str) -> dict[str, Any]:
    """`x-amazon-apigateway-integration`; what is as it is by default is left out."""
    timeout = described.timeout_in_millis
    namespace = described.cache_namespace
    tls = described.tls_config
    responses = {
        each.selection_pattern or "default": _without_none(
            statusCode=each.status_code,
            responseParameters=each.response_parameters,
            responseTemplates=each.response_templates,
            contentHandling=each.content_handling,
        )
        for each in (described.integration_responses or {}).values()
    }
    return _without_none(
        type=(described.type or "").lower(),
        credentials=described.credentials,
        httpMethod=described.http_method,
        uri=described.uri,
        responses=responses or None,
        requestParameters=described.request_parameters,
        requestTemplates=described.request_templates,
        passthroughBehavior=(described.passthrough_behavior or "WHEN_NO_MATCH").lower(),
        connectionType=described.connection_type if described.connection_type == "VPC_LINK" else None,
        connectionId=described.connection_id,
        contentHandling=described.content_handling,
        timeoutInMillis=None if timeout == _DEFAULT_MILLISECONDS else timeout,
        cacheNamespace=None if namespace == resource_id else namespace,
        cacheKeyParameters=described.cache_key_parameters or None,
        tlsConfig={"insecureSkipVerification": bool(tls.insecure_skip_verification)} if tls else None,
        responseTransferMode=described.response_transfer_mode,
    )


def _without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

"""Methods made of a document's operations."""

from __future__ import annotations

import re
from typing import Any

from msgspec import Struct

from cumulet.api import apigateway as api
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.openapi import integration
from cumulet.services.apigateway.openapi.document import Document, table, tables, texts
from cumulet.services.apigateway.openapi.models import Models
from cumulet.services.apigateway.openapi.security import Security

ANY = "x-amazon-apigateway-any-method"
VALIDATOR = "x-amazon-apigateway-request-validator"
VERBS = {verb: verb.upper() for verb in ("get", "put", "post", "delete", "options", "head", "patch")} | {ANY: "ANY"}
"""What is a method in a path's object, and how the API calls it."""
_PLACES = {"query": "querystring", "header": "header", "path": "path"}
_IN_PATH = re.compile(r"\{([^{}+]+)\+?\}")
_JSON = ["application/json"]


class Reader(Struct):
    """What operations refer to: models, security schemes, validators by name."""

    document: Document
    models: Models
    security: Security
    validators: dict[str, str]
    limits: Limits
    warnings: list[str]
    errors: list[str]

    def read(self, path: str, verb: str, item: dict[str, Any], resource_id: str) -> api.Method:
        """The method that an operation of a path's object describes."""
        operation = self.document.resolved(item[verb])
        demand = self.security.of(operation)
        name = VERBS[verb]
        method = api.Method(
            http_method=name,
            authorization_type=demand.authorization,
            authorizer_id=demand.authorizer,
            authorization_scopes=demand.scopes,
            api_key_required=demand.key,
            operation_name=_text(operation.get("operationId")),
            request_validator_id=self._validator(operation),
        )
        self._parameters(method, path, item, operation)
        responses = {
            status: self._response(status, self.document.resolved(response), operation)
            for status, response in table(operation.get("responses")).items()
            if status.isdigit()
        }
        method.method_responses = responses or None
        self._check_models(path, method)
        extension = operation.get(integration.EXTENSION, item.get(integration.EXTENSION))
        if extension is not None:
            place = integration.Place(path, name, self.warnings, self.errors)
            described = self.document.resolved(extension)
            method.method_integration = integration.read(described, method, resource_id, place, self.limits)
        return method

    def _check_models(self, path: str, method: api.Method) -> None:
        used = [method.request_models, *(each.response_models for each in (method.method_responses or {}).values())]
        for name in {name: None for models in used for name in (models or {}).values()}:
            if not self.models.has(name):
                self.errors.append(
                    f"Unable to put method '{method.http_method}' on resource at path '{path}': "
                    f"Invalid model identifier specified: {name}"
                )

    def _validator(self, operation: dict[str, Any]) -> str | None:
        name = operation.get(VALIDATOR, self.document.root.get(VALIDATOR))
        return self.validators.get(name) if isinstance(name, str) else None

    def _types(self, operation: dict[str, Any], field: str) -> list[str]:
        return texts(operation.get(field, self.document.root.get(field))) or _JSON

    def _parameters(self, method: api.Method, path: str, item: dict[str, Any], operation: dict[str, Any]) -> None:
        """Those of the path, declared or not, and of the operation, and the body."""
        parameters: dict[str, bool] = {}
        models: dict[str, str] = {}
        for given in (*tables(item.get("parameters")), *tables(operation.get("parameters"))):
            parameter = self.document.resolved(given)
            place, name = parameter.get("in"), parameter.get("name")
            if place == "body":
                model = self.models.name_of(parameter.get("schema"))
                if model:
                    models |= dict.fromkeys(self._types(operation, "consumes"), model)
            elif isinstance(name, str) and isinstance(place, str) and place in _PLACES:
                parameters[f"method.request.{_PLACES[place]}.{name}"] = parameter.get("required") is True
        body = self.document.resolved(operation.get("requestBody"))
        models |= self._content(body)
        for name in _IN_PATH.findall(path):
            parameters.setdefault(f"method.request.path.{name}", True)
        method.request_parameters = parameters or None
        method.request_models = models or None

    def _content(self, holder: dict[str, Any]) -> dict[str, str]:
        """Models by content type, of a body in OpenAPI 3."""
        return {
            content_type: model
            for content_type, media in table(holder.get("content")).items()
            if (model := self.models.name_of(table(media).get("schema")))
        }

    def _response(self, status: str, response: dict[str, Any], operation: dict[str, Any]) -> api.MethodResponse:
        headers = {f"method.response.header.{name}": False for name in table(response.get("headers"))}
        models = self._content(response)
        if self.document.swagger and (model := self.models.name_of(response.get("schema"))):
            models |= dict.fromkeys(self._types(operation, "produces"), model)
        return api.MethodResponse(
            status_code=status, response_parameters=headers or None, response_models=models or None
        )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

"""What a method wants of requests: parameters that must be there, and bodies that fit its models.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cumulet.services.apigateway.rest.definition import Definition
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.pipeline.schema import InvalidSchema, Schema

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

_JSON = "application/json"


class Validation:
    """The checks of one method."""

    def __init__(
        self, required: tuple[tuple[str, str], ...], schemas: Mapping[str, str], models: Mapping[str, api.Model]
    ) -> None:
        """`required` are places (header, querystring, path) and names; `schemas` are by content type, and may refer to `models`."""
        self._required = required
        self._texts = schemas
        self._models = models
        self._schemas: dict[str, Schema] = {}

    def check(self, ex: Exchange) -> None:
        """Raises Refused."""
        missing = [name for place, name in self._required if not _has(ex, place, name)]
        if missing:
            raise Refused("BAD_REQUEST_PARAMETERS", f"Missing required request parameters: [{', '.join(missing)}]")
        if self._texts:
            self._check_body(ex)

    def _check_body(self, ex: Exchange) -> None:
        kind = (ex.header("content-type") or _JSON).partition(";")[0].strip()
        name = kind if kind in self._texts else "$default"
        if name not in self._texts:
            return
        try:
            problem = self._schema(name).problem(ex.request.content)
        except InvalidSchema as error:
            reason = f"Execution failed due to configuration error: Unable to use the model for {kind}: {error}"
            raise Refused("API_CONFIGURATION_ERROR", "Internal server error", reason=reason) from error
        if not problem:
            return
        refused = Refused(
            "BAD_REQUEST_BODY",
            "Invalid request body",
            reason=f"Request body does not match model schema for content type {kind}: [{problem}]",
        )
        refused.validation = f"[{problem}]"
        raise refused

    def _schema(self, name: str) -> Schema:
        """Compiled with the first body. Raises InvalidSchema."""
        found = self._schemas.get(name)
        if found is None:
            found = self._schemas[name] = Schema(self._texts[name], self._models)
        return found


def compile_validation(definition: Definition, method: api.Method) -> Validation | None:
    """The checks that a method's validator asks for; None when there are none."""
    validator = definition.validators.get(method.request_validator_id or "")
    if validator is None:
        return None
    required: list[tuple[str, str]] = []
    if validator.validate_request_parameters:
        for parameter, must in (method.request_parameters or {}).items():
            if must:
                place, _, name = parameter.removeprefix("method.request.").partition(".")
                required.append((place, name))
    schemas: dict[str, str] = {}
    if validator.validate_request_body:
        for content_type, name in (method.request_models or {}).items():
            model = definition.models.get(name)
            if model is not None and model.schema:
                schemas[content_type] = model.schema
    return Validation(tuple(required), schemas, definition.models) if required or schemas else None


def _has(ex: Exchange, place: str, name: str) -> bool:
    if place.endswith("header"):
        return bool(ex.header(name.lower()))
    if place.endswith("querystring"):
        return bool((ex.query.get(name) or [""])[-1])
    return bool(ex.path_values.get(name))

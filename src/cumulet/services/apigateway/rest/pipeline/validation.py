"""What a method wants of requests: parameters that must be there, and bodies that fit its models.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-method-request-validation.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from cumulet.services.apigateway.rest.definition import Definition
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.schemas import flatten

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

_JSON = "application/json"


class Validation:
    """The checks of one method."""

    def __init__(self, required: tuple[tuple[str, str], ...], models: Mapping[str, str]) -> None:
        """`required` are places (header, querystring, path) and names; `models` schemas by content type."""
        self._required = required
        self._models = models
        self._validators: dict[str, Any] = {}

    def check(self, ex: Exchange) -> None:
        """Raises Refused."""
        missing = [name for place, name in self._required if not _has(ex, place, name)]
        if missing:
            raise Refused("BAD_REQUEST_PARAMETERS", f"Missing required request parameters: [{', '.join(missing)}]")
        if self._models:
            self._check_body(ex)

    def _check_body(self, ex: Exchange) -> None:
        kind = (ex.header("content-type") or _JSON).partition(";")[0].strip()
        name = kind if kind in self._models else "$default"
        if name not in self._models:
            return
        validator = self._validators.get(name)
        if validator is None:
            validator = self._validators[name] = _compiled(self._models[name])
        try:
            document = msgspec.json.decode(ex.request.content or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            problem = "Invalid JSON" if ex.request.content else ""
        else:
            problem = _problem(validator, document)
            if not problem:
                return
        refused = Refused(
            "BAD_REQUEST_BODY",
            "Invalid request body",
            reason=f"Request body does not match model schema for content type {kind}: [{problem}]",
        )
        refused.validation = f"[{problem}]"
        raise refused


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
    models: dict[str, str] = {}
    if validator.validate_request_body:
        for content_type, name in (method.request_models or {}).items():
            model = definition.models.get(name)
            if model is not None and model.schema:
                models[content_type] = flatten(model.schema, definition.models)
    return Validation(tuple(required), models) if required or models else None


def _has(ex: Exchange, place: str, name: str) -> bool:
    if place.endswith("header"):
        return bool(ex.header(name.lower()))
    if place.endswith("querystring"):
        return bool((ex.query.get(name) or [""])[-1])
    return bool(ex.path_values.get(name))


def _compiled(schema: str) -> Any:
    import jsonschema_rs  # noqa: PLC0415  few APIs validate bodies, and its library is large

    document = msgspec.json.decode(schema)
    return jsonschema_rs.Draft4Validator(document)


def _problem(validator: Any, document: Any) -> str:
    """What is wrong with a document, in a sentence or several; empty when nothing is."""
    if validator.is_valid(document):
        return ""
    return ", ".join(error.message for error in list(validator.iter_errors(document))[:10]) or "invalid"

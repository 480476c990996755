"""`x-amazon-apigateway-integration`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cumulet.api import apigateway as api
from cumulet.kernel.errors import AwsError
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.openapi.document import table, texts
from cumulet.services.apigateway.rest.resources import integration_rules
from cumulet.services.apigateway.rest.resources.mappings import check_response, check_templates

EXTENSION = "x-amazon-apigateway-integration"


class Place(msgspec.Struct):
    """Where an integration is, for messages; `warnings` and `errors` are added to."""

    path: str
    verb: str
    warnings: list[str]
    errors: list[str]


def read(
    extension: dict[str, Any], method: api.Method, resource_id: str, place: Place, limits: Limits
) -> api.Integration:
    """The integration that an extension describes, with AWS's defaults. What it cannot be goes to the errors of `place`."""
    kind = str(extension.get("type", "")).upper()
    mock = kind == "MOCK"
    made = api.Integration(
        type=kind,
        http_method=None if mock else _upper(extension.get("httpMethod")),
        uri=None if mock else _text(extension.get("uri")),
        connection_type=_upper(extension.get("connectionType")) or ("INTERNET" if kind.startswith("HTTP") else None),
        connection_id=_text(extension.get("connectionId")),
        credentials=_text(extension.get("credentials")),
        request_parameters=_texts(extension.get("requestParameters"), "requestParameters", place) or None,
        request_templates=_templates(extension.get("requestTemplates")),
        passthrough_behavior=_upper(extension.get("passthroughBehavior")) or "WHEN_NO_MATCH",
        content_handling=_upper(extension.get("contentHandling")),
        timeout_in_millis=_whole(extension.get("timeoutInMillis"), limits.timeout_ms),
        cache_namespace=_text(extension.get("cacheNamespace")) or resource_id,
        cache_key_parameters=texts(extension.get("cacheKeyParameters")),
        tls_config=_tls(extension.get("tlsConfig")),
        response_transfer_mode=_upper(extension.get("responseTransferMode")),
        integration_target=_text(extension.get("integrationTarget")),
    )
    _try(place, "integration", lambda: integration_rules.check(made, method, limits))
    responses = {
        response.status_code or "": response
        for pattern, each in table(extension.get("responses")).items()
        if (response := _response(pattern, table(each), method, place)) is not None
    }
    made.integration_responses = responses or None
    return made


def _response(
    pattern: str, extension: dict[str, Any], method: api.Method, place: Place
) -> api.IntegrationResponse | None:
    status = extension.get("statusCode")
    if status is None:
        return None
    response = api.IntegrationResponse(
        status_code=str(status),
        selection_pattern=None if pattern == "default" else pattern,
        response_parameters=_texts(extension.get("responseParameters"), "responseParameters", place) or None,
        response_templates=_templates(extension.get("responseTemplates")),
        content_handling=_upper(extension.get("contentHandling")),
    )

    def check() -> None:
        check_response(response.response_parameters, (method.method_responses or {}).get(str(status)))
        check_templates(response.response_templates)

    _try(place, "integration response", check)
    return response


def _try(place: Place, what: str, check: Callable[[], None]) -> None:
    try:
        check()
    except AwsError as error:
        place.errors.append(
            f"Unable to put {what} on '{place.verb}' for resource at path '{place.path}': {error.message}"
        )


def _texts(value: Any, field: str, place: Place) -> dict[str, str]:
    """Texts by name; what is no text is left out, with a warning."""
    found = {}
    for name, each in table(value).items():
        if isinstance(each, str):
            found[name] = each
        else:
            shown = msgspec.json.encode(each).decode()
            place.warnings.append(
                f"Invalid format for '{field}'. Expected type string for property '{name}' of resource '{place.path}' "
                f"and method '{place.verb}' but got '{shown}'"
            )
    return found


def _templates(value: Any) -> dict[str, str] | None:
    """Templates by content type; an object is the template of its JSON."""
    found = {
        name: each if isinstance(each, str) else msgspec.json.encode(each).decode()
        for name, each in table(value).items()
        if each is not None
    }
    return found or None


def _tls(value: Any) -> api.TlsConfig | None:
    insecure = table(value).get("insecureSkipVerification")
    return (
        None if insecure is None else api.TlsConfig(insecure_skip_verification=insecure is True or insecure == "true")
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _upper(value: Any) -> str | None:
    return value.upper() if isinstance(value, str) and value else None


def _whole(value: Any, otherwise: int) -> int:
    try:
        return otherwise if value is None else int(value)
    except (TypeError, ValueError):
        return otherwise

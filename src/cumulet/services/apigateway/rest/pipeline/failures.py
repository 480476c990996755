"""Gateway responses: what an API answers when the request does not reach its integration, or the integration fails.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from cumulet.kernel.web import WebAnswer
from cumulet.services.apigateway.plane.context import as_text, look_up
from cumulet.services.apigateway.rest.gateway_responses import STATUSES
from cumulet.services.apigateway.rest.pipeline import variables
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

JSON = "application/json"
_DEFAULT = '{"message":$context.error.messageString}'
_VARIABLE = re.compile(r"\$(context|stageVariables|method\.request)((?:\.[A-Za-z0-9_-]+)+)")
_BREAKS = re.compile(r"[\r\n\0]")
ERROR_TYPES = {
    "ACCESS_DENIED": "AccessDeniedException",
    "API_CONFIGURATION_ERROR": "InternalServerErrorException",
    "AUTHORIZER_CONFIGURATION_ERROR": "AuthorizerConfigurationException",
    "AUTHORIZER_FAILURE": "AuthorizerFailureException",
    "BAD_REQUEST_BODY": "BadRequestException",
    "BAD_REQUEST_PARAMETERS": "BadRequestException",
    "DEFAULT_5XX": "InternalServerErrorException",
    "EXPIRED_TOKEN": "ExpiredTokenException",
    "INTEGRATION_FAILURE": "InternalServerErrorException",
    "INTEGRATION_TIMEOUT": "InternalServerErrorException",
    "INVALID_API_KEY": "ForbiddenException",
    "INVALID_SIGNATURE": "InvalidSignatureException",
    "MISSING_AUTHENTICATION_TOKEN": "MissingAuthenticationTokenException",
    "QUOTA_EXCEEDED": "LimitExceededException",
    "REQUEST_TOO_LARGE": "RequestTooLargeException",
    "RESOURCE_NOT_FOUND": "ResourceNotFoundException",
    "THROTTLED": "TooManyRequestsException",
    "UNAUTHORIZED": "UnauthorizedException",
    "UNSUPPORTED_MEDIA_TYPE": "UnsupportedMediaTypeException",
    "WAF_FILTERED": "ForbiddenException",
}


class Response(Struct, frozen=True):
    """A gateway response that was changed. `status` is 0 where it keeps the failure's."""

    status: int
    headers: tuple[tuple[str, str], ...]
    templates: dict[str, str]


def compile_responses(changed: Mapping[str, api.GatewayResponse]) -> dict[str, Response]:
    """Those that an API changed, by type."""
    found = {}
    for kind, response in changed.items():
        headers = tuple(
            (name.removeprefix("gatewayresponse.header."), expression)
            for name, expression in (response.response_parameters or {}).items()
        )
        status = response.status_code or ""
        found[kind] = Response(int(status) if status.isdigit() else 0, headers, dict(response.response_templates or {}))
    return found


def answer(ex: Exchange, refused: Refused) -> WebAnswer:
    """The answer to a request that was refused: as the API's gateway responses say, or AWS's own."""
    ex.refused = refused
    status = refused.status or int(STATUSES.get(refused.kind) or 500)
    responses = ex.program.responses
    custom = responses.get(refused.kind) or responses.get("DEFAULT_4XX" if status < 500 else "DEFAULT_5XX")
    error_type = refused.error_type or ERROR_TYPES.get(refused.kind, "")
    headers = [("x-amzn-ErrorType", error_type)] if error_type else []
    if custom is None:
        member = "Message" if refused.kind == "ACCESS_DENIED" else "message"
        body = msgspec.json.encode({member: refused.message})
        return WebAnswer(status=status, headers=[("Content-Type", JSON), *headers], body=body)
    status = custom.status or status
    context: dict[str, Any] = variables.tree(ex)
    context["status"] = str(status)
    content_type, template = _template(ex, custom.templates)
    body = _VARIABLE.sub(lambda found: _value(ex, context, found[1], found[2][1:]), template).encode()
    headers.append(("Content-Type", content_type))
    for name, expression in custom.headers:
        value = _parameter(ex, context, expression)
        if value and not _BREAKS.search(value):
            headers = [line for line in headers if line[0].lower() != name.lower()]
            headers.append((name, value))
    return WebAnswer(status=status, headers=headers, body=body)


def _template(ex: Exchange, templates: Mapping[str, str]) -> tuple[str, str]:
    """The template for what the client accepts, else of JSON, else the first."""
    for accepted in (ex.header("accept") or "").split(","):
        kind = accepted.partition(";")[0].strip()
        if kind in templates:
            return kind, templates[kind]
    if not templates:
        return JSON, _DEFAULT
    kind = JSON if JSON in templates else next(iter(templates))
    return kind, templates[kind]


def _parameter(ex: Exchange, context: Mapping[str, Any], expression: str) -> str:
    if expression.startswith("'"):
        return expression[1:-1]
    for root in ("context", "stageVariables", "method.request"):
        if expression.startswith(root + "."):
            return _value(ex, context, root, expression[len(root) + 1 :])
    return ""


def _value(ex: Exchange, context: Mapping[str, Any], root: str, path: str) -> str:
    if root == "context":
        return as_text(look_up(context, tuple(path.split("."))))
    if root == "stageVariables":
        return ex.stage_variables.get(path, "")
    place, _, name = path.partition(".")
    if place in {"header", "multivalueheader"}:
        return ex.header(name.lower()) or ""
    if place in {"querystring", "multivaluequerystring"}:
        return (ex.query.get(name) or [""])[-1]
    return ex.path_params.get(name, "")

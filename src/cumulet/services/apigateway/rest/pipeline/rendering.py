"""Mapping templates on the way to an integration and back, with the overrides that they set.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-override-request-response-parameters.html
"""

from __future__ import annotations

from typing import Any

from cumulet.services.apigateway.rest import templates
from cumulet.services.apigateway.rest.pipeline import variables
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused


class Overrides:
    """`$context.requestOverride` and `$context.responseOverride`, filled by templates; those of a request hold for its answer too."""

    def __init__(self) -> None:
        self.request: dict[str, dict[str, Any]] = {"header": {}, "querystring": {}, "path": {}}
        self.response: dict[str, Any] = {"header": {}}


def render(ex: Exchange, text: str, content: bytes, overrides: Overrides) -> bytes:
    """The text that a template makes of a body. Raises Refused (500) when it cannot."""
    try:
        body = content.decode()
    except UnicodeDecodeError as error:
        raise _failed(f"the body is no text: {error.reason}") from error
    context = variables.tree(ex)
    context["requestOverride"] = overrides.request
    context["responseOverride"] = overrides.response
    try:
        rendered = templates.render(
            text,
            body=body,
            headers={name: values[-1] for name, values in ex.headers.values()},
            query={name: values[-1] for name, values in ex.query.items()},
            path=ex.path_params,
            context=context,
            stage_variables=ex.stage_variables,
        )
    except templates.TemplateError as error:
        raise _failed(str(error)) from error
    return rendered.encode()


def _failed(why: str) -> Refused:
    reason = f"Execution failed due to configuration error: Unable to transform the body: {why}"
    return Refused("API_CONFIGURATION_ERROR", "Internal server error", reason=reason)

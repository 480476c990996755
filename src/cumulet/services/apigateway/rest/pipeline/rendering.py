"""Mapping templates on the way to an integration and back, with the overrides that they set.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-override-request-response-parameters.html
"""

from __future__ import annotations

from typing import Any

from cumulet.services.apigateway.plane import templates
from cumulet.services.apigateway.rest.pipeline import variables
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused


class Overrides:
    """`$context.requestOverride` and `$context.responseOverride`, filled by templates; those of a request hold for its answer too."""

    def __init__(self) -> None:
        self.request: dict[str, dict[str, Any]] = {"header": {}, "querystring": {}, "path": {}}
        self.response: dict[str, Any] = {"header": {}}

    def copy(self) -> Overrides:
        """The same, for a rendering that may have to be done once more."""
        other = Overrides()
        other.request = {place: dict(values) for place, values in self.request.items()}
        other.response = self.response | {"header": dict(self.response["header"])}
        return other


async def render(ex: Exchange, text: str, content: bytes, overrides: Overrides) -> bytes:
    """The text that a template makes of a body. Raises Refused (500) when it cannot."""
    try:
        body = content.decode()
    except UnicodeDecodeError as error:
        raise _failed(f"the body is no text: {error.reason}") from error
    headers = {name: values[-1] for name, values in ex.headers.values()}
    query = {name: values[-1] for name, values in ex.query.items()}

    def work(quick: bool) -> tuple[str, Overrides]:
        made = overrides.copy()
        context = variables.tree(ex)
        context["requestOverride"] = made.request
        context["responseOverride"] = made.response
        return templates.render(
            text,
            body=body,
            headers=headers,
            query=query,
            path=ex.path_params,
            context=context,
            stage_variables=ex.stage_variables,
            quick=quick,
        ), made

    try:
        rendered, made = await templates.rendered(work, content)
    except templates.TemplateError as error:
        raise _failed(str(error)) from error
    overrides.request, overrides.response = made.request, made.response
    return rendered.encode("utf-8", "replace")


def _failed(why: str) -> Refused:
    reason = f"Execution failed due to configuration error: Unable to transform the body: {why}"
    return Refused("API_CONFIGURATION_ERROR", "Internal server error", reason=reason)

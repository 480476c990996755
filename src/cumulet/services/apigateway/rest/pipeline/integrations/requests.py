"""From the client's request to the integration's: templates, parameter mappings, overrides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, quote_plus

from cumulet.services.apigateway.plane.context import as_text
from cumulet.services.apigateway.rest.pipeline import bodies, variables
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.pipeline.headers import UNMAPPABLE
from cumulet.services.apigateway.rest.pipeline.integrations.plan import Plan, Sent
from cumulet.services.apigateway.rest.pipeline.mapping import Sources, parse_json
from cumulet.services.apigateway.rest.pipeline.rendering import Overrides, render

JSON = "application/json"


async def transformed(ex: Exchange, plan: Plan, overrides: Overrides, unmappable: frozenset[str] = UNMAPPABLE) -> Sent:
    """The request of an integration that is no proxy. Raises Refused."""
    kind = ex.header("content-type") or JSON
    binary = ex.program.media.has(kind)
    template = chosen(plan, kind)
    try:
        body = bodies.of_request(ex.request.content, binary=binary, handling=plan.handling)
    except bodies.NotBase64 as error:
        reason = "Execution failed due to configuration error: Unable to base64 decode the body."
        raise Refused("API_CONFIGURATION_ERROR", "Internal server error", reason=reason) from error
    if template is not None:
        body = await render(ex, template, body, overrides)
    sent = Sent({}, {}, {}, body)
    apply_mappings(ex, plan, sent, unmappable)
    for place, values in overrides.request.items():
        for name, value in values.items():
            _set(sent, place, name, as_text(value))
    return sent


def chosen(plan: Plan, content_type: str) -> str | None:
    """The template for a request of that type; None when the body passes as it is. Raises Refused (415)."""
    templates = plan.templates
    if templates:
        found = templates.get(content_type)
        if found is None:
            found = templates.get(content_type.partition(";")[0].strip())
        if found is None:
            found = templates.get("$default")
        if found is not None:
            return found or None
    if plan.passthrough == "NEVER" or (plan.passthrough == "WHEN_NO_TEMPLATES" and templates):
        raise Refused("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type")
    return None


def apply_mappings(ex: Exchange, plan: Plan, sent: Sent, unmappable: frozenset[str]) -> None:
    """Set what the integration's request parameters say. Raises Refused (500) for headers that cannot be set."""
    if not plan.mappings:
        return
    sources = _sources(ex)
    for mapping in plan.mappings:
        if mapping.place == "header" and mapping.name.lower() in unmappable:
            reason = f"Execution failed due to configuration error: header {mapping.name} cannot be mapped"
            raise Refused("API_CONFIGURATION_ERROR", "Internal server error", reason=reason)
        value = mapping.read(sources)
        if value is not None:
            _set(sent, mapping.place, mapping.name, value)


def _set(sent: Sent, place: str, name: str, value: str | list[str]) -> None:
    values = value if isinstance(value, list) else [value]
    if place == "header":
        for known in [known for known in sent.headers if known.lower() == name.lower()]:
            del sent.headers[known]
        sent.headers[name] = values
    elif place == "querystring":
        sent.query[name] = values
    else:
        sent.path[name] = ",".join(values)


def _sources(ex: Exchange) -> Sources:
    known: dict[str, Any] = {}

    def context() -> Mapping[str, Any]:
        if "context" not in known:
            known["context"] = variables.tree(ex)
        tree: Mapping[str, Any] = known["context"]
        return tree

    def headers(name: str) -> list[str]:
        found = ex.headers.get(name.lower())
        return found[1] if found is not None else []

    return Sources(
        headers=headers,
        query=lambda name: ex.query.get(name, []),
        path=ex.path_params.get,
        body=lambda: parse_json(ex.request.content) if ex.request.content else None,
        context=context,
        stage_variables=ex.stage_variables,
    )


def encoded_path(ex: Exchange, sent: Sent) -> dict[str, str]:
    """Path parameters for a URI, encoded: those that are mapped, and the client's own as it sent them where nothing is mapped.

    A value that came as a path part goes as it came; slashes of a greedy one stay. Raises Refused (400) for what is mapped and would
    lead out of the integration's address.
    """
    found = dict(ex.path_values)
    for name, value in sent.path.items():
        same = next((raw for key, raw in ex.path_values.items() if ex.path_params[key] == value), None)
        if same is None and _leads_elsewhere(value):
            raise Refused("BAD_REQUEST_PARAMETERS", "Bad Request", reason=f"A path cannot have {name} = {value!r}")
        found[name] = same if same is not None else quote(value, safe="/:@!$&'()*+,;=-._~")
    return found


def _leads_elsewhere(value: str) -> bool:
    """Whether a part of a path is no name; paths of requests were looked at when these came."""
    return any(part in {".", ".."} for part in value.replace("\\", "/").split("/"))


def query_string(query: Mapping[str, list[str]]) -> str:
    """Encoded."""
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, values in query.items() for value in values)

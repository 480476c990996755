"""From the integration's answer to the client's: which integration response is meant, its template and its headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from cumulet.expressions.regexes import TooComplex
from cumulet.kernel.web import WebAnswer
from cumulet.services.apigateway.plane.context import as_text
from cumulet.services.apigateway.rest.pipeline import bodies, variables
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused
from cumulet.services.apigateway.rest.pipeline.headers import answer_name
from cumulet.services.apigateway.rest.pipeline.integrations.plan import Plan, ResponsePlan
from cumulet.services.apigateway.rest.pipeline.mapping import Sources, parse_json
from cumulet.services.apigateway.rest.pipeline.rendering import Overrides, render

JSON = "application/json"
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BREAKS = re.compile(r"[\r\n\0]")
_NO_MATCH = "Execution failed due to configuration error: No match for output mapping and no default output mapping configured. Endpoint Response Status Code: {}"
_NO_METHOD_RESPONSE = (
    "Execution failed due to configuration error: Output mapping refers to an invalid method response: {}"
)


def select(plan: Plan, text: str, status: str) -> ResponsePlan:
    """The response whose pattern fits a text (a status, or a function's error), else the default one. Raises Refused."""
    default = None
    for response in plan.responses:
        if response.pattern is None:
            default = default or response
        elif text and _fits(response, text):
            return response
    if default is None:
        raise Refused("API_CONFIGURATION_ERROR", "Internal server error", reason=_NO_MATCH.format(status))
    return default


def _fits(response: ResponsePlan, text: str) -> bool:
    assert response.pattern is not None
    try:
        return response.pattern.matches(text)
    except TooComplex:
        return False


async def transformed(
    ex: Exchange, plan: Plan, response: ResponsePlan, answer: WebAnswer, overrides: Overrides
) -> WebAnswer:
    """The client's answer. Raises Refused."""
    if response.status not in plan.method_responses:
        raise Refused(
            "API_CONFIGURATION_ERROR", "Internal server error", reason=_NO_METHOD_RESPONSE.format(response.status)
        )
    assert isinstance(answer.body, bytes)
    given: dict[str, list[str]] = {}
    for name, value in answer.headers:
        given.setdefault(name.lower(), []).append(value)
    body = _converted(ex, response, answer.body, (given.get("content-type") or [""])[-1])
    content_type, template = _template(ex, response)
    if template:
        body = await render(ex, template, body, overrides)
    headers = _mapped(ex, response, given, answer.body)
    for name, value in overrides.response["header"].items():
        headers[name.lower()] = (name, [as_text(value)])
    headers.setdefault("content-type", ("Content-Type", [content_type]))
    lines = [
        (given_name, value)
        for name, values in headers.values()
        if (given_name := answer_name(name))
        for value in values
        if not _BREAKS.search(value) and _TOKEN.fullmatch(name)  # else it would become another header
    ]
    status = overrides.response.get("status")
    return WebAnswer(status=_status(status, response.status), headers=lines, body=body)


def _converted(ex: Exchange, response: ResponsePlan, body: bytes, content_type: str) -> bytes:
    media = ex.program.media
    wanted = media.has(ex.header("accept") or "") and bool(ex.header("accept"))
    binary = bool(content_type) and media.has(content_type)
    try:
        return bodies.of_answer(body, binary=binary, wanted=wanted, handling=response.handling)
    except bodies.NotBase64 as error:
        reason = "Execution failed due to configuration error: Unable to base64 decode the body."
        raise Refused("API_CONFIGURATION_ERROR", "Internal server error", reason=reason) from error


def _template(ex: Exchange, response: ResponsePlan) -> tuple[str, str]:
    """Content type and template: what the client accepts, else JSON, else the first."""
    templates = response.templates
    if not templates:
        return JSON, ""
    for accepted in (ex.header("accept") or "").split(","):
        kind = accepted.partition(";")[0].strip()
        if kind in templates:
            return kind, templates[kind]
    kind = JSON if JSON in templates else next(iter(templates))
    return kind, templates[kind] or ""


def _mapped(
    ex: Exchange, response: ResponsePlan, given: Mapping[str, list[str]], body: bytes
) -> dict[str, tuple[str, list[str]]]:
    if not response.mappings:
        return {}
    sources = Sources(
        headers=lambda name: given.get(name.lower(), []),
        query=lambda name: [],
        path=lambda name: None,
        body=lambda: parse_json(body),
        context=lambda: variables.tree(ex),
        stage_variables=ex.stage_variables,
    )
    headers: dict[str, tuple[str, list[str]]] = {}
    for mapping in response.mappings:
        value = mapping.read(sources)
        if value is not None:
            headers[mapping.name.lower()] = (mapping.name, value if isinstance(value, list) else [value])
    return headers


def _status(override: Any, status: str) -> int:
    text = as_text(override) if override is not None else status
    return int(text) if text.isdigit() and 100 <= int(text[:4]) <= 599 else int(status)

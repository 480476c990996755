"""What an integration is compiled to, and what is sent to it and comes back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from cumulet.expressions.regexes import Expression, InvalidExpression, expression
from cumulet.kernel.web import WebAnswer
from cumulet.services.apigateway.rest.pipeline.exchange import Exchange
from cumulet.services.apigateway.rest.pipeline.mapping import Mapping_, compile_mappings

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

LONGEST = 29_000
"""Milliseconds that an integration has unless it says otherwise."""
LONGEST_STREAM = 900_000


class ResponsePlan(Struct, frozen=True, kw_only=True):
    """One integration response. `pattern` is None for the default one."""

    status: str
    pattern: Expression | None
    mappings: tuple[Mapping_, ...]
    templates: dict[str, str]
    handling: str | None


class Plan(Struct, frozen=True, kw_only=True):
    """What is common to integrations. `timeout` is in seconds; `arn` is the method's, which functions' policies are asked about."""

    kind: str
    arn: str
    method: str
    uri: str
    role: str
    timeout: float
    mappings: tuple[Mapping_, ...]
    templates: dict[str, str]
    passthrough: str
    handling: str | None
    responses: tuple[ResponsePlan, ...]
    method_responses: frozenset[str]
    cache_keys: tuple[tuple[str, str], ...] = ()
    cache_namespace: str = ""
    streams: bool = False
    verify: bool = True
    link: str = ""
    target: str = ""


class Sent(Struct):
    """A request to an integration: headers and query by name, path parameters undecoded."""

    headers: dict[str, list[str]]
    query: dict[str, list[str]]
    path: dict[str, str]
    body: bytes


class Integration(Protocol):
    """One kind of integration, compiled for a method."""

    plan: Plan

    async def run(self, ex: Exchange) -> WebAnswer:
        """The client's answer. Raises Refused."""
        ...


def compile_plan(method: api.Method, integration: api.Integration, arn: str) -> Plan:
    """The common part."""
    stream = integration.response_transfer_mode == "STREAM"
    milliseconds = integration.timeout_in_millis or LONGEST
    tls = integration.tls_config
    return Plan(
        kind=integration.type or "",
        arn=arn,
        method=integration.http_method or "",
        uri=integration.uri or "",
        role=integration.credentials or "",
        timeout=min(milliseconds, LONGEST_STREAM) / 1000,
        mappings=compile_mappings(integration.request_parameters, "method.request"),
        templates=dict(integration.request_templates or {}),
        passthrough=integration.passthrough_behavior or "WHEN_NO_MATCH",
        handling=integration.content_handling,
        responses=_responses(integration.integration_responses or {}),
        method_responses=frozenset(method.method_responses or {}),
        cache_keys=tuple(_cache_key(text) for text in integration.cache_key_parameters or ()),
        cache_namespace=integration.cache_namespace or "",
        streams=stream,
        verify=not (tls is not None and tls.insecure_skip_verification),
        link=(integration.connection_id or "") if integration.connection_type == "VPC_LINK" else "",
        target=integration.integration_target or "",
    )


def _responses(responses: Mapping[str, api.IntegrationResponse]) -> tuple[ResponsePlan, ...]:
    return tuple(
        ResponsePlan(
            status=response.status_code or status,
            pattern=_pattern(response.selection_pattern),
            mappings=compile_mappings(response.response_parameters, "integration.response"),
            templates=dict(response.response_templates or {}),
            handling=response.content_handling,
        )
        for status, response in sorted(responses.items())
    )


def _pattern(text: str | None) -> Expression | None:
    if not text:
        return None
    try:
        return expression(text, "s")
    except InvalidExpression:
        return expression("(?!)")


def _cache_key(text: str) -> tuple[str, str]:
    """Place and name of `method.request.header.Name`; mappings to `integration.request` count by their target."""
    place, _, name = text.removeprefix("method.request.").removeprefix("integration.request.").partition(".")
    return place, name.lower() if place == "header" else name

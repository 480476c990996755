"""A stage of a WebSocket API, compiled: its routes, and what they lead to."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from cumulet.api import apigatewayv2 as v2
from cumulet.expressions.regexes import expression
from cumulet.services.apigateway.http import expressions
from cumulet.services.apigateway.http.expressions import Expression
from cumulet.services.apigateway.http.running import Running
from cumulet.services.apigateway.plane.context import LogFormat, log_format
from cumulet.services.apigateway.sockets.checking import BodyCheck, check_of

CONNECT, DISCONNECT, DEFAULT = "$connect", "$disconnect", "$default"


class SocketRoute(Struct, frozen=True, kw_only=True):
    """A route. `answers`: it has a route response, so what its integration says goes back to the client. `check`: of its messages."""

    key: str
    route: v2.Route
    integration: v2.Integration | None
    responses: list[v2.IntegrationResponse]
    authorizer: v2.Authorizer | None
    answers: bool
    check: BodyCheck | None
    rate: float
    burst: float


class SocketProgram(Struct, frozen=True, kw_only=True):
    """All of a stage."""

    running: Running
    routes: Mapping[str, SocketRoute]
    selection: Expression
    variables: dict[str, str]
    log: LogFormat | None
    log_group: str
    key_source: str


def program_of(running: Running) -> SocketProgram:
    """The program of a stage, compiled once."""
    if running.kept is None:
        running.kept = _compile(running)
    program: SocketProgram = running.kept
    return program


def _compile(running: Running) -> SocketProgram:
    definition, stage = running.definition, running.stage
    routes = {}
    models = {model.name or "": model for model in definition.models.values()}
    for route in definition.routes.values():
        id = (route.target or "").partition("/")[2]
        own, usual = (stage.route_settings or {}).get(route.route_key), stage.default_route_settings
        settings = [one for one in (own, usual) if one is not None]
        rates = [one.throttling_rate_limit for one in settings if one.throttling_rate_limit is not None]
        bursts = [one.throttling_burst_limit for one in settings if one.throttling_burst_limit is not None]
        routes[route.route_key] = SocketRoute(
            key=route.route_key,
            route=route,
            integration=definition.integrations.get(id),
            responses=definition.integration_responses.get(id, []),
            authorizer=definition.authorizers.get(route.authorizer_id or ""),
            answers=bool(definition.route_responses.get(route.route_id or "")),
            check=check_of(route, models),
            rate=rates[0] if rates else -1.0,
            burst=float(bursts[0]) if bursts else -1.0,
        )
    logs = stage.access_log_settings
    group = logs.destination_arn.partition(":log-group:")[2].removesuffix(":*") if logs and logs.destination_arn else ""
    return SocketProgram(
        running=running,
        routes=routes,
        selection=expressions.compile(definition.api.route_selection_expression),
        variables=stage.stage_variables or {},
        log=log_format(logs.format) if logs and logs.format and group else None,
        log_group=group,
        key_source=definition.api.api_key_selection_expression or "$request.header.x-api-key",
    )


def response_for(responses: list[v2.IntegrationResponse], selected: str) -> v2.IntegrationResponse | None:
    """The integration response that a selected text is for: one whose expression fits it, else the default.

    Raises InvalidExpression and TooComplex.
    """
    for response in responses:
        key = response.integration_response_key
        if key != DEFAULT and expression(key[1:-1]).matches(selected):
            return response
    return next((one for one in responses if one.integration_response_key == DEFAULT), None)

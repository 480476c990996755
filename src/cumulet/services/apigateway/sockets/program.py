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
from cumulet.services.apigateway.plane.execution_log import SECRET
from cumulet.services.apigateway.sockets.checking import BodyCheck, check_of

CONNECT, DISCONNECT, DEFAULT = "$connect", "$disconnect", "$default"


class Logging(Struct, frozen=True):
    """What a route's execution log has: `level` is INFO or ERROR; `traced`, bodies too.

    `secrets` are names, in lower case, of headers and parameters that it shows the end of alone: what an authorizer lets a client
    in by is one.
    """

    level: str
    traced: bool
    secrets: frozenset[str] = SECRET


class SocketRoute(Struct, frozen=True, kw_only=True):
    """A route. `answers`: it has a route response, so what its integration says goes back to the client. `check`: of its messages.

    `logging` is None where it has no execution log.
    """

    key: str
    route: v2.Route
    integration: v2.Integration | None
    responses: list[v2.IntegrationResponse]
    authorizer: v2.Authorizer | None
    answers: bool
    check: BodyCheck | None
    rate: float
    burst: float
    logging: Logging | None


class SocketProgram(Struct, frozen=True, kw_only=True):
    """All of a stage. `logging` is for what has no route."""

    running: Running
    routes: Mapping[str, SocketRoute]
    selection: Expression
    variables: dict[str, str]
    log: LogFormat | None
    log_group: str
    key_source: str
    logging: Logging | None


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
        authorizer = definition.authorizers.get(route.authorizer_id or "")
        routes[route.route_key] = SocketRoute(
            key=route.route_key,
            route=route,
            integration=definition.integrations.get(id),
            responses=definition.integration_responses.get(id, []),
            authorizer=authorizer,
            answers=bool(definition.route_responses.get(route.route_id or "")),
            check=check_of(route, models),
            rate=rates[0] if rates else -1.0,
            burst=float(bursts[0]) if bursts else -1.0,
            logging=_logging(settings, authorizer),
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
        logging=_logging([usual for usual in (stage.default_route_settings,) if usual is not None]),
    )


def _logging(settings: list[v2.RouteSettings], authorizer: v2.Authorizer | None = None) -> Logging | None:
    """What the first of settings says that says something."""
    level = next((one.logging_level for one in settings if one.logging_level), "OFF")
    traced = next((one.data_trace_enabled for one in settings if one.data_trace_enabled is not None), False)
    if level == "OFF":
        return None
    sources = (authorizer.identity_source or []) if authorizer is not None else []
    return Logging(level, bool(traced), SECRET | {source.rpartition(".")[2].lower() for source in sources})


def response_for(responses: list[v2.IntegrationResponse], selected: str) -> v2.IntegrationResponse | None:
    """The integration response that a selected text is for: one whose expression fits it, else the default.

    Raises InvalidExpression and TooComplex.
    """
    for response in responses:
        key = response.integration_response_key
        if key != DEFAULT and expression(key[1:-1]).matches(selected):
            return response
    return next((one for one in responses if one.integration_response_key == DEFAULT), None)

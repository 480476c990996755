"""A stage of an HTTP API, compiled: its routes with their integrations and authorizers."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from cumulet.api import apigatewayv2 as v2
from cumulet.kernel.call import Principal
from cumulet.services.apigateway.http import expressions, mappings
from cumulet.services.apigateway.http.expressions import Expression
from cumulet.services.apigateway.http.mappings import Change
from cumulet.services.apigateway.http.running import Running
from cumulet.services.apigateway.http.serving.routing import Routes
from cumulet.services.apigateway.http.subtypes import SUBTYPES, Subtype
from cumulet.services.apigateway.plane.context import LogFormat, log_format
from cumulet.services.apigateway.plane.lambdas import SERVICE


class Target(Struct, frozen=True, kw_only=True):
    """An integration, with its mappings compiled. `seconds` is the time it has."""

    integration: v2.Integration
    uri: Expression
    seconds: float
    request: list[Change]
    responses: Mapping[str, list[Change]]
    subtype: Subtype | None = None
    parameters: Mapping[str, Expression] = {}


class RouteProgram(Struct, frozen=True, kw_only=True):
    """A route. `rate` and `burst` are its limits, negative where it has none of its own."""

    key: str
    route: v2.Route
    target: Target | None
    authorizer: v2.Authorizer | None
    sources: tuple[Expression, ...]
    rate: float
    burst: float


class Program(Struct, frozen=True, kw_only=True):
    """All of a stage. `itself` is who calls others: API Gateway, for the API's account. `log` is the format of its access log, `log_group` where that goes; both empty without one."""

    running: Running
    itself: Principal
    routes: Routes[RouteProgram]
    cors: v2.Cors | None
    variables: Mapping[str, str]
    log: LogFormat | None
    log_group: str


def program_of(running: Running) -> Program:
    """The program of a stage, compiled once."""
    if running.kept is None:
        running.kept = compile(running)
    program: Program = running.kept
    return program


def compile(running: Running) -> Program:
    """Compile a stage."""
    definition, stage = running.definition, running.stage
    targets = {f"integrations/{id}": _target(one) for id, one in definition.integrations.items()}
    routes: Routes[RouteProgram] = Routes()
    for route in definition.routes.values():
        authorizer = definition.authorizers.get(route.authorizer_id or "")
        rate, burst = _limits(stage, route.route_key)
        sources = (authorizer.identity_source or []) if authorizer is not None else []
        compiled = RouteProgram(
            key=route.route_key,
            route=route,
            target=targets.get(route.target or ""),
            authorizer=authorizer,
            sources=tuple(expressions.compile(source) for source in sources),
            rate=rate,
            burst=burst,
        )
        routes.add(route.route_key, compiled)
    logs = stage.access_log_settings
    group = logs.destination_arn.partition(":log-group:")[2].removesuffix(":*") if logs and logs.destination_arn else ""
    return Program(
        running=running,
        itself=Principal.service(SERVICE, running.account),
        routes=routes,
        cors=definition.api.cors_configuration,
        variables=stage.stage_variables or {},
        log=log_format(logs.format) if logs and logs.format and group else None,
        log_group=group,
    )


def _target(integration: v2.Integration) -> Target:
    subtype = SUBTYPES.get(integration.integration_subtype or "")
    given = integration.request_parameters or {}
    return Target(
        integration=integration,
        uri=expressions.compile(integration.integration_uri or ""),
        seconds=(integration.timeout_in_millis or 30_000) / 1000,
        request=[] if subtype is not None else mappings.changes(given),
        responses={status: mappings.changes(held) for status, held in (integration.response_parameters or {}).items()},
        subtype=subtype,
        parameters={name: expressions.compile(value) for name, value in given.items()} if subtype is not None else {},
    )


def _limits(stage: v2.Stage, key: str) -> tuple[float, float]:
    """A route's rate and burst: its own settings, else the stage's."""
    own, usual = (stage.route_settings or {}).get(key), stage.default_route_settings
    rate = own.throttling_rate_limit if own and own.throttling_rate_limit is not None else None
    burst = own.throttling_burst_limit if own and own.throttling_burst_limit is not None else None
    if usual is not None:
        rate = usual.throttling_rate_limit if rate is None else rate
        burst = usual.throttling_burst_limit if burst is None else burst
    if rate is None and burst is None:
        return -1.0, -1.0
    return (-1.0 if rate is None else rate), float(-1 if burst is None else burst)

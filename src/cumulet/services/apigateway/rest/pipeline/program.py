"""A deployment and its stage, compiled: what a request needs is looked up, not worked out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from cumulet.kernel.call import Principal
from cumulet.kernel.errors import AwsError
from cumulet.services.apigateway.plane.context import LogFormat, log_format
from cumulet.services.apigateway.plane.lambdas import SERVICE
from cumulet.services.apigateway.plane.logs import group_of
from cumulet.services.apigateway.rest.definition import Definition
from cumulet.services.apigateway.rest.pipeline.authorization import Authorization, compile_authorization
from cumulet.services.apigateway.rest.pipeline.bodies import MediaTypes
from cumulet.services.apigateway.rest.pipeline.failures import Response, compile_responses
from cumulet.services.apigateway.rest.pipeline.integrations import compile_integration
from cumulet.services.apigateway.rest.pipeline.integrations.plan import Integration
from cumulet.services.apigateway.rest.pipeline.router import Router
from cumulet.services.apigateway.rest.pipeline.settings import Settings, settings_of
from cumulet.services.apigateway.rest.pipeline.validation import Validation, compile_validation

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

_SHORT_ARN = re.compile(r"execute-api:/")


class AccessLog(Struct, frozen=True):
    """`place` is account, region and group."""

    place: tuple[str, str, str]
    format: LogFormat


class MethodPlan(Struct, kw_only=True):
    """One method of a resource. `integration` is None where a method has none."""

    resource_id: str
    resource_path: str
    verb: str
    operation_name: str
    authorization: Authorization
    key_required: bool
    validation: Validation | None
    settings: Settings
    integration: Integration | None


class Program(Struct, kw_only=True):
    """What a stage runs. `itself` is who calls others: API Gateway, for the API's account. `canary` is what the share of requests that `canary_share` (0 to 1) tells runs instead."""

    api_id: str
    account: str
    region: str
    itself: Principal
    arn: str
    stage_name: str
    deployment_id: str
    variables: dict[str, str]
    router: Router[MethodPlan]
    responses: dict[str, Response]
    media: MediaTypes
    compression: int | None
    key_source: str
    policy: str | None
    access_log: AccessLog | None
    closed: bool
    edge: bool
    strict: bool = False
    traced: bool
    canary_of: bool = False
    is_canary: bool = False
    canary: Program | None = None
    canary_share: float = 0.0
    own_cache: bool = False
    certificate: str = ""


def compile(
    definition: Definition,
    stage: api.Stage,
    account: str,
    region: str,
    canary: Definition | None = None,
) -> Program:
    """The program of a stage, with its canary's beside it."""
    program = _program(definition, stage, account, region, stage.deployment_id or "", dict(stage.variables or {}))
    settings = stage.canary_settings
    if settings is not None:
        program.canary_of = True
        variables = {**program.variables, **(settings.stage_variable_overrides or {})}
        other = _program(canary or definition, stage, account, region, settings.deployment_id or "", variables)
        other.canary_of = other.is_canary = True
        other.own_cache = not settings.use_stage_cache
        program.canary = other
        program.canary_share = (settings.percent_traffic or 0.0) / 100.0
    return program


def _program(
    definition: Definition, stage: api.Stage, account: str, region: str, deployment_id: str, variables: dict[str, str]
) -> Program:
    rest = definition.api
    api_id = rest.id or ""
    arn = f"arn:aws:execute-api:{region}:{account}:{api_id}"
    return Program(
        api_id=api_id,
        account=account,
        region=region,
        itself=Principal.service(SERVICE, account),
        arn=arn,
        stage_name=stage.stage_name or "",
        deployment_id=deployment_id,
        variables=variables,
        router=_router(definition, stage, arn),
        responses=compile_responses(definition.gateway_responses),
        media=MediaTypes(rest.binary_media_types or []),
        compression=rest.minimum_compression_size,
        key_source=rest.api_key_source or "HEADER",
        policy=expanded(rest.policy, arn),
        access_log=_access_log(stage),
        closed=bool(rest.disable_execute_api_endpoint),
        edge=rest.endpoint_configuration is not None and "EDGE" in (rest.endpoint_configuration.types or ()),
        traced=bool(stage.tracing_enabled),
    )


def _router(definition: Definition, stage: api.Stage, arn: str) -> Router[MethodPlan]:
    router: Router[MethodPlan] = Router()
    for resource in definition.resources.values():
        path = resource.path or "/"
        methods = {
            verb: _method(definition, stage, resource, verb, method, arn)
            for verb, method in (resource.resource_methods or {}).items()
        }
        if methods:
            router.add(path, methods)
    return router


def _method(
    definition: Definition, stage: api.Stage, resource: api.Resource, verb: str, method: api.Method, arn: str
) -> MethodPlan:
    path = resource.path or "/"
    return MethodPlan(
        resource_id=resource.id or "",
        resource_path=path,
        verb=verb,
        operation_name=method.operation_name or "",
        authorization=compile_authorization(definition, method, arn),
        key_required=bool(method.api_key_required),
        validation=compile_validation(definition, method),
        settings=settings_of(stage, path, verb),
        integration=compile_integration(method, arn, stage.stage_name or "", path, verb),
    )


def _access_log(stage: api.Stage) -> AccessLog | None:
    settings = stage.access_log_settings
    if settings is None or not settings.format:
        return None
    place = group_of(settings.destination_arn or "")
    return AccessLog(place, log_format(settings.format)) if place is not None else None


def expanded(policy: str | None, arn: str) -> str | None:
    """A resource policy with the short form of its resources (`execute-api:/stage/GET/path`) made whole ARNs."""
    if not policy:
        return None
    try:
        document = msgspec.json.decode(policy)
    except msgspec.DecodeError:
        try:  # as GetRestApi shows it: JSON within JSON, without its quotes
            document = msgspec.json.decode(msgspec.json.decode(f'"{policy}"'))
        except (msgspec.DecodeError, AwsError):
            return policy
    if isinstance(document, str):
        document = msgspec.json.decode(document)
    statements = document.get("Statement", []) if isinstance(document, dict) else []
    for statement in statements if isinstance(statements, list) else [statements]:
        for member in ("Resource", "NotResource"):
            if member in statement:
                statement[member] = _whole(statement[member], arn)
    return msgspec.json.encode(document).decode()


def _whole(resources: Any, arn: str) -> Any:
    if isinstance(resources, str):
        return _SHORT_ARN.sub(f"{arn}/", resources, count=1) if resources.startswith("execute-api:/") else resources
    if isinstance(resources, Sequence):
        return [_whole(one, arn) for one in resources]
    return resources

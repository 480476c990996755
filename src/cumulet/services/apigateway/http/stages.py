"""Operations on stages."""

from __future__ import annotations

import re

from msgspec.structs import replace

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.http.errors import bad, conflict, missing
from cumulet.services.apigateway.http.model import copied, merged, one_of, updated
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.services.apigateway.http.store import DEPLOYMENT, ROUTE, STAGE
from cumulet.services.apigateway.http.tags import check_tags
from cumulet.services.apigateway.plane.logs import check_destination
from cumulet.storage.database import Transaction

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VARIABLE = re.compile(r"[A-Za-z0-9_]+")
_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]*")


async def create_stage(http: HttpApis, call: Call, request: api.CreateStageRequest) -> api.CreateStageResponse:
    async with http.change(call, request.api_id, deploys=bool(request.auto_deploy)) as (tx, item):
        _check_name(item, request.stage_name)
        check_tags(request.tags)
        if await http.parts.get(request.api_id, STAGE, request.stage_name, within=tx) is not None:
            raise conflict("Stage already exists")
        now = http.clock.now()
        stage = copied(
            api.Stage,
            request,
            auto_deploy=True if request.auto_deploy else None,
            created_date=now,
            last_updated_date=now,
            default_route_settings=_defaults(item, request.default_route_settings),
            route_settings=request.route_settings or {},
            stage_variables=request.stage_variables or {},
            tags=request.tags or {},
        )
        await _check(http, tx, request.api_id, stage)
        await _check_execution_logs(http, tx, call, item, request)
        if request.deployment_id and request.auto_deploy:
            raise bad("Deployment ID cannot be set on stage creation when AutoDeploy is enabled.")
        await http.parts.put(tx, request.api_id, STAGE, stage)
    made = await http.part(request.api_id, STAGE, request.stage_name) if request.auto_deploy else stage
    return copied(api.CreateStageResponse, replace(made, deployment_id=stage.deployment_id))


async def get_stage(http: HttpApis, call: Call, request: api.GetStageRequest) -> api.GetStageResponse:
    await http.api(call, request.api_id)
    return copied(api.GetStageResponse, await _stage(http, request.api_id, request.stage_name))


async def get_stages(http: HttpApis, call: Call, request: api.GetStagesRequest) -> api.GetStagesResponse:
    await http.api(call, request.api_id)
    items, token = await page(
        lambda after, limit: http.parts.page(request.api_id, STAGE, "", after, limit),
        STAGE.id_of,
        request.max_results,
        request.next_token,
    )
    return api.GetStagesResponse(items=items, next_token=token)


async def update_stage(http: HttpApis, call: Call, request: api.UpdateStageRequest) -> api.UpdateStageResponse:
    async with http.change(call, request.api_id, deploys=bool(request.auto_deploy)) as (tx, item):
        before = await _stage(http, request.api_id, request.stage_name, tx)
        automatic = before.auto_deploy if request.auto_deploy is None else request.auto_deploy
        if request.deployment_id and automatic and request.deployment_id != before.deployment_id:
            raise bad("Deployment ID cannot be changed on a stage with AutoDeploy enabled.")
        stage = updated(
            before,
            request,
            auto_deploy=automatic or None,
            last_updated_date=http.clock.now(),
            default_route_settings=_settings(before.default_route_settings, request.default_route_settings)
            or _defaults(item, None),
            route_settings={
                **(before.route_settings or {}),
                **{
                    key: _settings((before.route_settings or {}).get(key), held) or held
                    for key, held in (request.route_settings or {}).items()
                },
            },
            stage_variables=merged(before.stage_variables, request.stage_variables),
        )
        await _check(http, tx, request.api_id, stage)
        await _check_execution_logs(http, tx, call, item, request)
        await http.parts.put(tx, request.api_id, STAGE, stage)
    return copied(api.UpdateStageResponse, await _stage(http, request.api_id, request.stage_name))


async def delete_stage(http: HttpApis, call: Call, request: api.DeleteStageRequest) -> None:
    async with http.change(call, request.api_id, deploys=False) as (tx, _):
        await _stage(http, request.api_id, request.stage_name, tx)
        await http.parts.delete(tx, request.api_id, STAGE, request.stage_name)
        http.gone(tx, request.api_id, request.stage_name)


async def delete_access_log_settings(http: HttpApis, call: Call, request: api.DeleteAccessLogSettingsRequest) -> None:
    async with http.change(call, request.api_id, deploys=False) as (tx, _):
        stage = await _stage(http, request.api_id, request.stage_name, tx)
        changed = replace(stage, access_log_settings=None, last_updated_date=http.clock.now())
        await http.parts.put(tx, request.api_id, STAGE, changed)


async def delete_route_settings(http: HttpApis, call: Call, request: api.DeleteRouteSettingsRequest) -> None:
    async with http.change(call, request.api_id, deploys=False) as (tx, _):
        stage = await _stage(http, request.api_id, request.stage_name, tx)
        settings = dict(stage.route_settings or {})
        if settings.pop(request.route_key, None) is None:
            raise missing("route key", request.route_key)
        changed = replace(stage, route_settings=settings, last_updated_date=http.clock.now())
        await http.parts.put(tx, request.api_id, STAGE, changed)


async def _stage(http: HttpApis, api_id: str, name: str, within: Transaction | None = None) -> api.Stage:
    found = await http.parts.get(api_id, STAGE, name, within=within)
    if found is None:
        raise api.NotFoundException("Invalid stage identifier specified", fields={"ResourceType": "Stage"})
    return found


def _defaults(item: api.Api, given: api.RouteSettings | None) -> api.RouteSettings:
    """Settings with what AWS shows when nothing is said."""
    settings = given or api.RouteSettings()
    settings.detailed_metrics_enabled = bool(settings.detailed_metrics_enabled)
    if item.protocol_type == "WEBSOCKET":
        settings.data_trace_enabled = bool(settings.data_trace_enabled)
        settings.logging_level = settings.logging_level or "OFF"
    return settings


def _settings(before: api.RouteSettings | None, given: api.RouteSettings | None) -> api.RouteSettings | None:
    if before is None or given is None:
        return given or before
    return updated(before, given)


def _check_name(item: api.Api, name: str) -> None:
    if name == "$default":
        if item.protocol_type != "HTTP":
            raise bad("The $default stage is only supported for HTTP APIs")
    elif not _NAME.fullmatch(name):
        raise bad("Stage name only allows a-zA-Z0-9_- or $default")


async def _check(http: HttpApis, tx: Transaction, api_id: str, stage: api.Stage) -> None:
    """Raises BadRequestException and NotFoundException."""
    if stage.deployment_id and await http.parts.get(api_id, DEPLOYMENT, stage.deployment_id, within=tx) is None:
        raise missing("Deployment", stage.deployment_id)
    for name, value in (stage.stage_variables or {}).items():
        if not _VARIABLE.fullmatch(name):
            raise bad(f"Invalid stage variable name: {name}. Only alphanumeric characters and underscores are allowed")
        if not _VALUE.fullmatch(value) or len(value) > 2048:
            raise bad(f"Invalid stage variable value for {name}: only [A-Za-z0-9-._~:/?#&=,] are allowed, at most 2048")
    _check_settings(stage)
    if stage.route_settings:
        keys = {route.route_key for route in await http.parts.page(api_id, ROUTE, within=tx)}
        for key in stage.route_settings:
            if key not in keys:
                raise api.NotFoundException(f"Unable to find Route by key {key} within the provided RouteSettings")
    _check_logs(stage.access_log_settings)


async def _check_execution_logs(
    http: HttpApis, tx: Transaction, call: Call, item: api.Api, request: api.CreateStageRequest | api.UpdateStageRequest
) -> None:
    """Whether an API may have the execution logs that a request asks for. Raises BadRequestException.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
    """
    given = [request.default_route_settings, *(request.route_settings or {}).values()]
    settings = [one for one in given if one is not None]
    levels = {one.logging_level for one in settings} & {"ERROR", "INFO"}
    if item.protocol_type == "HTTP":
        if levels or any(one.data_trace_enabled for one in settings):
            raise bad("Execution logs are not supported on protocolType HTTP")
    elif levels:
        account = await http.accounts.get(call.account, call.region, "account", tx)
        if account is None or not account.cloudwatch_role_arn:
            raise bad("CloudWatch Logs role ARN must be set in account settings to enable logging")


def _check_settings(stage: api.Stage) -> None:
    settings = list((stage.route_settings or {}).values())
    for held in [*settings, stage.default_route_settings]:
        if held is not None:
            one_of("logging level", held.logging_level, ("ERROR", "INFO", "OFF"))
            if (held.throttling_rate_limit or 0) < 0 or (held.throttling_burst_limit or 0) < 0:
                raise bad("Throttling limits cannot be negative")


def _check_logs(settings: api.AccessLogSettings | None) -> None:
    if settings is None:
        return
    arn = settings.destination_arn or ""
    if not re.fullmatch(
        r"arn:aws[a-z-]*:(logs:[a-z0-9-]+:\d{12}:log-group:.+|firehose:[a-z0-9-]+:\d{12}:deliverystream/.+)", arn
    ):
        raise bad(
            "Invalid ARN specified in the request: the destination of access logs must be a log group or a Firehose stream"
        )
    check_destination(arn, "apigatewayv2")
    if not settings.format:
        raise bad("Access Log format must be specified")
    if "$context.requestId" not in settings.format and "$context.extendedRequestId" not in settings.format:
        raise bad("Access Log format must contain at least a $context.requestId or $context.extendedRequestId")

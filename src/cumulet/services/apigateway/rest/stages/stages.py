"""Stages: named, callable deployments with settings of their own."""

from __future__ import annotations

import math

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, conflict, limit_exceeded, not_found
from cumulet.services.apigateway.rest.keys.plans import forget_api
from cumulet.services.apigateway.rest.lookup import need_api
from cumulet.services.apigateway.rest.patch import read
from cumulet.services.apigateway.rest.stages import rules
from cumulet.services.apigateway.state import ApiGateway
from cumulet.services.apigateway.tags import check_tags
from cumulet.storage.database import Transaction


async def create_stage(gateway: ApiGateway, call: Call, request: api.CreateStageRequest) -> api.Stage:
    api_id = request.rest_api_id
    stage = rules.new(request.stage_name, request.deployment_id, float(math.floor(gateway.clock.now())))
    check_tags(request.tags, gateway.limits)
    stage.description = request.description
    stage.variables = rules.checked_variables(request.variables) if request.variables else None
    stage.documentation_version = request.documentation_version
    stage.tracing_enabled = bool(request.tracing_enabled)
    stage.tags = request.tags or None
    rules.set_cache(stage, bool(request.cache_cluster_enabled), request.cache_cluster_size)
    if request.canary_settings is not None:
        stage.canary_settings = rules.canary(stage, request.canary_settings)
    async with gateway.db.transaction() as tx:
        await need_api(gateway, call, api_id, tx)
        if await gateway.rest.stages.get(api_id, request.stage_name, tx) is not None:
            raise conflict("Stage already exists")
        if len(await gateway.rest.stages.list(api_id, tx)) >= gateway.limits.stages:
            raise limit_exceeded(
                "Maximum number of stages for this API has been reached. Please contact AWS if you need more."
            )
        await _check(gateway, call, tx, api_id, stage)
        await gateway.rest.stages.put(tx, api_id, stage)
        gateway.rest.changed(tx, api_id)
    return stage


async def get_stage(gateway: ApiGateway, call: Call, request: api.GetStageRequest) -> api.Stage:
    return await need_stage(gateway, call, request.rest_api_id, request.stage_name)


async def get_stages(gateway: ApiGateway, call: Call, request: api.GetStagesRequest) -> api.Stages:
    await need_api(gateway, call, request.rest_api_id)
    found = await gateway.rest.stages.list(request.rest_api_id)
    if request.deployment_id:
        found = [stage for stage in found if stage.deployment_id == request.deployment_id]
    return api.Stages(item=found)


async def update_stage(gateway: ApiGateway, call: Call, request: api.UpdateStageRequest) -> api.Stage:
    api_id = request.rest_api_id
    async with gateway.db.transaction() as tx:
        stage = await need_stage(gateway, call, api_id, request.stage_name, tx)
        for operation in request.patch_operations or ():
            rules.apply(stage, read(operation))
        await _check(gateway, call, tx, api_id, stage)
        await _check_logs(gateway, call, tx, stage)
        stage.last_updated_date = float(math.floor(gateway.clock.now()))
        await gateway.rest.stages.put(tx, api_id, stage)
        gateway.rest.changed(tx, api_id)
    return stage


async def delete_stage(gateway: ApiGateway, call: Call, request: api.DeleteStageRequest) -> None:
    async with gateway.db.transaction() as tx:
        await need_stage(gateway, call, request.rest_api_id, request.stage_name, tx)
        await gateway.rest.stages.delete(tx, request.rest_api_id, request.stage_name)
        await forget_api(gateway, tx, call.account, call.region, request.rest_api_id, request.stage_name)
        gateway.rest.gone(tx, request.rest_api_id, request.stage_name)


async def flush_stage_cache(gateway: ApiGateway, call: Call, request: api.FlushStageCacheRequest) -> None:
    await need_stage(gateway, call, request.rest_api_id, request.stage_name)
    gateway.rest.flush("cache", request.rest_api_id, request.stage_name)


async def flush_stage_authorizers_cache(
    gateway: ApiGateway, call: Call, request: api.FlushStageAuthorizersCacheRequest
) -> None:
    await need_stage(gateway, call, request.rest_api_id, request.stage_name)
    gateway.rest.flush("authorizers", request.rest_api_id, request.stage_name)


async def need_stage(
    gateway: ApiGateway, call: Call, api_id: str, name: str, within: Transaction | None = None
) -> api.Stage:
    """A stage of the caller's API; raises NotFoundException."""
    owned = await gateway.rest.apis.owned(call.account, call.region, api_id, within)
    stage = await gateway.rest.stages.get(api_id, name, within) if owned else None
    if stage is None:
        raise not_found("Invalid stage identifier specified")
    return stage


async def _check(gateway: ApiGateway, call: Call, tx: Transaction, api_id: str, stage: api.Stage) -> None:
    """That what a stage refers to is there."""
    deployments = [stage.deployment_id or ""]
    if stage.canary_settings is not None:
        deployments.append(stage.canary_settings.deployment_id or "")
    for id in deployments:
        if await gateway.rest.deployments.get(api_id, id, tx) is None:
            raise bad_request("Deployment id does not exist")
    version = stage.documentation_version
    if version and await gateway.rest.documentation.get(api_id, version, tx) is None:
        raise not_found("Invalid Documentation version identifier specified")
    certificate = stage.client_certificate_id
    if certificate and await gateway.certificates.get(call.account, call.region, certificate, tx) is None:
        raise bad_request("Invalid Client Certificate identifier specified")


async def _check_logs(gateway: ApiGateway, call: Call, tx: Transaction, stage: api.Stage) -> None:
    """That the account has a role for the execution log that a stage is to have. Raises BadRequestException.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
    """
    levels = {settings.logging_level for settings in (stage.method_settings or {}).values()}
    if not levels & {"ERROR", "INFO"}:
        return
    account = await gateway.accounts.get(call.account, call.region, "account", tx)
    if account is None or not account.cloudwatch_role_arn:
        raise bad_request("CloudWatch Logs role ARN must be set in account settings to enable logging")

"""Deployments: an API as it was at a moment, for stages to show."""

from __future__ import annotations

import math

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, limit_exceeded, not_found
from cumulet.services.apigateway.rest.apis.fresh import part_id
from cumulet.services.apigateway.rest.apis.rules import is_private
from cumulet.services.apigateway.rest.definition import Definition
from cumulet.services.apigateway.rest.lookup import need_api
from cumulet.services.apigateway.rest.pages import page
from cumulet.services.apigateway.rest.patch import Rules, value
from cumulet.services.apigateway.rest.stages import rules as stage_rules
from cumulet.services.apigateway.state import ApiGateway
from cumulet.storage.database import Transaction

_RULES = Rules({"/description": value("description")}, listing=True)
_SUMMARY = "apisummary"


async def create_deployment(gateway: ApiGateway, call: Call, request: api.CreateDeploymentRequest) -> api.Deployment:
    api_id, now = request.rest_api_id, float(math.floor(gateway.clock.now()))
    async with gateway.db.transaction() as tx:
        rest_api = await gateway.rest_api(call, api_id, tx)
        if request.canary_settings is not None and not request.stage_name:
            given = "null" if request.stage_name is None else request.stage_name
            raise bad_request(
                "Invalid deployment content specified.Non null and non empty stageName must be provided for canary deployment. "
                f"Provided value is {given}"
            )
        stage = await gateway.rest.stages.get(api_id, request.stage_name, tx) if request.stage_name else None
        if request.canary_settings is not None and stage is None:
            raise bad_request(
                f"Invalid deployment content specified.Stage {request.stage_name} must already be created before making a "
                "canary release deployment"
            )
        if is_private(rest_api) and not rest_api.policy:
            raise bad_request("Private REST API doesn't have a resource policy attached to it")
        definition = await gateway.rest.parts.definition(rest_api, tx)
        deployment = api.Deployment(
            id=part_id(), description=request.description, created_date=now, api_summary=_summary(definition)
        )
        await gateway.rest.deployments.add(tx, api_id, deployment, definition)
        if request.stage_name:
            await _deploy(gateway, tx, request, stage, deployment.id or "", now)
    return _shown(deployment, None)


async def get_deployment(gateway: ApiGateway, call: Call, request: api.GetDeploymentRequest) -> api.Deployment:
    return _shown(await _need(gateway, call, request.rest_api_id, request.deployment_id), request.embed)


async def get_deployments(gateway: ApiGateway, call: Call, request: api.GetDeploymentsRequest) -> api.Deployments:
    await need_api(gateway, call, request.rest_api_id)
    found, position = await page(
        lambda after, limit: gateway.rest.deployments.list(request.rest_api_id, after, limit),
        lambda deployment: deployment.id,
        request.position,
        request.limit,
    )
    return api.Deployments(items=[_shown(deployment, None) for deployment in found], position=position)


async def update_deployment(gateway: ApiGateway, call: Call, request: api.UpdateDeploymentRequest) -> api.Deployment:
    async with gateway.db.transaction() as tx:
        deployment = await _need(gateway, call, request.rest_api_id, request.deployment_id, tx)
        _RULES.apply(deployment, request.patch_operations)
        await gateway.rest.deployments.put(tx, request.rest_api_id, deployment)
    return _shown(deployment, None)


async def delete_deployment(gateway: ApiGateway, call: Call, request: api.DeleteDeploymentRequest) -> None:
    """Not while a stage shows it."""
    api_id, id = request.rest_api_id, request.deployment_id
    async with gateway.db.transaction() as tx:
        await _need(gateway, call, api_id, id, tx)
        for stage in await gateway.rest.stages.list(api_id, tx):
            if id in (stage.deployment_id, stage.canary_settings and stage.canary_settings.deployment_id):
                raise bad_request("Active stages pointing to this deployment must be moved or deleted")
        await gateway.rest.deployments.delete(tx, api_id, id)


async def _deploy(
    gateway: ApiGateway,
    tx: Transaction,
    request: api.CreateDeploymentRequest,
    stage: api.Stage | None,
    deployment_id: str,
    now: float,
) -> None:
    """Show a new deployment in a stage, which is made if need be."""
    api_id = request.rest_api_id
    if stage is None:
        if len(await gateway.rest.stages.list(api_id, tx)) >= gateway.limits.stages:
            raise limit_exceeded(
                "Maximum number of stages for this API has been reached. Please contact AWS if you need more."
            )
        stage = stage_rules.new(request.stage_name or "", deployment_id, now)
    elif (canary := request.canary_settings) is not None:
        stage.canary_settings = api.CanarySettings(
            percent_traffic=canary.percent_traffic or 0.0,
            deployment_id=deployment_id,
            stage_variable_overrides=canary.stage_variable_overrides or None,
            use_stage_cache=bool(canary.use_stage_cache),
        )
    else:
        stage.deployment_id = deployment_id
    if request.stage_description is not None:
        stage.description = request.stage_description
    if request.variables is not None:
        stage.variables = stage_rules.checked_variables(request.variables) or None
    if request.tracing_enabled is not None:
        stage.tracing_enabled = request.tracing_enabled
    if request.cache_cluster_enabled is not None or request.cache_cluster_size is not None:
        stage_rules.set_cache(stage, request.cache_cluster_enabled, request.cache_cluster_size)
    stage.last_updated_date = now
    await gateway.rest.stages.put(tx, api_id, stage)
    gateway.rest.changed(tx, api_id)


def _summary(definition: Definition) -> dict[str, dict[str, api.MethodSnapshot]]:
    """Methods by path; raises BadRequestException for an API that cannot be deployed."""
    summary: dict[str, dict[str, api.MethodSnapshot]] = {}
    for resource in definition.resources.values():
        for verb, method in (resource.resource_methods or {}).items():
            if method.method_integration is None:
                raise bad_request("No integration defined for method")
            summary.setdefault(resource.path or "/", {})[verb] = api.MethodSnapshot(
                authorization_type=method.authorization_type, api_key_required=method.api_key_required
            )
    if not summary:
        raise bad_request("The REST API doesn't contain any methods")
    return summary


def _shown(deployment: api.Deployment, embed: list[str] | None) -> api.Deployment:
    return deployment if embed and _SUMMARY in embed else replace(deployment, api_summary=None)


async def _need(
    gateway: ApiGateway, call: Call, api_id: str, id: str, within: Transaction | None = None
) -> api.Deployment:
    await need_api(gateway, call, api_id, within)
    deployment = await gateway.rest.deployments.get(api_id, id, within)
    if deployment is None:
        raise not_found("Invalid Deployment identifier specified")
    return deployment

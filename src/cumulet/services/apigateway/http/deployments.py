"""Operations on deployments."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.http.deploying import deploy
from cumulet.services.apigateway.http.errors import bad
from cumulet.services.apigateway.http.model import copied, updated
from cumulet.services.apigateway.http.paging import page
from cumulet.services.apigateway.http.state import HttpApis
from cumulet.services.apigateway.http.store import DEPLOYMENT, STAGE


async def create_deployment(
    http: HttpApis, call: Call, request: api.CreateDeploymentRequest
) -> api.CreateDeploymentResponse:
    async with http.change(call, request.api_id, deploys=False) as (tx, item):
        stage = None
        if request.stage_name:
            stage = await http.parts.get(request.api_id, STAGE, request.stage_name, within=tx)
            if stage is None:
                raise api.NotFoundException("Invalid stage identifier specified", fields={"ResourceType": "Stage"})
            if stage.auto_deploy:
                raise bad(
                    f"Deployment cannot be created for stage {request.stage_name}: stages with AutoDeploy enabled are deployed "
                    "by changes of the API"
                )
        deployment = await deploy(http, tx, item, request.description)
        if stage is not None:
            changed = replace(stage, deployment_id=deployment.deployment_id, last_updated_date=http.clock.now())
            await http.parts.put(tx, request.api_id, STAGE, changed)
    return copied(api.CreateDeploymentResponse, deployment)


async def get_deployment(http: HttpApis, call: Call, request: api.GetDeploymentRequest) -> api.GetDeploymentResponse:
    await http.api(call, request.api_id)
    return copied(api.GetDeploymentResponse, await http.part(request.api_id, DEPLOYMENT, request.deployment_id))


async def get_deployments(http: HttpApis, call: Call, request: api.GetDeploymentsRequest) -> api.GetDeploymentsResponse:
    await http.api(call, request.api_id)
    items, token = await page(
        lambda after, limit: http.parts.page(request.api_id, DEPLOYMENT, "", after, limit),
        DEPLOYMENT.id_of,
        request.max_results,
        request.next_token,
    )
    return api.GetDeploymentsResponse(items=items, next_token=token)


async def update_deployment(
    http: HttpApis, call: Call, request: api.UpdateDeploymentRequest
) -> api.UpdateDeploymentResponse:
    async with http.change(call, request.api_id, deploys=False) as (tx, _):
        before = await http.part(request.api_id, DEPLOYMENT, request.deployment_id, within=tx)
        deployment = updated(before, request)
        await http.parts.put(tx, request.api_id, DEPLOYMENT, deployment)
    return copied(api.UpdateDeploymentResponse, deployment)


async def delete_deployment(http: HttpApis, call: Call, request: api.DeleteDeploymentRequest) -> None:
    async with http.change(call, request.api_id, deploys=False) as (tx, _):
        await http.part(request.api_id, DEPLOYMENT, request.deployment_id, within=tx)
        for stage in await http.parts.page(request.api_id, STAGE, within=tx):
            if stage.deployment_id == request.deployment_id:
                raise bad("Active stages pointing to this deployment must be moved or deleted")
        await http.parts.delete(tx, request.api_id, DEPLOYMENT, request.deployment_id)
        await http.snapshots.delete(tx, request.api_id, request.deployment_id)

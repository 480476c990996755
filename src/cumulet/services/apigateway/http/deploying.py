"""Deployments: an API frozen for its stages, on request or whenever it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from cumulet.api import apigatewayv2 as api
from cumulet.kernel.ids import short_id
from cumulet.services.apigateway.http.errors import bad
from cumulet.services.apigateway.http.store import DEPLOYMENT, ROUTE, STAGE
from cumulet.storage.database import Transaction

if TYPE_CHECKING:
    from cumulet.services.apigateway.http.state import HttpApis

_AUTOMATIC = "Automatic deployment triggered by changes to the Api configuration"
_KEPT = 10


async def deploy(
    http: HttpApis, tx: Transaction, item: api.Api, description: str | None, *, automatic: bool = False
) -> api.Deployment:
    """Freeze the API as it is in this transaction. Raises BadRequestException for an API without routes."""
    assert item.api_id is not None
    if not await http.parts.page(item.api_id, ROUTE, limit=1, within=tx):
        raise bad(
            "At least one route is required before deploying the Api."
            if item.protocol_type == "WEBSOCKET"
            else "Unable to deploy API because no routes exist in this API"
        )
    deployment = api.Deployment(
        auto_deployed=automatic,
        created_date=http.clock.now(),
        deployment_id=short_id(6),
        deployment_status="DEPLOYED",
        description=description,
    )
    assert deployment.deployment_id is not None
    await http.parts.put(tx, item.api_id, DEPLOYMENT, deployment)
    await http.snapshots.freeze(tx, item, deployment.deployment_id)
    return deployment


async def deploy_automatically(http: HttpApis, tx: Transaction, api_id: str) -> None:
    """Give the stages that deploy by themselves a deployment of the API as it is in this transaction."""
    stages = [stage for stage in await http.parts.page(api_id, STAGE, within=tx) if stage.auto_deploy]
    owned = await http.apis.find(api_id, tx) if stages else None
    if owned is None:
        return
    now = http.clock.now()
    try:
        deployment = await deploy(http, tx, owned.api, _AUTOMATIC, automatic=True)
    except api.BadRequestException as refused:
        for stage in stages:
            message = f"Deployment attempt failed: {refused.message}"
            await http.parts.put(tx, api_id, STAGE, replace(stage, last_deployment_status_message=message))
        return
    for stage in stages:
        message = f"Successfully deployed stage with deployment ID '{deployment.deployment_id}'"
        stage = replace(  # noqa: PLW2901  the same stage, a deployment later
            stage,
            deployment_id=deployment.deployment_id,
            last_deployment_status_message=message,
            last_updated_date=now,
        )
        await http.parts.put(tx, api_id, STAGE, stage)
    await _forget_old(http, tx, api_id)


async def _forget_old(http: HttpApis, tx: Transaction, api_id: str) -> None:
    """Automatic deployments that no stage runs are kept for a while only: each holds the whole API."""
    used = {stage.deployment_id for stage in await http.parts.page(api_id, STAGE, within=tx)}
    automatic = [one for one in await http.parts.page(api_id, DEPLOYMENT, within=tx) if one.auto_deployed]
    automatic.sort(key=lambda one: one.created_date or 0.0)
    for old in automatic[:-_KEPT]:
        if old.deployment_id not in used and old.deployment_id is not None:
            await http.parts.delete(tx, api_id, DEPLOYMENT, old.deployment_id)
            await http.snapshots.delete(tx, api_id, old.deployment_id)

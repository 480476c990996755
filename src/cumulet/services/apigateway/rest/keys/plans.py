"""Operations on usage plans and the keys in them."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, conflict, limit_exceeded, not_found
from cumulet.services.apigateway.rest.apis.fresh import part_id
from cumulet.services.apigateway.rest.keys import plan_rules
from cumulet.services.apigateway.rest.keys.keys import need_key
from cumulet.services.apigateway.rest.pages import cut, page
from cumulet.services.apigateway.state import ApiGateway
from cumulet.services.apigateway.tags import check_tags
from cumulet.storage.database import Transaction


async def create_usage_plan(gateway: ApiGateway, call: Call, request: api.CreateUsagePlanRequest) -> api.UsagePlan:
    if not request.name:
        raise bad_request("Usage Plan name cannot be blank")
    check_tags(request.tags, gateway.limits)
    plan = api.UsagePlan(
        id=part_id(),
        name=request.name,
        description=request.description,
        api_stages=request.api_stages or [],
        throttle=request.throttle,
        quota=request.quota,
        tags=request.tags or None,
    )
    plan_rules.check(plan)
    async with gateway.db.transaction() as tx:
        if await gateway.plans.count(call.account, call.region, tx) >= gateway.limits.usage_plans:
            raise limit_exceeded(
                "Maximum number of usage plans for this account has been reached. Please contact AWS if you need more."
            )
        await _check_stages(gateway, call, tx, plan, plan.api_stages or [])
        await _put(gateway, call, tx, plan)
    return plan


async def get_usage_plan(gateway: ApiGateway, call: Call, request: api.GetUsagePlanRequest) -> api.UsagePlan:
    return _shown(await need_plan(gateway, call, request.usage_plan_id))


async def get_usage_plans(gateway: ApiGateway, call: Call, request: api.GetUsagePlansRequest) -> api.UsagePlans:
    if request.key_id:
        ids = await gateway.plan_keys.plans(call.account, call.region, request.key_id)
        plans = [await gateway.plans.get(call.account, call.region, id) for id in ids]
        some, position = cut([plan for plan in plans if plan], lambda plan: plan.id, request.position, request.limit)
        return api.UsagePlans(items=some, position=position)
    found, position = await page(
        lambda after, limit: gateway.plans.page(call.account, call.region, after, limit),
        lambda plan: plan.id,
        request.position,
        request.limit,
    )
    return api.UsagePlans(items=found, position=position)


async def update_usage_plan(gateway: ApiGateway, call: Call, request: api.UpdateUsagePlanRequest) -> api.UsagePlan:
    async with gateway.db.transaction() as tx:
        plan = await need_plan(gateway, call, request.usage_plan_id, tx)
        before = {(stage.api_id, stage.stage) for stage in plan.api_stages or ()}
        plan_rules.RULES.apply(plan, request.patch_operations)
        plan_rules.check(plan)
        added = [stage for stage in plan.api_stages or () if (stage.api_id, stage.stage) not in before]
        await _check_stages(gateway, call, tx, plan, added)
        await _put(gateway, call, tx, plan)
    return _shown(plan)


async def delete_usage_plan(gateway: ApiGateway, call: Call, request: api.DeleteUsagePlanRequest) -> None:
    id = request.usage_plan_id
    async with gateway.db.transaction() as tx:
        plan = await need_plan(gateway, call, id, tx)
        for stage in plan.api_stages or ():
            raise bad_request(
                f"Cannot delete Usage Plan {id} because there are API Stages associated with it, including "
                f"{stage.api_id}:{stage.stage}"
            )
        await gateway.plans.delete(tx, call.account, call.region, id)
        await gateway.plan_keys.forget_plan(tx, call.account, call.region, id)
        await gateway.usage.forget_plan(tx, id)
        tx.after_commit(gateway.admissions.forget)


async def create_usage_plan_key(
    gateway: ApiGateway, call: Call, request: api.CreateUsagePlanKeyRequest
) -> api.UsagePlanKey:
    async with gateway.db.transaction() as tx:
        if request.key_type != "API_KEY":
            raise bad_request(f"Invalid key type specified: {request.key_type}. Valid options are API_KEY")
        plan = await need_plan(gateway, call, request.usage_plan_id, tx)
        key = await need_key(gateway, call, request.key_id, tx)
        stages = {(stage.api_id, stage.stage) for stage in plan.api_stages or ()}
        others = await gateway.plan_keys.plans(call.account, call.region, request.key_id, tx)
        if len(others) >= gateway.limits.plans_per_key:
            raise limit_exceeded("Maximum number of usage plans for this API key has been reached.")
        for other_id in others:
            other = await gateway.plans.get(call.account, call.region, other_id, tx)
            for stage in (other.api_stages if other is not None and other_id != plan.id else None) or ():
                if (stage.api_id, stage.stage) in stages:
                    raise conflict(
                        f"Api Key is already subscribed to API Stage {stage.api_id}:{stage.stage} by usage plan {other_id}"
                    )
        if not await gateway.plan_keys.add(tx, call.account, call.region, request.usage_plan_id, request.key_id):
            raise conflict("Api Key is already subscribed to this usage plan")
        tx.after_commit(gateway.admissions.forget)
    return _plan_key(key)


async def get_usage_plan_key(gateway: ApiGateway, call: Call, request: api.GetUsagePlanKeyRequest) -> api.UsagePlanKey:
    if request.usage_plan_id not in await gateway.plan_keys.plans(call.account, call.region, request.key_id):
        raise not_found(f"Invalid Usage Plan key specified: {request.key_id}")
    return _plan_key(await need_key(gateway, call, request.key_id))


async def get_usage_plan_keys(
    gateway: ApiGateway, call: Call, request: api.GetUsagePlanKeysRequest
) -> api.UsagePlanKeys:
    """The newest keys first; none for a plan that is not there, as in AWS."""
    ids = set(await gateway.plan_keys.keys(call.account, call.region, request.usage_plan_id))
    placed = [
        (place, key)
        for place, key in (await gateway.keys.placed(call.account, call.region) if ids else [])
        if key.id in ids and (not request.name_query or (key.name or "").startswith(request.name_query))
    ]
    found, position = cut(placed, lambda each: each[0], request.position, request.limit)
    return api.UsagePlanKeys(items=[_plan_key(key) for _, key in found], position=position)


async def delete_usage_plan_key(gateway: ApiGateway, call: Call, request: api.DeleteUsagePlanKeyRequest) -> None:
    async with gateway.db.transaction() as tx:
        found = await gateway.plan_keys.delete(tx, call.account, call.region, request.usage_plan_id, request.key_id)
        if not found:
            raise not_found("Invalid Usage Plan key specified")
        tx.after_commit(gateway.admissions.forget)


async def forget_api(
    gateway: ApiGateway, tx: Transaction, account: str, region: str, api_id: str, stage: str = ""
) -> None:
    """An API, or a stage of it, is being deleted: no plan has it any more."""
    for plan in await gateway.plans.page(account, region, within=tx):
        kept = [each for each in plan.api_stages or () if each.api_id != api_id or (stage and each.stage != stage)]
        if len(kept) != len(plan.api_stages or ()):
            await gateway.plans.put(tx, account, region, plan.id or "", replace(plan, api_stages=kept))
            tx.after_commit(gateway.admissions.forget)


async def need_plan(gateway: ApiGateway, call: Call, id: str, within: Transaction | None = None) -> api.UsagePlan:
    """The caller's plan; raises NotFoundException."""
    plan = await gateway.plans.get(call.account, call.region, id, within)
    if plan is None:
        raise not_found("Invalid Usage Plan ID specified")
    return plan


async def _check_stages(
    gateway: ApiGateway, call: Call, tx: Transaction, plan: api.UsagePlan, stages: list[api.ApiStage]
) -> None:
    for stage in stages:
        if not stage.api_id or not stage.stage:
            raise bad_request("Invalid API Stage specified")
        found = await gateway.rest.apis.owned(call.account, call.region, stage.api_id, tx)
        if found:
            found = await gateway.rest.stages.get(stage.api_id, stage.stage, tx) is not None
        if not found and not await _has_other_stage(call, tx, stage.api_id, stage.stage):
            raise not_found(
                f"Invalid API Stage {{api: {stage.api_id}, stage: {stage.stage}}} specified for usageplan {plan.id}"
            )


async def _has_other_stage(call: Call, tx: Transaction, api_id: str, stage: str) -> bool:
    """Whether a WebSocket API of the caller's has this stage: API keys are for those as well."""
    from cumulet.services.apigateway.http.store import is_stage  # noqa: PLC0415  the other service's: most plans are for REST

    return await is_stage(tx, call.account, call.region, api_id, stage)


async def _put(gateway: ApiGateway, call: Call, tx: Transaction, plan: api.UsagePlan) -> None:
    await gateway.plans.put(tx, call.account, call.region, plan.id or "", plan)
    tx.after_commit(gateway.admissions.forget)


def _shown(plan: api.UsagePlan) -> api.UsagePlan:
    return plan if plan.tags is not None else replace(plan, tags={})


def _plan_key(key: api.ApiKey) -> api.UsagePlanKey:
    return api.UsagePlanKey(id=key.id, type="API_KEY", value=key.value, name=key.name)

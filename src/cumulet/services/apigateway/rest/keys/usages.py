"""Operations on what keys have used of their plans."""

from __future__ import annotations

from datetime import date, timedelta

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, not_found
from cumulet.services.apigateway.rest.keys.plans import need_plan
from cumulet.services.apigateway.rest.pages import cut
from cumulet.services.apigateway.rest.patch import Rule, Rules, whole
from cumulet.services.apigateway.state import ApiGateway

_LONGEST = 90
_RULES = Rules({"/remaining": Rule(("replace",), lambda thing, step: thing.append(whole(step)))}, listing=True)


async def get_usage(gateway: ApiGateway, call: Call, request: api.GetUsageRequest) -> api.Usage:
    """Uses and what was left, a pair for each day from the start to the end, of each key that was used."""
    plan = await need_plan(gateway, call, request.usage_plan_id)
    days = _days(request.start_date, request.end_date)
    await gateway.usage.flush()
    limit = (plan.quota.limit if plan.quota is not None else 0) or 0
    used: dict[str, dict[str, list[int]]] = {}
    store = gateway.usage.store
    for key, day, count, remaining in await store.days(plan.id or "", days[0], days[-1], request.key_id or ""):
        used.setdefault(key, {})[day] = [count, remaining]
    some, position = cut(sorted(used), lambda key: key, request.position, request.limit)
    items = {key: [used[key].get(day, [0, limit]) for day in days] for key in some}
    return api.Usage(usage_plan_id=plan.id, start_date=days[0], end_date=days[-1], position=position, items=items)


async def update_usage(gateway: ApiGateway, call: Call, request: api.UpdateUsageRequest) -> api.Usage:
    """Gives a key more of its quota, for this period alone."""
    plan = await need_plan(gateway, call, request.usage_plan_id)
    if request.usage_plan_id not in await gateway.plan_keys.plans(call.account, call.region, request.key_id):
        raise not_found(f"Invalid Usage Plan key specified: {request.key_id}")
    if plan.quota is None:
        raise bad_request(f"Usage Plan {plan.id} has no quota")
    asked: list[int] = []
    _RULES.apply(asked, request.patch_operations)
    for remaining in asked:
        if remaining < 0:
            raise bad_request("The remaining quota must not be negative")
        await gateway.usage.extend(plan, request.key_id, remaining)
    await gateway.usage.flush()
    today = gateway.usage.today()
    days = await gateway.usage.store.days(plan.id or "", today, today, request.key_id)
    items = {key: [[used, remaining]] for key, _, used, remaining in days}
    return api.Usage(usage_plan_id=plan.id, start_date=today, end_date=today, items=items)


def _days(start: str, end: str) -> list[str]:
    """The days from one to another, both included; raises BadRequestException."""
    try:
        first, last = date.fromisoformat(start), date.fromisoformat(end)
    except ValueError:
        raise bad_request("Usage start and end dates must be dates such as 2026-01-31") from None
    count = (last - first).days + 1
    if not 1 <= count <= _LONGEST:
        raise bad_request(
            f"The usage end date must not be before the start date, nor more than {_LONGEST} days after it"
        )
    return [(first + timedelta(days=number)).isoformat() for number in range(count)]

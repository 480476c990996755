"""What a usage plan may be, and how PATCH changes it."""

from __future__ import annotations

from cumulet.api import apigateway as api
from cumulet.services.apigateway.errors import bad_request, not_found
from cumulet.services.apigateway.rest.patch import Rule, Rules, Step, number, value, whole

_PERIODS = ("DAY", "WEEK", "MONTH")


def check(plan: api.UsagePlan) -> None:
    """Fills in defaults; raises BadRequestException."""
    for throttle in (plan.throttle, *_method_throttles(plan)):
        if throttle is not None and ((throttle.burst_limit or 0) < 0 or (throttle.rate_limit or 0) < 0):
            raise bad_request("Usage Plan throttle settings must not be negative")
    if (quota := plan.quota) is not None:
        if quota.limit is None or quota.limit < 0 or quota.period not in _PERIODS:
            raise bad_request("Usage Plan quota must have a valid limit and period set")
        quota.offset = quota.offset or 0
        if not 0 <= quota.offset <= {"DAY": 0, "WEEK": 6, "MONTH": 27}[quota.period]:
            raise bad_request(f"Usage Plan quota offset is not valid for the period {quota.period}")


def _method_throttles(plan: api.UsagePlan) -> list[api.ThrottleSettings]:
    return [throttle for stage in plan.api_stages or () for throttle in (stage.throttle or {}).values()]


def _stages(plan: api.UsagePlan, step: Step) -> None:
    """`/apiStages` with `API:STAGE` as the value."""
    api_id, _, stage = (step.value or "").partition(":")
    if not api_id or not stage:
        raise bad_request("Invalid API Stage specified")
    held = plan.api_stages or []
    there = [each for each in held if (each.api_id, each.stage) == (api_id, stage)]
    if step.op == "remove":
        if not there:
            raise not_found(f"Invalid API Stage {{api: {api_id}, stage: {stage}}} specified for usageplan {plan.id}")
        plan.api_stages = [each for each in held if each not in there]
    elif not there:
        plan.api_stages = [*held, api.ApiStage(api_id=api_id, stage=stage)]


def _throttle(plan: api.UsagePlan, step: Step) -> None:
    if step.op == "remove":
        plan.throttle = None
        return
    plan.throttle = plan.throttle or api.ThrottleSettings(burst_limit=0, rate_limit=0.0)
    _set_throttle(plan.throttle, step)


def _set_throttle(throttle: api.ThrottleSettings, step: Step) -> None:
    if step.names[-1] == "rateLimit":
        throttle.rate_limit = number(step)
    else:
        throttle.burst_limit = whole(step)


def _quota(plan: api.UsagePlan, step: Step) -> None:
    if step.op == "remove":
        plan.quota = None
        return
    plan.quota = plan.quota or api.QuotaSettings()
    if step.names[-1] == "period":
        plan.quota.period = step.value
    elif step.names[-1] == "limit":
        plan.quota.limit = whole(step)
    else:
        plan.quota.offset = whole(step)


class _PlanRules(Rules, frozen=True):
    """With the paths of single methods: `/apiStages/API:STAGE/throttle/PATH/VERB/rateLimit`."""

    def rule(self, step: Step) -> Rule:
        if len(step.names) >= 3 and step.names[0] == "apiStages" and step.names[2] == "throttle":
            return Rule(("add", "remove", "replace"), _method_throttle)
        return super().rule(step)


def _method_throttle(plan: api.UsagePlan, step: Step) -> None:
    name = step.names[1]
    stage = next((each for each in plan.api_stages or () if f"{each.api_id}:{each.stage}" == name), None)
    if stage is None:
        raise bad_request("Invalid API Stage specified")
    if step.op == "remove":
        if len(step.names) == 3:
            stage.throttle = None
        elif (stage.throttle or {}).pop(_method(step.names[3:]), None) is None:
            raise not_found("Invalid throttle path specified")
        stage.throttle = stage.throttle or None
        return
    if len(step.names) < 5 or step.names[-1] not in ("rateLimit", "burstLimit"):
        raise bad_request(f"Invalid patch path {step.path}")
    throttles = stage.throttle or {}
    method = _method(step.names[3:-1])
    _set_throttle(throttles.setdefault(method, api.ThrottleSettings(burst_limit=0, rate_limit=0.0)), step)
    stage.throttle = throttles


def _method(names: tuple[str, ...]) -> str:
    """`/pets/{id}/GET`, and `//GET` for the root, whether the path was escaped or not."""
    path, _, verb = "/".join(names).strip("/").rpartition("/")
    return f"/{path}/{verb}"


_SET = ("add", "replace")
RULES = _PlanRules(
    {
        "/name": value("name"),
        "/description": value("description"),
        "/productCode": value("product_code", lambda step: step.value or None, ("add", "remove", "replace")),
        "/apiStages": Rule(("add", "remove"), _stages),
        "/throttle": Rule(("remove",), _throttle),
        "/throttle/rateLimit": Rule(_SET, _throttle),
        "/throttle/burstLimit": Rule(_SET, _throttle),
        "/quota": Rule(("remove",), _quota),
        "/quota/limit": Rule(_SET, _quota),
        "/quota/offset": Rule(_SET, _quota),
        "/quota/period": Rule(_SET, _quota),
    },
    listing=True,
)

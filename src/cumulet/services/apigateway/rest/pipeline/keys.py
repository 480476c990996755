"""API keys and usage plans: who may call a method that wants a key, how fast, and how often.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cumulet.services.apigateway.rest.pipeline.exchange import Exchange, Refused

if TYPE_CHECKING:
    from cumulet.services.apigateway.rest.keys.admissions import Admission

_HEADER = "x-api-key"


async def check(ex: Exchange) -> None:
    """Raises Refused: no key (403), too fast or too often (429)."""
    program, front = ex.program, ex.front
    value = ex.header(_HEADER) if program.key_source == "HEADER" else ex.usage_key
    admission = None
    if value:
        admission = await front.admissions.find(
            program.account, program.region, program.api_id, program.stage_name, value
        )
    if admission is None:
        raise Refused(
            "INVALID_API_KEY", "Forbidden", reason="API Key is not authorized" if value else "API Key is required"
        )
    ex.api_key_id = admission.key.id or ""
    ex.identity = {**ex.identity, "apiKey": value or "", "apiKeyId": ex.api_key_id}
    _throttle(ex, admission)
    if admission.plan.quota is not None and not await front.usage.take(admission.plan, ex.api_key_id):
        raise Refused(
            "QUOTA_EXCEEDED", "Limit Exceeded", reason=f"API Key {ex.api_key_id} exceeded the quota of its usage plan"
        )
    if admission.plan.quota is None:
        await front.usage.take(admission.plan, ex.api_key_id)


def _throttle(ex: Exchange, admission: Admission) -> None:
    """The plan's own rate for the method, and its rate for all."""
    plan, method = admission.plan, ex.method
    own = (admission.stage.throttle or {}).get(f"{method.resource_path}/{method.verb}")
    for name, settings in ((f"{method.resource_path}/{method.verb}", own), ("", plan.throttle)):
        if settings is None or settings.rate_limit is None:
            continue
        key = ("plan", plan.id, ex.api_key_id, ex.program.api_id if name else "", name)
        if not ex.front.buckets.take(key, settings.rate_limit, settings.burst_limit or 0):
            raise Refused(
                "THROTTLED", "Too Many Requests", reason=f"API Key {ex.api_key_id} exceeded the rate of its usage plan"
            )
        if own is not None:
            return

"""API keys and usage plans at work: who may call what wants a key, how fast, and how often.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
"""

from __future__ import annotations

from cumulet.services.apigateway.plane.throttle import Buckets
from cumulet.services.apigateway.rest.keys.admissions import Admission, Admissions
from cumulet.services.apigateway.rest.keys.usage import Usage


class KeyRefused(Exception):
    """A key opens nothing, or has opened it too often; its text is for logs. `kind` is the type of gateway response."""

    def __init__(self, kind: str, status: int, message: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind
        self.status = status
        self.message = message


class Gate:
    """One for APIs of all kinds, as a plan counts what its keys do at all of them."""

    def __init__(self, admissions: Admissions, usage: Usage, buckets: Buckets) -> None:
        self._admissions = admissions
        self._usage = usage
        self._buckets = buckets

    async def admit(self, account: str, region: str, api_id: str, stage: str, value: str, method: str) -> Admission:
        """What a key's value opens, counted as one request of it.

        `method` is what a plan can have a throttle for: `/path/VERB`, or a route's key. Raises KeyRefused (403, 429).
        """
        found = await self._admissions.find(account, region, api_id, stage, value) if value else None
        if found is None:
            reason = "API Key is not authorized" if value else "API Key is required"
            raise KeyRefused("INVALID_API_KEY", 403, "Forbidden", reason)
        key = found.key.id or ""
        self._throttle(found, key, api_id, method)
        if not await self._usage.take(found.plan, key):
            reason = f"API Key {key} exceeded the quota of its usage plan"
            raise KeyRefused("QUOTA_EXCEEDED", 429, "Limit Exceeded", reason)
        return found

    def _throttle(self, found: Admission, key: str, api_id: str, method: str) -> None:
        """The plan's own rate for the method, else its rate for all."""
        own = (found.stage.throttle or {}).get(method)
        settings = found.plan.throttle if own is None or own.rate_limit is None else own
        if settings is None or settings.rate_limit is None:
            return
        place = (api_id, method) if settings is own else ("", "")
        if not self._buckets.take(("plan", found.plan.id, key, *place), settings.rate_limit, settings.burst_limit or 0):
            reason = f"API Key {key} exceeded the rate of its usage plan"
            raise KeyRefused("THROTTLED", 429, "Too Many Requests", reason)

"""Whether an API key opens a stage, and by which plan: from memory after the first time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from cumulet.services.apigateway.rest.keys.store import PlanKeyStore
from cumulet.services.apigateway.rest.owned_store import OwnedStore

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

_MOST = 10_000


class Admission(Struct, frozen=True):
    """A key that opens a stage: the plan it does so by, and the plan's settings for this stage (throttles by `/path/VERB`)."""

    key: api.ApiKey
    plan: api.UsagePlan
    stage: api.ApiStage


class Admissions:
    """Answers by account, region, API, stage and key. Every change of a key or plan forgets all of them."""

    def __init__(self, keys: OwnedStore[api.ApiKey], plans: OwnedStore[api.UsagePlan], plan_keys: PlanKeyStore) -> None:
        self._keys = keys
        self._plans = plans
        self._plan_keys = plan_keys
        self._known: dict[tuple[str, str, str, str, str], Admission] = {}

    async def find(self, account: str, region: str, api_id: str, stage: str, value: str) -> Admission | None:
        """The admission that a key's value gives; None when there is no such key, it is disabled, or no plan of it has the stage."""
        known = self._known
        asked = (account, region, api_id, stage, value)
        if (found := known.get(asked)) is not None:
            return found
        key = await self._keys.by_alias(account, region, value) if value else None
        if key is None or not key.enabled:
            return None
        for plan_id in await self._plan_keys.plans(account, region, key.id or ""):
            plan = await self._plans.get(account, region, plan_id)
            for each in (plan.api_stages if plan is not None else None) or ():
                if plan is not None and (each.api_id, each.stage) == (api_id, stage):
                    if len(known) >= _MOST:
                        known.clear()
                    # Into the map of before: a change meanwhile has put another in its place.
                    known[asked] = Admission(key, plan, each)
                    return known[asked]
        return None

    def forget(self) -> None:
        """Something has changed."""
        self._known = {}

"""Counting what keys use of their plans' quotas: in memory, written down every second.

A node that is killed forgets the uses of its last second. AWS counts no more exactly: quotas are best effort there.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from cumulet.kernel.clock import Clock
from cumulet.services.apigateway.rest.keys.usage_store import Count, UsageStore
from cumulet.storage.database import Transaction

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

_ROUND = 1.0
_MOST = 50_000  # counters in memory; the others are in the store
_UNLIMITED = 0


class _Counter:
    __slots__ = ("changed", "day", "period", "spent", "used")

    def __init__(self, period: str, spent: int, day: str, used: int) -> None:
        self.period = period
        self.spent = spent
        self.day = day
        self.used = used
        self.changed = False


class Usage:
    """Counters by plan and key."""

    def __init__(self, store: UsageStore, clock: Clock) -> None:
        self.store = store
        self._clock = clock
        self._counters: dict[tuple[str, str], _Counter] = {}
        self._quotas: dict[str, api.QuotaSettings | None] = {}
        self._finished: list[Count] = []
        self._tomorrow = 0.0
        self._today = ""

    async def take(self, plan: api.UsagePlan, key_id: str) -> bool:
        """Count one request of a key; False when its quota is used up."""
        counter = self._counters.get((plan.id or "", key_id)) or await self._load(plan, key_id)
        self._renew(counter, plan, key_id)
        quota = plan.quota
        if quota is not None and counter.spent >= (quota.limit or 0):
            return False
        counter.spent += 1
        counter.used += 1
        counter.changed = True
        return True

    async def extend(self, plan: api.UsagePlan, key_id: str, remaining: int) -> Count:
        """Let a key have so many requests more in this period; gives its count of today."""
        counter = await self._load(plan, key_id)
        self._renew(counter, plan, key_id)
        counter.spent = ((plan.quota.limit if plan.quota is not None else 0) or 0) - remaining
        counter.changed = True
        await self.flush()
        return self._count(plan.id or "", key_id, counter)

    async def work(self) -> None:
        """Write down what has been counted, every second."""
        while True:
            await asyncio.sleep(_ROUND)
            await self.flush()

    async def flush(self) -> None:
        """Write down what has been counted since the last time."""
        changed = [(key, counter) for key, counter in self._counters.items() if counter.changed]
        counts = self._finished + [self._count(*key, counter) for key, counter in changed]
        if not counts:
            return
        self._finished = []
        for _, counter in changed:
            counter.changed = False
        await self.store.save(counts)
        if len(self._counters) > _MOST:
            self._counters = {key: counter for key, counter in self._counters.items() if counter.changed}
            plans = {plan for plan, _ in self._counters}
            self._quotas = {plan: quota for plan, quota in self._quotas.items() if plan in plans}

    async def forget_plan(self, tx: Transaction, plan: str) -> None:
        """A plan is being deleted, with all that was counted for it."""
        await self.store.forget(tx, plan)

        def forget() -> None:
            self._counters = {key: counter for key, counter in self._counters.items() if key[0] != plan}
            self._quotas.pop(plan, None)

        tx.after_commit(forget)

    def today(self) -> str:
        """The day it is, in UTC."""
        now = self._clock.now()
        if now >= self._tomorrow:
            moment = datetime.fromtimestamp(now, UTC)
            self._today = moment.date().isoformat()
            self._tomorrow = (moment.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)).timestamp()
        return self._today

    async def _load(self, plan: api.UsagePlan, key_id: str) -> _Counter:
        id, today = plan.id or "", self.today()
        if (there := self._counters.get((id, key_id))) is not None:
            return there
        found = await self.store.find(id, key_id, today)
        if found is None:
            counter = _Counter(period_of(plan.quota, today), 0, today, 0)
        else:
            counter = _Counter(found.period, found.spent, today, found.used)
        return self._counters.setdefault((id, key_id), counter)  # who came first wins

    def _renew(self, counter: _Counter, plan: api.UsagePlan, key_id: str) -> None:
        """Begin a new day, and a new period if that day does."""
        self._quotas[plan.id or ""] = plan.quota
        today = self.today()
        if counter.day != today:
            if counter.changed:
                self._finished.append(self._count(plan.id or "", key_id, counter))
            counter.day, counter.used = today, 0
        period = period_of(plan.quota, today)
        if counter.period != period:
            counter.period, counter.spent = period, 0

    def _count(self, plan: str, key: str, counter: _Counter) -> Count:
        quota = self._quotas.get(plan)
        remaining = max(0, (quota.limit or 0) - counter.spent) if quota is not None else _UNLIMITED
        return Count(plan, key, counter.period, counter.spent, counter.day, counter.used, remaining)


def period_of(quota: api.QuotaSettings | None, today: str) -> str:
    """The day on which the period of a quota began that `today` is in. Weeks begin on Sundays, months on the first, each so many
    days later as the quota's offset says.
    """
    if quota is None or quota.period == "DAY":
        return today
    day = date.fromisoformat(today) - timedelta(days=quota.offset or 0)
    first = day - timedelta(days=(day.weekday() + 1) % 7) if quota.period == "WEEK" else day.replace(day=1)
    return (first + timedelta(days=quota.offset or 0)).isoformat()

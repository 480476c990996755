import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cumulet.api import apigateway as api
from cumulet.kernel.clock import MovableClock
from cumulet.services.apigateway.rest.keys.usage import Usage, period_of
from cumulet.services.apigateway.rest.keys.usage_store import SCHEMA, UsageStore
from cumulet.storage.sqlite import SqliteDatabase

DAY = 86_400.0


def quota(period: str, offset: int = 0) -> api.QuotaSettings:
    return api.QuotaSettings(limit=2, period=period, offset=offset)


@pytest.mark.parametrize(
    ("settings", "today", "begun"),
    [
        (None, "2026-03-18", "2026-03-18"),
        (quota("DAY"), "2026-03-18", "2026-03-18"),
        (quota("WEEK"), "2026-03-18", "2026-03-15"),
        (quota("WEEK"), "2026-03-15", "2026-03-15"),
        (quota("WEEK", 1), "2026-03-15", "2026-03-09"),
        (quota("MONTH"), "2026-03-18", "2026-03-01"),
        (quota("MONTH", 20), "2026-03-18", "2026-02-21"),
        (quota("MONTH", 27), "2026-03-28", "2026-03-28"),
    ],
)
def test_when_a_period_began(settings: api.QuotaSettings | None, today: str, begun: str) -> None:
    assert period_of(settings, today) == begun


async def _usage(path: Path) -> AsyncIterator[tuple[Usage, MovableClock]]:
    db = SqliteDatabase(path)
    await db.migrate("usage", SCHEMA)
    clock = MovableClock(lambda: 0.0, 20_000 * DAY)
    yield Usage(UsageStore(db), clock), clock
    await db.close()


def test_a_quota_is_used_up_and_comes_back(tmp_path: Path) -> None:
    plan = api.UsagePlan(id="p", quota=quota("DAY"))

    async def scenario() -> None:
        async for usage, clock in _usage(tmp_path / "db"):
            assert [await usage.take(plan, "k") for _ in range(3)] == [True, True, False]
            assert await usage.take(plan, "other")
            first = usage.today()
            await clock.advance(DAY)
            assert await usage.take(plan, "k")
            await usage.flush()
            days = await usage.store.days("p", first, usage.today(), "k")
            assert [(used, remaining) for _, _, used, remaining in days] == [(2, 0), (1, 1)]

    asyncio.run(scenario())


def test_counts_are_there_after_a_restart(tmp_path: Path) -> None:
    plan = api.UsagePlan(id="p", quota=quota("MONTH"))

    async def first() -> None:
        async for usage, _ in _usage(tmp_path / "db"):
            await usage.take(plan, "k")
            await usage.take(plan, "k")
            await usage.flush()

    async def second() -> None:
        async for usage, _ in _usage(tmp_path / "db"):
            assert not await usage.take(plan, "k")
            await usage.extend(plan, "k", 1)
            assert [await usage.take(plan, "k") for _ in range(2)] == [True, False]

    asyncio.run(first())
    asyncio.run(second())

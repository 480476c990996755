"""What is measured of functions, and kept."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from cumulet.kernel.clock import MovableClock
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.names import FunctionKey
from cumulet.services.lambda_.reporting.metrics import Metrics, Point
from cumulet.storage.sqlite import SqliteDatabase

KEY = FunctionKey("111122223333", "us-east-1", "f")
START = 1_800_000_000.0


class Time:
    now = START


def with_metrics(folder: Path, story: Callable[[Metrics], Awaitable[None]]) -> None:
    """Runs a story with metrics of its own."""

    async def run() -> None:
        db, tasks = SqliteDatabase(folder / "lambda.db"), Tasks()
        metrics = Metrics(db, MovableClock(lambda: Time.now), tasks)
        await metrics.start()
        try:
            await story(metrics)
        finally:
            await tasks.close()
            await db.close()
            Time.now = START

    asyncio.run(run())


def test_a_minute_is_one_point(tmp_path: Path) -> None:
    async def story(metrics: Metrics) -> None:
        series = metrics.series(KEY, "f")
        series.ran(10.0, failed=False)
        series.ran(30.0, failed=True)
        await metrics.flush()
        series.ran(5.0, failed=False)
        assert await metrics.points(KEY, "Duration", START - 60, START + 60) == [Point(START, 3, 45.0, 5.0, 30.0)]
        assert await metrics.points(KEY, "Errors", START - 60, START + 60) == [Point(START, 3, 1.0, 0.0, 1.0)]
        assert await metrics.points(KEY, "Invocations", START - 60, START + 60) == [Point(START, 3, 3.0, 1.0, 1.0)]

    with_metrics(tmp_path, story)


def test_minutes_are_apart(tmp_path: Path) -> None:
    async def story(metrics: Metrics) -> None:
        series = metrics.series(KEY, "f")
        series.add("Throttles")
        await metrics.flush()
        Time.now += 60
        await metrics.flush()
        Time.now += 1
        series.add("Throttles", 2.0)
        points = await metrics.points(KEY, "Throttles", START, START + 120)
        assert points == [Point(START, 1, 1.0, 1.0, 1.0), Point(START + 60, 1, 2.0, 2.0, 2.0)]
        assert await metrics.points(KEY, "Throttles", START + 60, START + 120) == points[1:]

    with_metrics(tmp_path, story)


def test_a_resource_is_a_part_of_its_function(tmp_path: Path) -> None:
    async def story(metrics: Metrics) -> None:
        metrics.series(KEY, "f").add("Throttles")
        metrics.series(KEY, "f:live", "3").add("Throttles")
        metrics.series(KEY._replace(name="g"), "g").add("Throttles")
        [point] = await metrics.points(KEY, "Throttles", START, START + 60)
        assert point.samples == 2
        [point] = await metrics.points(KEY, "Throttles", START, START + 60, "f:live")
        assert point.samples == 1
        assert await metrics.names(KEY.account, KEY.region) == [
            ("Throttles", "f", "f", ""),
            ("Throttles", "f", "f:live", "3"),
            ("Throttles", "g", "g", ""),
        ]

    with_metrics(tmp_path, story)


def test_use_adds_up_by_day(tmp_path: Path) -> None:
    async def story(metrics: Metrics) -> None:
        series = metrics.series(KEY, "f", architecture="arm64")
        series.ran(1.0, failed=False)
        series.use("compute", 0.5)
        await metrics.flush()
        series.use("compute", 0.25)
        found = {(use.kind, use.amount, use.architecture, use.day) for use in await metrics.usage()}
        assert found == {("compute", 0.75, "arm64", "2027-01-15"), ("requests", 1.0, "arm64", "2027-01-15")}
        assert await metrics.usage(since="2027-01-16") == []
        assert await metrics.usage(name="g") == []

    with_metrics(tmp_path, story)

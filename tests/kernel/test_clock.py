import asyncio
from collections.abc import Awaitable, Callable

import pytest

from cumulet.kernel.clock import MovableClock


def _run(scenario: Callable[[MovableClock, list[tuple[str, float]]], Awaitable[None]]) -> list[tuple[str, float]]:
    """A scenario on a clock whose own time stands still; gives what woke, and when."""
    woken: list[tuple[str, float]] = []

    async def main() -> None:
        await scenario(MovableClock(source=lambda: 1_000.0), woken)

    asyncio.run(main())
    return woken


def test_moving_the_clock_wakes_sleepers_in_the_order_of_their_time() -> None:
    async def scenario(clock: MovableClock, woken: list[tuple[str, float]]) -> None:
        async def sleeper(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            woken.append((name, clock.now()))

        tasks = [asyncio.ensure_future(sleeper(name, after)) for name, after in (("c", 30), ("a", 10), ("b", 20))]
        await asyncio.sleep(0)
        assert await clock.advance(25) == 1_025.0
        assert [name for name, _ in woken] == ["a", "b"]
        await clock.advance(10)
        await asyncio.gather(*tasks)

    assert _run(scenario) == [("a", 1_010.0), ("b", 1_020.0), ("c", 1_030.0)]


def test_what_sleeps_again_on_the_way_is_woken_again_on_the_way() -> None:
    async def scenario(clock: MovableClock, woken: list[tuple[str, float]]) -> None:
        async def every_minute() -> None:
            while True:
                await clock.sleep(60)
                woken.append(("tick", clock.now()))

        task = asyncio.ensure_future(every_minute())
        await asyncio.sleep(0)
        await clock.advance(200)
        task.cancel()

    assert _run(scenario) == [("tick", 1_060.0), ("tick", 1_120.0), ("tick", 1_180.0)]


def test_a_century_has_an_end() -> None:
    """Whoever ticks is woken for every tick of a while, then once at the end."""

    async def scenario(clock: MovableClock, woken: list[tuple[str, float]]) -> None:
        async def every_second() -> None:
            while True:
                await clock.sleep(1)
                woken.append(("tick", clock.now()))

        task = asyncio.ensure_future(every_second())
        await asyncio.sleep(0)
        await clock.advance(3_000_000_000)
        await asyncio.sleep(0)
        task.cancel()

    woken = _run(scenario)
    assert 1_000 < len(woken) < 100_000
    assert woken[-1] == ("tick", 3_000_001_000.0)


def test_a_sleep_that_is_over_returns_at_once_and_a_cancelled_one_holds_nobody_up() -> None:
    async def scenario(clock: MovableClock, woken: list[tuple[str, float]]) -> None:
        await clock.sleep_until(999.0)
        task = asyncio.ensure_future(clock.sleep(5))
        await asyncio.sleep(0)
        task.cancel()
        await clock.advance(10)
        woken.append(("end", clock.now()))

    assert _run(scenario) == [("end", 1_010.0)]


def test_a_clock_moves_forward_only() -> None:
    async def scenario(clock: MovableClock, _: list[tuple[str, float]]) -> None:
        with pytest.raises(ValueError, match="forward"):
            await clock.advance(-1)

    _run(scenario)


def test_left_alone_it_follows_real_time() -> None:
    async def main() -> None:
        clock = MovableClock()
        before = clock.now()
        await clock.sleep(0.02)
        assert clock.now() >= before + 0.02

    asyncio.run(main())

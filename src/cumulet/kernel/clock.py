"""Time as a dependency: services never ask the operating system what time it is.

A node's clock runs with the system's, and can be moved forward (`/_cumulet/clock`): everything that waits on it
then fires in the order of its time. Authentication alone uses real time, because clients sign with theirs.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol

_MOST_STOPS = 10_000  # on the way of one move; what waits beyond them is woken at its end, in order


def real_time() -> float:
    """The system's time in seconds since 1970, for authentication alone: clients sign with theirs."""
    return time.time()


class Clock(Protocol):
    """What consumers of time take."""

    def now(self) -> float:
        """Seconds since 1970."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait until `seconds` have passed on this clock."""
        ...

    async def sleep_until(self, when: float) -> None:
        """Wait until this clock shows `when` (seconds since 1970)."""
        ...


async def wait_until(clock: Clock, when: float | None, event: asyncio.Event) -> None:
    """Wait until `event` is set or `clock` shows `when` (seconds since 1970; None: for the event alone), whichever is first."""
    if when is None:
        await event.wait()
        return
    timer = asyncio.ensure_future(clock.sleep_until(when))
    woken = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((timer, woken), return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        woken.cancel()


class MovableClock:
    """The system's time plus an offset that only grows."""

    def __init__(self, source: Callable[[], float] = time.time, offset: float = 0.0) -> None:
        self._source = source
        self.offset = offset
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def now(self) -> float:
        return self._source() + self.offset

    async def sleep(self, seconds: float) -> None:
        await self.sleep_until(self.now() + seconds)

    async def sleep_until(self, when: float) -> None:
        if when <= self.now():
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (when, next(self._order), future))
        if self._sleepers[0][2] is future:
            self._arm()
        await future

    async def advance(self, seconds: float) -> float:
        """Move the clock forward, stopping at every waiter on the way so that they fire in order; gives the new time."""
        if seconds < 0:
            raise ValueError("a clock moves forward only")
        target = self.now() + seconds
        for _ in range(_MOST_STOPS):
            if (due := self._next_due()) is None or due > target:
                break
            self.offset += max(0.0, due - self.now())
            self._fire()
            for _ in range(10):  # lets what woke run, and wait again, before time goes on
                await asyncio.sleep(0)
        self.offset += max(0.0, target - self.now())
        self._fire()
        return self.now()

    def _next_due(self) -> float | None:
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        return self._sleepers[0][0] if self._sleepers else None

    def _fire(self) -> None:
        now = self.now()
        while (due := self._next_due()) is not None and due <= now:
            heapq.heappop(self._sleepers)[2].set_result(None)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._next_due()
        if due is not None:
            # The loop's timers have a coarser tick than the clock: a millisecond late beats a spin.
            delay = max(0.001, due - self.now())
            self._timer = asyncio.get_running_loop().call_later(min(delay, 86_400.0), self._fire)

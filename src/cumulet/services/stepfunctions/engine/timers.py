"""When executions are due: one sleeper on the clock for all of them.

Those that are due within the hour are in memory, a few bytes each; the store has the others, and is asked again in time.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable

from cumulet.kernel.clock import Clock, wait_until
from cumulet.services.stepfunctions.engine.frames import FOREVER
from cumulet.storage.database import StorageError

log = logging.getLogger(__name__)

_WINDOW = 3600.0
_TOGETHER = 20


class Timers:
    """`fire` is called with the number of each execution whose time has come: maybe once more than asked for. `due` gives those
    that the store knows of, up to a time."""

    def __init__(
        self, clock: Clock, fire: Callable[[int], None], due: Callable[[float], Awaitable[list[tuple[float, int]]]]
    ) -> None:
        self._clock = clock
        self._fire = fire
        self._due = due
        self._armed: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []
        self._until = 0.0
        self._wake = asyncio.Event()

    def at(self, when: float, number: int) -> None:
        """Fire then. An earlier moment that was asked for stands."""
        if when >= FOREVER or self._armed.get(number, FOREVER) <= when:
            return
        if when >= self._until:
            return  # `due` will tell it
        self._armed[number] = when
        heapq.heappush(self._heap, (when, number))
        if self._heap[0][1] == number:
            self._wake.set()

    async def work(self) -> None:
        """For ever."""
        while True:
            self._wake.clear()
            now = self._clock.now()
            if now >= self._until - _WINDOW / 10:
                await self._look(now)
            await self._ring(now)
            soonest = self._heap[0][0] if self._heap else FOREVER
            await wait_until(self._clock, min(soonest, self._until - _WINDOW / 10), self._wake)

    async def _look(self, now: float) -> None:
        """Take over what is due within the next while."""
        before, self._until = self._until, now + _WINDOW
        try:
            for when, number in await self._due(self._until):
                self.at(when, number)
        except StorageError:
            log.exception("the store could not tell which executions are due")
            self._until = max(before, now + _WINDOW / 10 + 1.0)

    async def _ring(self, now: float) -> None:
        """What is due, some of it in each round of the event loop."""
        heap, fired = self._heap, 0
        while heap and heap[0][0] <= now:
            when, number = heapq.heappop(heap)
            if self._armed.get(number) == when:
                del self._armed[number]
                self._fire(number)
                fired += 1
                if fired % _TOGETHER == 0:
                    await asyncio.sleep(0)

"""Threads of Step Functions' own, for what would hold the event loop: large definitions, and states whose evaluation takes long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from cumulet.services.stepfunctions.asl.patience import Elsewhere, Patience

T = TypeVar("T")
_MOST = 3


class Apart:
    """A few threads, made when they are needed; those that files and others wait for stay free. `patience` is what evaluations
    there and on the event loop are measured by."""

    def __init__(self) -> None:
        self.patience = Patience()
        self._threads: ThreadPoolExecutor | None = None

    async def run(self, work: Callable[[], T]) -> T:
        """Have something done on a thread."""
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_MOST, "states")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._measured, work)

    async def evaluated(self, work: Callable[[], T]) -> T:
        """Have something evaluated here, or on a thread when it takes longer than the event loop can be held."""
        self.patience.begin(here=True)
        try:
            return work()
        except Elsewhere:
            return await self.run(work)

    def _measured(self, work: Callable[[], T]) -> T:
        self.patience.begin(here=False)
        return work()

    def close(self) -> None:
        """What waits for a thread is not begun any more."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

"""Who is at work: one worker for each enabled mapping, and the ways between a mapping's states."""

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from cumulet.kernel.clock import Clock
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.sources.mapping import STEADY, Mapping
from cumulet.services.lambda_.sources.store import MappingStore

log = logging.getLogger(__name__)

_PATIENCE = 1.0
"""Seconds an operation waits for a change that is under way before it answers that the mapping is in use."""


class Worker(Protocol):
    """Reads a source and invokes a function."""

    def start(self) -> None: ...

    async def stop(self) -> None:
        """Take nothing more; what was taken may still be worked on."""
        ...

    async def drained(self) -> None:
        """Wait until nothing is worked on any more."""
        ...


Hire = Callable[[Mapping], Worker]


class Roster:
    """The workers of this node. `hire` makes one; it is set before `start`."""

    def __init__(self, store: MappingStore, clock: Clock, tasks: Tasks) -> None:
        self.store = store
        self.hire: Hire | None = None
        self._clock = clock
        self._tasks = tasks
        self._workers: dict[str, Worker] = {}
        self._changing: dict[str, asyncio.Task[None]] = {}
        self._problems: dict[str, str] = {}

    async def start(self) -> None:
        """Go on with what an earlier run left."""
        for mapping in await self.store.all():
            if mapping.state not in STEADY:
                self.settle(mapping)
            elif mapping.wanted:
                self._begin(mapping)

    async def close(self, patience: float) -> None:
        """Take nothing more, and give what was taken a few seconds to end."""
        workers = list(self._workers.values())
        self._workers.clear()
        try:
            async with asyncio.timeout(patience):
                await asyncio.gather(*(worker.stop() for worker in workers))
                await asyncio.gather(*(worker.drained() for worker in workers))
        except TimeoutError:
            log.warning("functions are still at work on events of their sources; the sources give them again")

    def problem(self, uuid: str) -> str:
        """What keeps a mapping from being processed at the moment; empty when nothing does."""
        return self._problems.get(uuid, "")

    def note(self, uuid: str, problem: str) -> None:
        if problem == self._problems.get(uuid, ""):
            return
        if problem:
            self._problems[uuid] = problem
            log.warning("event source mapping %s: %s", uuid, problem)
        else:
            self._problems.pop(uuid, None)

    def settle(self, mapping: Mapping) -> None:
        """Bring a mapping that was just stored in a passing state to its steady one, in the background."""
        uuid = mapping.uuid
        before = self._changing.get(uuid)
        task = self._tasks.start(f"settle mapping {uuid}", self._settle(mapping, before))
        self._changing[uuid] = task
        task.add_done_callback(lambda _: self._settled(uuid, task))

    async def ready(self, uuid: str) -> bool:
        """Wait a moment for a change that is under way; tells whether the mapping may be changed now."""
        task = self._changing.get(uuid)
        if task is not None:
            await asyncio.wait((task,), timeout=_PATIENCE)
        return uuid not in self._changing

    def _settled(self, uuid: str, task: "asyncio.Task[None]") -> None:
        if self._changing.get(uuid) is task:
            del self._changing[uuid]

    async def _settle(self, mapping: Mapping, before: "asyncio.Task[None] | None") -> None:
        if before is not None:
            await asyncio.wait((before,))
        old = self._workers.pop(mapping.uuid, None)
        if old is not None:
            await old.stop()
        if mapping.state == "Deleting":
            await self.store.delete(mapping)
            self._problems.pop(mapping.uuid, None)
            return
        if not mapping.wanted and old is not None:
            await old.drained()
        steady = mapping.changed(state="Enabled" if mapping.wanted else "Disabled")
        await self.store.put(steady)
        if mapping.wanted:
            self._begin(steady)
        else:
            self._problems.pop(mapping.uuid, None)

    def _begin(self, mapping: Mapping) -> None:
        if self.hire is not None:
            worker = self._workers[mapping.uuid] = self.hire(mapping)
            worker.start()

"""What goes on behind file systems: counting what is in them, and removing those that were deleted.

There are no quotas of the kernel's that every disk has. So what functions have mounted is counted again and again while they
run, and the disk's free space is looked at each time: see `look`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

from cumulet.kernel.clock import Clock
from cumulet.kernel.tasks import Tasks
from cumulet.services.efs.folders import Folders
from cumulet.services.efs.limits import Limits
from cumulet.services.efs.model import EMPTY_SIZE, FileSystem
from cumulet.services.efs.store import Store

log = logging.getLogger(__name__)
_FRESH = 5.0
_PATIENCE = 2.0
"""Seconds that an answer waits for a size to be counted; then it has the one of before."""
_SHARE = 10
"""Counting takes a tenth of the time at most."""
_AGAIN = 5.0
_TRIES = 20


class _Size:
    """Bytes and files, when they were counted by the node's clock, and when and how long by the machine's."""

    def __init__(self) -> None:
        self.value, self.files, self.at = EMPTY_SIZE, 0, 0.0
        self.steady, self.took = 0.0, 0.0
        self.counting: asyncio.Task[None] | None = None


class Keeper:
    """See the module."""

    def __init__(self, store: Store, folders: Folders, clock: Clock, tasks: Tasks, limits: Limits) -> None:
        self._store = store
        self._folders = folders
        self._clock = clock
        self._tasks = tasks
        self._limits = limits
        self._sizes: dict[str, _Size] = {}

    async def start(self) -> None:
        """Go on with what a crash interrupted."""
        known = await self._store.all_file_systems()
        for one in known:
            if one.deleting:
                self.discard(one.id, one)
        for stray in await self._folders.strays([one.id for one in known]):
            self.discard(stray)

    def size(self, id: str) -> tuple[int, float]:
        """As last counted, and when."""
        found = self._sizes.get(id)
        return (found.value, found.at) if found is not None else (EMPTY_SIZE, 0.0)

    def is_full(self, id: str) -> bool:
        """As last counted; what the disk has left is looked at now."""
        limits, found = self._limits, self._sizes.get(id)
        if found is not None and (found.value >= limits.file_system_size or found.files >= limits.files):
            return True
        left = self._folders.free_files()
        return self._folders.free() < limits.free_space or (left is not None and left < limits.free_files)

    async def look(self, id: str) -> bool:
        """Whether it is full, counted now if that was long ago for what it takes."""
        found = self._sizes.setdefault(id, _Size())
        if time.monotonic() >= found.steady + found.took * _SHARE:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(self._count(id)), _PATIENCE)
        return self.is_full(id)

    async def measure(self, ids: Sequence[str]) -> None:
        """Count what was not counted lately."""
        old = time.monotonic() - _FRESH
        waiting = [self._count(id) for id in ids if (size := self._sizes.get(id)) is None or size.steady < old]
        if waiting:
            await asyncio.wait(waiting, timeout=_PATIENCE)

    def discard(self, id: str, row: FileSystem | None = None) -> None:
        """Remove the folder in the background, then what is known of it."""
        self._sizes.pop(id, None)
        self._tasks.start(f"efs: remove {id}", self._remove(id, row))

    async def _remove(self, id: str, row: FileSystem | None) -> None:
        for _ in range(_TRIES):
            try:
                await self._folders.remove(id)
                break
            except OSError as error:
                log.warning("file system %s could not be removed yet: %s", id, error)
                await asyncio.sleep(_AGAIN)
        else:
            return  # the next start of the node goes on
        if row is not None:
            await self._store.remove_file_system(row)

    def _count(self, id: str) -> asyncio.Task[None]:
        found = self._sizes.setdefault(id, _Size())
        if found.counting is None or found.counting.done():
            found.counting = self._tasks.start(f"efs: measure {id}", self._measure(id, found))
        return found.counting

    async def _measure(self, id: str, found: _Size) -> None:
        began = time.monotonic()
        found.value, found.files = await self._folders.measure(id)
        found.at = self._clock.now()
        found.steady = time.monotonic()
        found.took = found.steady - began

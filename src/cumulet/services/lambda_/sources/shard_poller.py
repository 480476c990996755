"""Follows a stream: a reader for each shard, those that came of a split or a merge after their parents."""

import asyncio
import logging
from collections.abc import Callable

from cumulet.kernel.clock import Clock, wait_until
from cumulet.kernel.errors import AwsError
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.sources.checkpoints import Checkpoint, Ledger
from cumulet.services.lambda_.sources.port import ShardSource, SourceGone
from cumulet.services.lambda_.sources.shard_reader import ShardReader

log = logging.getLogger(__name__)

_LOOK = 600.0
"""Seconds between looks for new shards, when no reader's end asks for one: those come when others end."""
_SHORTEST, _LONGEST = 0.5, 60.0

MakeReader = Callable[[str, Checkpoint], ShardReader]


class ShardPoller:
    """One mapping's work. `reader` makes the reader of a shard from its last checkpoint."""

    def __init__(
        self,
        source: ShardSource,
        ledger: Ledger,
        reader: MakeReader,
        *,
        note: Callable[[str], None],
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._reader = reader
        self._note = note
        self._clock = clock
        self._tasks = tasks
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._reading: dict[str, ShardReader] = {}
        self._look = asyncio.Event()
        self._turn = 0
        self._finder: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._finder = self._tasks.start("find shards", self._find())

    async def stop(self) -> None:
        """Invoke no more, and end once the invocations under way are in checkpoints: who follows must not run beside them."""
        if self._finder is not None:
            await _end(self._finder)
        await self.release()

    def look(self) -> None:
        """There may be other shards now."""
        self._look.set()

    async def release(self, patience: float | None = None) -> None:
        """The shards are somebody else's from now on: end their readers, as `stop` does.

        Invocations that take longer than `patience` seconds of real time are not waited for: somebody else repeats them.
        """
        self._turn += 1
        resting = [asyncio.ensure_future(reader.rest()) for reader in self._reading.values()]
        if resting:
            await asyncio.wait(resting, timeout=patience)
        for each in resting:
            each.cancel()
        await asyncio.gather(*(_end(task) for task in tuple(self._readers.values())))

    async def drained(self) -> None:
        """Nothing goes on after `stop`."""

    async def _find(self) -> None:
        pause = _SHORTEST
        while True:
            self._look.clear()
            try:
                await self._hire()
                pause = _SHORTEST
            except (AwsError, SourceGone) as error:
                self._note(f"PROBLEM: {error}")
                await self._clock.sleep(pause)
                pause = min(pause * 2, _LONGEST)
                continue
            await self._wait()

    async def _hire(self) -> None:
        """Start readers for shards that have none and whose parents are read."""
        turn = self._turn
        shards = await self._source.shards()
        known = await self._ledger.load()
        if turn != self._turn:  # they were released meanwhile
            self._look.set()
            return
        held = {shard.id for shard in shards}
        for shard in shards:
            checkpoint = known.get(shard.id, Checkpoint())
            if shard.id in self._readers or checkpoint.ended:
                continue
            if all(parent not in held or known.get(parent, Checkpoint()).ended for parent in shard.parents):
                self._readers[shard.id] = self._tasks.start(
                    f"read shard {shard.id}", self._follow(shard.id, checkpoint)
                )

    async def _follow(self, shard: str, checkpoint: Checkpoint) -> None:
        pause, broken = _SHORTEST, False
        try:
            while True:
                try:
                    if broken:
                        checkpoint = (await self._ledger.load()).get(shard, checkpoint)
                    reader = self._reading[shard] = self._reader(shard, checkpoint)
                    await reader.run()
                except (AwsError, SourceGone) as error:
                    self._note(f"PROBLEM: {error}")
                    broken = True
                else:
                    return
                await self._clock.sleep(pause)
                pause = min(pause * 2, _LONGEST)
        finally:
            self._readers.pop(shard, None)
            self._reading.pop(shard, None)
            self._look.set()

    async def _wait(self) -> None:
        """Until a reader has come to its end, or it is time to look again."""
        await wait_until(self._clock, self._clock.now() + _LOOK, self._look)


async def _end(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

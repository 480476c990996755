"""Executions that are read from the store again: when their time comes, when somebody has their token, and after a crash."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from cumulet.kernel.errors import AwsError
from cumulet.services.stepfunctions.engine import journal
from cumulet.services.stepfunctions.engine.frames import Phase, Run
from cumulet.services.stepfunctions.engine.replay import replay
from cumulet.services.stepfunctions.engine.store import Record

if TYPE_CHECKING:
    from cumulet.services.stepfunctions.engine.engine import Engine

log = logging.getLogger(__name__)

_AT_ONCE = 200
"""Executions that are read and move on, at most."""
_SHORT = 0.002


class Loading:
    """Makes runs of what the store has."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loading: dict[int, asyncio.Task[Run | None]] = {}
        self._asleep: list[int] = []
        self._waking: asyncio.Task[None] | None = None

    def resume(self, numbers: list[int]) -> None:
        """Have executions read and moved on, soon."""
        self._asleep += numbers
        if self._asleep and (self._waking is None or self._waking.done()):
            self._waking = self._engine.background.start("executions wake", self._wake())

    async def load(self, number: int) -> Run | None:
        """An execution that runs, from memory or from its journal; None when it has ended, or never was."""
        run = self._engine.runs.get(number)
        if run is not None:
            return run
        loading = self._loading.get(number)
        if loading is None:
            loading = self._loading[number] = asyncio.get_running_loop().create_task(self._load(number))
            loading.add_done_callback(lambda _: self._loading.pop(number, None))
        return await asyncio.shield(loading)

    async def read(self, record: Record) -> Run | None:
        """The run of a record, folded from its journal; None when its machine cannot be found any more."""
        engine = self._engine
        try:
            version = await engine.machines.revision(record.revision)
        except AwsError as error:
            log.warning("execution %s is of a machine that is gone: %s", record.arn, error.message)
            return None
        run = engine.births.again(record, version)
        run.breaks = engine.debugged.get(record.arn, run.breaks)
        async for chunk in engine.store.chunks(record.number):
            if run.chunks:
                await asyncio.sleep(0)
            replay(run, journal.decode(chunk), engine.work)
            run.chunks += 1
        run.ready.extend(f for f in run.frames.values() if f.phase in (Phase.READY, Phase.BEGIN))
        run.durable = run.last_event
        return run

    async def _wake(self) -> None:
        """Not all of them at once."""
        runs = self._engine.runs
        while self._asleep:
            batch, self._asleep = self._asleep[:_AT_ONCE], self._asleep[_AT_ONCE:]
            for number in batch:
                try:
                    await self.load(number)
                except Exception:
                    log.exception("execution %d could not be resumed", number)
                await asyncio.sleep(0)
            while any((run := runs.get(n)) is not None and run.driving for n in batch):  # noqa: ASYNC110  many ends
                await asyncio.sleep(_SHORT)

    async def _load(self, number: int) -> Run | None:
        engine = self._engine
        record = await engine.store.by_number(number)
        if record is None or record.status != "RUNNING":
            return None
        run = await self.read(record)
        if run is None:
            return None
        engine.runs[number] = run
        run.driving = True
        engine.effects.resume(run)
        run.inbox.append(engine.due)
        engine.background.start(f"execution {run.facts.name}", engine.drive(run))
        return run

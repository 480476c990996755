"""Runs distributed Maps: children are begun as there is room for them, and what came of each is a row.

Those rows are the cursor: after a crash the items are read again, and a child whose row is there is passed over; one that was
begun has the same name again, so the engine finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec import Struct

from cumulet.kernel.clock import Clock
from cumulet.kernel.errors import AwsError
from cumulet.kernel.tasks import Tasks as Background
from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.engine.ports import UNWANTED, Child, Ended, Engine, MapCall
from cumulet.services.stepfunctions.maps.batches import Share, shares
from cumulet.services.stepfunctions.maps.formats import Item
from cumulet.services.stepfunctions.maps.results import ResultWriter, gathered
from cumulet.services.stepfunctions.maps.store import MapRun, MapRunStore, Outcome, Tally
from cumulet.services.stepfunctions.tasks.parts import Parts

log = logging.getLogger(__name__)

MOST_AT_ONCE = 10_000
"""Children that run at once at most. https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
_FIRST_AT_ONCE = 100
_PATIENCE = 0.1
"""Seconds in which no child ends, after which more of them may run: many short ones need not all be in memory at once."""
_TOGETHER = 200
_AGAIN = 1.0
_SWEEP = 6 * 3600.0
_NAMES = uuid.UUID("0c1b7f7e-5a3d-4e0b-8a0e-2f7d1c9b6a55")
_EXCEEDED = "The specified tolerated failure threshold was exceeded"


class Progress:
    """A Map Run in this process. What is in `run` may be changed while it goes on (UpdateMapRun): then call `changed`."""

    def __init__(self, run: MapRun, tallies: list[Tally]) -> None:
        self.run = run
        self.running = 0
        self.running_items = 0
        self.counts = Counter({tally.status: tally.children for tally in tallies})
        self.items = Counter({tally.status: tally.items for tally in tallies})
        self.to_redrive: dict[str, int] = {}
        """Children that failed before a redrive and have not begun again, with how many items each has."""
        self.complete = False
        self.expected = Tally("", 0, 0)
        self._event = asyncio.Event()

    def expect(self, call: MapCall) -> None:
        """How many children and items there will be is known at once where the items are the Map's input."""
        given = call.begun.items
        if given is not None and call.distribution.reader is None:
            children = len(given) if call.distribution.batcher is None else 0
            self.expected, self.complete = Tally("", children, len(given)), True

    @property
    def children_found(self) -> int:
        return max(self.run.children, self.expected.children)

    @property
    def items_found(self) -> int:
        return max(self.run.items, self.expected.items)

    def changed(self) -> None:
        """Wake whoever waits for room, or for the end."""
        self._event.set()

    async def wait(self, seconds: float | None) -> bool:
        """Wait for a change; False when none came in time."""
        self._event.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
                return True
        return False

    def count(self, outcome: Outcome) -> None:
        self.counts[outcome.status] += 1
        self.items[outcome.status] += outcome.items
        self.running -= 1
        self.running_items -= outcome.items

    @property
    def exceeded(self) -> bool:
        """Whether more items failed than are tolerated. A percentage is of all items, so it is known once all were found."""
        run = self.run
        failed = sum(items for status, items in self.items.items() if status != "SUCCEEDED")
        if not failed:
            return False
        if run.tolerated_count is None and run.tolerated_percentage is None:
            return True
        if run.tolerated_count is not None and failed > run.tolerated_count:
            return True
        if run.tolerated_percentage is None or not self.complete:
            return False
        return failed * 100 > run.tolerated_percentage * max(self.items_found, 1)


class MapRuns:
    """`engine.ports.Maps`."""

    def __init__(self, parts: Parts, store: MapRunStore, engine: Engine, clock: Clock, background: Background) -> None:
        self.store = store
        self.live: dict[str, Progress] = {}
        self._parts = parts
        self._engine = engine
        self._clock = clock
        self._background = background

    async def run(self, call: MapCall) -> Any:
        """See `engine.ports.Maps`."""
        progress = await self._open(call)
        work = _Sharing(call, progress, self.store, self._engine, self._source(call))
        try:
            result = await self._result(call, progress, work)
        except asyncio.CancelledError as cancelled:
            if UNWANTED in cancelled.args:
                self._background.start(f"stop {progress.run.arn}", self._abort(progress, work))
            else:
                work.leave()
            raise
        except StatesError:
            await self._close(progress, "FAILED")
            raise
        finally:
            self.live.pop(call.map_run, None)
        await self._close(progress, "SUCCEEDED")
        return result

    async def expire(self, days: float) -> None:
        """Forget Map Runs with the executions they were of, for ever."""
        while True:
            while await self.store.expire(self._clock.now() - days * 86_400):
                pass
            await self._clock.sleep(_SWEEP)

    async def _open(self, call: MapCall) -> Progress:
        """The Map Run's row: new, found again, or to be redriven."""
        wanted = call.distribution
        failed: dict[str, int] = {}
        run = await self.store.find(call.map_run)
        if run is None:
            machine = f"{call.facts.machine_arn}/{_label(call.map_run)}"
            run = MapRun(
                arn=call.map_run,
                id=call.map_run.rpartition(":")[2],
                execution=call.facts.arn,
                machine=machine,
                status="RUNNING",
                started=self._clock.now(),
                max_concurrency=call.begun.max_concurrency,
                tolerated_count=wanted.tolerated_count,
                tolerated_percentage=wanted.tolerated_percentage,
                exported=int(wanted.writer is not None and wanted.writer.resource is not None),
            )
            await self.store.put(run)
            tallies: list[Tally] = []
        else:
            if call.redriven > run.redrives:
                failed = await self.store.forget_failures(run.id)
                run.redrives, run.redriven = call.redriven, self._clock.now()
                run.status, run.stopped = "RUNNING", None
                await self.store.put(run)
            tallies = await self.store.tallies(run.id)
        run.children = run.items = 0
        progress = self.live[run.arn] = Progress(run, tallies)
        progress.to_redrive = failed
        progress.expect(call)
        return progress

    def _source(self, call: MapCall) -> Callable[[], AsyncIterator[Share]]:
        """The children's inputs, from the first one on."""

        async def read() -> AsyncIterator[Share]:
            reader = call.distribution.reader
            items = _given(call)
            if reader is not None:
                made, _ = await self._parts.acting(call.facts)
                from cumulet.services.stepfunctions.maps.reading import Reader  # noqa: PLC0415  with the first that is needed

                items = Reader(self._parts.calls, made, reader).items()
            async for share in shares(call, items):
                yield share

        return read

    async def _result(self, call: MapCall, progress: Progress, work: _Sharing) -> Any:
        failure: StatesError | None = None
        try:
            await work.go()
        except StatesError as error:
            failure = error
            await work.stop()
        writer = call.distribution.writer
        exported = writer is not None and writer.resource is not None
        if failure is not None and (failure.name != _THRESHOLD or not exported):
            raise failure
        if writer is None or not exported:
            return await gathered(self.store, progress.run, call)
        made, _ = await self._parts.acting(call.facts)
        pending = work.pending() if failure is not None else None
        result = await ResultWriter(self._parts.calls, made, writer, self.store, progress.run).write(pending)
        if failure is not None:
            raise failure
        return result

    async def _abort(self, progress: Progress, work: _Sharing) -> None:
        await work.stop()
        await self._close(progress, "ABORTED")

    async def _close(self, progress: Progress, status: str) -> None:
        run = progress.run
        run.status, run.stopped = status, self._clock.now()
        await self.store.put(run)


_THRESHOLD = "States.ExceedToleratedFailureThreshold"


async def _given(call: MapCall) -> AsyncIterator[Item]:
    """The items of the Map's input."""
    keys = call.begun.keys
    for index, value in enumerate(call.begun.items or ()):
        yield value, None if keys is None else keys[index]


def _label(arn: str) -> str:
    """`LABEL` of `...:mapRun:MACHINE/LABEL:ID`."""
    return arn.rpartition(":")[0].rpartition("/")[2]


class _Started(Struct):
    """A child that runs."""

    child: Child
    share: Share


class _Sharing:
    """Shares items out over children, as many at once as may be."""

    def __init__(
        self,
        call: MapCall,
        progress: Progress,
        store: MapRunStore,
        engine: Engine,
        source: Callable[[], AsyncIterator[Share]],
    ) -> None:
        self._call = call
        self._progress = progress
        self._store = store
        self._engine = engine
        self._source = source
        self._begun: dict[int, _Started] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: list[Outcome] = []
        self._writing: asyncio.Task[None] | None = None
        self._window = _FIRST_AT_ONCE
        self._broken: Exception | None = None

    async def go(self) -> None:
        """Until every child has ended. Raises StatesError: an item that cannot be read, or too many failures."""
        progress, run = self._progress, self._progress.run
        done = await self._store.numbers(run.id) if self._call.again or run.redrives else set()
        async for share in self._source():
            run.children += 1
            run.items += share.items
            if share.number in done:
                continue
            while self._full():
                if not await progress.wait(_PATIENCE):
                    self._window = min(self._window * 2, MOST_AT_ONCE)
                self._check()
            self._check()
            self._start(share)
            await asyncio.sleep(0)
        progress.complete = True
        while self._tasks:
            self._check()
            await progress.wait(None)
        await self._flush()
        self._check()

    def _full(self) -> bool:
        most = self._progress.run.max_concurrency or MOST_AT_ONCE
        return self._progress.running >= min(most, self._window)

    def _check(self) -> None:
        if self._broken is not None:
            raise self._broken
        if self._progress.exceeded:
            raise StatesError(_THRESHOLD, _EXCEEDED)

    def _start(self, share: Share) -> None:
        call, run = self._call, self._progress.run
        child = Child(
            parent=call.facts,
            map_run=run.arn,
            state=call.state.name,
            label=_label(run.arn),
            name=str(uuid.uuid5(_NAMES, f"{run.arn}/{share.number}")),
            type=call.state.execution_type or "STANDARD",
            input=share.input,
            items=share.items,
            redriven=call.redriven,
        )
        self._begun[share.number] = _Started(child, share)
        self._progress.to_redrive.pop(child.arn, None)
        self._progress.running += 1
        self._progress.running_items += share.items
        task = asyncio.ensure_future(self._follow(child, share))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None and self._broken is None:
            assert isinstance(error, Exception)
            self._broken = error
        self._progress.changed()

    async def _follow(self, child: Child, share: Share) -> None:
        """One child, from its start to its row."""
        outcome = _outcome(await self._run(child), share)
        self._ended.append(outcome)
        self._begun.pop(share.number, None)
        self._progress.count(outcome)
        if self._writing is None:
            self._writing = asyncio.ensure_future(self._write())

    async def _run(self, child: Child) -> Ended:
        """Tried again where there are too many executions already."""
        while True:
            try:
                return await self._engine.run_child(child)
            except AwsError as error:
                log.warning("a child of %s cannot be started now: %s", child.map_run, error.message)
                await asyncio.sleep(_AGAIN)

    async def _write(self) -> None:
        """Rows of all that has ended, together: those that end meanwhile are the next group."""
        try:
            while self._ended:
                group, self._ended = self._ended[:_TOGETHER], self._ended[_TOGETHER:]
                await self._store.add(self._progress.run.id, group)
        except Exception as error:  # noqa: BLE001  whoever waits for the end raises it
            self._broken = error
            self._progress.changed()
        finally:
            self._writing = None

    async def _flush(self) -> None:
        while self._writing is not None or self._ended:
            await (self._writing or self._write())

    def leave(self) -> None:
        """Wait for nothing any more: the node ends."""
        for task in self._tasks:
            task.cancel()

    async def stop(self) -> None:
        """Abort the children that run, and remember them as aborted. Express ones cannot be stopped: nobody waits for them."""
        begun = list(self._begun.values())
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for started in begun:
            child = started.child
            if child.type == "STANDARD":
                with contextlib.suppress(AwsError):
                    await self._engine.stop(child.arn)
                    outcome = _outcome(await self._engine.ended(child.arn), started.share)
                    self._ended.append(outcome)
                    self._progress.count(outcome)
        self._begun.clear()
        with contextlib.suppress(Exception):
            await self._flush()

    async def pending(self) -> AsyncIterator[Share]:
        """The shares that no child was begun for."""
        done = await self._store.numbers(self._progress.run.id)
        with contextlib.suppress(StatesError):
            async for share in self._source():
                if share.number not in done:
                    yield share


def _outcome(ended: Ended, share: Share) -> Outcome:
    return Outcome(
        number=share.number,
        status=ended.status,
        items=share.items,
        arn=ended.arn,
        started=ended.started,
        stopped=ended.stopped,
        input=share.input,
        output=ended.output,
        error=ended.error,
        cause=ended.cause,
    )

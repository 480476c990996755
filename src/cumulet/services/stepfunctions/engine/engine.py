"""The executions of a node: moved on when something happens, made durable before it shows, found again after a crash.

What happens to an execution is put into its inbox; one driver at a time takes it from there, lets the walker move the run
on, writes what came of it, and only then causes effects. `docs/services/stepfunctions.md` and ARCHITECTURE.md tell more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from cumulet.api import stepfunctions as api
from cumulet.kernel.clock import Clock, wait_until
from cumulet.kernel.tasks import Tasks as Background
from cumulet.services.stepfunctions.apart import Apart
from cumulet.services.stepfunctions.engine import journal, tokens
from cumulet.services.stepfunctions.engine.births import Birth, Births
from cumulet.services.stepfunctions.engine.census import Census
from cumulet.services.stepfunctions.engine.effects import Effects
from cumulet.services.stepfunctions.engine.ends import Ends, ended_of, ended_of_record
from cumulet.services.stepfunctions.engine.frames import Frame, Phase, Run
from cumulet.services.stepfunctions.engine.loading import Loading
from cumulet.services.stepfunctions.engine.ports import (
    Child,
    Ended,
    Facts,
    Kind,
    Log,
    Machines,
    Maps,
    Notices,
    Tasks,
)
from cumulet.services.stepfunctions.engine.redrives import redrive
from cumulet.services.stepfunctions.engine.store import Change, ExecutionStore, Record
from cumulet.services.stepfunctions.engine.throttles import Throttles
from cumulet.services.stepfunctions.engine.timers import Timers
from cumulet.services.stepfunctions.engine.usage import Usage
from cumulet.services.stepfunctions.engine.walker import Walker
from cumulet.services.stepfunctions.limits import Limits
from cumulet.storage.database import Conflict, Database, StorageError

log = logging.getLogger(__name__)

_AGAIN = 5.0
"""Real seconds after which an execution whose journal could not be written is tried again."""
_SWEEP = 6 * 3600.0
Action = Callable[[Run], None]


class Engine:
    """Drives executions. `work`, `maps`, `log` and `notices` are set before `start`."""

    def __init__(
        self, db: Database, clock: Clock, background: Background, machines: Machines, limits: Limits, apart: Apart
    ) -> None:
        self.store = ExecutionStore(db)
        self.clock = clock
        self.background = background
        self.machines = machines
        self.limits = limits
        self.work: Tasks
        self.maps: Maps
        self.log: Log | None = None
        self.notices: Notices | None = None
        self.debugged: dict[str, frozenset[str]] = {}
        """Before which states executions stop, by their ARNs; `*` is any. See `debugging`."""
        self.apart = apart
        self.walker = Walker(clock.now, limits, apart.patience, self._kind, self._check)
        self.census = Census()
        self.usage = Usage(db, clock)
        self.births = Births(self.store, clock, limits, self.census)
        self.throttles = Throttles(clock.now, limits) if limits.throttling else None
        self.effects = Effects(self)
        self.runs: dict[int, Run] = {}
        self._timers = Timers(clock, self._fire, self._due)
        self._loading = Loading(self)
        self.load, self.read = self._loading.load, self._loading.read
        self._resume = self._loading.resume
        self._resting: dict[int, float] = {}
        self._held: dict[int, asyncio.Event] = {}
        """Executions whose next transitions are to be made later."""
        self.ends = Ends()
        self._long = asyncio.Lock()
        """Of executions that have more to do after a turn, one goes on in each round of the event loop."""
        self.running, self.drained = self.census.running, self.census.drained

    def _kind(self, resource: str) -> Kind:
        return self.work.kind(resource)

    def _check(self, resource: str, arguments: Any) -> None:
        self.work.check(resource, arguments)

    # Life of the engine

    async def start(self) -> None:
        """Go on with what a stop or a crash interrupted."""
        await self.census.begin(self.store)
        self.background.start("executions timers", self._timers.work())
        self.background.start("executions on the bill", self.usage.work())
        self.background.start("executions at rest", self._rest())
        self.background.start("executions that are old", self._expire())
        self._resume(await self.store.interrupted())

    async def close(self) -> None:
        """Nothing is lost: what runs is found again by the next start."""
        self.apart.close()
        await self.usage.flush()

    async def _rest(self) -> None:
        """Executions that only wait leave memory after a while."""
        loop = asyncio.get_running_loop()
        idle = self.limits.idle_seconds
        while True:
            await asyncio.sleep(idle / 4)
            before = loop.time() - idle
            for number in [number for number, since in self._resting.items() if since < before]:
                del self._resting[number]
                run = self.runs.get(number)
                if run is not None and not run.driving and run.quiet:
                    del self.runs[number]

    async def _expire(self) -> None:
        while True:
            now = self.clock.now()
            kept = now - self.limits.history_days * 86_400
            while await self.store.expire(kept, int(kept * 1000) << 20):
                pass
            await self.clock.sleep(_SWEEP)

    # Starting

    async def begin(self, birth: Birth) -> Run:
        """Start an execution and run what it can do by itself; durable on return. Raises Conflict when its name is taken."""
        run = self.births.run(birth)
        if self.debugged:
            run.breaks = self.debugged.get(birth.arn, run.breaks)
        record = self.births.record(birth, run)
        if record is not None:
            self.census.count(run.facts, 1)
        self.walker.begin(run)
        run.driving = True
        self.runs[run.number] = run
        try:
            await self._turn(run, at_once=True)
            await self._write(run, record)
        except BaseException as error:
            del self.runs[run.number]
            if record is not None:
                self.census.count(run.facts, -1)
            if isinstance(error, asyncio.CancelledError) and record is not None:
                # Whoever asked went away; it may be durable all the same.
                asyncio.get_running_loop().call_later(1.0, self._resume, [run.number])
            raise
        if self.notices is not None:
            self.notices.changed(run.facts, "RUNNING")
        self.effects.cause(run)
        if run.open and (run.ready or run.inbox):
            self.background.start(f"execution {run.facts.name}", self.drive(run))
        else:
            self._settle(run)
        return run

    async def run_to_end(self, birth: Birth) -> Ended:
        """Start an execution and wait for its end."""
        run = await self.begin(birth)
        if not run.open:
            return ended_of(run)
        with self.ends.of(run.facts.arn) as future:
            return await future

    async def run_child(self, child: Child) -> Ended:
        """See `ports.Engine`."""
        birth = self.births.child(child)
        try:
            ended = await self.run_to_end(birth)
        except Conflict:
            pass
        else:
            self.usage.transitions(child.parent, 1)
            return ended
        record = await self.store.find(birth.arn)
        if record is not None and record.status not in ("RUNNING", "SUCCEEDED") and child.redriven > record.redrives:
            await redrive(self, record, None)
        return await self.ended(birth.arn)

    # Driving

    def post(self, run: Run, action: Action) -> None:
        """Something happened to an execution."""
        run.inbox.append(action)
        if self._held and (held := self._held.get(run.number)) is not None:
            held.set()
        if not run.driving:
            run.driving = True
            self.background.start(f"execution {run.facts.name}", self.drive(run))

    async def post_here(self, run: Run, action: Action) -> None:
        """The same, driven by the caller if nobody else does: for tasks that have nothing else to do."""
        run.inbox.append(action)
        if not run.driving:
            run.driving = True
            await self.drive(run)

    async def drive(self, run: Run) -> None:
        """Move a run on until it waits or is over. `run.driving` is ours."""
        walker = self.walker
        try:
            while run.open:
                while run.inbox:
                    walker.act(run, run.inbox.pop(0))
                await self._turn(run)
                await self._write(run, None)
                self.effects.cause(run)
                if not run.inbox and not run.ready:
                    break
                async with self._long:
                    await asyncio.sleep(0)
        except Exception as error:
            self._lose(run, error)
            raise
        self._settle(run)

    async def _turn(self, run: Run, at_once: bool = False) -> None:
        """Some states on, none where that has to wait and `at_once` forbids it; what would hold the event loop is done on a thread, where the run is nobody else's meanwhile."""
        walker, turn = self.walker, self.limits.turn
        if self.throttles is not None and run.ready:
            await self._throttled(run, self.throttles, at_once)
            return
        walker.step(run, turn)
        while run.elsewhere:
            await self.apart.run(partial(walker.go_on, run))
            walker.step(run, turn)

    async def _throttled(self, run: Run, throttles: Throttles, at_once: bool) -> None:
        """The same, as fast as transitions may be made."""
        turn, delay = throttles.transitions(run.facts, self.limits.turn)
        if delay and at_once:
            throttles.spare(run.facts, turn)
            return
        until = self.clock.now() + delay
        while delay and run.open and self.clock.now() < until:
            held = self._held[run.number] = asyncio.Event()
            await wait_until(self.clock, until, held)
            del self._held[run.number]
            while run.inbox:  # such as that it is to stop
                self.walker.act(run, run.inbox.pop(0))
        left = self.walker.step(run, turn)
        while run.elsewhere:
            await self.apart.run(partial(self.walker.go_on, run))
            left = self.walker.step(run, left)
        throttles.spare(run.facts, left)

    def _settle(self, run: Run) -> None:
        run.driving = False
        if not run.open:
            self._over(run)
            return
        if run.inbox:
            run.driving = True
            self.background.start(f"execution {run.facts.name}", self.drive(run))
            return
        self._timers.at(run.next_due(), run.number) if not run.facts.express else self.effects.alarm(run)
        if run.quiet and not run.facts.express:
            run.rest()
            if run.large:
                del self.runs[run.number]
            else:
                self._resting[run.number] = asyncio.get_running_loop().time()

    async def _write(self, run: Run, record: Record | None) -> None:
        """Make what the run did durable. `record` is there for the first time alone."""
        entries, texts = run.written()
        after, run.after = run.after, []
        if not run.facts.express:
            try:
                await self._store(run, record, entries, texts)
            except Exception:
                run.after = after
                raise
        if run.transitions:
            self.usage.transitions(run.facts, run.transitions)
            run.transitions = 0
        for action in after:
            action()
        if entries:
            self.tell_log(run, entries, texts)

    def tell_log(self, run: Run, entries: list[journal.Row], texts: dict[str, int]) -> None:
        """Log what has become durable."""
        if self.log is not None and run.facts.version.logging.level != "OFF":
            self.log.events(run.facts, journal.shown(entries, texts), run.redrives)

    async def _store(self, run: Run, record: Record | None, entries: list[journal.Row], texts: dict[str, int]) -> None:
        due = None if not run.open else run.next_due() if run.quiet else 0.0
        chunk = journal.encode(entries, texts) if entries else None
        first = next((row[0] for row in entries if row[0]), run.last_event + 1)
        if record is not None:
            self.births.complete(record, run, due)
            assert chunk is not None
            await self.store.begin(record, first, chunk)
            run.chunks = 1
        elif chunk is not None or due != run.due:
            change = None
            if due != run.due:
                change = Change(
                    run.number, run.status, run.stopped, due, run.output, run.error, run.cause, run.last_event
                )
            await self.store.append(run.number, run.chunks, first, chunk, change)
            run.chunks += chunk is not None
        run.due = due if due is not None else 0.0
        run.durable = next((row[0] for row in reversed(entries) if row[0]), run.durable)

    def _lose(self, run: Run, error: Exception) -> None:
        """Its journal could not be written: what is in memory is ahead of the truth. It is read again in a while."""
        self.runs.pop(run.number, None)
        for task in run.waiting.values():
            task.cancel()
        if isinstance(error, StorageError) or not run.facts.express:
            asyncio.get_running_loop().call_later(_AGAIN, self._resume, [run.number])

    def _over(self, run: Run) -> None:
        """It has ended, and that is durable."""
        if self.runs.pop(run.number, None) is not run:
            return  # something came after its end
        self._resting.pop(run.number, None)
        facts = run.facts
        if facts.express:
            self.usage.ended(facts, run.stopped)
        else:
            self.census.count(facts, -1)
        self.ends.tell(run)
        if self.notices is not None:
            self.notices.changed(facts, run.status)

    # Time

    async def _due(self, until: float) -> list[tuple[float, int]]:
        """What is due before a time, in the store and of what is under way here."""
        found = await self.store.due(until)
        runs = (
            (run.next_due(), number) for number, run in self.runs.items() if not run.facts.express and not run.driving
        )
        return found + [(due, number) for due, number in runs if due < until]

    def _fire(self, number: int) -> None:
        run = self.runs.get(number)
        if run is None:
            self._resume([number])
        else:
            self.post(run, self.due)

    def due(self, run: Run) -> None:
        """Do what the clock says."""
        now, walker = self.clock.now(), self.walker
        if run.deadline <= now:
            walker.end(run, "ExecutionTimedOut", "TIMED_OUT", 0, None, None)
            return
        for frame in list(run.frames.values()):
            if not run.open or run.frames.get(frame.id) is not frame:
                continue
            if frame.phase is Phase.WAIT and frame.due <= now:
                walker.waited(run, frame)
            elif frame.phase is Phase.RETRY and frame.due <= now:
                frame.phase = Phase.BEGIN
                run.transitions += 1
                run.ready.append(frame)
            elif frame.phase in (Phase.TASK, Phase.SUBMITTED) and frame.work is not None and frame.work.due <= now:
                walker.timed_out(run, frame)

    async def resumed(self, number: int, facts: Facts) -> None:
        """An execution that had ended was redriven."""
        self.census.count(facts, 1)
        self.usage.transitions(facts, 1)
        if self.notices is not None:
            self.notices.changed(facts, "RUNNING")
        await self.load(number)

    # What others ask

    async def ended(self, arn: str) -> Ended:
        """See `ports.Engine`."""
        with self.ends.of(arn) as future:
            record = await self.store.find(arn)
            if record is None and not any(run.facts.arn == arn for run in self.runs.values()):
                raise no_such_execution(arn)
            if record is not None and record.status != "RUNNING":
                return ended_of_record(record)
            return await future

    async def stop(self, arn: str, error: str | None = None, cause: str | None = None) -> float:
        """See `ports.Engine`."""
        record = await self.store.find(arn)
        run = await self.load(record.number) if record is not None and record.status == "RUNNING" else None
        if run is not None:
            done: asyncio.Future[float | None] = asyncio.get_running_loop().create_future()

            def abort(run: Run) -> None:
                self.walker.end(run, "ExecutionAborted", "ABORTED", 0, error, cause)
                run.after.append(partial(_tell, done, run.stopped))

            with self.ends.of(arn) as future:
                self.post(run, abort)
                await asyncio.wait((done, future), return_when=asyncio.FIRST_COMPLETED)
            # The store is not asked: its machine, which may have waited for just this, can be gone by now.
            stopped = done.result() if done.done() else future.result().stopped
            if stopped is not None:
                return stopped
        record = await self.store.find(arn)
        if record is None or record.stopped is None:  # its machine is gone
            raise no_such_execution(arn)
        return record.stopped

    async def with_token(
        self, token: str, act: Callable[[Run, Frame], None], place: tuple[str, str] | None = None
    ) -> bool:
        """Have `act` done to the frame that waits for this token, durably; False when none does any more.

        Raises InvalidToken, for tokens of another account and region than `place` too, and TaskDoesNotExist.
        """
        found = tokens.read(token)
        if found is None:
            raise api.InvalidToken("Invalid Token: 'Invalid token'")
        run = await self.load(found[0])
        if run is None:
            if await self.store.by_number(found[0]) is None:
                raise api.TaskDoesNotExist("Task Does Not Exist: 'Provided task does not exist'")
            return False
        if place is not None and place != (run.facts.account, run.facts.region):
            raise api.InvalidToken("Invalid Token: 'Invalid token'")
        done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        def action(run: Run) -> None:
            frame = run.frames.get(found[1])
            wanted = frame is not None and frame.work is not None and frame.work.token == token
            if frame is None or not wanted or frame.phase not in (Phase.TASK, Phase.SUBMITTED):
                done.set_result(False)
                return
            run.after.append(partial(_tell, done, True))
            act(run, frame)
            if frame.work is None or frame.work.token != token:
                self.effects.forget(run, found[1])

        self.post(run, action)
        while not done.done():
            await asyncio.wait((done,), timeout=1.0)
            if not done.done() and self.runs.get(found[0]) is not run:
                return False
        return done.result()

    async def activity_started(self, token: str, worker: str) -> bool:
        """See `ports.Engine`."""
        return await self.with_token(token, lambda run, frame: self.walker.picked_up(run, frame, worker))

    async def forget(self, machine_arn: str) -> None:
        """See `ports.Engine`."""
        while await self.store.forget(machine_arn):
            pass


def _tell(future: asyncio.Future[Any], value: Any) -> None:
    if not future.done():
        future.set_result(value)


def no_such_execution(arn: str) -> api.ExecutionDoesNotExist:
    return api.ExecutionDoesNotExist(f"Execution Does Not Exist: '{arn}'")

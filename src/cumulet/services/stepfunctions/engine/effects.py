"""What runs cause outside: tasks, Map Runs, and that they are not wanted any more. Called only for what is durable."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.asl.errors import TASK_FAILED, StatesError
from cumulet.services.stepfunctions.engine.frames import Frame, Phase, Run, Work
from cumulet.services.stepfunctions.engine.ports import UNWANTED, Done, MapCall, TaskCall

if TYPE_CHECKING:
    from cumulet.services.stepfunctions.engine.engine import Engine

log = logging.getLogger(__name__)

_ALARM = (0, 0)


class Effects:
    """Begins and ends what runs do outside, and tells them what came of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def cause(self, run: Run) -> None:
        """Do what is to be done now that it is durable."""
        if run.unwanted:
            unwanted, run.unwanted = run.unwanted, []
            for frame, work in unwanted:
                self._end(run, frame, work)
        if run.effects:
            effects, run.effects = run.effects, []
            for frame in effects:
                if run.frames.get(frame.id) is frame:
                    self._begin(run, frame)

    def forget(self, run: Run, frame: int) -> None:
        """Somebody with the token ended a task of this frame: nobody need follow it. What starts it may go on to its end."""
        following = run.following or ()
        for key in [key for key in run.waiting if key[0] == frame and key in following]:
            run.waiting.pop(key).cancel()

    def resume(self, run: Run) -> None:
        """Begin again what was under way when a process ended."""
        for frame in run.frames.values():
            if frame.phase is Phase.SUBMITTED and frame.work is not None and frame.work.offered:
                frame.phase = Phase.TASK  # offered once more: the same offer is not made twice
            waits = frame.phase is Phase.SUBMITTED and frame.work is not None and frame.work.kind.pattern != "token"
            if frame.phase in (Phase.TASK, Phase.MAP_RUN) or waits:
                run.again = True
                self._begin(run, frame)

    def alarm(self, run: Run) -> None:
        """An Express execution has its timer in this process alone."""
        due = run.next_due()
        timer = run.waiting.get(_ALARM)
        if timer is not None and run.alarm <= due:
            return
        if timer is not None:
            timer.cancel()
        run.alarm = due
        run.waiting[_ALARM] = self._engine.background.start(f"timer of {run.facts.name}", self._wake(run, due))

    async def _wake(self, run: Run, due: float) -> None:
        await self._engine.clock.sleep_until(due)
        run.waiting.pop(_ALARM, None)
        if run.open:
            await self._engine.post_here(run, self._engine.due)

    def _begin(self, run: Run, frame: Frame) -> None:
        name = f"{frame.state.name} of {run.facts.name}"
        if frame.phase is Phase.MAP_RUN:
            run.waiting[frame.id, 0] = self._engine.background.start(f"map {name}", self._share(run, frame))
        elif frame.work is not None:
            key = (frame.id, frame.work.number)
            run.waiting[key] = self._engine.background.start(f"task {name}", self._do(run, frame, frame.work))

    def _end(self, run: Run, frame: Frame, work: Work | None) -> None:
        task = run.waiting.pop((frame.id, 0 if work is None else work.number), None)
        if task is not None:
            task.cancel(UNWANTED)
        if work is not None:
            call = self._call(run, frame, work)
            self._engine.background.start(f"cancel {frame.state.name}", self._engine.work.cancel(call, work.handle))

    def _call(self, run: Run, frame: Frame, work: Work) -> TaskCall:
        return TaskCall(
            id=f"{run.number:x}-{frame.id:x}-{work.number:x}",
            facts=run.facts,
            state=work.state,
            resource=work.resource,
            arguments=work.arguments,
            credentials=work.credentials,
            token=work.token,
            timeout=work.timeout,
            heartbeat=work.heartbeat,
            again=work.again,
        )

    async def _do(self, run: Run, frame: Frame, work: Work) -> None:
        """Have one attempt of a task done, and hand its outcome in."""
        walker, tasks = self._engine.walker, self._engine.work
        call, key = self._call(run, frame, work), (frame.id, work.number)
        try:
            if frame.phase is not Phase.SUBMITTED:
                answer = await tasks.start(call)
                if not isinstance(answer, Done):
                    if work.kind.pattern == "token":
                        run.waiting.pop(key, None)
                    handed = answer
                    await self._hand_in(
                        run, frame, work, lambda run: walker.submitted(run, frame, handed.output, handed.handle)
                    )
                    if work.kind.pattern == "token":
                        return
                    work.handle = handed.handle
                else:
                    output = answer.output
                    run.waiting.pop(key, None)
                    await self._hand_in(run, frame, work, lambda run: walker.succeeded(run, frame, output))
                    return
            run.following = {key, *(run.following or ())} & {key, *run.waiting}
            done = await tasks.follow(call, work.handle)
        except Exception as problem:  # noqa: BLE001  whatever it is, the workflow is told
            error = _as_states_error(problem, call)
            stage = getattr(problem, "stage", "")
            run.waiting.pop(key, None)
            await self._hand_in(run, frame, work, lambda run: walker.task_failed(run, frame, error, stage))
        else:
            run.waiting.pop(key, None)
            await self._hand_in(run, frame, work, lambda run: walker.succeeded(run, frame, done.output))

    async def _hand_in(self, run: Run, frame: Frame, work: Work, act: Callable[[Run], None]) -> None:
        """Tell the run, unless it has stopped waiting for this attempt."""

        def action(run: Run) -> None:
            if (
                run.frames.get(frame.id) is frame
                and frame.work is work
                and frame.phase in (Phase.TASK, Phase.SUBMITTED)
            ):
                act(run)

        if run.open:
            await self._engine.post_here(run, action)

    async def _share(self, run: Run, frame: Frame) -> None:
        """Have a distributed Map done, and hand its outcome in."""
        engine, state, key = self._engine, frame.state, (frame.id, 0)
        assert isinstance(state, asl.Map)

        def wanted(run: Run) -> bool:
            return run.frames.get(frame.id) is frame and frame.phase is Phase.MAP_RUN

        try:
            scope = frame.scope or engine.walker.scope(run, frame)
            begun = frame.begun
            if begun is None:
                begun = await engine.apart.evaluated(partial(state.begin, frame.input, scope))
            distribution = await engine.apart.evaluated(partial(state.distribute, frame.input, begun, scope))
            call = MapCall(
                map_run=frame.map_run,
                facts=run.facts,
                state=state,
                input=frame.input,
                begun=begun,
                scope=scope,
                distribution=distribution,
                apart=engine.apart,
                again=run.again,
                redriven=run.redrives,
            )
            result = await engine.maps.run(call)
        except StatesError as problem:
            error = problem
            run.waiting.pop(key, None)
            await engine.post_here(
                run, lambda run: engine.walker.map_failed(run, frame, error) if wanted(run) else None
            )
        except Exception:
            log.exception("the distributed Map %s failed", frame.map_run)
            run.waiting.pop(key, None)
            broken = StatesError("States.Runtime", "Internal error", inner=True)
            await engine.post_here(
                run, lambda run: engine.walker.map_failed(run, frame, broken) if wanted(run) else None
            )
        else:
            run.waiting.pop(key, None)
            await engine.post_here(run, lambda run: engine.walker.mapped(run, frame, result) if wanted(run) else None)


def _as_states_error(problem: Exception, call: TaskCall) -> StatesError:
    if isinstance(problem, StatesError):
        return problem
    log.error("the task %s of %s broke", call.state, call.facts.arn, exc_info=problem)
    return StatesError(TASK_FAILED, "The task could not be carried out: an internal error of Cumulet, see its log.")

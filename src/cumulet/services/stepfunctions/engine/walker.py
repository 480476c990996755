"""What an execution does by itself: states entered and left, until all of its branches wait or it is over.

Nothing here waits or reaches outside: what is to be done is left in the `Run` (`effects`, `unwanted`), what happened in its
`entries`. `engine` makes the entries durable before it causes the effects.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.asl import errors
from cumulet.services.stepfunctions.engine.branching import Branching
from cumulet.services.stepfunctions.engine.frames import Frame, Phase, Run, TooManyEvents
from cumulet.services.stepfunctions.engine.journal import WAIT
from cumulet.services.stepfunctions.engine.working import Working


class Walker(Working, Branching):
    """Moves runs on."""

    def begin(self, run: Run) -> None:
        """Start an execution: its first event, its first frame."""
        facts = run.facts
        data: dict[str, Any] = {"roleArn": facts.role_arn}
        if facts.version.alias_arn is not None:
            data["stateMachineAliasArn"] = facts.version.alias_arn
        if facts.version.version_arn is not None:
            data["stateMachineVersionArn"] = facts.version.version_arn
        run.emit("ExecutionStarted", 0, 0, facts.started, run.text, data)
        frame = run.add(run.machine, None, 0, 0)
        frame.ready(run.machine.start_at, run.input, run.text)
        run.ready.append(frame)

    def step(self, run: Run, turn: int) -> int:
        """Move on by `turn` states at most, or for some milliseconds; what is left is in `run.ready`. Gives what is left of `turn`."""
        self.patience.begin(here=True)
        ready, now = run.ready, self.now
        until = now() + self.limits.turn_seconds
        try:
            late = False
            while ready and turn > 0 and run.status == "RUNNING" and not late:
                moment = now()
                turn -= 1
                late = moment >= until
                frame = ready.pop(0)
                if frame.phase is Phase.READY:
                    if run.breaks and (frame.state.name in run.breaks or "*" in run.breaks):
                        frame.phase = Phase.PAUSED
                        run.paused[frame.id] = frame
                    else:
                        self.release(run, frame, moment)
                elif frame.phase is Phase.BEGIN:
                    self._begin(run, frame)
            if not ready and run.open:
                self.start_work(run)
        except TooManyEvents:
            self.overflow(run)
        except Exception as error:  # noqa: BLE001  see broken
            self.broken(run, error)
        return turn

    def act(self, run: Run, action: Callable[[Run], None]) -> None:
        """Do what happened to a run, unless it is over."""
        if run.open:
            self.patience.begin(here=True)
            self._act(run, partial(action, run))

    def _act(self, run: Run, action: Callable[[], None]) -> None:
        try:
            action()
        except TooManyEvents:
            self.overflow(run)
        except Exception as error:  # noqa: BLE001  see broken
            self.broken(run, error)

    def go_on(self, run: Run) -> None:
        """Do what took too long, on a thread."""
        while run.elsewhere and run.open:
            frame, work = run.elsewhere.pop(0)
            if run.frames.get(frame.id) is frame:
                self.patience.begin(here=False)
                self._act(run, partial(self.attempt, run, frame, work))

    def release(self, run: Run, frame: Frame, now: float) -> None:
        """Enter a frame's state, whatever a debugger says."""
        state = frame.state
        frame.entered_at = now
        frame.before = before = frame.tail
        frame.entered = frame.tail = run.emit(
            state.kind + "StateEntered", before, frame.id, now, frame.text, {"name": state.name}
        )
        frame.attempts = {}
        frame.map_run = ""
        run.transitions += 1
        frame.phase = Phase.BEGIN
        self._begin(run, frame)

    def _begin(self, run: Run, frame: Frame) -> None:
        state = frame.state
        try:
            if state.weight.vast:
                self.patience.leave()
            if state.immediate:
                self.exited(run, frame, state.run(frame.input, self.scope(run, frame)))
            elif isinstance(state, asl.Task):
                self.schedule(run, frame, state)
            elif isinstance(state, asl.Parallel):
                self.branch(run, frame, state)
            elif isinstance(state, asl.Map):
                self.map(run, frame, state)
            elif isinstance(state, asl.Wait):
                self._wait(run, frame, state)
            else:
                begun = state.begin(frame.input, self.scope(run, frame))
                self.propagate(run, frame, begun.error, begun.cause, own=True)
        except errors.StatesError as error:
            self.refused(run, frame, error)
        except asl.Elsewhere:
            run.elsewhere.append((frame, partial(self._begin, run, frame)))

    def _wait(self, run: Run, frame: Frame, state: asl.Wait) -> None:
        begun = frame.begun = state.begin(frame.input, self.scope(run, frame))
        now = self.now()
        due = begun.timestamp if begun.timestamp is not None else now + (begun.seconds or 0.0)
        if due <= now:
            self.waited(run, frame)
            return
        frame.due, frame.phase = due, Phase.WAIT
        run.note(WAIT, frame.id, now, due)

    def waited(self, run: Run, frame: Frame) -> None:
        """The moment has come."""
        self.attempt(run, frame, partial(self.finish, run, frame, None, None))

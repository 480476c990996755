"""What all that moves an execution on has in common: how states end, and what becomes of their failures.

Event order and `previousEventId` are those of recorded histories: a frame's next event follows its `tail`.
"""

from __future__ import annotations

import logging
import random as random_module
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.asl import errors
from cumulet.services.stepfunctions.asl.patience import exceeds
from cumulet.services.stepfunctions.asl.payload import too_large
from cumulet.services.stepfunctions.engine.context import FrameScope
from cumulet.services.stepfunctions.engine.frames import Frame, Phase, Run
from cumulet.services.stepfunctions.engine.journal import RETRY
from cumulet.services.stepfunctions.limits import Limits

log = logging.getLogger(__name__)

encode = msgspec.json.Encoder().encode
_ABORTED = frozenset({"Task", "Wait", "Parallel", "Map"})


class Steps:
    """The end of states, of branches and of the execution, well or not."""

    def __init__(self, now: Callable[[], float], limits: Limits, patience: asl.Patience) -> None:
        self.now = now
        self.limits = limits
        self.patience = patience
        self._random = random_module.SystemRandom()

    def scope(self, run: Run, frame: Frame, token: str = "") -> asl.Scope:
        """What a frame's state sees now."""
        frame.scope = scope = FrameScope(run, frame, token, self._random, self._milliseconds, self.patience)
        return scope

    def attempt(self, run: Run, frame: Frame, work: Callable[[], None]) -> None:
        """Do what a state is at. `work` evaluates before it changes anything: what takes too long here is done once more elsewhere."""
        try:
            work()
        except errors.StatesError as error:
            self.refused(run, frame, error)
        except asl.Elsewhere:
            run.elsewhere.append((frame, work))

    def _milliseconds(self) -> int:
        return int(self.now() * 1000)

    def exited(
        self, run: Run, frame: Frame, finished: asl.Finished, known: Any = None, text: str | None = None
    ) -> None:
        """The state has ended well, or was caught. `known`, if it is the output, has the JSON `text`."""
        state, output = frame.state, finished.output
        if output is frame.input:
            text = frame.text
        elif text is None or output is not known:
            text = self.text(state, output)
        else:
            self.fits(state.name, text)
        data: dict[str, Any] = {"name": state.name}
        assigned = finished.assigned
        if assigned:
            data["assignedVariables"] = {name: encode(value).decode() for name, value in assigned.items()}
            frame.variables = {**frame.variables, **assigned}
        frame.tail = run.emit(state.kind + "StateExited", frame.tail, frame.id, self.now(), text, data, finished.next)
        frame.work = frame.begun = frame.scope = None
        if finished.next is not None:
            frame.ready(finished.next, output, text)
            run.ready.append(frame)
        else:
            self._done(run, frame, output, text)

    def finish(self, run: Run, frame: Frame, result: Any, text: str | None, token: str = "") -> None:
        """The state has its result, with the JSON `text` where that is known."""
        state = frame.state
        scope = frame.scope or self.scope(run, frame, token)
        begun = frame.begun or state.begin(frame.input, scope)
        self.exited(run, frame, state.finish(frame.input, begun, result, scope), result, text)

    def text(self, state: asl.State, value: Any) -> str:
        """The JSON of a value that a state made; raises States.DataLimitExceeded."""
        encoded = self.encoded(state, value)
        if len(encoded) > self.limits.payload:
            raise too_large(state.name)
        return encoded.decode()

    def encoded(self, state: asl.State, value: Any) -> bytes:
        """The same, of what may be larger than what a state passes on."""
        if state.weight.spreads and exceeds(value):
            raise too_large(state.name)
        try:
            found: bytes = encode(value)
        except (msgspec.MsgspecError, RecursionError, TypeError, ValueError) as error:
            raise errors.runtime(f"The output could not be written as JSON: {error}") from error
        return found

    def fits(self, name: str, text: str) -> None:
        """Raises States.DataLimitExceeded for a text that is too long."""
        limit = self.limits.payload
        if len(text) > limit // 4 and len(text.encode()) > limit:
            raise too_large(name)

    def _done(self, run: Run, frame: Frame, output: Any, text: str) -> None:
        """A frame is at its end: the execution is, or the branch."""
        frame.phase = Phase.DONE
        parent = frame.parent
        if parent is not None:
            self.joined(run, parent, frame, output, text)
            return
        run.most_events += 1
        run.stopped = self.now()
        run.emit("ExecutionSucceeded", frame.tail, 0, run.stopped, text)
        run.status, run.output = "SUCCEEDED", text
        self.over(run)

    def end(self, run: Run, type: str, status: Any, previous: int, error: str | None, cause: str | None) -> None:
        """The execution is over, and not well. An empty cause, that of a timeout, is not told."""
        cause = cause or None
        data = {name: value for name, value in (("error", error), ("cause", cause)) if value is not None}
        run.most_events += 1  # the last one always fits
        run.stopped = self.now()
        run.emit(type, previous, 0, run.stopped, None, data)
        run.status, run.error, run.cause = status, error, cause
        self.over(run)

    def over(self, run: Run) -> None:
        """Nothing more happens: what is under way is not wanted any more."""
        run.ready.clear()
        run.elsewhere.clear()
        run.started_work.clear()
        run.effects.clear()
        for frame in run.frames.values():
            frame.scope = None
            if frame.phase in (Phase.TASK, Phase.SUBMITTED, Phase.MAP_RUN):
                run.unwanted.append((frame, frame.work))

    def broken(self, run: Run, error: Exception) -> None:
        """A fault of ours: trying for ever would not mend it."""
        log.error("the execution %s cannot go on", run.facts.arn, exc_info=error)
        run.most_events = 1 << 62
        self.end(
            run,
            "ExecutionFailed",
            "FAILED",
            run.last_event,
            errors.RUNTIME,
            "An internal error of Cumulet: see its log.",
        )

    def overflow(self, run: Run) -> None:
        """The history is full."""
        cause = f"The execution reached the maximum number of history events ({self.limits.events})."
        self.end(run, "ExecutionFailed", "FAILED", run.last_event, errors.RUNTIME, cause)

    def joined(self, run: Run, frame: Frame, child: Frame, output: Any, text: str) -> None:
        """A branch or an iteration of a frame has ended well."""
        raise NotImplementedError

    def refused(self, run: Run, frame: Frame, error: errors.StatesError) -> None:
        """A field of the state could not be evaluated, or what it gave is too large."""
        state = frame.state
        cause = error.wrapped(state.name, frame.entered)
        if error.location is not None:
            # As on AWS it follows what the state followed, while nothing else has happened in it.
            first = frame.tail == frame.entered and state.kind != "Wait"
            self._evaluation_failed(run, frame, frame.before if first else frame.tail, error, cause)
        self.failed(run, frame, (error.name,), cause, own=error.location is None)

    def _evaluation_failed(
        self, run: Run, frame: Frame, previous: int, error: errors.StatesError, cause: str | None
    ) -> None:
        data: dict[str, Any] = {"error": error.name, "cause": cause}
        if error.location:
            data["location"] = error.location
        data["state"] = frame.state.name
        frame.tail = run.emit("EvaluationFailed", previous, frame.id, self.now(), None, data)

    def failed(
        self, run: Run, frame: Frame, names: tuple[str | None, ...], cause: str | None, own: bool = False
    ) -> None:
        """The state failed: try it again, go where a Catch says, or pass it up. The first of `names` is the error's.

        `own`: by itself, before anything inside it did.
        """
        state = frame.state
        if names[0] == errors.RUNTIME:
            self.propagate(run, frame, names[0], cause, own)
            return
        for name in names:
            retry = state.retry(name, frame.attempts, self._random)
            if retry is not None:
                self._again(run, frame, retry)
                return
        for name in names:
            try:
                scope = frame.scope or self.scope(run, frame)
                caught = state.caught(frame.input, name, cause, scope)
                if caught is None:
                    continue
                if isinstance(state, (asl.Parallel, asl.Map)):
                    self._state_failed(run, frame)
                run.drop_children(frame)
                self.exited(run, frame, caught)
            except errors.StatesError as error:
                self._lost(run, frame, error)
            except asl.Elsewhere:
                run.elsewhere.append((frame, partial(self.failed, run, frame, names, cause, own)))
            return
        self.propagate(run, frame, names[0], cause, own)

    def _lost(self, run: Run, frame: Frame, error: errors.StatesError) -> None:
        """What a Catch was to do failed: nothing catches that."""
        cause = error.wrapped(frame.state.name, frame.entered)
        if error.location is not None:
            self._evaluation_failed(run, frame, frame.tail, error, cause)
        self.propagate(run, frame, error.name, cause, own=True)

    def _again(self, run: Run, frame: Frame, retry: asl.Retry) -> None:
        now = self.now()
        frame.attempts[retry.index] = frame.attempts.get(retry.index, 0) + 1
        frame.due, frame.phase = now + retry.seconds, Phase.RETRY
        frame.work = frame.begun = None
        run.drop_children(frame)
        run.note(RETRY, frame.id, now, [retry.index, frame.due, frame.tail])

    def _state_failed(self, run: Run, frame: Frame) -> None:
        frame.tail = run.emit(frame.state.kind + "StateFailed", frame.tail, frame.id, self.now())

    def propagate(self, run: Run, frame: Frame, error: str | None, cause: str | None, own: bool = False) -> None:
        """Nothing took the failure: the frame fails, and what it is a part of."""
        state = frame.state
        if isinstance(state, (asl.Parallel, asl.Map)) and not (own and error == errors.RUNTIME):
            self._state_failed(run, frame)
        parent = frame.parent
        if parent is None:
            self.end(run, "ExecutionFailed", "FAILED", frame.tail, error, cause)
            return
        if isinstance(parent.state, asl.Map):
            data: dict[str, Any] = {"name": parent.state.name, "index": frame.index}
            run.emit("MapIterationFailed", frame.tail, parent.id, self.now(), None, data)
        if isinstance(state, asl.Task):
            run.emit("TaskStateAborted", frame.tail, frame.id, self.now())
        frame.phase = Phase.BEGIN
        self.abort_children(run, parent, frame.tail, frame)
        parent.tail = frame.tail
        self.failed(run, parent, (error,), cause)

    def abort_children(self, run: Run, frame: Frame, previous: int, but: Frame | None = None) -> None:
        """Stop the other branches; they are kept for a redrive until the state is begun again or left."""
        aborted = {child for child in frame.children or () if child is not but and child.phase is not Phase.DONE}
        if run.ready:
            run.ready[:] = [ready for ready in run.ready if ready not in aborted]
        if run.elsewhere:
            run.elsewhere[:] = [(late, work) for late, work in run.elsewhere if late not in aborted]
        for child in frame.children or ():
            if child not in aborted:
                continue
            if isinstance(frame.state, asl.Map):
                data = {"name": frame.state.name, "index": child.index}
                run.emit("MapIterationAborted", previous, frame.id, self.now(), None, data)
            if child.phase is not Phase.READY and child.state.kind in _ABORTED:
                run.emit(child.state.kind + "StateAborted", previous, child.id, self.now())
            self.abort_children(run, child, previous)
            if child.phase in (Phase.TASK, Phase.SUBMITTED, Phase.MAP_RUN):
                run.unwanted.append((child, child.work))
            run.paused.pop(child.id, None)
            child.phase = Phase.READY if child.phase is Phase.READY else Phase.BEGIN

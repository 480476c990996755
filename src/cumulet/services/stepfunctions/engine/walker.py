"""What an execution does by itself: states entered and left, branches begun and joined, failures retried, caught or passed up.

Nothing here waits or reaches outside: what is to be done is left in the `Run` (`effects`, `unwanted`), what happened in its
`entries`. `engine` makes the entries durable before it causes the effects. Event order and `previousEventId` are those of
recorded histories: a frame's next event follows its `tail`.
"""

from __future__ import annotations

import logging
import random as random_module
from collections.abc import Callable
from typing import Any

import msgspec

from cumulet.kernel.ids import new_id
from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.asl import errors
from cumulet.services.stepfunctions.engine import tokens
from cumulet.services.stepfunctions.engine.context import context_of
from cumulet.services.stepfunctions.engine.frames import FOREVER, Frame, Phase, Run, TooManyEvents, Work
from cumulet.services.stepfunctions.engine.journal import BEAT, QUEUED, RETRY, WAIT
from cumulet.services.stepfunctions.engine.ports import Kind
from cumulet.services.stepfunctions.limits import Limits

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode
_ABORTED = frozenset({"Task", "Wait", "Parallel", "Map"})
_HEARTBEAT = (errors.TIMEOUT, errors.HEARTBEAT_TIMEOUT)
"""A missed heartbeat is a States.Timeout that can be retried and caught by a name of its own, too."""


class Walker:
    """Moves runs on. `kind` and `check` are those of `ports.Tasks`."""

    def __init__(
        self,
        now: Callable[[], float],
        limits: Limits,
        kind: Callable[[str], Kind],
        check: Callable[[str, Any], None],
    ) -> None:
        self._now = now
        self._limits = limits
        self._kind = kind
        self._check = check
        self._random = random_module.SystemRandom()

    # The whole execution

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

    def step(self, run: Run, turn: int) -> None:
        """Move on by `turn` states at most; what is left is in `run.ready`."""
        ready = run.ready
        try:
            while ready and turn > 0 and run.open:
                turn -= 1
                frame = ready.popleft()
                if frame.phase is Phase.READY:
                    self._enter(run, frame)
                elif frame.phase is Phase.BEGIN:
                    self._begin(run, frame)
            if not ready and run.open:
                self._start_work(run)
        except TooManyEvents:
            self._overflow(run)
        except Exception as error:  # noqa: BLE001  see _broken
            self._broken(run, error)

    def act(self, run: Run, action: Callable[[Run], None]) -> None:
        """Do what happened to a run, unless it is over."""
        try:
            if run.open:
                action(run)
        except TooManyEvents:
            self._overflow(run)
        except Exception as error:  # noqa: BLE001  see _broken
            self._broken(run, error)

    def end(self, run: Run, type: str, status: Any, previous: int, error: str | None, cause: str | None) -> None:
        """The execution is over, and not well. An empty cause, that of a timeout, is not told."""
        cause = cause or None
        data = {name: value for name, value in (("error", error), ("cause", cause)) if value is not None}
        run.most_events += 1  # the last one always fits
        run.stopped = self._now()
        run.emit(type, previous, 0, run.stopped, None, data)
        run.status, run.error, run.cause = status, error, cause
        self._over(run)

    def _over(self, run: Run) -> None:
        run.ready.clear()
        run.started_work.clear()
        run.effects.clear()
        for frame in run.frames.values():
            if frame.phase in (Phase.TASK, Phase.SUBMITTED, Phase.MAP_RUN):
                run.unwanted.append((frame, frame.work))

    def _broken(self, run: Run, error: Exception) -> None:
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

    def _overflow(self, run: Run) -> None:
        cause = f"The execution reached the maximum number of history events ({self._limits.events})."
        self.end(run, "ExecutionFailed", "FAILED", run.last_event, errors.RUNTIME, cause)

    # States

    def scope(self, run: Run, frame: Frame, token: str = "") -> asl.Scope:
        """What a frame's state sees now."""
        scope = asl.Scope(context_of(run, frame, token), frame.variables, random=self._random, now=self._milliseconds)
        frame.scope = scope
        return scope

    def _milliseconds(self) -> int:
        return int(self._now() * 1000)

    def _enter(self, run: Run, frame: Frame) -> None:
        state = frame.state
        if run.breaks and (state.name in run.breaks or "*" in run.breaks):
            frame.phase = Phase.PAUSED
            run.paused[frame.id] = frame
            return
        frame.entered_at = self._now()
        frame.before = frame.tail
        frame.entered = frame.tail = run.emit(
            state.kind + "StateEntered", frame.tail, frame.id, frame.entered_at, frame.text, {"name": state.name}
        )
        frame.attempts = {}
        frame.phase = Phase.BEGIN
        self._begin(run, frame)

    def _begin(self, run: Run, frame: Frame) -> None:
        state = frame.state
        try:
            if state.immediate:
                self.exited(run, frame, state.run(frame.input, self.scope(run, frame)))
            elif isinstance(state, asl.Task):
                self._schedule(run, frame, state)
            elif isinstance(state, asl.Parallel):
                self._branch(run, frame, state)
            elif isinstance(state, asl.Map):
                self._map(run, frame, state)
            elif isinstance(state, asl.Wait):
                self._wait(run, frame, state)
            else:
                begun = state.begin(frame.input, self.scope(run, frame))
                self._propagate(run, frame, begun.error, begun.cause, own=True)
        except errors.StatesError as error:
            self.refused(run, frame, error)

    def refused(self, run: Run, frame: Frame, error: errors.StatesError) -> None:
        """A field of the state could not be evaluated, or what it gave is too large."""
        state = frame.state
        cause = error.wrapped(state.name, frame.entered)
        if error.location is not None:
            previous = frame.before if frame.tail == frame.entered and state.kind != "Wait" else frame.tail
            data: dict[str, Any] = {
                "error": error.name,
                "cause": cause,
                "location": error.location,
                "state": state.name,
            }
            frame.tail = run.emit("EvaluationFailed", previous, frame.id, self._now(), None, data)
        self.failed(run, frame, (error.name,), cause, own=error.location is None)

    def exited(
        self, run: Run, frame: Frame, finished: asl.Finished, known: Any = None, text: str | None = None
    ) -> None:
        """The state has ended well, or was caught. `known`, if it is the output, has the JSON `text`."""
        state, output = frame.state, finished.output
        if output is frame.input:
            text = frame.text
        elif text is None or output is not known:
            text = self.text(state.name, output)
        else:
            self._fits(state.name, text)
        data: dict[str, Any] = {"name": state.name}
        assigned = finished.assigned
        if assigned:
            data["assignedVariables"] = {name: _encode(value).decode() for name, value in assigned.items()}
            frame.variables = {**frame.variables, **assigned}
        frame.tail = run.emit(state.kind + "StateExited", frame.tail, frame.id, self._now(), text, data, finished.next)
        frame.work = frame.begun = None
        if finished.next is not None:
            frame.ready(finished.next, output, text)
            run.ready.append(frame)
        else:
            self._done(run, frame, output, text)

    def text(self, name: str, value: Any) -> str:
        """The JSON of a value; raises States.DataLimitExceeded."""
        try:
            encoded: bytes = _encode(value)
        except (msgspec.MsgspecError, RecursionError, TypeError, ValueError) as error:
            raise errors.runtime(f"The output could not be written as JSON: {error}") from error
        if len(encoded) > self._limits.payload:
            raise _too_large(name)
        return encoded.decode()

    def _fits(self, name: str, text: str) -> None:
        limit = self._limits.payload
        if len(text) > limit // 4 and len(text.encode()) > limit:
            raise _too_large(name)

    def _done(self, run: Run, frame: Frame, output: Any, text: str) -> None:
        """A frame is at its end: the execution is, or the branch."""
        frame.phase = Phase.DONE
        parent = frame.parent
        if parent is not None:
            self._joined(run, parent, frame, output, text)
            return
        run.most_events += 1
        run.stopped = self._now()
        run.emit("ExecutionSucceeded", frame.tail, 0, run.stopped, text)
        run.status, run.output = "SUCCEEDED", text
        self._over(run)

    # Wait

    def _wait(self, run: Run, frame: Frame, state: asl.Wait) -> None:
        begun = frame.begun = state.begin(frame.input, self.scope(run, frame))
        now = self._now()
        due = begun.timestamp if begun.timestamp is not None else now + (begun.seconds or 0.0)
        if due <= now:
            self.waited(run, frame)
            return
        frame.due, frame.phase = due, Phase.WAIT
        run.note(WAIT, frame.id, now, due)

    def waited(self, run: Run, frame: Frame) -> None:
        """The moment has come."""
        state = frame.state
        try:
            scope = frame.scope or self.scope(run, frame)
            begun = frame.begun or state.begin(frame.input, scope)
            self.exited(run, frame, state.finish(frame.input, begun, None, scope))
        except errors.StatesError as error:
            self.refused(run, frame, error)

    # Tasks

    def _schedule(self, run: Run, frame: Frame, state: asl.Task) -> None:
        kind = self._kind(state.resource)
        frame.number += 1
        token = tokens.make(run.number, frame.id, frame.number) if kind.pattern != "request" else ""
        begun = frame.begun = state.begin(frame.input, self.scope(run, frame, token))
        arguments = begun.arguments
        text = frame.text if arguments is frame.input else self.text(state.name, arguments)
        self._check(state.resource, arguments)
        now = self._now()
        work = frame.work = Work(
            *(state.name, state.resource, frame.number, kind, arguments),
            credentials=begun.credentials,
            token=token,
            timeout=begun.timeout,
            heartbeat=begun.heartbeat,
        )
        work.ends = None if begun.timeout is None else now + begun.timeout
        frame.tail = run.emit(
            _SCHEDULED[kind.family],
            frame.tail,
            frame.id,
            now,
            text,
            _scheduled(run, kind, begun),
            [work.number, token, begun.timeout, begun.heartbeat, begun.credentials],
        )
        if kind.family != "activity":
            work.silent = None if begun.heartbeat is None else now + begun.heartbeat
        frame.phase = Phase.TASK
        run.started_work.append(frame)

    def _start_work(self, run: Run) -> None:
        """All that could be scheduled is: now it starts."""
        for frame in run.started_work:
            if frame.phase is Phase.TASK and frame.work is not None:
                kind = frame.work.kind
                if kind.family == "lambda":
                    frame.tail = run.emit("LambdaFunctionStarted", frame.tail, frame.id, self._now())
                elif kind.family == "task":
                    data = {"resourceType": kind.resource_type, "resource": kind.resource}
                    frame.tail = run.emit("TaskStarted", frame.tail, frame.id, self._now(), None, data)
            run.effects.append(frame)
        run.started_work.clear()

    def submitted(self, run: Run, frame: Frame, output: Any, handle: Any) -> None:
        """A task goes on elsewhere."""
        work = frame.work
        assert work is not None
        work.handle = handle
        frame.phase = Phase.SUBMITTED
        if work.kind.family == "activity":
            run.note(QUEUED, frame.id, self._now(), handle)
            return
        data = {"resourceType": work.kind.resource_type, "resource": work.kind.resource}
        text = _encode(output).decode()
        frame.tail = run.emit("TaskSubmitted", frame.tail, frame.id, self._now(), text, data, handle)

    def beat(self, run: Run, frame: Frame) -> None:
        """A worker is still at it."""
        work, now = frame.work, self._now()
        assert work is not None
        if work.heartbeat is not None:
            work.silent = now + work.heartbeat
            run.note(BEAT, frame.id, now, now)

    def picked_up(self, run: Run, frame: Frame, worker: str) -> None:
        """A worker has taken an activity's task: the time for its heartbeats begins."""
        work, now = frame.work, self._now()
        assert work is not None
        frame.phase = Phase.SUBMITTED
        if work.heartbeat is not None:
            work.silent = now + work.heartbeat
        data = {"workerName": worker} if worker else {}
        frame.tail = run.emit("ActivityStarted", frame.tail, frame.id, now, None, data, now)

    def succeeded(self, run: Run, frame: Frame, output: Any, text: str | None = None) -> None:
        """A task is done."""
        work, state = frame.work, frame.state
        assert work is not None
        kind = work.kind
        try:
            given = text if text is not None else _encode(output).decode()
            self._fits(state.name, given)
        except errors.StatesError as error:
            self.task_failed(run, frame, error)
            return
        data = {"resourceType": kind.resource_type, "resource": kind.resource} if kind.family == "task" else None
        frame.tail = run.emit(_SUCCEEDED[kind.family], frame.tail, frame.id, self._now(), given, data)
        frame.phase = Phase.BEGIN
        try:
            scope = frame.scope or self.scope(run, frame, work.token)
            begun = frame.begun or state.begin(frame.input, scope)
            self.exited(run, frame, state.finish(frame.input, begun, output, scope), output, given)
        except errors.StatesError as error:
            self.refused(run, frame, error)

    def task_failed(self, run: Run, frame: Frame, error: errors.StatesError, stage: str = "") -> None:
        """A task has failed, or could not be begun."""
        work = frame.work
        assert work is not None
        kind = work.kind
        name: str | None = error.name or None
        cause = error.wrapped(frame.state.name, frame.entered)
        data = {key: value for key, value in (("error", name), ("cause", cause)) if value is not None}
        if kind.family == "task":
            data |= {"resourceType": kind.resource_type, "resource": kind.resource}
        type = _FAILED[kind.family] + _STAGES.get(stage, "Failed")
        frame.tail = run.emit(type, frame.tail, frame.id, self._now(), None, data)
        frame.phase = Phase.BEGIN
        self.failed(run, frame, (name,), cause)

    def timed_out(self, run: Run, frame: Frame) -> None:
        """A task has taken too long, or missed a heartbeat."""
        work, now = frame.work, self._now()
        assert work is not None
        run.unwanted.append((frame, work))
        heartbeat = (work.silent or FOREVER) <= now < (work.ends or FOREVER)
        data = {"error": errors.TIMEOUT}
        if work.kind.family == "task":
            data |= {"resourceType": work.kind.resource_type, "resource": work.kind.resource}
        frame.tail = run.emit(_FAILED[work.kind.family] + "TimedOut", frame.tail, frame.id, now, None, data)
        frame.phase = Phase.BEGIN
        self.failed(run, frame, _HEARTBEAT if heartbeat else (errors.TIMEOUT,), "")

    # Branches

    def _branch(self, run: Run, frame: Frame, state: asl.Parallel) -> None:
        begun = frame.begun = state.begin(frame.input, self.scope(run, frame))
        input = begun.arguments
        text = frame.text if input is frame.input else self.text(state.name, input)
        now = self._now()
        frame.tail = run.emit("ParallelStateStarted", frame.tail, frame.id, now, text, None, run.last_frame + 1)
        spread(run, frame, state, input, text)
        run.ready.extend(frame.children or ())

    def _map(self, run: Run, frame: Frame, state: asl.Map) -> None:
        scope = self.scope(run, frame)
        begun = frame.begun = state.begin(frame.input, scope)
        items = begun.items
        data: dict[str, Any] = {"length": 0 if items is None else len(items)}
        if state.mode == "DISTRIBUTED":
            frame.tail = run.emit("MapStateStarted", frame.tail, frame.id, self._now(), None, data)
            state.distribute(frame.input, begun, scope)
            frame.map_run = _map_run_arn(run, state)
            note = frame.map_run
            data = {"mapRunArn": frame.map_run}
            frame.tail = run.emit("MapRunStarted", frame.tail, frame.id, self._now(), None, data, note)
            frame.phase = Phase.MAP_RUN
            run.effects.append(frame)
            return
        items = items or []
        most = self._limits.inline_concurrency
        room = min(begun.max_concurrency or most, most)
        text = _encode(items).decode()
        frame.tail = run.emit("MapStateStarted", frame.tail, frame.id, self._now(), text, data, room)
        share(frame, items, room)
        if not items:
            self._join(run, frame)
            return
        while frame.next_index < len(items) and frame.next_index < room:
            self._iterate(run, frame, frame.tail)

    def _iterate(self, run: Run, frame: Frame, previous: int) -> None:
        """Begin the next iteration."""
        state, begun = frame.state, frame.begun
        assert isinstance(state, asl.Map)
        scope = frame.scope or self.scope(run, frame)
        if begun is None:
            begun = frame.begun = state.begin(frame.input, scope)
        index = frame.next_index
        data = {"name": state.name, "index": index}
        value = frame.items[index]
        input = state.item(frame.input, begun, index, value, scope)
        text = self.text(state.name, input)
        started = run.emit("MapIterationStarted", previous, frame.id, self._now(), text, data, run.last_frame + 1)
        run.ready.append(iteration(run, frame, state, started, input, text))

    def _joined(self, run: Run, frame: Frame, child: Frame, output: Any, text: str) -> None:
        """A branch or an iteration has ended well."""
        frame.results[child.index] = (output, text)
        frame.left -= 1
        run.frames.pop(child.id, None)
        assert frame.children is not None
        frame.children.remove(child)
        if isinstance(frame.state, asl.Map):
            data = {"name": frame.state.name, "index": child.index}
            ended = run.emit("MapIterationSucceeded", child.tail, frame.id, self._now(), None, data)
            if frame.next_index < len(frame.items):
                try:
                    self._iterate(run, frame, child.tail)
                except errors.StatesError as error:
                    frame.tail = child.tail
                    self._abort_children(run, frame, child.tail)
                    self.refused(run, frame, error)
                return
            frame.tail = ended
        elif frame.left == 0:
            frame.tail = child.tail
        if frame.left == 0:
            self._join(run, frame)

    def _join(self, run: Run, frame: Frame) -> None:
        """All branches have ended well."""
        state = frame.state
        run.emit(state.kind + "StateSucceeded", frame.tail, frame.id, self._now())
        result, texts = [], []
        for found in frame.results:
            assert found is not None
            result.append(found[0])
            texts.append(found[1])
        self._finish(run, frame, result, f"[{','.join(texts)}]")

    def mapped(self, run: Run, frame: Frame, result: Any) -> None:
        """A distributed Map has ended well."""
        before = frame.tail
        after = run.emit("MapRunSucceeded", frame.tail, frame.id, self._now())
        run.emit("MapStateSucceeded", after, frame.id, self._now())
        frame.tail = before
        frame.phase = Phase.BEGIN
        self._finish(run, frame, result, None)

    def map_failed(self, run: Run, frame: Frame, error: errors.StatesError) -> None:
        """A distributed Map has failed."""
        cause = error.wrapped(frame.state.name, frame.entered)
        data = {name: value for name, value in (("error", error.name), ("cause", cause)) if value is not None}
        frame.tail = run.emit("MapRunFailed", frame.tail, frame.id, self._now(), None, data)
        frame.phase = Phase.BEGIN
        self.failed(run, frame, (error.name,), cause)

    def _finish(self, run: Run, frame: Frame, result: Any, text: str | None) -> None:
        state = frame.state
        frame.phase = Phase.BEGIN
        frame.children, frame.results, frame.items = None, [], []
        try:
            scope = frame.scope or self.scope(run, frame)
            begun = frame.begun or state.begin(frame.input, scope)
            self.exited(run, frame, state.finish(frame.input, begun, result, scope), result, text)
        except errors.StatesError as error:
            self.refused(run, frame, error)

    # Failures

    def failed(
        self, run: Run, frame: Frame, names: tuple[str | None, ...], cause: str | None, own: bool = False
    ) -> None:
        """The state failed: try it again, go where a Catch says, or pass it up. The first of `names` is the error's.

        `own`: by itself, before anything inside it did.
        """
        state = frame.state
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
            return
        self._propagate(run, frame, names[0], cause, own)

    def _lost(self, run: Run, frame: Frame, error: errors.StatesError) -> None:
        """What a Catch was to do failed: nothing catches that."""
        cause = error.wrapped(frame.state.name, frame.entered)
        if error.location is not None:
            data: dict[str, Any] = {"error": error.name, "cause": cause}
            data |= {"location": error.location, "state": frame.state.name}
            frame.tail = run.emit("EvaluationFailed", frame.tail, frame.id, self._now(), None, data)
        self._propagate(run, frame, error.name, cause, own=True)

    def _again(self, run: Run, frame: Frame, retry: asl.Retry) -> None:
        now = self._now()
        frame.attempts[retry.index] = frame.attempts.get(retry.index, 0) + 1
        frame.due, frame.phase = now + retry.seconds, Phase.RETRY
        frame.work = frame.begun = None
        run.drop_children(frame)
        run.note(RETRY, frame.id, now, [retry.index, frame.due, frame.tail])

    def _state_failed(self, run: Run, frame: Frame) -> None:
        frame.tail = run.emit(frame.state.kind + "StateFailed", frame.tail, frame.id, self._now())

    def _propagate(self, run: Run, frame: Frame, error: str | None, cause: str | None, own: bool = False) -> None:
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
            run.emit("MapIterationFailed", frame.tail, parent.id, self._now(), None, data)
        if isinstance(state, asl.Task):
            run.emit("TaskStateAborted", frame.tail, frame.id, self._now())
        frame.phase = Phase.BEGIN
        self._abort_children(run, parent, frame.tail, frame)
        parent.tail = frame.tail
        self.failed(run, parent, (error,), cause)

    def _abort_children(self, run: Run, frame: Frame, previous: int, but: Frame | None = None) -> None:
        """Stop the other branches; they are kept for a redrive until the state is begun again or left."""
        for child in frame.children or ():
            if child is but or child.phase is Phase.DONE:
                continue
            if isinstance(frame.state, asl.Map):
                data = {"name": frame.state.name, "index": child.index}
                run.emit("MapIterationAborted", previous, frame.id, self._now(), None, data)
            if child.phase is not Phase.READY and child.state.kind in _ABORTED:
                run.emit(child.state.kind + "StateAborted", previous, child.id, self._now())
            self._abort_children(run, child, previous)
            if child.phase in (Phase.TASK, Phase.SUBMITTED, Phase.MAP_RUN):
                run.unwanted.append((child, child.work))
            if child in run.ready:
                run.ready.remove(child)
            run.paused.pop(child.id, None)
            child.phase = Phase.READY if child.phase is Phase.READY else Phase.BEGIN


def spread(run: Run, frame: Frame, state: asl.Parallel, input: Any, text: str) -> None:
    """The frames of a Parallel's branches."""
    frame.children, frame.results, frame.left = [], [None] * len(state.branches), len(state.branches)
    frame.phase = Phase.CHILDREN
    for index, branch in enumerate(state.branches):
        child = run.add(branch, frame, index, frame.tail)
        child.ready(branch.start_at, input, text)
        frame.children.append(child)


def share(frame: Frame, items: list[Any], room: int) -> None:
    """What an inline Map has to do."""
    frame.items, frame.room, frame.next_index, frame.left = items, room, 0, len(items)
    frame.children, frame.results = [], [None] * len(items)
    frame.phase = Phase.CHILDREN


def iteration(run: Run, frame: Frame, state: asl.Map, started: int, input: Any, text: str) -> Frame:
    """The frame of the next iteration of an inline Map."""
    index = frame.next_index
    frame.next_index += 1
    child = run.add(state.processor, frame, index, started)
    child.item = {"Index": index, "Value": frame.items[index]}
    child.ready(state.processor.start_at, input, text)
    assert frame.children is not None
    frame.children.append(child)
    return child


def _too_large(name: str) -> errors.StatesError:
    return errors.StatesError(
        errors.DATA_LIMIT,
        f"The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service limit.",
    )


_SCHEDULED = {"lambda": "LambdaFunctionScheduled", "activity": "ActivityScheduled", "task": "TaskScheduled"}
_SUCCEEDED = {"lambda": "LambdaFunctionSucceeded", "activity": "ActivitySucceeded", "task": "TaskSucceeded"}
_FAILED = {"lambda": "LambdaFunction", "activity": "Activity", "task": "Task"}
_STAGES = {"schedule": "ScheduleFailed", "start": "StartFailed", "submit": "SubmitFailed", "timeout": "TimedOut"}


def _scheduled(run: Run, kind: Kind, begun: asl.Begun) -> dict[str, Any]:
    data: dict[str, Any] = {"resource": kind.resource}
    if kind.family == "task":
        data["resourceType"] = kind.resource_type
        data["region"] = kind.region or run.facts.region
    if begun.timeout is not None:
        data["timeoutInSeconds"] = begun.timeout
    if begun.heartbeat is not None and kind.family != "lambda":
        data["heartbeatInSeconds"] = begun.heartbeat
    if begun.credentials is not None and "RoleArn" in begun.credentials:
        data["taskCredentials"] = {"roleArn": begun.credentials["RoleArn"]}
    return data


def _map_run_arn(run: Run, state: asl.Map) -> str:
    machine = run.facts.machine_arn.replace(":stateMachine:", ":mapRun:")
    return f"{machine}/{state.label or new_id()}:{new_id()}"

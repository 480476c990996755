"""Tasks: scheduled, submitted, ended well or badly, too late."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.asl import errors
from cumulet.services.stepfunctions.engine import tokens
from cumulet.services.stepfunctions.engine.frames import FOREVER, Frame, Phase, Run, Work
from cumulet.services.stepfunctions.engine.journal import BEAT, QUEUED
from cumulet.services.stepfunctions.engine.ports import Kind
from cumulet.services.stepfunctions.engine.steps import Steps, encode
from cumulet.services.stepfunctions.limits import Limits

_HEARTBEAT = (errors.TIMEOUT, errors.HEARTBEAT_TIMEOUT)
"""A missed heartbeat is a States.Timeout that can be retried and caught by a name of its own, too."""
_SCHEDULED = {"lambda": "LambdaFunctionScheduled", "activity": "ActivityScheduled", "task": "TaskScheduled"}
_SUCCEEDED = {"lambda": "LambdaFunctionSucceeded", "activity": "ActivitySucceeded", "task": "TaskSucceeded"}
_FAILED = {"lambda": "LambdaFunction", "activity": "Activity", "task": "Task"}
_STAGES = {"schedule": "ScheduleFailed", "start": "StartFailed", "submit": "SubmitFailed", "timeout": "TimedOut"}


class Working(Steps):
    """What becomes of tasks. `kind` and `check` are those of `ports.Tasks`."""

    def __init__(
        self,
        now: Callable[[], float],
        limits: Limits,
        patience: asl.Patience,
        kind: Callable[[str], Kind],
        check: Callable[[str, Any], None],
    ) -> None:
        super().__init__(now, limits, patience)
        self._kind = kind
        self._check = check

    def schedule(self, run: Run, frame: Frame, state: asl.Task) -> None:
        """A task is scheduled: it starts once all that can be done first is done."""
        kind = self._kind(state.resource)
        frame.number += 1
        token = tokens.make(run.number, frame.id, frame.number) if kind.pattern != "request" else ""
        begun = frame.begun = state.begin(frame.input, self.scope(run, frame, token))
        arguments = begun.arguments
        text = frame.text if arguments is frame.input else self.text(state, arguments)
        self._check(state.resource, arguments)
        now = self.now()
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

    def start_work(self, run: Run) -> None:
        """All that could be scheduled is: now it starts."""
        for frame in run.started_work:
            if frame.phase is Phase.TASK and frame.work is not None:
                kind = frame.work.kind
                if kind.family == "lambda":
                    frame.tail = run.emit("LambdaFunctionStarted", frame.tail, frame.id, self.now())
                elif kind.family == "task":
                    data = {"resourceType": kind.resource_type, "resource": kind.resource}
                    frame.tail = run.emit("TaskStarted", frame.tail, frame.id, self.now(), None, data)
            run.effects.append(frame)
        run.started_work.clear()

    def submitted(self, run: Run, frame: Frame, output: Any, handle: Any) -> None:
        """A task goes on elsewhere."""
        work = frame.work
        assert work is not None
        work.handle = handle
        if frame.phase is Phase.SUBMITTED:
            return  # a worker was quicker
        frame.phase = Phase.SUBMITTED
        if work.kind.family == "activity":
            work.offered = True
            run.note(QUEUED, frame.id, self.now(), handle)
            return
        data = {"resourceType": work.kind.resource_type, "resource": work.kind.resource}
        text = encode(output).decode()
        frame.tail = run.emit("TaskSubmitted", frame.tail, frame.id, self.now(), text, data, handle)

    def beat(self, run: Run, frame: Frame) -> None:
        """A worker is still at it."""
        work, now = frame.work, self.now()
        assert work is not None
        if work.heartbeat is not None:
            work.silent = now + work.heartbeat
            run.note(BEAT, frame.id, now, now)

    def picked_up(self, run: Run, frame: Frame, worker: str) -> None:
        """A worker has taken an activity's task: the time for its heartbeats begins. One before it may have hung up with it."""
        work, now = frame.work, self.now()
        assert work is not None
        if frame.phase is Phase.SUBMITTED and not work.offered:
            self.beat(run, frame)
            return
        frame.phase = Phase.SUBMITTED
        work.offered = False
        if work.heartbeat is not None:
            work.silent = now + work.heartbeat
        data = {"workerName": worker} if worker else {}
        frame.tail = run.emit("ActivityStarted", frame.tail, frame.id, now, None, data, now)

    def succeeded(self, run: Run, frame: Frame, output: Any, text: str | None = None) -> None:
        """A task is done."""
        work = frame.work
        assert work is not None
        kind = work.kind
        try:
            given = text if text is not None else encode(output).decode()
            self.fits(kind.resource_type or kind.resource, given)
        except errors.StatesError as error:
            self.task_failed(run, frame, error)
            return
        data = {"resourceType": kind.resource_type, "resource": kind.resource} if kind.family == "task" else None
        frame.tail = run.emit(_SUCCEEDED[kind.family], frame.tail, frame.id, self.now(), given, data)
        frame.phase = Phase.BEGIN
        self.attempt(run, frame, partial(self.finish, run, frame, output, given, work.token))

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
        frame.tail = run.emit(type, frame.tail, frame.id, self.now(), None, data)
        frame.phase = Phase.BEGIN
        self.failed(run, frame, (name,), cause)

    def timed_out(self, run: Run, frame: Frame) -> None:
        """A task has taken too long, or missed a heartbeat."""
        work, now = frame.work, self.now()
        assert work is not None
        run.unwanted.append((frame, work))
        heartbeat = (work.silent or FOREVER) <= now < (work.ends or FOREVER)
        data = {"error": errors.TIMEOUT}
        if work.kind.family == "task":
            data |= {"resourceType": work.kind.resource_type, "resource": work.kind.resource}
        frame.tail = run.emit(_FAILED[work.kind.family] + "TimedOut", frame.tail, frame.id, now, None, data)
        frame.phase = Phase.BEGIN
        self.failed(run, frame, _HEARTBEAT if heartbeat else (errors.TIMEOUT,), "")


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

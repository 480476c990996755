"""An execution from its journal: the same frames as when it was written, so that it goes on as if nothing had happened.

Chunks end where every frame waits for something, or is about to enter a state; what lies between needs no folding.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.engine.branching import iteration, share, spread
from cumulet.services.stepfunctions.engine.frames import Frame, Phase, Run, Work
from cumulet.services.stepfunctions.engine.journal import BEAT, CHANGED, QUEUED, RETRY, WAIT, Entry
from cumulet.services.stepfunctions.engine.ports import Tasks
from cumulet.services.stepfunctions.engine.redrives import restart

_decode = msgspec.json.Decoder().decode


def replay(run: Run, entries: Iterable[Entry], work: Tasks) -> None:
    """Fold a journal into a new `run`."""
    for entry in entries:
        if entry.id:
            run.last_event = entry.id
        _fold(run, entry, work)


def _fold(run: Run, entry: Entry, work: Tasks) -> None:
    kind = entry.type
    if kind == "ExecutionStarted":
        frame = run.add(run.machine, None, 0, 0)
        frame.ready(run.machine.start_at, run.input, run.text)
        return
    if kind == "ExecutionRedriven":
        restart(run)
        return
    if entry.frame == 0:
        return  # how it ended: the record has that
    frame = run.frames[entry.frame]
    if kind.endswith("StateEntered"):
        _entered(frame, entry)
    elif kind.endswith("StateExited"):
        _exited(run, frame, entry)
    elif (fold := _FOLDS.get(kind)) is not None:
        fold(run, frame, entry, work)
    elif entry.id and not kind.endswith(("Succeeded", "Aborted")):
        frame.tail = entry.id


def _entered(frame: Frame, entry: Entry) -> None:
    assert entry.data is not None
    frame.state = frame.flow.states[entry.data["name"]]
    if entry.text is not None and entry.text != frame.text:  # a debugger changed it
        frame.input, frame.text = _decode(entry.text), entry.text
    frame.before, frame.entered = entry.previous, entry.id
    frame.tail = entry.id
    frame.entered_at = entry.at
    frame.attempts = {}
    frame.map_run = ""  # that of a state before is over
    frame.phase = Phase.BEGIN
    frame.begun = frame.scope = None
    if entry.text is not None and entry.text != frame.text:  # a debugger changed it
        frame.input, frame.text = _decode(entry.text), entry.text


def _exited(run: Run, frame: Frame, entry: Entry) -> None:
    assert entry.text is not None
    run.drop_children(frame)
    frame.tail = entry.id
    assigned = (entry.data or {}).get("assignedVariables")
    if assigned:
        frame.variables = {**frame.variables, **{name: _decode(text) for name, text in assigned.items()}}
    frame.work = frame.begun = frame.scope = None
    frame.children, frame.results, frame.items = None, [], []
    output = frame.input if entry.text == frame.text else _decode(entry.text)
    if entry.note is not None:
        frame.ready(entry.note, output, entry.text)
        return
    frame.phase = Phase.DONE
    parent = frame.parent
    if parent is not None and parent.children is not None:
        parent.results[frame.index] = (output, entry.text)
        parent.left -= 1
        parent.children.remove(frame)
        del run.frames[frame.id]


def _waits(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    frame.phase, frame.due = Phase.WAIT, entry.note


def _retries(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    index, due, tail = entry.note
    frame.attempts[index] = frame.attempts.get(index, 0) + 1
    frame.phase, frame.due, frame.tail = Phase.RETRY, due, tail
    frame.work = frame.begun = frame.scope = None
    run.drop_children(frame)


def _scheduled(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    assert entry.text is not None
    assert isinstance(frame.state, asl.Task)
    number, token, timeout, heartbeat, credentials = entry.note
    name, resource = frame.state.name, frame.state.resource
    kind = work.kind(resource)
    frame.number = number
    frame.tail = entry.id
    task = frame.work = Work(
        name, resource, number, kind, _decode(entry.text), credentials, token, timeout, heartbeat, again=True
    )
    task.ends = None if timeout is None else entry.at + timeout
    task.silent = None if heartbeat is None or kind.family == "activity" else entry.at + heartbeat
    frame.phase = Phase.TASK
    frame.begun = frame.scope = None


def _submitted(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    assert frame.work is not None
    if entry.id:
        frame.tail = entry.id
    frame.work.handle = entry.note
    frame.work.offered = not entry.id
    frame.phase = Phase.SUBMITTED


def _picked_up(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    assert frame.work is not None
    frame.tail = entry.id
    frame.phase = Phase.SUBMITTED
    frame.work.offered = False
    if frame.work.heartbeat is not None:
        frame.work.silent = entry.note + frame.work.heartbeat


def _beat(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    if frame.work is not None and frame.work.heartbeat is not None:
        frame.work.silent = entry.note + frame.work.heartbeat


def _task_ended(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    frame.tail = entry.id
    frame.phase = Phase.BEGIN


def _branched(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    assert entry.text is not None
    assert isinstance(frame.state, asl.Parallel)
    frame.tail = entry.id
    input = frame.input if entry.text == frame.text else _decode(entry.text)
    spread(run, frame, frame.state, input, entry.text)


def _shared(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    frame.tail = entry.id
    if entry.text is not None:
        share(frame, _decode(entry.text), entry.note)


def _iterated(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    assert entry.text is not None
    assert isinstance(frame.state, asl.Map)
    iteration(run, frame, frame.state, entry.id, _decode(entry.text), entry.text)


def _map_run(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    frame.tail = entry.id
    frame.map_run = entry.note
    frame.phase = Phase.MAP_RUN


def _changed(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    changed: dict[str, Any] = {name: _decode(text) for name, text in entry.note.items()}
    frame.variables = {**frame.variables, **changed}


def _nothing(run: Run, frame: Frame, entry: Entry, work: Tasks) -> None:
    """It is not on the way of this frame."""


_FOLDS = {
    WAIT: _waits,
    RETRY: _retries,
    BEAT: _beat,
    CHANGED: _changed,
    QUEUED: _submitted,
    "LambdaFunctionScheduled": _scheduled,
    "ActivityScheduled": _scheduled,
    "TaskScheduled": _scheduled,
    "TaskSubmitted": _submitted,
    "ActivityStarted": _picked_up,
    "LambdaFunctionSucceeded": _task_ended,
    "ActivitySucceeded": _task_ended,
    "TaskSucceeded": _task_ended,
    **{
        f"{family}{word}": _task_ended
        for family in ("LambdaFunction", "Activity", "Task")
        for word in ("ScheduleFailed", "StartFailed", "SubmitFailed", "Failed", "TimedOut")
    },
    "ParallelStateStarted": _branched,
    "MapStateStarted": _shared,
    "MapIterationStarted": _iterated,
    "MapIterationFailed": _nothing,
    "MapRunStarted": _map_run,
    "MapRunRedriven": _map_run,
    "MapRunFailed": _task_ended,
}

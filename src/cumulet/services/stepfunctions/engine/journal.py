"""The journal of an execution: its history as the store keeps it, and as AWS shows it.

An entry is an event of the history, with what the fold needs beside it (`note`: which frame, the next state, when a wait ends),
or a note alone (id 0). Entries that become durable together are one chunk, encoded once; texts that are the same (the
output of one state, the input of the next) are in it once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

WAIT = "wait"
"""A note: a Wait's moment."""
QUEUED = "queued"
"""A note: an activity's task is with its workers; its handle."""
RETRY = "retry"
"""A note: the frame's state is begun again; [retrier, when, last event]."""
BEAT = "beat"
"""A note: a task's heartbeat; [when]."""
CHANGED = "changed"
"""A note: a debugger changed variables; {name: JSON text}."""


class Entry(Struct):
    """`text` is the one long text of the event (input, output, parameters): JSON. `data` are its other details."""

    id: int
    previous: int
    type: str
    at: float
    frame: int
    text: str | None = None
    data: dict[str, Any] | None = None
    note: Any = None


Row = tuple[int, int, str, float, int, int, Any, Any]
"""An entry on its way to the store, made as it will be there: `Entry` with the place of its text among those of the chunk, or -1."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(tuple[list[str], list[Row]]).decode


def encode(rows: Sequence[Row], texts: Iterable[str]) -> bytes:
    """One chunk. `texts` are in the order of their places."""
    return _encode((list(texts), rows))


def decode(chunk: bytes) -> list[Entry]:
    texts, rows = _decode(chunk)
    return _entries(rows, texts)


def _entries(rows: Sequence[Row], texts: Sequence[str]) -> list[Entry]:
    return [
        Entry(id, previous, type, at, frame, None if place < 0 else texts[place], data, note)
        for id, previous, type, at, frame, place, data, note in rows
    ]


_STATE_ENTERED = ("stateEnteredEventDetails", "input")
_STATE_EXITED = ("stateExitedEventDetails", "output")
_ITERATION = {
    f"MapIteration{word}": (f"mapIteration{word}EventDetails", "") for word in ("Succeeded", "Failed", "Aborted")
}
DETAILS: Mapping[str, tuple[str, str]] = {
    "ExecutionStarted": ("executionStartedEventDetails", "input"),
    "ExecutionSucceeded": ("executionSucceededEventDetails", "output"),
    "ExecutionFailed": ("executionFailedEventDetails", ""),
    "ExecutionAborted": ("executionAbortedEventDetails", ""),
    "ExecutionTimedOut": ("executionTimedOutEventDetails", ""),
    "ExecutionRedriven": ("executionRedrivenEventDetails", ""),
    **{
        f"{kind}StateEntered": _STATE_ENTERED
        for kind in ("Pass", "Task", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map")
    },
    **{
        f"{kind}StateExited": _STATE_EXITED for kind in ("Pass", "Task", "Choice", "Wait", "Succeed", "Parallel", "Map")
    },
    "LambdaFunctionScheduled": ("lambdaFunctionScheduledEventDetails", "input"),
    "LambdaFunctionScheduleFailed": ("lambdaFunctionScheduleFailedEventDetails", ""),
    "LambdaFunctionStartFailed": ("lambdaFunctionStartFailedEventDetails", ""),
    "LambdaFunctionSucceeded": ("lambdaFunctionSucceededEventDetails", "output"),
    "LambdaFunctionFailed": ("lambdaFunctionFailedEventDetails", ""),
    "LambdaFunctionTimedOut": ("lambdaFunctionTimedOutEventDetails", ""),
    "ActivityScheduled": ("activityScheduledEventDetails", "input"),
    "ActivityScheduleFailed": ("activityScheduleFailedEventDetails", ""),
    "ActivityStarted": ("activityStartedEventDetails", ""),
    "ActivitySucceeded": ("activitySucceededEventDetails", "output"),
    "ActivityFailed": ("activityFailedEventDetails", ""),
    "ActivityTimedOut": ("activityTimedOutEventDetails", ""),
    "TaskScheduled": ("taskScheduledEventDetails", "parameters"),
    "TaskStarted": ("taskStartedEventDetails", ""),
    "TaskStartFailed": ("taskStartFailedEventDetails", ""),
    "TaskSubmitted": ("taskSubmittedEventDetails", "output"),
    "TaskSubmitFailed": ("taskSubmitFailedEventDetails", ""),
    "TaskSucceeded": ("taskSucceededEventDetails", "output"),
    "TaskFailed": ("taskFailedEventDetails", ""),
    "TaskTimedOut": ("taskTimedOutEventDetails", ""),
    "MapStateStarted": ("mapStateStartedEventDetails", ""),
    "MapIterationStarted": ("mapIterationStartedEventDetails", ""),
    **_ITERATION,
    "MapRunStarted": ("mapRunStartedEventDetails", ""),
    "MapRunFailed": ("mapRunFailedEventDetails", ""),
    "MapRunRedriven": ("mapRunRedrivenEventDetails", ""),
    "EvaluationFailed": ("evaluationFailedEventDetails", ""),
}
"""By the type of an event: the member with its details, and the one of these that is the long text. Other types have none."""

_WHOLE: Mapping[str, bool] = {"truncated": False}


def details(entry: Entry, texts: bool = True) -> tuple[str, dict[str, Any]] | None:
    """The member of an event that holds its details, and these as AWS names them; without what is said where not `texts`."""
    found = DETAILS.get(entry.type)
    if found is None:
        return None
    member, long = found
    said = dict(entry.data) if entry.data else {}
    if not texts:
        said.pop("assignedVariables", None)
        if long == "parameters":
            said[long] = ""
        return member, said
    if long and entry.text is not None:
        said[long] = entry.text
        if long != "parameters":
            said[f"{long}Details"] = _WHOLE
        if "assignedVariables" in said:
            said["assignedVariablesDetails"] = _WHOLE
    return member, said


def shown(rows: Sequence[Row], texts: Iterable[str]) -> list[dict[str, Any]]:
    """Events for the log: `id`, `previousEventId`, `timestamp` in seconds, `type`, and `details`."""
    events = []
    for entry in _entries(rows, list(texts)):
        if entry.id:
            found = details(entry)
            event: dict[str, Any] = {"id": entry.id, "previousEventId": entry.previous, "timestamp": entry.at}
            events.append({**event, "type": entry.type, "details": {} if found is None else found[1]})
    return events

"""The context object of a test: given, or made up."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.engine.context import timestamp
from cumulet.services.stepfunctions.trials.subject import NAME, Subject

_TEXT, _NUMBER, _ANY = "a string", "a number", ""
_FIELDS: dict[str, dict[str, str]] = {
    "Execution": {
        "Id": _TEXT,
        "Input": _ANY,
        "Name": _TEXT,
        "RoleArn": _TEXT,
        "StartTime": _TEXT,
        "RedriveCount": _NUMBER,
        "RedriveTime": _TEXT,
    },
    "State": {"EnteredTime": _TEXT, "Name": _TEXT, "RetryCount": _NUMBER},
    "StateMachine": {"Id": _TEXT, "Name": _TEXT},
    "Task": {"Token": _TEXT},
}
_COUNTED = frozenset({"Task", "Map", "Parallel"})
_WAITING = (".waitForTaskToken", ".sync", ".sync:2")


def read(text: str, subject: Subject) -> dict[str, Any]:
    """A context object that was given. Raises ValidationException."""
    try:
        context = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise _bad("Context object must be valid JSON") from None
    if not isinstance(context, dict):
        raise _bad("Context object must be a JSON object")
    for name, value in context.items():
        if name == "Map":
            raise _bad("'Map' field is not supported when mocking a Context object")
        if name not in _FIELDS:
            raise _bad(f"Field '{name}' is not allowed")
        _check(name, value)
    if "Task" in context and not _has_token(subject.state):
        raise _bad(
            "Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' "
            "service integration pattern"
        )
    return context


def _check(name: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise _bad(f"{name} must be an object")
    for field, given in value.items():
        kind = _FIELDS[name].get(field)
        if kind is None:
            raise _bad(f"Field '{field}' is not allowed")
        fits = isinstance(given, str) if kind == _TEXT else isinstance(given, (int, float)) and given is not True
        if kind and not fits:
            raise _bad(f"{name}.{field} must be {kind}")


def _has_token(state: asl.State) -> bool:
    return isinstance(state, asl.Task) and state.resource.endswith(_WAITING)


def _bad(problem: str) -> api.ValidationException:
    return api.ValidationException(f"Invalid Context object provided: {problem}")


def made(call: Call, subject: Subject, input: Any, role_arn: str | None, now: float, retries: int) -> dict[str, Any]:
    """What an Express execution of a machine of the state alone would see."""
    machine, name = new_id(), new_id()
    start = f"arn:aws:states:{call.region}:{call.account}"
    state: dict[str, Any] = {"Name": NAME, "EnteredTime": timestamp(now)}
    if subject.state.kind in _COUNTED:
        state["RetryCount"] = retries
    context: dict[str, Any] = {
        "Execution": {
            "Id": f"{start}:express:{machine}:{name}",
            "Input": input,
            "Name": name,
            "RoleArn": role_arn,
            "StartTime": timestamp(now),
        },
        "StateMachine": {"Id": f"{start}:stateMachine:{machine}", "Name": machine},
        "State": state,
    }
    if _has_token(subject.state):
        context["Task"] = {"Token": new_id()}
    return context

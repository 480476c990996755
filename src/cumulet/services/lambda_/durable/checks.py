"""May these updates be made? What AWS refuses, and in which words.

https://docs.aws.amazon.com/lambda/latest/api/API_CheckpointDurableExecution.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from cumulet.api import lambda_ as api
from cumulet.services.lambda_.durable.model import DurableExecution, Held
from cumulet.services.lambda_.errors import invalid

MAX_CHAINED_PAYLOAD = 1024 * 1024
"""Bytes that an execution may hand to a function it invokes, and get back."""
_MAX_ERROR = 32_768
_ACTIONS = {
    "STEP": {"START", "FAIL", "RETRY", "SUCCEED"},
    "CONTEXT": {"START", "FAIL", "SUCCEED"},
    "WAIT": {"START", "CANCEL"},
    "CALLBACK": {"START"},
    "CHAINED_INVOKE": {"START"},
    "EXECUTION": {"SUCCEED", "FAIL"},
}
_MADE = {
    "CONTEXT": "Cannot start a CONTEXT that already exist.",
    "WAIT": "Cannot start a WAIT that already exist.",
    "CALLBACK": "Cannot start a CALLBACK that already exist.",
    "CHAINED_INVOKE": "Cannot start a CHAINED_INVOKE operation that already exists.",
}
_OF_BOTH = {"STEP", "CONTEXT"}


def check(execution: DurableExecution, updates: Sequence[api.OperationUpdate], known: Mapping[str, Held]) -> None:
    """Raises InvalidParameterValueException. `known` holds the operations that the updates name, parents included."""
    _check_execution_updates(updates)
    _check_ids(updates, known)
    state: dict[str, str] = {id: held.operation.status for id, held in known.items()}
    for update in updates:
        held = known.get(update.id)
        if held is not None:
            _check_sameness(update, held.operation)
        _check_sizes(execution, update)
        if update.action not in _ACTIONS.get(update.type, ()):
            raise invalid("Invalid action for the given operation type.")
        _check_transition(update, state.get(update.id))
        if update.action == "START":
            state[update.id] = "STARTED"


def _check_execution_updates(updates: Sequence[api.OperationUpdate]) -> None:
    of_execution = [update for update in updates if update.type == "EXECUTION"]
    if len(of_execution) > 1:
        raise invalid("Cannot checkpoint multiple EXECUTION updates.")
    if of_execution and updates[-1].type != "EXECUTION":
        raise invalid("EXECUTION checkpoint must be the last update.")


def _check_ids(updates: Sequence[api.OperationUpdate], known: Mapping[str, Held]) -> None:
    """A step or context may be started and ended by one checkpoint; everything else is named once."""
    started: dict[str, str] = {}
    last: dict[str, api.OperationUpdate] = {}
    for update in updates:
        before = last.get(update.id)
        both = before is not None and before.type in _OF_BOTH and before.action == "START" and update.action != "START"
        if before is not None and not both:
            raise invalid("Cannot checkpoint multiple operations with the same ID.")
        if update.parent_id is not None:
            held = known.get(update.parent_id)
            kind = started.get(update.parent_id) or (held.operation.type if held is not None else None)
            if kind != "CONTEXT":
                raise invalid("Invalid parent operation id.")
        if update.action == "START":
            started[update.id] = update.type
        last[update.id] = update


def _check_sameness(update: api.OperationUpdate, operation: api.Operation) -> None:
    for given, kept, what in (
        (update.type, operation.type, "operation type"),
        (update.sub_type, operation.sub_type, "operation subtype"),
        (update.name, operation.name, "operation name"),
        (update.parent_id, operation.parent_id, "parent operation id"),
    ):
        if given is not None and given != kept:
            raise invalid(f"Inconsistent {what}.")


def _check_sizes(execution: DurableExecution, update: api.OperationUpdate) -> None:
    if update.error is not None and len(msgspec.json.encode(update.error)) > _MAX_ERROR:
        raise invalid(f"Error object size must be less than {_MAX_ERROR} bytes.")
    size = len((update.payload or "").encode())
    if size <= MAX_CHAINED_PAYLOAD:
        return
    if update.type == "CHAINED_INVOKE":
        raise invalid(f"CHAINED_INVOKE input payload size must be less than or equal to {MAX_CHAINED_PAYLOAD} bytes.")
    if update.type == "EXECUTION" and execution.parent is not None:
        raise invalid(f"Execution output payload size must be less than or equal to {MAX_CHAINED_PAYLOAD} bytes.")


def _check_transition(update: api.OperationUpdate, status: str | None) -> None:
    match update.action:
        case "START":
            _check_start(update, status)
        case "SUCCEED" | "FAIL":
            _check_end(update, status)
        case "RETRY":
            if status not in (None, "STARTED", "READY"):
                raise invalid("Invalid current STEP state to re-attempt.")
            if update.step_options is None:
                raise invalid("Invalid StepOptions for the given action.")
            if update.error is not None and update.payload is not None:
                raise invalid("Cannot provide both error and payload to RETRY a STEP.")
        case _:
            if status != "STARTED":
                raise invalid("Cannot cancel a WAIT that does not exist or has already completed.")


def _check_start(update: api.OperationUpdate, status: str | None) -> None:
    if update.type == "STEP":
        if status not in (None, "READY"):
            raise invalid("Invalid current STEP state to start.")
    elif status is not None:
        raise invalid(_MADE[update.type])
    if update.type == "WAIT" and (update.wait_options is None or update.wait_options.wait_seconds is None):
        raise invalid("Invalid WaitOptions for the given action.")
    if update.type == "CHAINED_INVOKE" and update.chained_invoke_options is None:
        raise invalid("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.")


def _check_end(update: api.OperationUpdate, status: str | None) -> None:
    if update.type != "EXECUTION" and status not in (None, "STARTED", "READY"):
        raise invalid(f"Invalid current {update.type} state to close.")
    if update.action == "FAIL" and update.payload is not None:
        raise invalid("Cannot provide a Payload for FAIL action.")
    if update.action == "SUCCEED" and update.error is not None:
        raise invalid("Cannot provide an Error for SUCCEED action.")

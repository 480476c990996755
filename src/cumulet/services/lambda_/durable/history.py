"""The events of an execution's history.

https://docs.aws.amazon.com/lambda/latest/api/API_Event.html
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.services.lambda_.durable.model import DurableExecution

_KINDS = {
    "CONTEXT": "Context",
    "STEP": "Step",
    "WAIT": "Wait",
    "CALLBACK": "Callback",
    "CHAINED_INVOKE": "ChainedInvoke",
}
_ENDINGS = {
    "SUCCEEDED": "Succeeded",
    "FAILED": "Failed",
    "TIMED_OUT": "TimedOut",
    "STOPPED": "Stopped",
    "CANCELLED": "Cancelled",
}
_WITH_DATA = ("input", "result", "error", "reason")


def result(payload: str | None) -> api.EventResult:
    return api.EventResult(payload=payload, truncated=False)


def error(given: api.ErrorObject | None) -> api.EventError:
    return api.EventError(payload=given, truncated=False)


def execution_started(execution: DurableExecution, payload: str) -> api.Event:
    return _of_execution(
        execution,
        "ExecutionStarted",
        execution.started,
        execution_started_details=api.ExecutionStartedDetails(
            input=api.EventInput(payload=payload, truncated=False), execution_timeout=execution.timeout
        ),
    )


def execution_ended(execution: DurableExecution) -> api.Event:
    at = execution.ended or 0.0
    match execution.status:
        case "SUCCEEDED":
            details = api.ExecutionSucceededDetails(result=result(execution.result))
            return _of_execution(execution, "ExecutionSucceeded", at, execution_succeeded_details=details)
        case "FAILED":
            failed = api.ExecutionFailedDetails(error=error(execution.error))
            return _of_execution(execution, "ExecutionFailed", at, execution_failed_details=failed)
        case "TIMED_OUT":
            late = api.ExecutionTimedOutDetails(error=error(execution.error))
            return _of_execution(execution, "ExecutionTimedOut", at, execution_timed_out_details=late)
        case _:
            stopped = api.ExecutionStoppedDetails(error=error(execution.error))
            return _of_execution(execution, "ExecutionStopped", at, execution_stopped_details=stopped)


def execution_paused(execution: DurableExecution, reason: str | None, *, timeout_paused: bool, at: float) -> api.Event:
    details = api.ExecutionPausedDetails(
        pause_request_timestamp=at,
        reason=api.EventPauseReason(payload=reason, truncated=False) if reason is not None else None,
        execution_timeout_paused=timeout_paused,
    )
    return _of_execution(execution, "ExecutionPaused", at, execution_paused_details=details)


def execution_resumed(execution: DurableExecution, reason: str | None, at: float) -> api.Event:
    details = api.ExecutionResumedDetails(
        resume_request_timestamp=at,
        reason=api.EventResumeReason(payload=reason, truncated=False) if reason is not None else None,
    )
    return _of_execution(execution, "ExecutionResumed", at, execution_resumed_details=details)


def invocation_completed(start: float, end: float, request_id: str, failure: api.ErrorObject | None) -> api.Event:
    details = api.InvocationCompletedDetails(
        start_timestamp=start,
        end_timestamp=end,
        request_id=request_id,
        error=error(failure) if failure is not None else None,
    )
    return api.Event(event_type="InvocationCompleted", event_timestamp=end, invocation_completed_details=details)


def operation_started(operation: api.Operation, update: api.OperationUpdate, at: float) -> api.Event:
    """A step that begins another attempt is started again."""
    match operation.type:
        case "WAIT":
            wait = api.WaitStartedDetails(
                duration=(update.wait_options and update.wait_options.wait_seconds) or 0,
                scheduled_end_timestamp=(operation.wait_details and operation.wait_details.scheduled_end_timestamp)
                or at,
            )
            return _of_operation(operation, "WaitStarted", at, wait_started_details=wait)
        case "CALLBACK":
            options = update.callback_options or api.CallbackOptions()
            callback = api.CallbackStartedDetails(
                callback_id=(operation.callback_details and operation.callback_details.callback_id) or "",
                heartbeat_timeout=options.heartbeat_timeout_seconds,
                timeout=options.timeout_seconds,
            )
            return _of_operation(operation, "CallbackStarted", at, callback_started_details=callback)
        case "CHAINED_INVOKE":
            target = update.chained_invoke_options
            assert target is not None
            invoke = api.ChainedInvokeStartedDetails(
                function_name=target.function_name,
                tenant_id=target.tenant_id,
                input=api.EventInput(payload=update.payload, truncated=False),
            )
            return _of_operation(operation, "ChainedInvokeStarted", at, chained_invoke_started_details=invoke)
        case "CONTEXT":
            return _of_operation(operation, "ContextStarted", at, context_started_details=api.ContextStartedDetails())
        case _:
            return _of_operation(operation, "StepStarted", at, step_started_details=api.StepStartedDetails())


def step_ended(
    operation: api.Operation, at: float, failure: api.ErrorObject | None, payload: str | None, delay: int | None
) -> api.Event:
    """One attempt of a step; `delay` is set where another one follows after that many seconds."""
    attempt = (operation.step_details and operation.step_details.attempt) or 0
    retry = api.RetryDetails(current_attempt=attempt, next_attempt_delay_seconds=delay)
    if failure is not None:
        failed = api.StepFailedDetails(error=error(failure), retry_details=retry)
        return _of_operation(operation, "StepFailed", at, step_failed_details=failed)
    succeeded = api.StepSucceededDetails(result=result(payload), retry_details=retry)
    return _of_operation(operation, "StepSucceeded", at, step_succeeded_details=succeeded)


def operation_ended(
    operation: api.Operation, at: float, payload: str | None = None, failure: api.ErrorObject | None = None
) -> api.Event:
    """Of everything but steps; the operation's status says how."""
    name = _KINDS[operation.type] + _ENDINGS[operation.status]
    member = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)[1:] + "_details"
    kind: Any = getattr(api, f"{name}Details")
    if operation.type == "WAIT":
        wait = operation.wait_details
        if operation.status == "CANCELLED":
            details = kind(error=error(failure) if failure is not None else None)
        else:
            end = (wait and wait.scheduled_end_timestamp) or at
            details = kind(duration=round(end - operation.start_timestamp))
    elif operation.status == "SUCCEEDED":
        details = kind(result=result(payload))
    else:
        details = kind(error=error(failure))
    return _of_operation(operation, name, at, **{member: details})


def without_data(event: api.Event) -> api.Event:
    """The event as it is shown to who did not ask for payloads."""
    changed = {}
    for member in event.__struct_fields__:
        details = getattr(event, member)
        if member.endswith("_details") and details is not None:
            hidden = {
                name: replace(value, payload=None, truncated=True)
                for name in _WITH_DATA
                if (value := getattr(details, name, None)) is not None
            }
            if hidden:
                changed[member] = replace(details, **hidden)
    return replace(event, **changed) if changed else event


def _of_execution(execution: DurableExecution, kind: str, at: float, **details: Any) -> api.Event:
    return api.Event(event_type=kind, event_timestamp=at, id=execution.id, name=execution.name, **details)


def _of_operation(operation: api.Operation, kind: str, at: float, **details: Any) -> api.Event:
    return api.Event(
        event_type=kind,
        event_timestamp=at,
        id=operation.id,
        name=operation.name,
        parent_id=operation.parent_id,
        sub_type=operation.sub_type,
        **details,
    )

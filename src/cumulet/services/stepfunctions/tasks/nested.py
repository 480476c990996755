"""`states:startExecution`: executions that executions start.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-stepfunctions.html
"""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

from cumulet.api import stepfunctions as api
from cumulet.kernel.errors import AwsError
from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.asl.payload import loads
from cumulet.services.stepfunctions.engine.ports import Done, Ended, Pending, TaskCall
from cumulet.services.stepfunctions.tasks.failures import first_failure
from cumulet.services.stepfunctions.tasks.metadata import metadata
from cumulet.services.stepfunctions.tasks.parts import Parts
from cumulet.services.stepfunctions.tasks.resources import Resource
from cumulet.services.stepfunctions.tasks.shapes import shapes, to_json

_NAMES = uuid.UUID("5b1f6f0c-3f0e-4d53-9a53-6f1f3c0c9d11")


async def start(parts: Parts, task: TaskCall, resource: Resource) -> Done | Pending:
    """Start it; the same attempt never starts two."""
    known = shapes("stepfunctions", False)
    request: Any = known.request("StartExecution", task.arguments)
    if request.name is None:
        request.name = str(uuid.uuid5(_NAMES, task.id))
    call = await parts.call_for(task)
    try:
        parts.check("stepfunctions", "StartExecution", request)
        started: api.StartExecutionOutput = await parts.calls.run(call, "stepfunctions", "StartExecution", request)
    except AwsError as error:
        raise first_failure("stepfunctions", error, call.request_id) from error
    length = len(f'{{"executionArn":"{started.execution_arn}","startDate":{started.start_date:.3f}}}')
    output = known.result("StartExecution", started) | metadata(call.request_id, parts.clock.now(), length)
    if resource.pattern == "sync":
        return Pending(output, {"arn": started.execution_arn})
    return Pending(output) if resource.pattern == "token" else Done(output)


async def follow(parts: Parts, task: TaskCall, handle: Any, resource: Resource) -> Done:
    """Its output when it has SUCCEEDED; `.sync:2` gives JSON rather than its text. Raises States.TaskFailed otherwise."""
    ended = await parts.engine.ended(handle["arn"])
    told = _told(ended, parsed=resource.sync == 2)
    if ended.status == "SUCCEEDED":
        return Done(told)
    raise StatesError("States.TaskFailed", to_json(told).decode())


async def cancel(parts: Parts, task: TaskCall, handle: Any) -> None:
    """An execution that nobody waits for any more is stopped, as on AWS."""
    with contextlib.suppress(AwsError, StatesError):
        call = await parts.call_for(task)
        request = api.StopExecutionInput(execution_arn=handle["arn"])
        await parts.calls.run(call, "stepfunctions", "StopExecution", request)


def _told(ended: Ended, parsed: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "ExecutionArn": ended.arn,
        "Input": loads(ended.input) if parsed else ended.input,
        "InputDetails": {"Included": True},
        "Name": ended.name,
        "StartDate": round(ended.started * 1000),
        "StateMachineArn": ended.machine_arn,
        "Status": ended.status,
        "StopDate": round(ended.stopped * 1000),
    }
    if ended.output is not None:
        told |= {"Output": loads(ended.output) if parsed else ended.output, "OutputDetails": {"Included": True}}
    if ended.error is not None:
        told["Error"] = ended.error
    if ended.cause is not None:
        told["Cause"] = ended.cause
    return dict(sorted(told.items()))

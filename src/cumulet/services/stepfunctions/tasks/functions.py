"""Lambda functions: by their ARN, and by `lambda:invoke`."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from cumulet.api import lambda_ as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.asl.payload import LIMIT, encode, loads, too_large
from cumulet.services.stepfunctions.engine.ports import Done, Pending, TaskCall
from cumulet.services.stepfunctions.tasks.failures import first_failure
from cumulet.services.stepfunctions.tasks.metadata import function_metadata
from cumulet.services.stepfunctions.tasks.parts import Parts
from cumulet.services.stepfunctions.tasks.resources import Resource

_UNKNOWN = "The cause could not be determined because Lambda did not return an error type."
PARAMETERS = frozenset(
    ("FunctionName", "Payload", "Qualifier", "InvocationType", "LogType", "ClientContext", "TenantId")
)


async def by_arn(parts: Parts, task: TaskCall, resource: Resource) -> Done:
    """The task's input is the function's event, its answer the result."""
    call = await parts.call_for(task)
    if not task.credentials:
        call = replace(call, account=resource.account, region=resource.region)
    request = api.InvocationRequest(function_name=resource.arn, payload=encode(task.arguments))
    answer = await _invoke(parts, call, request)
    if len(answer.payload or b"") > LIMIT:
        raise too_large(resource.arn)
    return Done(_json(answer.payload))


async def invoke(parts: Parts, task: TaskCall, resource: Resource) -> Done | Pending:
    """`lambda:invoke`. https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html"""
    given = task.arguments
    name = given["FunctionName"]
    request = api.InvocationRequest(
        function_name=name,
        qualifier=given.get("Qualifier"),
        invocation_type=given.get("InvocationType"),
        log_type=given.get("LogType"),
        client_context=given.get("ClientContext"),
        tenant_id=given.get("TenantId"),
        payload=_payload(given.get("Payload")),
    )
    call = _there(await parts.call_for(task), name)
    answer = await _invoke(parts, call, request)
    if len(answer.payload or b"") > LIMIT:
        raise too_large("lambda")
    output = _output(answer, call, parts.clock.now())
    return Pending(output) if resource.pattern == "token" else Done(output)


def _payload(value: Any) -> bytes | None:
    """Text goes as it is, so it has to be JSON; other values as their JSON."""
    if value is None:
        return None
    return value.encode() if isinstance(value, str) else encode(value)


def _there(call: Call, name: str) -> Call:
    """Where a function is that is named by its ARN."""
    if not name.startswith("arn:"):
        return call
    try:
        arn = Arn.parse(name)
    except ValueError:
        return call
    return replace(call, account=arn.account or call.account, region=arn.region or call.region)


async def _invoke(parts: Parts, call: Call, request: api.InvocationRequest) -> api.InvocationResponse:
    """Raises StatesError for what Lambda refuses, and for what the function raised: by the name of its class."""
    try:
        answer: api.InvocationResponse = await parts.calls.run(call, "lambda", "Invoke", request)
    except AwsError as error:
        raise first_failure("lambda_", error, call.request_id) from error
    if answer.function_error:
        raise _raised(answer.payload or b"")
    return answer


def _raised(payload: bytes) -> StatesError:
    error = _json(payload)
    text = encode(error).decode()
    name = error.get("errorType") if isinstance(error, dict) else None
    if not isinstance(name, str) or not name:
        return StatesError("Lambda.Unknown", f"{_UNKNOWN} Returned payload: {text}")
    return StatesError(name, text)


def _output(answer: api.InvocationResponse, call: Call, now: float) -> dict[str, Any]:
    payload = answer.payload or b""
    output: dict[str, Any] = {}
    if answer.executed_version:
        output["ExecutedVersion"] = answer.executed_version
    if answer.log_result:
        output["LogResult"] = answer.log_result
    if payload:
        output["Payload"] = _json(payload)
    output |= function_metadata(
        call.request_id, now, len(payload), answer.executed_version, answer.trace_id, answer.log_result
    )
    output["StatusCode"] = answer.status_code
    return output


def _json(payload: bytes | None) -> Any:
    """What a function answered; text of its own that is no JSON is taken as text."""
    if not payload:
        return None
    try:
        return loads(payload)
    except (msgspec.DecodeError, RecursionError):
        return payload.decode(errors="replace")

"""`sqs:sendMessage`, `sns:publish`, `dynamodb:*Item` and `events:putEvents`: one operation each, told with its HTTP answer.

https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.kernel.errors import AwsError
from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.engine.ports import Done, Pending, TaskCall
from cumulet.services.stepfunctions.tasks.failures import first_failure
from cumulet.services.stepfunctions.tasks.metadata import dynamodb_metadata, metadata
from cumulet.services.stepfunctions.tasks.parts import Parts
from cumulet.services.stepfunctions.tasks.resources import Resource
from cumulet.services.stepfunctions.tasks.shapes import shapes, to_json
from cumulet.services.stepfunctions.tasks.vocabulary import operation_name

MODULES = {"sqs": "sqs", "sns": "sns", "dynamodb": "dynamodb", "events": "events"}


async def call_operation(parts: Parts, task: TaskCall, resource: Resource) -> Done | Pending:
    """Run the operation as the machine's role."""
    service = resource.service
    known, operation = shapes(MODULES[service], False), operation_name(resource.action)
    arguments = _with_resources(task) if service == "events" else task.arguments
    request = known.request(operation, arguments)
    if service == "sqs":
        _check_address(arguments)
    call = await parts.call_for(task)
    try:
        parts.check(service, operation, request)
        result = await parts.calls.run(call, service, operation, request)
    except AwsError as error:
        raise first_failure(MODULES[service], error, call.request_id) from error
    output = known.result(operation, result)
    if service == "events":
        _check_entries(output)
    else:
        output |= _metadata(service, result, call.request_id, parts.clock.now())
    return Pending(output) if resource.pattern == "token" else Done(output)


def _with_resources(task: TaskCall) -> Any:
    """Events tell which execution sent them."""
    arguments = task.arguments
    entries = arguments.get("Entries") if isinstance(arguments, dict) else None
    if not isinstance(entries, list):
        return arguments
    own = [task.facts.arn, task.facts.machine_arn]
    told = []
    for entry in entries:
        if isinstance(entry, dict):
            given = entry.get("Resources")
            told.append({**entry, "Resources": [*(given if isinstance(given, list) else []), *own]})
    return {**arguments, "Entries": told}


def _check_address(arguments: Any) -> None:
    """The SDK connects to the address of a queue, so a name that is none cannot be found."""
    address = arguments.get("QueueUrl") if isinstance(arguments, dict) else None
    if isinstance(address, str) and address and "/" not in address:
        raise StatesError(
            "SQS.SdkClientException", f"Unable to execute HTTP request: {address}: Name or service not known"
        )


def _check_entries(output: dict[str, Any]) -> None:
    """An entry that EventBridge did not take fails the task."""
    if output.get("FailedEntryCount"):
        raise StatesError("EventBridge.FailedEntry", to_json(output).decode())
    output.setdefault("FailedEntryCount", 0)


def _metadata(service: str, result: Struct | None, request_id: str, now: float) -> dict[str, Any]:
    if service == "sns":
        # As XML: the envelope, and elements for what was answered.
        sequence = getattr(result, "sequence_number", None)
        length = 258 + len(getattr(result, "message_id", None) or "") + (38 + len(sequence) if sequence else 0)
        return metadata(request_id, now, length, "text/xml")
    body = msgspec.json.encode(result) if result is not None else b"{}"
    if service == "dynamodb":
        return dynamodb_metadata(request_id, now, len(body), zlib.crc32(body))
    return metadata(request_id, now, len(body))

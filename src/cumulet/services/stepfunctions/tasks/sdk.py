"""`aws-sdk:SERVICE:ACTION`: any operation of any service of this node, by its model.

https://docs.aws.amazon.com/step-functions/latest/dg/supported-services-awssdk.html
"""

from __future__ import annotations

import base64
import uuid
import zlib
from typing import Any

from msgspec import Struct

from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import BytesStream
from cumulet.services.stepfunctions.asl.payload import LIMIT, too_large
from cumulet.services.stepfunctions.engine.ports import Done, Pending, TaskCall
from cumulet.services.stepfunctions.tasks.failures import not_here, sdk_failure
from cumulet.services.stepfunctions.tasks.parts import Parts
from cumulet.services.stepfunctions.tasks.resources import Resource
from cumulet.services.stepfunctions.tasks.shapes import Shapes, Text, read_stream, shapes
from cumulet.services.stepfunctions.tasks.vocabulary import SERVICES, operation_name

_TOKENS = uuid.UUID("7d1de2c5-6f6b-4a43-8d5a-0d8c1f1f0f4e")


async def call_operation(parts: Parts, task: TaskCall, resource: Resource) -> Done | Pending:
    """Run the operation as the machine's role; its result is the task's, or what TaskSubmitted tells."""
    service = SERVICES.get(resource.service)
    if service is None:
        raise not_here(
            resource.service,
            f"The service {resource.service} is not implemented in Cumulet. See docs/services/stepfunctions.md for what is.",
        )
    known, operation = shapes(service.module, True), operation_name(resource.action)
    if known.events(operation):
        raise not_here(service.title, f"{operation} answers a stream of events, which a task cannot take.")
    request = prepared(known, operation, task)
    call = await parts.call_for(task)
    try:
        parts.check(service.service, operation, request)
        result = await parts.calls.run(call, service.service, operation, request)
        await _read(known, operation, result, resource.type)
    except AwsError as error:
        raise sdk_failure(service, error, call.request_id) from error
    output = known.result(operation, result)
    return Pending(output) if resource.pattern == "token" else Done(output)


def prepared(known: Shapes, operation: str, task: TaskCall) -> Struct:
    """The request, with what the SDK adds by itself: tokens that make it idempotent, the checksum of a body."""
    request = known.request(operation, task.arguments)
    model = known.model
    described = model.operations[operation]
    for member in model.shape(described.input).members.values():
        if member.idempotency_token and getattr(request, member.attribute) is None:
            setattr(request, member.attribute, str(uuid.uuid5(_TOKENS, task.id)))
    algorithm = described.http_checksum.get("requestAlgorithmMember")
    body: Any = getattr(request, "body", None)
    if algorithm and isinstance(body, BytesStream) and _unsummed(request):
        checksum = zlib.crc32(body.data).to_bytes(4, "big")
        request.checksum_crc32 = base64.b64encode(checksum).decode()  # type: ignore[attr-defined]  # such operations have it
    return request


def _unsummed(request: Struct) -> bool:
    """Whether nothing was said about a checksum."""
    return hasattr(request, "checksum_crc32") and not any(
        getattr(request, name) for name in request.__struct_fields__ if name.startswith("checksum")
    )


async def _read(known: Shapes, operation: str, result: Any, shown: str) -> None:
    """Put the content of the result's stream in its place. Raises States.DataLimitExceeded for what no task can hold."""
    attribute = known.streaming(operation)
    stream = getattr(result, attribute, None) if attribute is not None else None
    if attribute is None or stream is None:
        return
    content = stream if isinstance(stream, bytes) else await read_stream(stream, LIMIT)
    if content is None:
        raise too_large(shown)
    setattr(result, attribute, Text(content))

"""Operations that run functions."""

from __future__ import annotations

import base64
import binascii

import msgspec

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.kernel.streams import read_all
from cumulet.services.lambda_.durable import starts
from cumulet.services.lambda_.errors import bad_content, invalid, too_large
from cumulet.services.lambda_.names import Reference, refer
from cumulet.services.lambda_.payloads import checked
from cumulet.services.lambda_.runs import Run, function_error, ready_target
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.targets import Target

_CONTEXT_LIMIT = 3583
"""Bytes of a client context, base64-encoded. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html"""


async def invoke(lambda_: Lambda, call: Call, request: api.InvocationRequest) -> api.InvocationResponse:
    reference = refer(call, request.function_name, request.qualifier)
    kind = request.invocation_type
    if kind == "Event":
        return await _queue(lambda_, call, reference, request)
    if request.payload is not None and len(request.payload) > lambda_.limits.payload:
        raise too_large(len(request.payload), lambda_.limits.payload, "RequestResponse")
    target = await ready_target(lambda_, reference)
    check_tenant(target, request.tenant_id)
    if kind == "DryRun":
        return api.InvocationResponse(status_code=204)
    if target.durable or request.durable_execution_name:
        return await starts.invoke(lambda_, call, reference, target, request, checked(request.payload))
    run = Run(lambda_, reference, target, call.request_id, tenant=request.tenant_id or "")
    context = client_context(request.client_context) if request.client_context else None
    payload = checked(request.payload)
    outcome = await run.go(payload, client_context=context, trace=call.trace)
    if request.log_type == "Tail":
        await run.ended()
    return api.InvocationResponse(
        status_code=200,
        payload=outcome.payload,
        executed_version=run.target.number,
        function_error=function_error(outcome),
        log_result=base64.b64encode(run.tail()).decode() if request.log_type == "Tail" else None,
        trace_id=run.trace,
    )


async def invoke_async(lambda_: Lambda, call: Call, request: api.InvokeAsyncRequest) -> api.InvokeAsyncResponse:
    """The operation that Invoke with Event replaced."""
    size = request.invoke_args.length
    if size is None or size > lambda_.limits.event_payload:
        raise too_large(size or 0, lambda_.limits.event_payload, "Event")
    payload = await read_all(request.invoke_args)
    reference = refer(call, request.function_name)
    await _queue(lambda_, call, reference, api.InvocationRequest(function_name=request.function_name, payload=payload))
    return api.InvokeAsyncResponse(status=202)


async def _queue(
    lambda_: Lambda, call: Call, reference: Reference, request: api.InvocationRequest
) -> api.InvocationResponse:
    if request.payload is not None and len(request.payload) > lambda_.limits.event_payload:
        raise too_large(len(request.payload), lambda_.limits.event_payload, "Event")
    target = await ready_target(lambda_, reference)
    check_tenant(target, request.tenant_id)
    payload = checked(request.payload)
    if target.durable or request.durable_execution_name:
        return await starts.invoke(lambda_, call, reference, target, request, payload)
    await lambda_.events.add(reference, call.request_id, payload, call.trace, request.tenant_id or "")
    lambda_.metrics.of(target, reference.qualifier).add("AsyncEventsReceived")
    return api.InvocationResponse(status_code=202, payload=b"")


def check_tenant(target: Target, tenant: str | None) -> None:
    """A function that keeps its tenants apart must be told whose call it is, and no other may be."""
    if target.tenancy and not tenant:
        raise invalid(
            "The invoked function is enabled with tenancy configuration. Add a valid tenant ID in your request and try again."
        )
    if tenant and not target.tenancy:
        raise invalid(
            "The invoked function is not enabled with tenancy configuration. "
            "Remove the tenant ID from your request and try again."
        )


def client_context(text: str) -> bytes:
    """The JSON in X-Amz-Client-Context; raises AWS's errors."""
    if len(text) > _CONTEXT_LIMIT:
        raise invalid(f"Client context must be no more than {_CONTEXT_LIMIT} bytes.")
    try:
        context = base64.b64decode(text, validate=True)
        msgspec.json.decode(context)
    except (binascii.Error, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_content(
            "Could not parse request body into json: Could not parse ClientContext into json: Unexpected content."
        ) from error
    return context

"""Invoke, of a durable function: an execution begins, or one that has the name already is given."""

from __future__ import annotations

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.durable import targets
from cumulet.services.lambda_.durable.engine import Engine
from cumulet.services.lambda_.durable.model import LONGEST_SYNCHRONOUS, DurableExecution, error_document
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.names import Reference
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.targets import Target
from cumulet.storage.database import Conflict

_CHECKED = {"RequestResponse", None}


async def invoke(
    lambda_: Lambda,
    call: Call,
    reference: Reference,
    target: Target,
    request: api.InvocationRequest,
    payload: bytes,
) -> api.InvocationResponse:
    """Answers at once for Event, else with the result of the whole execution.

    Raises InvalidParameterValueException, DurableExecutionAlreadyStartedException.
    https://docs.aws.amazon.com/lambda/latest/dg/durable-invoking.html
    """
    engine, config = lambda_.durable, target.version.configuration.durable_config
    if config is None:
        raise invalid("DurableExecutionName is for durable functions: this one has no DurableConfig.")
    targets.check_qualified(reference, config)
    waits = request.invocation_type in _CHECKED
    if waits and (config.execution_timeout or 0) > LONGEST_SYNCHRONOUS:
        raise invalid(
            "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."
        )
    execution = targets.new_execution(
        reference,
        target,
        name=request.durable_execution_name,
        now=lambda_.clock.now(),
        trace=call.trace,
    )
    text = payload.decode()
    try:
        await engine.begin(execution, text)
    except Conflict:
        execution = await _same(engine, execution, text)
    if not waits:
        return api.InvocationResponse(status_code=202, payload=b"", durable_execution_arn=execution.arn)
    ended = await engine.ended(execution.arn)
    failed = ended.status != "SUCCEEDED"
    return api.InvocationResponse(
        status_code=200,
        payload=error_document(ended.error) if failed else (ended.result or "null").encode(),
        executed_version=ended.version,
        function_error="Unhandled" if failed else None,
        durable_execution_arn=ended.arn,
    )


async def _same(engine: Engine, wanted: DurableExecution, payload: str) -> DurableExecution:
    """The execution of that name, if it was started with the same payload: who asks again gets the same one."""
    found = await engine.store.named(wanted.key, wanted.name)
    if found is not None:
        [held] = await engine.store.page(found.arn, -1, 1)
        details = held.operation.execution_details
        if details is not None and details.input_payload == payload:
            return found
    raise api.DurableExecutionAlreadyStartedException(
        f"Durable execution with name {wanted.name} already exists with a different payload."
    )

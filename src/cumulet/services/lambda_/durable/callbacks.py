"""Operations that answer callbacks: what an execution waits for from outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from cumulet.api import lambda_ as api
from cumulet.kernel.call import Call
from cumulet.services.lambda_.durable.ledger import Ending, Ledger
from cumulet.services.lambda_.durable.model import Held, read_callback_id, whereabouts
from cumulet.services.lambda_.errors import invalid, not_found
from cumulet.services.lambda_.state import Lambda


async def send_durable_execution_callback_success(
    lambda_: Lambda, call: Call, request: api.SendDurableExecutionCallbackSuccessRequest
) -> api.SendDurableExecutionCallbackSuccessResponse:
    try:
        result = (request.result or b"").decode() or None
    except UnicodeDecodeError as error:
        raise invalid("Result must be UTF-8 text.") from error
    await _answer(
        lambda_, call, request.callback_id, lambda one, held: one.end_operation(held, Ending("SUCCEEDED", result))
    )
    return api.SendDurableExecutionCallbackSuccessResponse()


async def send_durable_execution_callback_failure(
    lambda_: Lambda, call: Call, request: api.SendDurableExecutionCallbackFailureRequest
) -> api.SendDurableExecutionCallbackFailureResponse:
    ending = Ending("FAILED", error=request.error or api.ErrorObject())
    await _answer(lambda_, call, request.callback_id, lambda one, held: one.end_operation(held, ending))
    return api.SendDurableExecutionCallbackFailureResponse()


async def send_durable_execution_callback_heartbeat(
    lambda_: Lambda, call: Call, request: api.SendDurableExecutionCallbackHeartbeatRequest
) -> api.SendDurableExecutionCallbackHeartbeatResponse:
    await _answer(lambda_, call, request.callback_id, lambda one, held: one.heartbeat(held))
    return api.SendDurableExecutionCallbackHeartbeatResponse()


async def _answer(lambda_: Lambda, call: Call, id: str, act: Callable[[Ledger, Held], Awaitable[None]]) -> None:
    """Raises ResourceNotFoundException for one that is not there, CallbackTimeoutException for one that has ended."""
    arn, operation = read_callback_id(id)
    key, _ = whereabouts(arn)
    if (key.account, key.region) != (call.account, call.region):
        raise not_found(f"Callback not found: {id}")
    async with lambda_.durable.change(arn) as ledger:
        held = await ledger.operation(operation) if ledger is not None else None
        if ledger is None or held is None or held.operation.type != "CALLBACK":
            raise not_found(f"Callback not found: {id}")
        await ledger.fire()
        held = await ledger.operation(operation)
        if not ledger.execution.open or held is None or held.operation.status != "STARTED":
            raise api.CallbackTimeoutException("The callback has timed out or has already been closed.")
        await act(ledger, held)

"""What workers tell of tasks whose token they have: SendTaskSuccess, SendTaskFailure, SendTaskHeartbeat."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call
from cumulet.services.stepfunctions.asl.errors import StatesError
from cumulet.services.stepfunctions.engine import tokens
from cumulet.services.stepfunctions.engine.frames import Frame, Run
from cumulet.services.stepfunctions.state import StepFunctions

_GONE = "Task Timed Out: 'Provided task does not exist anymore'"
_decode = msgspec.json.Decoder().decode


async def send_task_success(
    state: StepFunctions, call: Call, request: api.SendTaskSuccessInput
) -> api.SendTaskSuccessOutput:
    try:
        output = _decode(request.output)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        if tokens.read(request.task_token) is None:  # that is told first
            raise api.InvalidToken("Invalid Token: 'Invalid token'") from None
        raise api.InvalidOutput(f"Invalid Output: '{error}'") from None
    walker = state.engine.walker
    await _tell(
        state, call, request.task_token, lambda run, frame: walker.succeeded(run, frame, output, request.output)
    )
    return api.SendTaskSuccessOutput()


async def send_task_failure(
    state: StepFunctions, call: Call, request: api.SendTaskFailureInput
) -> api.SendTaskFailureOutput:
    error = StatesError(request.error or "", request.cause)
    walker = state.engine.walker
    await _tell(state, call, request.task_token, lambda run, frame: walker.task_failed(run, frame, error))
    return api.SendTaskFailureOutput()


async def send_task_heartbeat(
    state: StepFunctions, call: Call, request: api.SendTaskHeartbeatInput
) -> api.SendTaskHeartbeatOutput:
    await _tell(state, call, request.task_token, state.engine.walker.beat)
    return api.SendTaskHeartbeatOutput()


async def _tell(state: StepFunctions, call: Call, token: str, act: Callable[[Run, Frame], None]) -> None:
    if not await state.engine.with_token(token, act, (call.account, call.region)):
        raise api.TaskTimedOut(_GONE)

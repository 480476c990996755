"""The operation TestState; what does it is loaded with the first."""

from __future__ import annotations

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call
from cumulet.services.stepfunctions.state import StepFunctions


async def test_state(state: StepFunctions, call: Call, request: api.TestStateInput) -> api.TestStateOutput:
    from cumulet.services.stepfunctions.trials import trial  # noqa: PLC0415  see above

    return await trial.test_state(state, call, request)

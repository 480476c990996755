"""ValidateStateMachineDefinition."""

from __future__ import annotations

from functools import partial

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call
from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.machines.directory import SMALL
from cumulet.services.stepfunctions.state import StepFunctions

_MOST = 100


async def validate_state_machine_definition(
    state: StepFunctions, call: Call, request: api.ValidateStateMachineDefinitionInput
) -> api.ValidateStateMachineDefinitionOutput:
    """Errors first. Warnings are told to who asks for them by `severity`, and never make the result a failure."""
    validate = partial(asl.validate, request.definition, "EXPRESS" if request.type == "EXPRESS" else "STANDARD")
    found = validate() if len(request.definition) <= SMALL else await state.apart.run(validate)
    failed = any(finding.severity == "ERROR" for finding in found)
    if request.severity != "WARNING":
        found = [finding for finding in found if finding.severity == "ERROR"]
    most = request.max_results or _MOST
    diagnostics = [
        api.ValidateStateMachineDefinitionDiagnostic(
            severity=finding.severity, code=finding.code, message=finding.message, location=finding.location
        )
        for finding in found[:most]
    ]
    return api.ValidateStateMachineDefinitionOutput(
        result="FAIL" if failed else "OK", diagnostics=diagnostics, truncated=len(found) > most
    )

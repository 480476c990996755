"""Amazon States Language: definitions become a typed tree, and data flows through its states. Pure: no I/O, no clock.

machine = asl.compile(text, "STANDARD")          # cached by text; raises InvalidDefinition
state = machine.states[machine.start_at]
begun = state.begin(input, scope)                # raises StatesError
finished = state.finish(input, begun, result, scope)
"""

from __future__ import annotations

from cumulet.services.stepfunctions.asl.compiler import compile, validate
from cumulet.services.stepfunctions.asl.errors import Diagnostic, InvalidDefinition, StatesError
from cumulet.services.stepfunctions.asl.machine import Machine
from cumulet.services.stepfunctions.asl.maps import Map
from cumulet.services.stepfunctions.asl.outcome import Batching, Begun, Distribution, Finished, Retry, Transfer
from cumulet.services.stepfunctions.asl.patience import Elsewhere, Patience
from cumulet.services.stepfunctions.asl.scope import Scope
from cumulet.services.stepfunctions.asl.states import (
    Choice,
    Fail,
    Flow,
    Kind,
    Parallel,
    Pass,
    State,
    Succeed,
    Task,
    Wait,
)

__all__ = [
    "Batching",
    "Begun",
    "Choice",
    "Diagnostic",
    "Distribution",
    "Elsewhere",
    "Fail",
    "Finished",
    "Flow",
    "InvalidDefinition",
    "Kind",
    "Machine",
    "Map",
    "Parallel",
    "Pass",
    "Patience",
    "Retry",
    "Scope",
    "State",
    "StatesError",
    "Succeed",
    "Task",
    "Transfer",
    "Wait",
    "compile",
    "validate",
]

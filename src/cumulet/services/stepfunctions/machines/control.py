"""The operations of this noun, and what goes on in the background for them."""

from __future__ import annotations

from cumulet.services.stepfunctions.machines import aliases, definitions, machines, tags, versions
from cumulet.services.stepfunctions.state import StepFunctions

MODULES = (machines, versions, aliases, tags, definitions)


async def resume(state: StepFunctions) -> None:
    """Go on with the deletions that were under way when the node went down."""
    for machine in await state.machines.store.deleting():
        state.tasks.start(f"deletion of {machine.arn}", state.machines.drain(machine, state.engine))

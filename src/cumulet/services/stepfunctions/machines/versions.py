"""Operations on versions."""

from __future__ import annotations

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call
from cumulet.services.stepfunctions.machines import arns, pages
from cumulet.services.stepfunctions.machines.machines import own, plain_machine
from cumulet.services.stepfunctions.machines.model import Revision
from cumulet.services.stepfunctions.state import StepFunctions

_FIRST = "INITIAL"
_NEWEST = 1 << 62


async def publish_state_machine_version(
    state: StepFunctions, call: Call, request: api.PublishStateMachineVersionInput
) -> api.PublishStateMachineVersionOutput:
    """A revision is published once: asking again gives the version that it is."""
    machine = await plain_machine(state, call, request.state_machine_arn)
    wanted = request.revision_id

    def check(revision: Revision) -> None:
        current = revision.revision_id or _FIRST
        if wanted is not None and wanted != current:
            raise api.ConflictException(
                f"Failed to publish the State Machine version for revision {wanted}. "
                f"The current State Machine revision is {current}."
            )

    description = request.description or ""
    changed = await state.machines.store.publish(machine, description, state.clock.now(), check)
    if changed is None or changed.version is None:
        raise arns.no_such_machine(request.state_machine_arn)
    state.machines.changed(machine)
    return api.PublishStateMachineVersionOutput(
        creation_date=changed.version.created, state_machine_version_arn=f"{machine.arn}:{changed.version.number}"
    )


async def list_state_machine_versions(
    state: StepFunctions, call: Call, request: api.ListStateMachineVersionsInput
) -> api.ListStateMachineVersionsOutput:
    machine = await state.machines.machine(request.state_machine_arn)
    own(call, machine, request.state_machine_arn)
    list_name = f"versions {machine.id}"
    size = pages.size(request.max_results)
    after = pages.number_in(list_name, request.next_token, _NEWEST)
    found, more = pages.cut(await state.machines.store.versions.newest(machine.id, after, size + 1), size)
    items = [
        api.StateMachineVersionListItem(
            state_machine_version_arn=f"{machine.arn}:{version.number}", creation_date=version.created
        )
        for version in found
    ]
    return api.ListStateMachineVersionsOutput(
        state_machine_versions=items, next_token=pages.token_of(list_name, str(found[-1].number)) if more else None
    )


async def delete_state_machine_version(
    state: StepFunctions, call: Call, request: api.DeleteStateMachineVersionInput
) -> api.DeleteStateMachineVersionOutput:
    """A version that is not there is no error; one that an alias leads to stays."""
    text = request.state_machine_version_arn
    parts = arns.parse(text)
    if parts.version is None:
        raise api.ValidationException(f"The ARN must be that of a state machine version. Received: [{text}]")
    machine = await state.machines.store.find(parts.account, parts.region, parts.name)
    if machine is None or (machine.account, machine.region) != (call.account, call.region):
        return api.DeleteStateMachineVersionOutput()

    def check(aliases: list[str]) -> None:
        if aliases:
            raise api.ConflictException(
                "Version to be deleted must not be referenced by an alias. "
                f"Current list of aliases referencing this version: [{', '.join(aliases)}]"
            )

    await state.machines.store.aliases.remove_version(machine.id, parts.version, check)
    state.machines.changed(machine)
    return api.DeleteStateMachineVersionOutput()

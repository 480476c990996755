"""Operations on state machines."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id, token
from cumulet.services.stepfunctions.machines import arns, configuration, keys, pages, tags
from cumulet.services.stepfunctions.machines.directory import compiled
from cumulet.services.stepfunctions.machines.model import (
    ACTIVE,
    DELETING,
    STANDARD,
    Content,
    Machine,
    MachineVersion,
    Revision,
    Version,
)
from cumulet.services.stepfunctions.machines.names import check_name
from cumulet.services.stepfunctions.state import StepFunctions

_LIST = "machines"
_NOTHING = (
    "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified"
)


async def create_state_machine(
    state: StepFunctions, call: Call, request: api.CreateStateMachineInput
) -> api.CreateStateMachineOutput:
    check_name(request.name)
    publish = _description(request.publish, request.version_description)
    type = request.type or STANDARD
    configuration.check_role_arn(request.role_arn)
    given = tags.read(request.tags or [])
    content = Content(
        request.definition,
        request.role_arn,
        configuration.read_logging(request.logging_configuration),
        bool(request.tracing_configuration and request.tracing_configuration.enabled),
        configuration.read_encryption(request.encryption_configuration),
    )
    await compiled(state.apart, request.definition, type)
    existing = await state.machines.store.find(call.account, call.region, request.name)
    if existing is not None:
        return await _again(state, existing, content, type, publish)
    await _check_content(state, call, content)
    await keys.check_key(
        state, call, arns.machine_arn("aws", call.region, call.account, request.name), content.encryption
    )
    if await state.machines.store.count(call.account, call.region) >= state.limits.machines:
        raise api.StateMachineLimitExceeded(
            f"State Machine Limit Exceeded: '{state.limits.machines} state machines in this region'"
        )
    now = state.clock.now()
    machine = Machine(
        *(token(8), "aws", call.region, call.account, request.name, type, ACTIVE, now),
        revision=1,
        published=0 if publish is None else 1,
    )
    revision = Revision(machine.id, 1, "", now, content)
    version = None if publish is None else Version(machine.id, 1, 1, publish, now)
    added, found = await state.machines.store.add(machine, revision, _asked(publish), version, given)
    if not added:
        return await _again(state, found, content, type, publish)
    state.machines.changed(machine)
    return _created(machine, publish)


async def _again(
    state: StepFunctions, existing: Machine, content: Content, type: str, publish: str | None
) -> api.CreateStateMachineOutput:
    """Creating a machine again is fine as long as nothing but its role and its tags differs; those stay as they are."""
    if existing.status == DELETING:
        raise api.StateMachineDeleting(f"State Machine is being deleted: '{existing.arn}'")
    current = await state.machines.store.revision(existing.id, existing.revision)
    same = current is not None and replace(content, role_arn=current.content.role_arn) == current.content
    if not same or type != existing.type or _asked(publish) != await state.machines.store.request(existing.id):
        raise api.StateMachineAlreadyExists(f"State Machine Already Exists: '{existing.arn}'")
    return _created(existing, publish)


def _created(machine: Machine, publish: str | None) -> api.CreateStateMachineOutput:
    return api.CreateStateMachineOutput(
        state_machine_arn=machine.arn,
        creation_date=machine.created,
        state_machine_version_arn=None if publish is None else f"{machine.arn}:1",
    )


def _asked(publish: str | None) -> str:
    """How a creation asked for a version, as the store remembers it."""
    return "" if publish is None else f"publish {publish}"


def _description(publish: bool | None, description: str | None) -> str | None:
    """The description of the version to be published, or None when none is to be."""
    if not publish and description is not None:
        raise api.ValidationException("Version description can only be set when publish is true")
    return (description or "") if publish else None


async def _check_content(state: StepFunctions, call: Call, content: Content) -> None:
    acting = await configuration.check_role(state, call, content.role_arn)
    await configuration.check_groups(state, acting, content.logging)


async def update_state_machine(
    state: StepFunctions, call: Call, request: api.UpdateStateMachineInput
) -> api.UpdateStateMachineOutput:
    machine = await plain_machine(state, call, request.state_machine_arn)
    publish = _description(request.publish, request.version_description)
    _check_something(request)
    logging = request.logging_configuration and configuration.read_logging(request.logging_configuration)
    tracing = None if request.tracing_configuration is None else bool(request.tracing_configuration.enabled)
    encryption = configuration.read_encryption(request.encryption_configuration)
    await keys.check_key(state, call, machine.arn, encryption)
    if request.role_arn is not None:
        configuration.check_role_arn(request.role_arn)
    if request.definition is not None:
        await compiled(state.apart, request.definition, machine.type)

    def change(content: Content) -> Content:
        return Content(
            content.definition if request.definition is None else request.definition,
            content.role_arn if request.role_arn is None else request.role_arn,
            logging or content.logging,
            content.tracing if tracing is None else tracing,
            encryption or content.encryption,
        )

    current = await state.machines.store.revision(machine.id, machine.revision)
    if current is not None and (request.role_arn is not None or logging):
        await _check_content(state, call, change(current.content))
    now = state.clock.now()
    changed = await state.machines.store.update(machine, change, new_id(), now, publish=publish)
    if changed is None:
        raise arns.no_such_machine(request.state_machine_arn)
    state.machines.changed(machine)
    return api.UpdateStateMachineOutput(
        update_date=now,
        revision_id=changed.revision.revision_id or None,
        state_machine_version_arn=f"{machine.arn}:{changed.version.number}" if changed.version else None,
    )


def _check_something(request: api.UpdateStateMachineInput) -> None:
    given = (
        request.definition,
        request.role_arn,
        request.logging_configuration,
        request.tracing_configuration,
        request.encryption_configuration,
    )
    if not request.publish and all(value is None for value in given):
        raise api.MissingRequiredParameter(_NOTHING)


async def describe_state_machine(
    state: StepFunctions, call: Call, request: api.DescribeStateMachineInput
) -> api.DescribeStateMachineOutput:
    parts = arns.parse(request.state_machine_arn)
    machine = await state.machines.machine(request.state_machine_arn)
    own(call, machine, request.state_machine_arn)
    number, version = machine.revision, None
    if parts.qualifier:
        version = await state.machines.store.versions.find(machine.id, parts.version or 0)
        if version is None:
            raise arns.no_such_machine(request.state_machine_arn)
        number = version.revision
    found = await state.machines.revision(f"{machine.id}.{number}")
    definition = "{}" if request.included_data == "METADATA_ONLY" else found.definition
    if parts.label:
        definition = _labelled(found, parts.label, request.state_machine_arn)
    return api.DescribeStateMachineOutput(
        state_machine_arn=request.state_machine_arn,
        name=machine.name,
        status=machine.status,
        definition=definition,
        role_arn=found.role_arn,
        type=machine.type,
        creation_date=version.created if version else machine.created,
        logging_configuration=configuration.write_logging(found.logging),
        tracing_configuration=api.TracingConfiguration(enabled=found.tracing),
        label=parts.label or None,
        revision_id=found.revision_id or None,
        description=(version.description or None) if version else None,
        encryption_configuration=configuration.write_encryption(found.revision.content.encryption),
        variable_references=found.compiled.references() or None,
    )


def _labelled(found: MachineVersion, label: str, arn: str) -> str:
    """The definition of the distributed Map with this label. Raises StateMachineDoesNotExist."""
    definition = found.processor(label)
    if definition is None:
        raise arns.no_such_machine(arn)
    return definition


async def list_state_machines(
    state: StepFunctions, call: Call, request: api.ListStateMachinesInput
) -> api.ListStateMachinesOutput:
    size = pages.size(request.max_results)
    after = pages.after_in(_LIST, request.next_token)
    found, more = pages.cut(await state.machines.store.named(call.account, call.region, after, size + 1), size)
    items = [
        api.StateMachineListItem(
            state_machine_arn=machine.arn, name=machine.name, type=machine.type, creation_date=machine.created
        )
        for machine in found
    ]
    return api.ListStateMachinesOutput(
        state_machines=items, next_token=pages.token_of(_LIST, found[-1].name) if more else None
    )


async def delete_state_machine(
    state: StepFunctions, call: Call, request: api.DeleteStateMachineInput
) -> api.DeleteStateMachineOutput:
    """The machine is gone at once, or, as long as executions of it run, DELETING."""
    parts = arns.parse(request.state_machine_arn)
    if parts.qualifier:
        raise api.ValidationException(
            f"The state machine ARN must not be qualified: '{request.state_machine_arn}'. "
            "Use DeleteStateMachineVersion or DeleteStateMachineAlias."
        )
    machine = await state.machines.store.find(parts.account, parts.region, parts.name)
    if machine is not None and (machine.account, machine.region) == (call.account, call.region):
        await state.machines.store.mark_deleting(machine)
        state.machines.changed(machine)
        rest = state.machines.drain(machine, state.engine)
        if state.engine.running(machine.arn):
            state.tasks.start(f"deletion of {machine.arn}", rest)
        else:
            await rest
    return api.DeleteStateMachineOutput()


def own(call: Call, machine: Machine, arn: str) -> None:
    """A machine can be reached in its own account and region alone. Raises StateMachineDoesNotExist."""
    if (machine.account, machine.region) != (call.account, call.region):
        raise arns.no_such_machine(arn)


async def plain_machine(state: StepFunctions, call: Call, arn: str) -> Machine:
    """The machine of an ARN that names no version or alias, to be changed.

    Raises InvalidArn, StateMachineDoesNotExist, StateMachineDeleting.
    """
    machine = await state.machines.machine(arn)
    own(call, machine, arn)
    if arns.parse(arn).qualifier:
        raise arns.no_such_machine(arn)
    if machine.status == DELETING:
        raise api.StateMachineDeleting(f"State Machine is being deleted: '{machine.arn}'")
    return machine

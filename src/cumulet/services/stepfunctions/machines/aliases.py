"""Operations on aliases."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from cumulet.api import stepfunctions as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.stepfunctions.machines import arns, pages
from cumulet.services.stepfunctions.machines.machines import own
from cumulet.services.stepfunctions.machines.model import DELETING, Alias, Machine, Route
from cumulet.services.stepfunctions.state import StepFunctions

_GONE = "Request references a resource that does not exist."


async def create_state_machine_alias(
    state: StepFunctions, call: Call, request: api.CreateStateMachineAliasInput
) -> api.CreateStateMachineAliasOutput:
    """Creating an alias again with the same routes and description gives the one that is there."""
    machine, routes = await _routes(state, call, request.routing_configuration)
    now = state.clock.now()
    wanted = Alias(machine.id, request.name, request.description or "", routes, now, now)
    most = state.limits.aliases

    def change(held: Alias | None, others: list[Alias]) -> Alias:
        if held is not None:
            if (held.routes, held.description) != (wanted.routes, wanted.description):
                raise api.ConflictException(
                    "Failed to create alias because an alias with the same name and a different routing configuration "
                    "already exists."
                )
            return held
        if len(others) >= most:
            raise api.ServiceQuotaExceededException(
                f"The maximum number of aliases has been reached for the state machine {machine.arn}."
            )
        return wanted

    alias = await state.machines.store.aliases.change(machine.id, request.name, change)
    state.machines.changed(machine)
    return api.CreateStateMachineAliasOutput(
        state_machine_alias_arn=f"{machine.arn}:{request.name}", creation_date=alias.created if alias else now
    )


async def update_state_machine_alias(
    state: StepFunctions, call: Call, request: api.UpdateStateMachineAliasInput
) -> api.UpdateStateMachineAliasOutput:
    if request.description is None and request.routing_configuration is None:
        raise api.ValidationException("Either the description or the routing configuration must be specified")
    machine, name = await _alias(state, call, request.state_machine_alias_arn)
    routes: tuple[Route, ...] | None = None
    if request.routing_configuration is not None:
        target, routes = await _routes(state, call, request.routing_configuration)
        if target.id != machine.id:
            raise api.ValidationException(
                "Routing configuration must contain versions of the state machine that the alias belongs to."
            )
    now = state.clock.now()

    def change(held: Alias | None, _: list[Alias]) -> Alias:
        if held is None:
            raise _gone()
        description = held.description if request.description is None else request.description
        return replace(held, description=description, routes=routes or held.routes, updated=now)

    await state.machines.store.aliases.change(machine.id, name, change)
    state.machines.changed(machine)
    return api.UpdateStateMachineAliasOutput(update_date=now)


async def describe_state_machine_alias(
    state: StepFunctions, call: Call, request: api.DescribeStateMachineAliasInput
) -> api.DescribeStateMachineAliasOutput:
    machine, name = await _alias(state, call, request.state_machine_alias_arn)
    alias = await state.machines.store.aliases.find(machine.id, name)
    if alias is None:
        raise _gone()
    routing = [
        api.RoutingConfigurationListItem(
            state_machine_version_arn=f"{machine.arn}:{route.version}", weight=route.weight
        )
        for route in alias.routes
    ]
    return api.DescribeStateMachineAliasOutput(
        state_machine_alias_arn=request.state_machine_alias_arn,
        name=alias.name,
        description=alias.description or None,
        routing_configuration=routing,
        creation_date=alias.created,
        update_date=alias.updated,
    )


async def delete_state_machine_alias(
    state: StepFunctions, call: Call, request: api.DeleteStateMachineAliasInput
) -> api.DeleteStateMachineAliasOutput:
    """An alias that is not there is no error."""
    try:
        machine, name = await _alias(state, call, request.state_machine_alias_arn)
    except api.ResourceNotFound:
        return api.DeleteStateMachineAliasOutput()
    await state.machines.store.aliases.change(machine.id, name, lambda held, others: None)
    state.machines.changed(machine)
    return api.DeleteStateMachineAliasOutput()


async def list_state_machine_aliases(
    state: StepFunctions, call: Call, request: api.ListStateMachineAliasesInput
) -> api.ListStateMachineAliasesOutput:
    """All of a machine's, or, asked by a version's ARN, those that lead to it."""
    parts = arns.parse(request.state_machine_arn)
    machine = await state.machines.machine(request.state_machine_arn)
    own(call, machine, request.state_machine_arn)
    list_name = f"aliases {machine.id}"
    size = pages.size(request.max_results)
    after = pages.after_in(list_name, request.next_token)
    aliases = await state.machines.store.aliases.named(machine.id, after, state.limits.aliases + 1)
    if parts.version is not None:
        aliases = [alias for alias in aliases if any(route.version == parts.version for route in alias.routes)]
    found, more = pages.cut(aliases, size)
    items = [
        api.StateMachineAliasListItem(
            state_machine_alias_arn=f"{machine.arn}:{alias.name}", creation_date=alias.created
        )
        for alias in found
    ]
    return api.ListStateMachineAliasesOutput(
        state_machine_aliases=items, next_token=pages.token_of(list_name, found[-1].name) if more else None
    )


async def _alias(state: StepFunctions, call: Call, text: str) -> tuple[Machine, str]:
    """The machine and the name that an alias's ARN tells. Raises InvalidArn, ResourceNotFound."""
    parts = arns.parse(text)
    if not parts.alias:
        raise api.ValidationException(f"The ARN must be that of a state machine alias. Received: [{text}]")
    machine = await state.machines.store.find(parts.account, parts.region, parts.name)
    if machine is None or (machine.account, machine.region) != (call.account, call.region):
        raise _gone()
    return machine, parts.alias


def _gone() -> AwsError:
    return api.ResourceNotFound(_GONE)


async def _routes(
    state: StepFunctions, call: Call, given: Sequence[api.RoutingConfigurationListItem]
) -> tuple[Machine, tuple[Route, ...]]:
    """The machine whose versions are named, and the routes. Raises ValidationException, ResourceNotFound."""
    texts = [item.state_machine_version_arn for item in given]
    received = f"Received: [{', '.join(texts)}]"
    parts = [arns.parse(text) for text in texts]
    if any(part.version is None for part in parts):
        raise api.ValidationException(f"Routing configuration must contain state machine version ARNs. {received}")
    if len(set(texts)) < len(texts):
        raise api.ValidationException(
            f"Routing configuration must contain distinct state machine version ARNs. {received}"
        )
    weights = [item.weight for item in given]
    if sum(weights) != 100:
        raise api.ValidationException(
            f"Sum of routing configuration weights must equal 100. Received: [{', '.join(map(str, weights))}]"
        )
    if len({part.plain for part in parts}) > 1:
        raise api.ValidationException(
            f"Routing configuration must contain versions of the same state machine. {received}"
        )
    first = parts[0]
    machine = await state.machines.store.find(first.account, first.region, first.name)
    if machine is None or (machine.account, machine.region) != (call.account, call.region):
        raise _gone()
    if machine.status == DELETING:
        raise api.StateMachineDeleting(f"State Machine is being deleted: '{machine.arn}'")
    for part in parts:
        if await state.machines.store.versions.find(machine.id, part.version or 0) is None:
            raise _gone()
    return machine, tuple(Route(part.version or 0, weight) for part, weight in zip(parts, weights, strict=True))

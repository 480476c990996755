"""State machines as executions find them: by any of their ARNs, from memory after the first time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from cumulet.api import stepfunctions as api
from cumulet.kernel.arn import Arn
from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.apart import Apart
from cumulet.services.stepfunctions.machines import arns
from cumulet.services.stepfunctions.machines.model import (
    DELETING,
    EXPRESS,
    Alias,
    Draw,
    Machine,
    MachineVersion,
    Revision,
    choose,
    draw,
)
from cumulet.services.stepfunctions.machines.store import MachineStore
from cumulet.storage.signals import Signals

_TOPIC = "stepfunctions-machines"
_MOST = 1_000
SMALL = 4_000
"""Characters of a definition that is read on the event loop; a megabyte takes seconds."""
_MOST_TEXT = 32 << 20
"""Of definitions that are remembered; their trees are some ten times as large."""


class Executions(Protocol):
    """What the engine knows of a machine's executions."""

    async def drained(self, machine_arn: str) -> None:
        """Wait until none runs."""
        ...

    async def forget(self, machine_arn: str) -> None:
        """Delete them all."""
        ...


async def compiled(apart: Apart, definition: str, type: str) -> asl.Machine:
    """The definition as a tree. Raises InvalidDefinition with AWS's message."""
    compile = partial(asl.compile, definition, "EXPRESS" if type == EXPRESS else "STANDARD")
    try:
        return compile() if len(definition) <= SMALL else await apart.run(compile)
    except asl.InvalidDefinition as error:
        raise api.InvalidDefinition(str(error)) from None


class Machines:
    """What the store says of machines. A change is seen by the next call, here and (by its signal) on other nodes."""

    def __init__(self, store: MachineStore, signals: Signals, apart: Apart, draw: Draw = draw) -> None:
        self.store = store
        self.tags = store.tags
        self.tagged: dict[str, Callable[[Arn], Awaitable[bool]]] = {"stateMachine": self._exists}
        """Which kinds of resources may have tags, and whether one is there; `build` adds those of others."""
        self.has_case: Callable[[str, str, str], bool] = lambda account, machine, case: False
        """Whether the mock configuration of an account has a test case of a machine."""
        self._signals = signals
        self._apart = apart
        self._draw = draw
        self._found: dict[str, MachineVersion] = {}
        self._aliases: dict[str, tuple[Alias, MachineVersion]] = {}
        self._revisions: dict[str, MachineVersion] = {}
        self._held = 0
        self._changes = 0
        signals.subscribe(_TOPIC, self._forget)

    async def find(self, arn: str) -> MachineVersion:
        """The machine with this ARN, or the version it names, or one that the alias it names draws.

        `#CASE` behind any of them asks for a test case of the mock configuration.
        Raises InvalidArn, StateMachineDoesNotExist, StateMachineDeleting; ValidationException for a test case that is not there.
        """
        held = self._found.get(arn)
        if held is not None:
            return held
        aliased = self._aliases.get(arn)
        if aliased is not None:
            return await self._drawn(arn, *aliased)
        plain, _, case = arn.partition("#")
        return await self._mocked(plain, case) if case else await self._look_up(arn)

    async def revision(self, key: str) -> MachineVersion:
        """The machine as it was at a revision (`MachineVersion.key`): what a running or past execution runs.

        It outlives later updates. Raises StateMachineDoesNotExist when the machine is gone.
        """
        held = self._revisions.get(key)
        if held is not None:
            return held
        plain, _, case = key.partition("#")
        if case:
            return replace(await self.revision(plain), mock=case)
        id, _, number = key.partition(".")
        revision = await self.store.revision(id, int(number))
        machine = await self.store.by_id(id)
        if revision is None or machine is None:
            raise arns.no_such_machine(key)
        return self._keep(self._revisions, key, await self._version(machine, revision))

    def changed(self, machine: Machine) -> None:
        """To be called once a change of a machine is durable."""
        self._signals.publish(_TOPIC, f"{machine.arn} {machine.id}".encode())

    async def machine(self, arn: str) -> Machine:
        """The machine that an ARN of it, its versions or aliases belongs to. Raises InvalidArn, StateMachineDoesNotExist."""
        parts = arns.parse(arn)
        machine = await self.store.find(parts.account, parts.region, parts.name)
        if machine is None:
            raise arns.no_such_machine(arn)
        return machine

    async def drain(self, machine: Machine, executions: Executions) -> None:
        """The rest of a machine's deletion, once it is marked: when its last execution has ended, all is forgotten."""
        await executions.drained(machine.arn)
        await executions.forget(machine.arn)
        await self.store.remove(machine)
        self.changed(machine)

    async def _exists(self, arn: Arn) -> bool:
        name = arn.resource.partition(":")[2]
        return await self.store.find(arn.account, arn.region, name) is not None

    async def _mocked(self, arn: str, case: str) -> MachineVersion:
        found = await self.find(arn)
        if not self.has_case(found.machine.account, found.name, case):
            raise api.ValidationException(
                f"The mock configuration has no test case '{case}' of the state machine '{found.name}'."
            )
        return replace(found, mock=case)

    async def _look_up(self, arn: str) -> MachineVersion:
        parts = arns.parse(arn)
        changes = self._changes
        machine = await self.machine(arn)
        if machine.status == DELETING:
            raise api.StateMachineDeleting(f"State Machine is being deleted: '{machine.arn}'")
        if parts.alias:
            alias = await self.store.aliases.find(machine.id, parts.alias)
            if alias is None:
                raise arns.no_such_machine(arn)
            plain = await self.find(machine.arn)
            if changes == self._changes and len(self._aliases) < _MOST:
                self._aliases[arn] = (alias, plain)
            return await self._drawn(arn, alias, plain)
        number = machine.revision
        if parts.version is not None:
            version = await self.store.versions.find(machine.id, parts.version)
            if version is None:
                raise arns.no_such_machine(arn)
            number = version.revision
        revision = await self.store.revision(machine.id, number)
        if revision is None:
            raise arns.no_such_machine(arn)
        found = await self._version(machine, revision, parts.version)
        return self._keep(self._found, arn, found) if changes == self._changes else found

    async def _drawn(self, arn: str, alias: Alias, plain: MachineVersion) -> MachineVersion:
        version = choose(alias.routes, self._draw())
        return replace(await self.find(f"{plain.arn}:{version}"), alias=alias.name)

    async def _version(self, machine: Machine, revision: Revision, version: int | None = None) -> MachineVersion:
        tree = await compiled(self._apart, revision.content.definition, machine.type)
        return MachineVersion(machine, revision, tree, version)

    def _keep(self, into: dict[str, MachineVersion], key: str, found: MachineVersion) -> MachineVersion:
        self._held += len(found.definition)
        if self._held > _MOST_TEXT or len(into) >= _MOST:
            self._found.clear()
            self._revisions.clear()
            self._held = len(found.definition)
        into[key] = found
        return found

    def _forget(self, payload: bytes) -> None:
        self._changes += 1
        arn, _, id = payload.decode().rpartition(" ")
        for known in (self._found, self._aliases):
            for key in [key for key in known if key == arn or key.startswith(f"{arn}:")]:
                del known[key]
        for key in [key for key in self._revisions if key.startswith(f"{id}.")]:
            del self._revisions[key]

"""What every kind of task needs: other services, as the role of its machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from cumulet.delivery.roles import Roles
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.engine.ports import Engine, Facts, TaskCall

if TYPE_CHECKING:
    from cumulet.kernel.web import Apis, Client
    from cumulet.services.stepfunctions.tasks.queue import ActivityQueue

SERVICE = "states.amazonaws.com"
Check = Callable[[str, str, Struct], None]
"""`check(service, operation, request)` raises the AwsError of a request that its model does not allow."""


class Parts(Struct, kw_only=True):
    """`check` validates requests as the wire would; `apis` are this node's, `client` calls addresses elsewhere."""

    calls: Calls
    roles: Roles
    clock: Clock
    engine: Engine
    check: Check
    client: Client | None
    apis: Apis | None
    queue: ActivityQueue

    async def acting(self, facts: Facts, credentials: dict[str, Any] | None = None) -> tuple[Call, Credential]:
        """A call as the machine's role makes it, or as the role of a task's Credentials. Raises StatesError."""
        call = Call(
            facts.account, facts.region, _NOBODY, new_id(), source_arn=facts.machine_arn, trace=facts.trace or ""
        )
        name = _session(facts.machine_arn)
        try:
            made = await self.roles.assume(call, facts.role_arn, name, SERVICE)
        except AwsError as error:
            raise StatesError(
                "States.Permissions",
                f"Step Functions cannot assume the role of the state machine, {facts.role_arn}: {error.message}",
            ) from error
        if made[0].account != facts.account:
            # On AWS a machine's role is of its own account. Where any ARN will do, it still acts there.
            made = replace(made[0], account=facts.account), made[1]
        if not credentials:
            return made
        role = credentials.get("RoleArn")
        if not isinstance(role, str):
            raise StatesError("States.Runtime", "The RoleArn of Credentials must be a string.", inner=True)
        try:
            return await self.roles.chain(made[0], role, name)
        except AwsError as error:
            raise StatesError(
                "States.Permissions",
                f"The role {facts.role_arn} is not authorized to assume the task state's role, {role}.",
            ) from error

    async def call_for(self, task: TaskCall) -> Call:
        """The call that a task makes."""
        return (await self.acting(task.facts, task.credentials))[0]


_NOBODY = Principal.service(SERVICE)


@lru_cache(4096)
def _session(machine_arn: str) -> str:
    """The name of a machine's sessions: 32 characters that tell nothing, as AWS's."""
    return hashlib.sha256(machine_arn.encode()).hexdigest()[:32]

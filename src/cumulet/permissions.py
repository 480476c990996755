"""Who may do what, asked of those that know: keys, identities and managed policies of IAM and STS, resources of their services."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from msgspec import Struct

from cumulet.gateway.authorize import Authorizer, Mode
from cumulet.gateway.dispatch import Dispatcher
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import NotImplementedHere
from cumulet.policy.compiled import CompiledPolicy
from cumulet.policy.identity import Identity


class Keyring(Protocol):
    """A service's access keys."""

    async def find(self, access_key: str, session_token: str | None) -> Credential | None:
        """The credential of a key; None when there is none."""

    def remembered(self, access_key: str, session_token: str | None) -> Credential | None:
        """The same of what was found lately; None for all else."""


class Permissions:
    """What the gateway, which knows no service, has to ask of them. Those that are asked are started for it."""

    def __init__(self, services: Dispatcher) -> None:
        self._services = services
        # Of IAM, once it runs: asked for by every call that is no root's.
        self._find_identity: Callable[[Principal, str], Awaitable[Identity]] | None = None
        self._note_use: Callable[[Call, str], None] | None = None
        self._users: Keyring | None = None  # of IAM
        self._sessions: Keyring | None = None  # of STS

    def authorizer(self, mode: Mode, now: Callable[[], float]) -> Authorizer:
        """What decides on each call; `mode` is the configuration's `iam`, `now` the node's clock."""
        return Authorizer(
            mode,
            identity=self._identity,
            managed=self._managed_policy,
            resource_policy=self._resource_policy,
            resource_owner=self._resource_owner,
            now=now,
            full_arn=self._full_arn,
            own_keys=self._own_keys,
            used=self._used,
        )

    async def find_key(self, access_key: str, session_token: str | None) -> Credential | None:
        """An access key, which may be unknown: sessions carry their own proof, users' keys are IAM's."""
        if session_token is not None:
            from cumulet.services import sts

            self._sessions = sts.keyring(await self._services.service("sts"))
            return await self._sessions.find(access_key, session_token)
        from cumulet.services import iam

        self._users = iam.keyring(await self._services.service("iam"))
        return await self._users.find(access_key, None)

    def remembered_key(self, access_key: str, session_token: str | None) -> Credential | None:
        """As `find_key`, of a key that was found lately; None for all others."""
        keyring = self._users if session_token is None else self._sessions
        return None if keyring is None else keyring.remembered(access_key, session_token)

    async def _identity(self, principal: Principal, role_arn: str) -> Identity:
        if self._find_identity is None:
            from cumulet.services import iam

            self._find_identity = iam.identities(await self._services.service("iam")).find
        return await self._find_identity(principal, role_arn)

    async def _managed_policy(self, account: str, arn: str) -> CompiledPolicy | None:
        from cumulet.services import iam

        return await iam.identities(await self._services.service("iam")).managed(account, arn)

    async def _resource_policy(self, service: str, call: Call, arn: str) -> str | None:
        running = self._services.running.get(service) or await self._services.service(service)
        return await running.resource_policy(call, arn) if running.resource_policy is not None else None

    async def _resource_owner(self, service: str, call: Call, arn: str) -> str | None:
        running = await self._services.service(service)
        return await running.resource_owner(call, arn) if running.resource_owner is not None else None

    async def _own_keys(self, service: str, call: Call, arn: str, request: Struct) -> Any:
        """A service that does not run yet is started: a key that nobody tells would make a denial that asks for it pass."""
        try:
            running = self._services.running.get(service) or await self._services.service(service)
        except NotImplementedHere:  # permissions of services that a node does not have are asked for, too
            return None
        return await running.condition_keys(call, arn, request) if running.condition_keys is not None else None

    async def _full_arn(self, service: str, call: Call, arn: str) -> str | None:
        if service == "kms":
            from cumulet.services import kms

            return await kms.key_of_alias(await self._services.service("kms"), arn)
        from cumulet.services import iam

        return await iam.full_arn(await self._services.service("iam"), arn)

    def _used(self, call: Call, service: str) -> None:
        """Keys and roles were used: IAM remembers when, once it runs (users' keys are found there)."""
        if self._note_use is None:
            if (running := self._services.running.get("iam")) is None:
                return
            from cumulet.services import iam

            self._note_use = iam.uses(running).note
        self._note_use(call, service)

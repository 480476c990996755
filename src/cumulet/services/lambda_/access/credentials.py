"""Credentials of execution roles: what a function's SDK calls are signed with."""

import asyncio
import logging
from collections import OrderedDict

from msgspec import Struct

from cumulet.delivery.roles import begin_session, development_credential
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.names import Owner

log = logging.getLogger(__name__)

_MARGIN = 900.0
"""Seconds before their end at which credentials are renewed: the longest an invocation may take."""
_KEPT = 20_000


class RoleCredentials(Struct, frozen=True, kw_only=True):
    """Variables for the environment, who they make the function, and when to renew them. `generation` counts renewals."""

    variables: dict[str, str]
    principal: Principal
    renew: float
    generation: int

    def __repr__(self) -> str:
        """Without the secrets."""
        return f"RoleCredentials(renew={self.renew}, generation={self.generation})"


class CredentialCache:
    """Sessions of execution roles by deployment, since each costs a call.

    `enforce`: permissions are enforced, so that a role which cannot be assumed fails the invocation. Otherwise such a function
    gets its account's development key, which anyone may use on such a node.
    """

    def __init__(self, calls: Calls, clock: Clock, enforce: bool) -> None:
        self._calls = calls
        self._clock = clock
        self._enforce = enforce
        self._known: OrderedDict[str, RoleCredentials] = OrderedDict()
        self._asking: dict[str, asyncio.Future[RoleCredentials]] = {}

    async def get(self, key: Owner, deployment: str, role: str) -> RoleCredentials:
        """Credentials good for an invocation that starts now; raises the AwsError of AssumeRole in enforce mode."""
        known = self._known.get(deployment)
        if known is not None and self._clock.now() < known.renew:
            return known
        asking = self._asking.get(deployment)
        if asking is None:
            generation = 0 if known is None else known.generation + 1
            asking = asyncio.ensure_future(self._ask(key, deployment, role, generation))
            self._asking[deployment] = asking
            asking.add_done_callback(lambda _: self._asking.pop(deployment, None))
        return await asyncio.shield(asking)

    def forget(self, deployment: str) -> None:
        self._known.pop(deployment, None)

    async def _ask(self, key: Owner, deployment: str, role: str, generation: int) -> RoleCredentials:
        variables, principal = await self.assume(key, role)
        renew = self._clock.now() + 3600.0 - _MARGIN
        credentials = RoleCredentials(variables=variables, principal=principal, renew=renew, generation=generation)
        self._known[deployment] = credentials
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return credentials

    async def assume(self, key: Owner, role: str) -> tuple[dict[str, str], Principal]:
        """A session's variables and principal, asked for now; raises the AwsError of AssumeRole in enforce mode."""
        principal = Principal.service("lambda.amazonaws.com", key.account)
        call = Call(key.account, key.region, principal, new_id(), source_arn=key.arn)
        try:
            credential = await begin_session(self._calls, call, role, key.name)
        except AwsError as error:
            if self._enforce:
                raise
            log.warning("%s runs with its account's development key: %s (%s)", key.arn, error.message, role)
            credential = development_credential(key.account)
        return _variables(credential), credential.principal


def _variables(credential: Credential) -> dict[str, str]:
    variables = {"AWS_ACCESS_KEY_ID": credential.access_key, "AWS_SECRET_ACCESS_KEY": credential.secret or ""}
    token = credential.session_token
    return {**variables, "AWS_SESSION_TOKEN": token} if token else variables

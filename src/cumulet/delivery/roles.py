"""Acting as a role: what services do for a customer (tasks of a workflow, integrations of an API) they do as a role that trusts them."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import sts
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError

log = logging.getLogger(__name__)

SESSION = 3600
"""Seconds that a session lasts."""
_FRESH = 60.0
"""Seconds for which a session is used again: a role that was deleted and made anew is another one, which old sessions are not of."""
_KEPT = 10_000

_Key = tuple[str, str, str, str, str]


class _Session(Struct, frozen=True):
    credential: Credential
    renew: float


class Roles:
    """Sessions of roles, each used for a minute, since each costs a call.

    `enforce`: permissions are enforced, so that a role which cannot be assumed is an error. Otherwise the account's root
    takes its place, as it may do anything there, and the log says so once a session.
    """

    def __init__(self, calls: Calls, clock: Clock, enforce: bool) -> None:
        self._calls = calls
        self._clock = clock
        self._enforce = enforce
        self._known: OrderedDict[_Key, _Session] = OrderedDict()
        self._asking: dict[_Key, asyncio.Future[Credential]] = {}

    async def assume(
        self, call: Call, role_arn: str, session_name: str, service_principal: str
    ) -> tuple[Call, Credential]:
        """`call` as the role makes it, and the credential behind it; good for most of an hour.

        `call` tells the account and region of the resource that acts (an API, a state machine), its ARN in `source_arn`;
        `service_principal` is who asks, such as `states.amazonaws.com`. `session_name` has 2 to 64 characters of `\\w+=,.@-`.
        Raises the AwsError of AssumeRole in enforce mode.
        """
        if ":user/" in role_arn:  # not even where the root takes a role's place
            raise AwsError(f"{role_arn} is not a role.", code="AccessDenied", status=403)
        key = (role_arn, session_name, service_principal, call.account, call.source_arn)
        credential = self._remembered(key)
        if credential is None:
            asker = replace(call, principal=Principal.service(service_principal, call.account), access_key="")
            credential = await self._ask(key, asker)
        return acting(call, credential), credential

    async def chain(self, call: Call, role_arn: str, session_name: str) -> tuple[Call, Credential]:
        """The same where `call` is a role's already, and that role takes on another one, of whatever account."""
        key = (role_arn, session_name, call.principal.arn, call.account, "")
        credential = self._remembered(key)
        if credential is None:
            credential = await self._ask(key, call)
        return acting(call, credential), credential

    def _remembered(self, key: _Key) -> Credential | None:
        known = self._known.get(key)
        return known.credential if known is not None and self._clock.now() < known.renew else None

    async def _ask(self, key: _Key, asker: Call) -> Credential:
        """Who asks while the same is being asked waits for that answer."""
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = asyncio.ensure_future(self._renew(key, asker))
            asking.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(asking)

    async def _renew(self, key: _Key, asker: Call) -> Credential:
        role_arn, session_name = key[:2]
        try:
            credential = await begin_session(self._calls, asker, role_arn, session_name)
        except AwsError as error:
            if self._enforce:
                raise
            account = _account_of(role_arn) or asker.account
            log.warning("%s acts as the root of %s: %s (%s)", key[4] or key[2], account, error.message, role_arn)
            credential = development_credential(account)
        self._known[key] = _Session(credential, self._clock.now() + _FRESH)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return credential


async def begin_session(calls: Calls, call: Call, role_arn: str, session_name: str) -> Credential:
    """Credentials of a new session of the role, for `call`'s principal; raises the AwsError of AssumeRole."""
    request = sts.AssumeRoleRequest(role_arn=role_arn, role_session_name=session_name, duration_seconds=SESSION)
    answer: sts.AssumeRoleResponse = await calls.run(call, "sts", "AssumeRole", request)
    session, user = answer.credentials, answer.assumed_role_user
    if session is None or user is None:
        raise AwsError("AssumeRole answered without credentials.", code="ServiceException", status=500)
    principal = Principal("assumed-role", user.arn, user.assumed_role_id, _account_of(user.arn))
    return Credential(
        access_key=session.access_key_id,
        secret=session.secret_access_key,
        principal=principal,
        session_token=session.session_token,
        expires=session.expiration,
        role_arn=role_arn,
    )


def development_credential(account: str) -> Credential:
    """The account's root, by the key that anyone may use where permissions are not enforced."""
    return Credential(access_key=account, secret="test", principal=Principal.root(account))  # noqa: S106  no secret


def acting(call: Call, credential: Credential) -> Call:
    """`call` as the principal of the credential makes it, in that principal's account."""
    principal = credential.principal
    return replace(
        call, account=principal.account, principal=principal, access_key=credential.access_key, source_arn=""
    )


def _account_of(arn: str) -> str:
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[4].isdecimal() and len(parts[4]) == 12 else ""

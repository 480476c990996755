"""What the operations of STS share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct

from cumulet.api import sts as api
from cumulet.kernel.call import Call, Principal
from cumulet.services.sts.sessions import Issued, Session, Sessions, session_key


class RoleFacts(Protocol):
    """What STS must know of a role; IAM has it."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def max_session(self) -> int: ...
    @property
    def trust(self) -> str: ...


FindRole = Callable[[str], Awaitable[RoleFacts | None]]
"""A role by its ARN; None when there is none."""


class Sts(Struct, frozen=True):
    """`now` is real time in seconds: clients judge expiry, and sign, by their own clocks."""

    sessions: Sessions
    find_role: FindRole
    now: Callable[[], float]

    def issue(
        self,
        principal: Principal,
        duration: int,
        *,
        role_arn: str = "",
        policies: tuple[str, ...] = (),
        tags: dict[str, str] | None = None,
        transitive: tuple[str, ...] = (),
        source_identity: str = "",
    ) -> Issued:
        """Credentials of a session of `principal` that last `duration` seconds."""
        issued = int(self.now())
        return self.sessions.issue(
            Session(
                access_key=session_key(principal.account),
                principal=principal,
                expires=issued + duration,
                issued=issued,
                role_arn=role_arn,
                policies=policies,
                tags=tags or {},
                transitive=transitive,
                source_identity=source_identity,
            )
        )


def wire_credentials(issued: Issued) -> api.Credentials:
    return api.Credentials(
        access_key_id=issued.access_key,
        secret_access_key=issued.secret,
        session_token=issued.token,
        expiration=issued.expires,
    )


def is_session(call: Call) -> bool:
    """Whether the caller itself has temporary credentials."""
    return call.principal.kind in ("assumed-role", "federated-user")

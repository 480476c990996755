"""Access keys, and how the gateway finds out whose they are."""

from typing import Any

from msgspec import Struct

from cumulet.kernel.call import Principal


class Credential(Struct, frozen=True):
    """An access key that may sign requests.

    `secret` is None for development keys, which are accepted whatever they were signed with. Temporary credentials have
    the `session_token` that must come with them and `expires`, in seconds since 1970. `session_policy` further limits
    what the session may do (the Policy and PolicyArns of AssumeRole); `role_arn` is the role a session stands for.
    """

    access_key: str
    secret: str | None
    principal: Principal
    session_token: str | None = None
    expires: float | None = None
    role_arn: str = ""
    session_policy: tuple[str, ...] = ()
    session_tags: dict[str, str] = {}
    source_identity: str = ""
    region: str = ""
    extra: dict[str, Any] = {}

    def __repr__(self) -> str:
        """Without the secret: a credential may end up in a log line."""
        return f"Credential({self.access_key}, {self.principal.arn})"

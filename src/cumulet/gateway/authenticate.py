"""From a request's signature to who sent it."""

import re
from collections.abc import Awaitable, Callable

from cumulet.gateway.strangers import is_of_another_site
from cumulet.kernel.call import ANONYMOUS, Principal
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError
from cumulet.wire import sigv4
from cumulet.wire.http import HttpRequest

_ACCOUNT_KEY = re.compile(r"[0-9]{12}")
_KEPT = 10_000


class Authenticator:
    """Checks signatures against the keys that `find` knows; `remembered` gives those that need not be looked for.

    `wall` gives real time: clients sign with theirs, whatever the node's own clock was moved to. Development keys (twelve
    digits, or `test` for `account`) are that account's root and pass with any secret; they exist only on nodes that other
    machines cannot reach.
    """

    def __init__(
        self,
        *,
        find: Callable[[str, str | None], Awaitable[Credential | None]],
        remembered: Callable[[str, str | None], Credential | None],
        wall: Callable[[], float],
        development_keys: bool,
        account: str,
    ) -> None:
        self.account = account
        self._find = find
        self._remembered = remembered
        self._wall = wall
        self._development_keys = development_keys
        self._roots: dict[str, Credential] = {}  # of development keys that were used, so none where there are none

    async def identify(self, request: HttpRequest, signed: sigv4.Signed | None, style: sigv4.Style) -> Credential:
        """Who signed the request; anonymous when nobody did. Raises the service's own authentication errors."""
        if (known := self.known(request, signed, style)) is not None:
            return known
        assert signed is not None
        credential = await self._find(signed.access_key, signed.session_token)
        if credential is None:
            raise sigv4.unknown_key(signed, style)
        self._check(request, signed, credential, style)
        return credential

    def _check(self, request: HttpRequest, signed: sigv4.Signed, credential: Credential, style: sigv4.Style) -> None:
        """Raises unless the request was signed with the credential, which has not expired."""
        if credential.session_token is not None and credential.session_token != signed.session_token:
            raise sigv4.invalid_token(style)
        now = self._wall()
        if credential.expires is not None and credential.expires <= now:
            raise sigv4.expired_token(style)
        sigv4.verify(request, signed, credential.secret, now, style)

    def known(self, request: HttpRequest, signed: sigv4.Signed | None, style: sigv4.Style) -> Credential | None:
        """As `identify`, for whom nobody needs to be asked about; None for everybody else."""
        if signed is None:
            self._check_site(request, style)
            return ANYBODY
        key = signed.access_key
        credential = self._roots.get(key) or self._development(key)
        if credential is not None:
            self._check_site(request, style)
        else:
            credential = self._remembered(key, signed.session_token)
            if credential is None:
                return None
        self._check(request, signed, credential, style)
        return credential

    def _check_site(self, request: HttpRequest, style: sigv4.Style) -> None:
        """Where anybody may do anything, a page of another site that a developer has open may not.

        Buckets have pages and CORS of their own.
        """
        if self._development_keys and style != "s3" and is_of_another_site(request):
            message = "A page of another site may call this node with a user's or role's credentials only."
            raise AwsError(message, code="AccessDenied", status=403)

    def now(self) -> float:
        """Real time, which clients sign with."""
        return self._wall()

    async def credential(self, access_key: str, session_token: str | None) -> Credential | None:
        """The credential behind a key id, for signatures that are checked elsewhere; None when there is none that is valid."""
        found = self._roots.get(access_key) or self._development(access_key)
        found = found or await self._find(access_key, session_token)
        if found is None or (found.session_token is not None and found.session_token != session_token):
            return None
        return None if found.expires is not None and found.expires <= self._wall() else found

    def _development(self, access_key: str) -> Credential | None:
        if not self._development_keys:
            return None
        if access_key == "test":
            account = self.account
        elif _ACCOUNT_KEY.fullmatch(access_key):
            account = access_key
        else:
            return None
        if len(self._roots) >= _KEPT:
            self._roots.clear()
        found = self._roots[access_key] = Credential(access_key, None, Principal.root(account))
        return found


ANYBODY = Credential("", None, ANONYMOUS)

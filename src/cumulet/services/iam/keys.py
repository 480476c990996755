"""Users' access keys, found again for every request: remembered until something in their account changes."""

from collections.abc import Callable

from cumulet.kernel.call import Principal
from cumulet.kernel.credentials import Credential
from cumulet.services.iam.model import User
from cumulet.services.iam.store import IamStore, Key
from cumulet.storage.seal import Seal

_TRUSTED_FOR = 10.0
_KEPT = 10_000


class Keys:
    """The keyring of IAM, for the gateway. `seal` opens the secrets."""

    def __init__(self, store: IamStore, seal: Seal, clock: Callable[[], float]) -> None:
        self._store = store
        self._seal = seal
        self._clock = clock
        self._known: dict[str, tuple[float, Credential | None]] = {}
        self._keys_of: dict[str, set[str]] = {}
        self._changes = 0

    def forget(self, account: str) -> None:
        self._changes += 1
        for access_key in self._keys_of.pop(account, ()):
            self._known.pop(access_key, None)

    def remembered(self, access_key: str, session_token: str | None) -> Credential | None:
        """As `find`, of what was found lately; None for all else."""
        known = self._known.get(access_key) if session_token is None else None
        return known[1] if known is not None and self._clock() - known[0] < _TRUSTED_FOR else None

    async def find(self, access_key: str, session_token: str | None) -> Credential | None:
        """The credential of an active key; None when there is none, or it came with a session token."""
        if session_token is not None:
            return None
        known = self._known.get(access_key)
        now = self._clock()
        if known is not None and now - known[0] < _TRUSTED_FOR:
            return known[1]
        changes = self._changes
        key = await self._store.key(access_key)
        if key is None:
            return None  # not remembered: anyone could fill the memory with keys that are not there
        credential = await self._credential(key) if key.status == "Active" else None
        if changes != self._changes:
            return credential  # not remembered either: it may be what was there before the change
        if len(self._known) >= _KEPT:
            self._known.clear()
            self._keys_of.clear()
        self._known[access_key] = (now, credential)
        self._keys_of.setdefault(key.account, set()).add(access_key)
        return credential

    async def _credential(self, key: Key) -> Credential | None:
        secret = self._seal.open(key.sealed, key.access_key)
        if key.owner == key.account:
            return Credential(key.access_key, secret, Principal.root(key.account))
        user = await self._store.view(key.account).by_id(User, key.owner)
        if user is None:
            return None
        principal = Principal("user", user.arn(key.account), user.id, key.account)
        return Credential(key.access_key, secret, principal)

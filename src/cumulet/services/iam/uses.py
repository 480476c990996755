"""When keys and roles were last used: noted in memory on every call, written down now and then."""

from collections.abc import Callable

from cumulet.kernel.call import Call
from cumulet.services.iam.model import Role
from cumulet.services.iam.store import IamStore

_KEPT = 100_000

Use = tuple[int, str, str]
"""When (seconds since 1970), for which service, in which region."""


class Uses:
    """`clock` gives the time in seconds."""

    def __init__(self, store: IamStore, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._keys: dict[str, Use] = {}
        self._roles: dict[tuple[str, str], Use] = {}

    def note(self, call: Call, service: str) -> None:
        """A call was let in."""
        kind = call.principal.kind
        if kind == "user" and call.access_key and len(self._keys) < _KEPT:
            self._keys[call.access_key] = (int(self._clock()), service, call.region)
        elif kind == "assumed-role" and len(self._roles) < _KEPT:
            role_id = call.principal.id.partition(":")[0]
            self._roles[call.principal.account, role_id] = (int(self._clock()), service, call.region)

    def of_key(self, access_key: str) -> Use | None:
        """A use that is not written down yet."""
        return self._keys.get(access_key)

    async def write(self) -> None:
        """Write down what was noted since the last time."""
        keys, self._keys = self._keys, {}
        roles, self._roles = self._roles, {}
        if keys:
            await self._store.record_use(keys)
        for (account, role_id), (when, _, region) in roles.items():
            async with self._store.change(account) as change:
                role = await change.by_id(Role, role_id)
                if role is not None:
                    role.used, role.used_region = when, region
                    await change.put(role)

"""What the operations of KMS share."""

from __future__ import annotations

from msgspec import Struct

from cumulet.kernel.call import Call
from cumulet.kernel.clock import Clock
from cumulet.services.kms import names
from cumulet.services.kms.aliases_store import AliasStore
from cumulet.services.kms.grants_store import GrantStore
from cumulet.services.kms.managed import Managed
from cumulet.services.kms.model import Key, check_usable
from cumulet.services.kms.store import KeyStore
from cumulet.services.kms.vault import Vault
from cumulet.services.kms.workers import Keeper
from cumulet.storage.seal import Seal


class Kms(Struct, frozen=True):
    """The parts of the service. `tokens` seals import tokens."""

    keys: KeyStore
    aliases: AliasStore
    grants: GrantStore
    vault: Vault
    managed: Managed
    keeper: Keeper
    clock: Clock
    tokens: Seal

    async def key(self, call: Call, text: str) -> Key:
        """The key that a request names, in whatever way; raises NotFoundException."""
        name = names.parse(call, text)
        key_id = name.key_id
        if name.alias:
            key_id = await self.aliases.target(name) or await self.managed.make(name) or ""
        found = await self.find(name.account, name.region, key_id) if key_id else None
        if found is None:
            raise names.not_found(name)
        return found

    async def find(self, account: str, region: str, key_id: str) -> Key | None:
        """A key as it is by now: what time has brought is done before anybody looks."""
        found = await self.keys.find(account, region, key_id)
        if found is None or found.due is None or found.due > self.clock.now():
            return found
        await self.keeper.do(found, self.clock.now())
        return await self.keys.find(account, region, key_id)

    def material_changed(self, key: Key) -> None:
        """Some of an external key's was imported or deleted."""
        self.vault.forget(key)
        self.keeper.wake()

    async def usable(self, call: Call, text: str) -> Key:
        """The same; raises what AWS says of a key that may not be used as it is."""
        key = await self.key(call, text)
        check_usable(key)
        return key

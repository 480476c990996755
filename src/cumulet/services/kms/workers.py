"""What time does to keys: deletes them, rotates them, lets imported material expire."""

from __future__ import annotations

import asyncio
import logging

from msgspec.structs import replace

from cumulet.kernel.clock import Clock, wait_until
from cumulet.services.kms import rotating
from cumulet.services.kms.model import DAY, ENABLED, PENDING_DELETION, PENDING_IMPORT, Key
from cumulet.services.kms.store import KeyStore, locked, materials_of, put, put_material
from cumulet.services.kms.vault import Vault

log = logging.getLogger(__name__)


class Keeper:
    """Waits for the next moment that a key has, and does what is due. `wake` tells that a key has another one now."""

    def __init__(self, store: KeyStore, vault: Vault, clock: Clock) -> None:
        self._store = store
        self._vault = vault
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        self._woken.set()

    async def work(self) -> None:
        while True:
            self._woken.clear()
            now = self._clock.now()
            for key in await self._store.due(now):
                try:
                    await self.do(key, now)
                except Exception:
                    log.exception(
                        "%s could not be changed as it should have been by now; tried again in a minute", key.arn
                    )
                    await self._clock.sleep(60)
            await wait_until(self._clock, await self._store.next_due(), self._woken)

    async def do(self, key: Key, now: float) -> None:
        """What is due of this key; nothing when it was done, or called off, since the key was read."""
        if key.state == PENDING_DELETION:
            if await self._store.remove(key, now):
                self._vault.forget(key)
        elif key.valid_to is not None and key.valid_to <= now and key.state != PENDING_IMPORT:
            await self._expire(key, now)
        else:
            await self._rotate(key, now)

    async def _expire(self, key: Key, now: float) -> None:
        """Material whose time is over is deleted; the key waits for it to be imported again."""
        async with self._store.db.transaction() as tx:
            found = await locked(tx, key)
            if found.valid_to != key.valid_to:
                return
            for material in await materials_of(tx, found):
                if material.valid_to is not None and material.valid_to <= now:
                    await put_material(tx, found, replace(material, sealed="", valid_to=None, expiration=""))
            await put(tx, replace(found, state=PENDING_IMPORT, valid_to=None, expiration=""))
        self._vault.forget(key)

    async def _rotate(self, key: Key, now: float) -> None:
        """Replicas have no time of their own: they follow their primary."""
        if key.state == ENABLED and key.rotation_days and key.next_rotation is not None and key.next_rotation <= now:
            at = key.next_rotation
            await rotating.rotate(self._store, self._vault, key, at, rotating.AUTOMATIC, at + key.rotation_days * DAY)

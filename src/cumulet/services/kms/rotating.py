"""New material in place of the old, in every region that a key is in. What the old encrypted still opens."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.services.kms import vault
from cumulet.services.kms.model import CURRENT, NON_CURRENT, PENDING_ROTATION, THEIRS, Key, Material
from cumulet.services.kms.store import KeyStore, locked, materials_of, put, put_material
from cumulet.services.kms.vault import Vault

AUTOMATIC, ON_DEMAND = "AUTOMATIC", "ON_DEMAND"


async def rotate(
    store: KeyStore, strongbox: Vault, key: Key, now: float, kind: str, next_rotation: float | None
) -> None:
    """Rotate at `now`; `kind` is AUTOMATIC or ON_DEMAND. An imported key takes the material that waits for it."""
    secret, _ = await vault.generate(key.spec) if key.origin != THEIRS else (b"", b"")
    related = await store.related(key)
    async with store.db.transaction() as tx:
        if kind == AUTOMATIC and (await locked(tx, key)).next_rotation != key.next_rotation:
            return
        for each in related:
            found = await locked(tx, each)
            materials = await materials_of(tx, found)
            chosen = _chosen(strongbox, found, materials, secret)
            if chosen is None:
                continue
            for material in materials:
                if material.state == CURRENT:
                    await put_material(tx, found, replace(material, state=NON_CURRENT))
            await put_material(tx, found, replace(chosen, state=CURRENT, rotated=now, rotation=kind))
            changed = replace(found, material=chosen.id, next_rotation=next_rotation)
            if found.origin == THEIRS:
                changed = replace(changed, expiration=chosen.expiration, valid_to=chosen.valid_to)
            await put(tx, changed)


def _chosen(strongbox: Vault, key: Key, materials: list[Material], secret: bytes) -> Material | None:
    if key.origin == THEIRS:
        return next((material for material in materials if material.state == PENDING_ROTATION), None)
    return strongbox.material(key, secret, len(materials))

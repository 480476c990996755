"""Key material: made here, sealed with the node's key where it is stored, opened when it is used."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from cumulet.services.kms.model import CURRENT, Key, Material
from cumulet.services.kms.specs import SECRET_BYTES
from cumulet.services.kms.store import KeyStore
from cumulet.storage.seal import Seal

if TYPE_CHECKING:
    from cumulet.services.kms.crypto.asymmetric import Private

_REMEMBERED = 1_000


def material_id(key_id: str, secret: bytes) -> str:
    """The id of material: the same for the same material of the same key, so that what is imported again is recognised."""
    return hashlib.sha256(b"cumulet kms material\0" + key_id.encode() + b"\0" + secret).hexdigest()


async def generate(spec: str) -> tuple[bytes, bytes]:
    """New material of a spec, and its public half (DER; empty where there is none). RSA takes seconds, so not on the loop."""
    size = SECRET_BYTES.get(spec)
    if size is not None:
        return os.urandom(size), b""
    from cumulet.services.kms.crypto import asymmetric  # noqa: PLC0415  cryptography is loaded when a key needs it

    return await asyncio.to_thread(asymmetric.generate, spec)


class Opened(NamedTuple):
    """Material as it is used."""

    id: str
    secret: bytes


class Vault:
    """Opens material, and remembers what was used lately."""

    def __init__(self, store: KeyStore, secret: bytes) -> None:
        self._store = store
        self._seal = Seal(secret, "kms")
        self._open: dict[tuple[str, str, str, str], Opened] = {}
        self._private: dict[tuple[str, str, str, str], Private] = {}

    def close(self, key: Key, id: str, secret: bytes) -> str:
        """Material as it is stored: it opens as this key's alone."""
        return self._seal.close(base64.b64encode(secret).decode(), f"{key.arn}/{id}")

    def material(self, key: Key, secret: bytes, number: int) -> Material:
        """New material of a key, sealed: what it encrypts with from now on."""
        id = material_id(key.id, secret)
        return Material(id=id, number=number, state=CURRENT, sealed=self.close(key, id, secret))

    async def open(self, key: Key, id: str) -> Opened | None:
        """The material of an id, or of the id that begins so; None when the key has none."""
        place = (key.account, key.region, key.id, id)
        found = self._open.get(place)
        if found is None:
            for material in await self._store.materials(key):
                if material.id.startswith(id) and material.sealed:
                    found = Opened(material.id, self.secret(key, material))
                    break
            else:
                return None
            _remember(self._open, place, found)
        return found

    def secret(self, key: Key, material: Material) -> bytes:
        """What is sealed in a row."""
        return base64.b64decode(self._seal.open(material.sealed, f"{key.arn}/{material.id}"))

    async def private(self, key: Key) -> Private:
        """The private half of an asymmetric key, ready to be used."""
        from cumulet.services.kms.crypto import asymmetric  # noqa: PLC0415  cryptography is loaded when a key needs it

        place = (key.account, key.region, key.id, key.material)
        found = self._private.get(place)
        if found is None:
            found = asymmetric.load(await self.current(key))
            _remember(self._private, place, found)
        return found

    async def current(self, key: Key) -> bytes:
        """The material that a usable key encrypts with."""
        found = await self.open(key, key.material)
        assert found is not None, f"{key.arn} is {key.state} and has no material"
        return found.secret

    def forget(self, key: Key) -> None:
        """Material of this key was deleted."""
        for place in {*self._open, *self._private}:
            if place[:3] == (key.account, key.region, key.id):
                self._open.pop(place, None)
                self._private.pop(place, None)


def _remember(remembered: dict[Any, Any], place: tuple[str, str, str, str], value: object) -> None:
    while len(remembered) >= _REMEMBERED:
        del remembered[next(iter(remembered))]
    remembered[place] = value

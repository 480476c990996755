"""Secrets at rest: what a database holds of them is of no use without the node's key, which lies beside it, not in it."""

import base64
import hashlib
import hmac
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class Seal:
    """Encrypts short texts (AES-256-GCM) with a key of their own `purpose`, made from the node's `key`."""

    def __init__(self, key: bytes, purpose: str) -> None:
        self._key = hmac.digest(key, b"cumulet seal " + purpose.encode(), hashlib.sha256)

    def close(self, text: str, name: str) -> str:
        """The text as it is stored. `name` is whose it is: under another name it does not open."""
        nonce = os.urandom(_NONCE)
        return base64.b64encode(nonce + self._cipher().encrypt(nonce, text.encode(), name.encode())).decode()

    def open(self, sealed: str, name: str) -> str:
        """Raises SealBroken when it was changed, moved to another name, or closed with another key."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  see _cipher

        data = base64.b64decode(sealed)
        try:
            return self._cipher().decrypt(data[:_NONCE], data[_NONCE:], name.encode()).decode()
        except InvalidTag as error:
            raise SealBroken(
                f"What is stored for {name} does not open with this node's key: the data folder's `key` file was replaced."
            ) from error

    def _cipher(self) -> "AESGCM":
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  time and memory few nodes need

        return AESGCM(self._key)


class SealBroken(Exception):
    """A secret that cannot be read."""

"""Tokens for endpoints: JSON Web Encryption with a key of the node's, so that they cannot be made or changed elsewhere.

https://www.rfc-editor.org/rfc/rfc7516 (compact serialization; `dir`, `A256GCM`)
"""

import base64
import binascii
import hashlib
import hmac
import os
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE, _TAG = 12, 16
_LONGEST = 8000
_KEPT = 10_000


class BadToken(Exception):
    """It is no token of this node."""


class Grant(Struct, frozen=True, kw_only=True):
    """What a token allows: requests to ports (pairs of the first and the last) of one MicroVM until a time of the node's clock."""

    microvm: str
    expires: float
    ports: tuple[tuple[int, int], ...] = ()
    terminal: bool = False

    def allows(self, port: int) -> bool:
        return any(first <= port <= last for first, last in self.ports)


class Tokens:
    """Makes and reads them."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"cumulet microvm tokens", hashlib.sha256)
        kid = hmac.digest(secret, b"cumulet microvm token key", hashlib.sha256).hex()[:32]
        name = f"{kid[:8]}-{kid[8:12]}-{kid[12:16]}-{kid[16:20]}-{kid[20:]}"
        self._head = _text(msgspec.json.encode({"kid": name, "alg": "dir", "enc": "A256GCM"}))
        self._made: AESGCM | None = None
        self._known: dict[str, Grant] = {}

    def make(self, grant: Grant) -> str:
        nonce = os.urandom(_NONCE)
        sealed = self._cipher().encrypt(nonce, msgspec.json.encode(grant), self._head.encode())
        return f"{self._head}..{_text(nonce)}.{_text(sealed[:-_TAG])}.{_text(sealed[-_TAG:])}"

    def read(self, token: str) -> Grant:
        """What it allows, whether that is over or not. Raises BadToken."""
        known = self._known.get(token)
        if known is not None:
            return known
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415  see _cipher

        parts = token.split(".") if len(token) <= _LONGEST and token.isascii() else []
        if len(parts) != 5 or parts[0] != self._head or parts[1]:
            raise BadToken
        try:
            nonce, text, tag = (_bytes(part) for part in parts[2:])
            whole = self._cipher().decrypt(nonce, text + tag, self._head.encode())
            grant = msgspec.json.decode(whole, type=Grant)
        except (InvalidTag, binascii.Error, ValueError, msgspec.DecodeError):
            raise BadToken from None
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[token] = grant
        return grant

    def _cipher(self) -> "AESGCM":
        if self._made is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415  time and memory few nodes need

            self._made = AESGCM(self._key)
        return self._made


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)

"""What KMS's opaque values tell of themselves: which key a ciphertext or a grant token belongs to.

Permissions for `Decrypt` are those of the key that the ciphertext names, so they must be known before the service looks at it.
A ciphertext is a header (below), a nonce of 12 bytes, and AES-256-GCM's output; the header is authenticated with it.
"""

import base64
import binascii
import struct
from typing import NamedTuple

_LAYOUT = struct.Struct(">BBQ16s16s")
_VERSION = 2
_MULTI_REGION = 1
SIZE = _LAYOUT.size
"""Bytes of a header."""


class Header(NamedTuple):
    """The key that encrypted: its account, its id, and the first 16 bytes of the id of its material."""

    account: str
    key_id: str
    material: bytes

    def pack(self) -> bytes:
        """The header as a ciphertext begins with it."""
        multi = self.key_id.startswith("mrk-")
        digits = self.key_id.removeprefix("mrk-").replace("-", "")
        return _LAYOUT.pack(_VERSION, multi, int(self.account), bytes.fromhex(digits), self.material)


def read(ciphertext: bytes) -> Header | None:
    """The header of a ciphertext; None when it is none of KMS's."""
    if len(ciphertext) < SIZE or ciphertext[0] != _VERSION or ciphertext[1] > _MULTI_REGION:
        return None
    _, multi, account, key_id, material = _LAYOUT.unpack_from(ciphertext)
    if account >= 10**12:
        return None
    digits = key_id.hex()
    dashed = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    return Header(f"{account:012d}", f"mrk-{digits}" if multi else dashed, material)


class Grant(NamedTuple):
    """What a grant token is for: the key's ARN, and the grant's id."""

    key_arn: str
    id: str

    def token(self) -> str:
        """Tokens are no secrets: whoever has one needs the permission all the same."""
        return base64.b64encode(f"{self.key_arn} {self.id}".encode()).decode()


def read_token(token: str) -> Grant | None:
    """The grant that a token means; None when it is no token."""
    try:
        arn, space, id = base64.b64decode(token, validate=True).decode().partition(" ")
    except (binascii.Error, ValueError):
        return None
    return Grant(arn, id) if space and arn.startswith("arn:") else None

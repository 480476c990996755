"""Ciphertexts of symmetric keys: a header that names key and material, a nonce, AES-256-GCM's output.

Header and encryption context are authenticated, so a ciphertext opens with its own key, its own context, and unchanged, or not
at all.
"""

import os
import struct
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cumulet.policy.ciphertexts import SIZE, Header

_NONCE = 12
_LENGTH = struct.Struct(">I")


class Unopened(Exception):
    """The ciphertext is not what this key and this context made."""


def canonical(context: Mapping[str, str] | None) -> bytes:
    """An encryption context as bytes: pairs in the order of their keys, each text behind its length."""
    parts = []
    for name, value in sorted((context or {}).items()):
        for text in (name.encode("utf-8", "surrogatepass"), value.encode("utf-8", "surrogatepass")):
            parts += [_LENGTH.pack(len(text)), text]
    return b"".join(parts)


def encrypt(secret: bytes, header: Header, context: Mapping[str, str] | None, plaintext: bytes) -> bytes:
    """The ciphertext blob."""
    head, nonce = header.pack(), os.urandom(_NONCE)
    return head + nonce + AESGCM(secret).encrypt(nonce, plaintext, head + canonical(context))


def decrypt(secret: bytes, context: Mapping[str, str] | None, blob: bytes) -> bytes:
    """The plaintext; raises Unopened."""
    head, nonce, sealed = blob[:SIZE], blob[SIZE : SIZE + _NONCE], blob[SIZE + _NONCE :]
    try:
        return AESGCM(secret).decrypt(nonce, sealed, head + canonical(context))
    except (InvalidTag, ValueError):
        raise Unopened from None

"""Identifiers that AWS clients see. All randomness of the platform comes from here."""

import os
import secrets
import uuid

_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


def new_id() -> str:
    """A version 4 UUID: request ids, message ids, revision ids."""
    return str(uuid.UUID(bytes=os.urandom(16), version=4))


def unique_id(prefix: str, length: int = 21) -> str:
    """An IAM unique id: a prefix such as AIDA, AROA or AKIA, then upper-case base-32 to `length` characters in all."""
    return prefix + "".join(secrets.choice(_UPPER) for _ in range(length - len(prefix)))


def token(bytes_: int = 16) -> str:
    """Lower-case hexadecimal, two characters a byte."""
    return os.urandom(bytes_).hex()


def secret(length: int = 40) -> str:
    """A secret access key: `length` characters of URL-safe base 64."""
    return secrets.token_urlsafe(length)[:length]

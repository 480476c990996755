"""Identifiers that AWS clients see. All randomness of the platform comes from here."""

import base64
import hashlib
import os
import random
import secrets

_plain = random.Random()  # noqa: S311  seeded by the system; for nothing secret
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"

_AT_ONCE = 64
_UUID = 36
_PLACES = [place for place in range(_UUID) if place not in (8, 13, 18, 23)]
_VARIANT = bytes.maketrans(b"0123456789abcdef", b"89ab" * 4)
_unused: list[str] = []
os.register_at_fork(after_in_child=_unused.clear)  # no two processes may give the same


def new_id() -> str:
    """A version 4 UUID: request ids, message ids, revision ids."""
    try:
        return _unused.pop()
    except IndexError:  # on whatever thread
        made = _uuids()
        _unused.extend(made[1:])
        return made[0]


def _uuids() -> list[str]:
    """Many at a time, as every request needs one: all their digits of one place are put in at once. The uuid module takes ten times as long."""
    digits = os.urandom(_AT_ONCE * 16).hex().encode()
    text = bytearray(b"-" * (_AT_ONCE * _UUID))
    for number, place in enumerate(_PLACES):
        text[place::_UUID] = digits[number :: len(_PLACES)]
    text[14::_UUID] = b"4" * _AT_ONCE
    text[19::_UUID] = text[19::_UUID].translate(_VARIANT)
    made = text.decode()
    return [made[start : start + _UUID] for start in range(0, len(made), _UUID)]


def unique_id(prefix: str, length: int = 21) -> str:
    """An IAM unique id: a prefix such as AIDA, AROA or AKIA, then upper-case base-32 to `length` characters in all."""
    return prefix + "".join(secrets.choice(_UPPER) for _ in range(length - len(prefix)))


def token(bytes_: int = 16) -> str:
    """Lower-case hexadecimal, two characters a byte."""
    return os.urandom(bytes_).hex()


def digits(length: int) -> str:
    """Lower-case hexadecimal digits for what must be unique but need not be secret, at a tenth of `token`'s cost."""
    return f"{_plain.getrandbits(4 * length):0{length}x}"


def secret(length: int = 40) -> str:
    """A secret access key: `length` characters of URL-safe base 64."""
    return secrets.token_urlsafe(length)[:length]


def long_secret(length: int = 40) -> str:
    """Letters and digits that nobody can guess, such as API Gateway's keys."""
    return "".join([secrets.choice(_LETTERS) for _ in range(length)])


def derived_id(prefix: str, text: str, length: int = 21) -> str:
    """An IAM unique id that is always the same for the same text, for things nobody created here."""
    return prefix + base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[: length - len(prefix)]


def access_key_id(prefix: str, account: str) -> str:
    """An access key id (`AKIA` for users, `ASIA` for sessions) that tells its account, as AWS's do."""
    number = (1 << 47 | int(account) << 7 | secrets.randbits(7)) << 32 | secrets.randbits(32)
    return prefix + base64.b32encode(number.to_bytes(10, "big")).decode()


def account_of_access_key(access_key: str) -> str | None:
    """The account in an access key id that `access_key_id` or AWS made; None when the text is no such id."""
    if len(access_key) != 20 or access_key[:4] not in ("AKIA", "ASIA"):
        return None
    try:
        number = int.from_bytes(base64.b32decode(access_key[4:])[:6], "big")
    except ValueError:
        return None
    account = f"{(number & 0x7FFFFFFFFF80) >> 7:012d}"
    return account if len(account) == 12 else None


_SHORT = "abcdefghijklmnopqrstuvwxyz0123456789"
_LETTERS = _SHORT + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def short_id(length: int = 10) -> str:
    """An id as API Gateway makes them: lower-case letters and digits, of which there are more than 3 * 10^15 of ten."""
    return "".join([secrets.choice(_SHORT) for _ in range(length)])

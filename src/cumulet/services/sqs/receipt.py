"""Receipt handles: opaque to clients, and self-describing so that none has to be stored."""

import binascii
import hashlib
import struct
from typing import NamedTuple

from cumulet.api.sqs import ReceiptHandleIsInvalid

_LAYOUT = struct.Struct(">QQQId")
_PREFIX = b"\x01\x01\x01"  # gives the AQEB that AWS's handles begin with
_CHECK = 16


class Receipt(NamedTuple):
    """One receiving of one message. `receives` is the message's receive count then; a later receive raises it."""

    queue: int
    box: int
    seq: int
    receives: int
    received: float

    def handle(self) -> str:
        payload = _LAYOUT.pack(*self)
        return binascii.b2a_base64(_PREFIX + payload + _checksum(payload), newline=False).decode()


def parse(queue: int, handle: str) -> Receipt:
    """What a handle stands for; raises ReceiptHandleIsInvalid when it is none, or another queue's."""
    try:
        raw = binascii.a2b_base64(handle, strict_mode=True)
    except (binascii.Error, ValueError):
        raise _invalid(handle) from None
    payload = raw[len(_PREFIX) : -_CHECK]
    if len(payload) != _LAYOUT.size or raw[-_CHECK:] != _checksum(payload):
        raise _invalid(handle)
    receipt = Receipt(*_LAYOUT.unpack(payload))
    if receipt.queue != queue:
        raise _invalid(handle)
    return receipt


def _checksum(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=_CHECK).digest()


def _invalid(handle: str) -> ReceiptHandleIsInvalid:
    return ReceiptHandleIsInvalid(f'The input receipt handle "{handle}" is not a valid receipt handle.')

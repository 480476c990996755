"""What Kinesis's iterators and tokens tell of themselves: which stream they are of.

Permissions for `GetRecords` are those of that stream, so it must be known before the service sees the iterator. They are base 64 of
a seal that only the service can make, the moment in milliseconds since 1970, the stream's ARN, a zero and what the service put in.
"""

import base64
import binascii
import struct

SEAL = 16
"""Bytes of the seal."""
_MOMENT = struct.Struct(">Q")
_HEAD = SEAL + _MOMENT.size


def pack(made: int, arn: str, content: bytes) -> bytes:
    """All that follows the seal."""
    return _MOMENT.pack(made) + arn.encode() + b"\0" + content


def unpack(data: bytes) -> tuple[int, str, bytes]:
    """The moment, the ARN and the content of what `pack` made."""
    arn, _, content = data[_MOMENT.size :].partition(b"\0")
    return _MOMENT.unpack_from(data)[0], arn.decode(), content


def decode(text: str) -> bytes | None:
    """The bytes of an iterator or a token; None when it cannot be one. Clients may have put it in quotes."""
    try:
        data = base64.b64decode(text.strip('"'), validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if len(data) > _HEAD else None


def stream_of(text: str) -> str:
    """The ARN of the stream; empty when it is of none."""
    data = decode(text)
    if data is None:
        return ""
    return data[_HEAD:].partition(b"\0")[0].decode(errors="replace")

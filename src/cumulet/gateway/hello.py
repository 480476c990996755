"""The first bytes of a TLS connection: which name the client asks for (RFC 8446, 4.1.2; RFC 6066, 3)."""

MOST = 32_768
"""Bytes in which a greeting must be complete."""
_HANDSHAKE = 22
_CLIENT_HELLO = 1
_SERVER_NAME = 0
_LONGEST_NAME = 253


def is_tls(data: bytes) -> bool:
    """Whether these first bytes can begin TLS."""
    return data[:1] == b"\x16"


def server_name(data: bytes) -> str | None:
    """The name asked for, in small letters: empty where there is none, or the bytes are no greeting; None: more bytes are needed."""
    try:
        hello = _hello(data)
        return None if hello is None else _name(hello)
    except (IndexError, ValueError):
        return ""


def _hello(data: bytes) -> bytes | None:
    """The message out of its records; None when it is not complete. Raises ValueError for other messages."""
    message = b""
    at = 0
    while len(data) >= at + 5:
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        if data[at] != _HANDSHAKE or not length:
            raise ValueError("no handshake")
        message += data[at + 5 : at + 5 + length]
        if message and message[0] != _CLIENT_HELLO:
            raise ValueError("no greeting")
        if len(message) >= 4 and len(message) >= 4 + (size := int.from_bytes(message[1:4], "big")):
            return message[4 : 4 + size]
        at += 5 + length
    return None


def _name(hello: bytes) -> str:
    at = 34  # version, random
    at += 1 + hello[at]  # session
    at += 2 + int.from_bytes(hello[at : at + 2], "big")  # ciphers
    at += 1 + hello[at]  # compression
    end = at + 2 + int.from_bytes(hello[at : at + 2], "big")
    at += 2
    while at + 4 <= end:
        kind, length = int.from_bytes(hello[at : at + 2], "big"), int.from_bytes(hello[at + 2 : at + 4], "big")
        at += 4
        if kind == _SERVER_NAME:
            listed = hello[at : at + length]
            if listed[2] != 0:
                return ""
            name = listed[5 : 5 + int.from_bytes(listed[3:5], "big")]
            return name.decode("ascii").lower() if len(name) <= _LONGEST_NAME else ""
        at += length
    return ""

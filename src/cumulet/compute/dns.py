"""DNS messages, as far as sandboxes' questions for addresses need them.

https://www.rfc-editor.org/rfc/rfc1035
"""

import ipaddress
import struct
from collections.abc import Sequence

import msgspec

NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME, REFUSED = 0, 2, 3, 5
A = 1
IN = 1
_HEAD = struct.Struct("!HHHHHH")
_TAIL = struct.Struct("!HH")
_RESPONSE, _AUTHORITATIVE, _RECURSION_AVAILABLE = 0x8000, 0x0400, 0x0080
_KEPT = 0x0100
"""Whether recursion is desired: a response repeats that."""
_OPCODE = 0x7800
_TO_QUESTION = 0xC000 | _HEAD.size
_MAX_NAME = 255
_MAX_LABEL = 63
_TTL = 60


class Question(msgspec.Struct, frozen=True):
    """Of a query; `name` in lower case without its last dot, `raw` as it came."""

    id: int
    name: str
    type: int
    of_internet: bool
    recursion: int
    raw: bytes


def question(message: bytes) -> Question | None:
    """The question of a query; None for what is no query with one question, which deserves no answer."""
    if len(message) < _HEAD.size:
        return None
    id_, flags, questions, answers, authorities, _ = _HEAD.unpack_from(message)
    if flags & (_RESPONSE | _OPCODE) or questions != 1 or answers or authorities:
        return None
    return _question(message, id_, flags)


def answers(message: bytes, asked: Question, id_: int) -> bool:
    """Whether it is a response with this id to that question."""
    if len(message) < _HEAD.size:
        return False
    found, flags, questions, *_ = _HEAD.unpack_from(message)
    if found != id_ or not flags & _RESPONSE or questions != 1:
        return False
    repeated = _question(message, found, flags)
    return repeated is not None and (repeated.name, repeated.type) == (asked.name, asked.type)


def with_id(message: bytes, id_: int) -> bytes:
    return id_.to_bytes(2, "big") + message[2:]


def response(asked: Question, addresses: Sequence[str] = (), code: int = NO_ERROR) -> bytes:
    """An answer of our own, with IPv4 addresses for a question of type A."""
    flags = _RESPONSE | _AUTHORITATIVE | _RECURSION_AVAILABLE | asked.recursion | code
    records = b"".join(
        struct.pack("!HHHIH", _TO_QUESTION, A, IN, _TTL, 4) + ipaddress.IPv4Address(address).packed
        for address in addresses
    )
    return _HEAD.pack(asked.id, flags, 1, len(addresses), 0, 0) + asked.raw + records


def _question(message: bytes, id_: int, flags: int) -> Question | None:
    labels, place = [], _HEAD.size
    while True:
        if place >= len(message) or place > _HEAD.size + _MAX_NAME:
            return None
        length = message[place]
        if length > _MAX_LABEL:  # nothing came before that a question could refer to
            return None
        place += 1
        if length == 0:
            break
        labels.append(message[place : place + length])
        place += length
    end = place + _TAIL.size
    if end > len(message):
        return None
    type_, class_ = _TAIL.unpack_from(message, place)
    name = b".".join(labels).lower().decode("latin-1")
    return Question(id_, name, type_, class_ == IN, flags & _KEPT, message[_HEAD.size : end])

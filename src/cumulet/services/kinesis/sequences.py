"""Sequence numbers: 56 digits that tell the shard a record is in, and its place there.

As AWS's numbers are built (version 2): from the top a 2, 36 bits with the second the shard was made in, 4 bits of the shard's number, 64
bits that grow with each record, 8 that are zero, 36 with the second of the record, 32 with the shard's number, and the version in 4.
What grows is, here, the moment of the record in microseconds since 1970: so a moment is found by it, without another index.
"""

from typing import NamedTuple

_VERSION = 2
_TOP = 2 << 184
_CREATED, _NIBBLE, _INDEX, _SECOND, _SHARD = 148, 144, 80, 36, 4
_MICROSECONDS = 1_000_000


class Sequence(NamedTuple):
    """What a number says: the second the shard was made in, the shard's number, the record's index in it."""

    created: int
    shard: int
    place: int


def base(created: int, shard: int) -> int:
    """What the numbers of all records of a shard have in common."""
    return _TOP | created << _CREATED | (shard & 15) << _NIBBLE | shard << _SHARD | _VERSION


def number(base: int, index: int) -> str:
    """The sequence number of the record with this index."""
    return str(base | index << _INDEX | index // _MICROSECONDS << _SECOND)


def parse(text: str) -> Sequence | None:
    """What a sequence number says; None when it is none of these."""
    if not (text.isascii() and text.isdecimal() and len(text) == 56):
        return None
    value = int(text)
    found = Sequence(_bits(value, _CREATED, 36), _bits(value, _SHARD, 32), _bits(value, _INDEX, 64))
    if found.place >= (1 << 63) - 1 or number(base(found.created, found.shard), found.place) != text:
        return None
    return found


def _bits(value: int, start: int, count: int) -> int:
    return value >> start & (1 << count) - 1

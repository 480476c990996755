"""The rows of items and of index entries, and every query on them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from cumulet.services.dynamodb.model import Index, Key, Table, VectorIndex
from cumulet.services.dynamodb.values import Item, key_bytes
from cumulet.storage.database import Database, Row, Statement, Transaction

encode_item = msgspec.json.Encoder().encode
decode_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""An item's attributes from its row, each as its JSON: for answers that show some of them."""
_decoders: list[msgspec.json.Decoder[Item]] = []

_GET = "SELECT body, size FROM ddb_item WHERE tbl = $1 AND hash = $2 AND range = $3"
_PUT = (
    "INSERT INTO ddb_item (tbl, hash, range, size, body) VALUES ($1, $2, $3, $4, $5) "
    "ON CONFLICT (tbl, hash, range) DO UPDATE SET size = excluded.size, body = excluded.body"
)
_DELETE = "DELETE FROM ddb_item WHERE tbl = $1 AND hash = $2 AND range = $3"
_PUT_ENTRY = (
    "INSERT INTO ddb_entry (idx, hash, range, item_hash, item_range, size, body) VALUES ($1, $2, $3, $4, $5, $6, $7) "
    "ON CONFLICT (idx, hash, range, item_hash, item_range) DO UPDATE SET size = excluded.size, body = excluded.body"
)
_DELETE_ENTRY = (
    "DELETE FROM ddb_entry WHERE idx = $1 AND hash = $2 AND range = $3 AND item_hash = $4 AND item_range = $5"
)


class Address(NamedTuple):
    """Where an item is within its table, or an entry within its index: the bytes of its key."""

    hash: bytes
    range: bytes


class Stored(NamedTuple):
    """An item as its row has it: JSON as the wire has it, and its size as DynamoDB counts it."""

    body: bytes
    size: int


def decode_item(body: bytes) -> Item:
    """An item from its row."""
    if not _decoders:  # made when first needed, as the struct is
        from cumulet.api import dynamodb as api  # noqa: PLC0415

        _decoders.append(msgspec.json.Decoder(dict[str, api.AttributeValue]))
    return _decoders[0].decode(body)


def spread(key: bytes) -> bytes:
    """A hash key with four bytes before it that spread the keys evenly: the order of scans, and their segments."""
    return (zlib.crc32(key) * 0x9E3779B1 & 0xFFFFFFFF).to_bytes(4, "big") + key


def address(key: Key, item: Item) -> Address:
    """Where an item with a checked key belongs."""
    if key.more_hashes or key.more_ranges:
        hash_, range_ = (
            part_bytes([key_bytes(item[name]) for name, _ in part]) if part else b""
            for part in (key.hashes, key.ranges)
        )
        return Address(spread(hash_), range_)
    range_ = key_bytes(item[key.range]) if key.range else b""
    return Address(spread(key_bytes(item[key.hash])), range_)


def part_bytes(pieces: list[bytes]) -> bytes:
    """The bytes of a partition or sort key of one attribute or several; they sort as the attributes do, one after another."""
    return pieces[0] if len(pieces) == 1 else b"".join([escaped(piece) + END for piece in pieces])


END = b"\0\x01"
"""Ends each attribute of several: sorts before whatever an attribute may go on with."""


def escaped(piece: bytes) -> bytes:
    """An attribute's bytes with nothing in them that is `END`; in the same order."""
    return piece.replace(b"\0", b"\0\xff")


def entry_address(key: Key, item: Item) -> Address | None:
    """Where an item belongs in an index; None when it lacks one of the keys, or has another type there."""
    try:
        for name, kind in key.attributes:
            if getattr(item[name], kind.lower()) in (None, "", b""):
                return None
    except KeyError:
        return None
    return address(key, item)


def get_at_once(db: Database, table: Table, place: Address) -> list[Stored] | None:
    """The item at an address, as committed, if there is one; None where the database has to be waited for."""
    rows = db.read_at_once(_GET, (table.id, place.hash, place.range))
    return None if rows is None else [Stored(*row) for row in rows]


async def get(source: Database | Transaction, table: Table, place: Address) -> Stored | None:
    """The item at an address, as committed or, given a transaction, as that sees it."""
    rows = await source.read(_GET, (table.id, place.hash, place.range))
    return Stored(*rows[0]) if rows else None


async def change_alone(
    db: Database, table: Table, place: Address, decide: Callable[[Stored | None], Stored | None]
) -> None:
    """Make the item at `place` of a table without indexes or records of changes be what follows from what it is, with
    nobody else's change between; durable on return. Raises what `decide` raises; nothing was changed then."""
    where = (table.id, place.hash, place.range)

    def follow(found: list[Row]) -> Statement | None:
        old = Stored(*found[0]) if found else None
        new = decide(old)
        if new is None:
            return None if old is None else (_DELETE, where)
        if old is not None and old.body == new.body:
            return None
        return _PUT, (*where, new.size, new.body)

    await db.change((_GET, where), follow)


async def put_alone(db: Database, table: Table, place: Address, stored: Stored) -> None:
    """Write an item of a table without indexes or records of changes; durable on return."""
    await db.write(_PUT, (table.id, place.hash, place.range, stored.size, stored.body))


async def put(tx: Transaction, table: Table, place: Address, stored: Stored) -> None:
    await tx.write(_PUT, (table.id, place.hash, place.range, stored.size, stored.body))


async def delete(tx: Transaction, table: Table, place: Address) -> None:
    await tx.write(_DELETE, (table.id, place.hash, place.range))


async def put_entry(tx: Transaction, index: Index | VectorIndex, at: Address, place: Address, stored: Stored) -> None:
    await tx.write(_PUT_ENTRY, (index.id, at.hash, at.range, place.hash, place.range, stored.size, stored.body))


async def delete_entry(tx: Transaction, index: Index | VectorIndex, at: Address, place: Address) -> None:
    await tx.write(_DELETE_ENTRY, (index.id, at.hash, at.range, place.hash, place.range))

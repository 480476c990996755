"""Entries of vector indexes: an item's vector, and what the index projects of the item.

An entry's row has the vector first, as 32-bit numbers, and the JSON of what is projected after it. Rows lie by the value of
the search schema's partition key, so a search reads those of one value alone.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/VectorSearch.html
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb import rows
from cumulet.services.dynamodb.errors import invalid, invalid_values
from cumulet.services.dynamodb.keys import LONGEST_HASH, check_length, held
from cumulet.services.dynamodb.model import ACTIVE, Table, VectorIndex
from cumulet.services.dynamodb.rows import Address, Stored, encode_item, spread
from cumulet.services.dynamodb.values import Item, item_size, key_bytes, kind
from cumulet.storage.database import Transaction

_FLOAT = 4


class Entry(NamedTuple):
    at: Address
    stored: Stored


def partition(value: api.AttributeValue | None) -> bytes:
    """The part of an index where entries with this value of its partition key are; all of one without such a key."""
    return spread(key_bytes(value) if value is not None else b"")


def packed(numbers: Sequence[api.AttributeValue]) -> bytes:
    """Numbers as 32-bit ones. Raises ValueError for what is no number, OverflowError for what is too large."""
    return struct.pack(f"<{len(numbers)}f", *[float(each.n or "") for each in numbers])


def entry(index: VectorIndex, item: Item) -> Entry | None:
    """What the index holds of an item; None for one without a vector, or without the partition key."""
    vector = item.get(index.attribute)
    if vector is None or vector.l is None or len(vector.l) != index.dimensions:
        return None
    key = None
    if index.hash is not None:
        key = item.get(index.hash[0])
        if key is None or not held(key, index.hash[1]):
            return None
    try:
        numbers = packed(vector.l)
    except (ValueError, OverflowError):
        return None
    part = {name: value for name, value in item.items() if _keeps(index, name)}
    size = len(numbers) + len(index.attribute.encode()) + item_size(part)
    return Entry(Address(partition(key), b""), Stored(numbers + encode_item(part), size))


def _keeps(index: VectorIndex, name: str) -> bool:
    return name != index.attribute and (index.kept is None or name in index.kept)


def opened(index: VectorIndex, body: bytes) -> tuple[tuple[float, ...], bytes]:
    """The vector of a row, and the JSON of what is projected."""
    return struct.unpack_from(f"<{index.dimensions}f", body), body[index.dimensions * _FLOAT :]


async def move(tx: Transaction, table: Table, place: Address, old_item: Item | None, new_item: Item | None) -> None:
    """Make the entries of an item, which was `old_item`, be those of `new_item` (None: not there)."""
    for index in table.vectors:
        before = entry(index, old_item) if old_item is not None else None
        after = entry(index, new_item) if new_item is not None else None
        if before is not None and (after is None or before.at != after.at):
            await rows.delete_entry(tx, index, before.at, place)
        if after is not None and (before != after or index.status != ACTIVE):
            await rows.put_entry(tx, index, after.at, place, after.stored)


def check(table: Table, item: Item) -> None:
    """Refuse an item with values that the table's vector indexes cannot have. Raises ValidationException."""
    for index in table.vectors:
        vector = item.get(index.attribute)
        if vector is not None:
            _check_vector(index, vector)
        for name, type_ in (*((index.hash,) if index.hash else ()), *index.filters):
            value = item.get(name)
            if value is None:
                continue
            content = held(value, type_)
            if content is None:
                raise _mistyped(name, type_, value, index)
            if not content:
                raise invalid(
                    "One or more parameter values are not valid. A value specified for a secondary index key is not "
                    "supported. The AttributeValue for a key attribute cannot contain an empty "
                    f"{'string' if type_ == 'S' else 'binary'} value. IndexName: {index.name}, IndexKey: {name}"
                )
            check_length(content, LONGEST_HASH)


def _check_vector(index: VectorIndex, vector: api.AttributeValue) -> None:
    if vector.l is None:
        raise _mistyped(index.attribute, "L", vector, index)
    if len(vector.l) != index.dimensions:
        raise invalid_values(
            f"Invalid size for parameter {index.attribute}, Expected: {index.dimensions}, Actual: {len(vector.l)}. "
            f"IndexName: {index.name}"
        )
    for each in vector.l:
        if each.n is None:
            raise _mistyped(index.attribute, "N", each, index)
    try:
        packed(vector.l)
    except OverflowError:
        raise invalid_values(
            f"A number in {index.attribute} is too large for 32 bits. IndexName: {index.name}"
        ) from None


def _mistyped(name: str, wanted: str, value: api.AttributeValue, index: VectorIndex) -> Exception:
    return invalid_values(
        f"Type mismatch for Index Key {name} Expected: {wanted} Actual: {kind(value)} IndexName: {index.name}"
    )


def write_bytes(table: Table, old_item: Item | None, new_item: Item | None) -> dict[str, float]:
    """VectorWriteRequestBytes by index: the size of what comes, goes or changes, a kilobyte at least."""
    found = {}
    for index in table.vectors:
        before = entry(index, old_item) if old_item is not None else None
        after = entry(index, new_item) if new_item is not None else None
        if before == after:
            continue
        moved = [before, after] if before and after and before.at != after.at else [after or before]
        found[index.name] = float(sum(max(each.stored.size, 1024) for each in moved if each is not None))
    return found

"""Writing an item: its row, its entries in indexes, and the record of the change, all in one transaction."""

from __future__ import annotations

from typing import NamedTuple

from cumulet.services.dynamodb import item_collections, rows, store
from cumulet.services.dynamodb.changes import Changes
from cumulet.services.dynamodb.keys import LONGEST_HASH, LONGEST_RANGE
from cumulet.services.dynamodb.model import ACTIVE, Index, Key, Table, VectorIndex
from cumulet.services.dynamodb.rows import Address, Stored, decode_item, encode_item, entry_address
from cumulet.services.dynamodb.values import Item, item_size, key_bytes
from cumulet.services.dynamodb.vectors import entries
from cumulet.storage.database import Transaction


def plain(table: Table) -> bool:
    """Whether nothing follows from a change of an item but its own row."""
    return not (table.indexed or table.recorded or table.ttl or table.replicas)


async def apply(
    tx: Transaction,
    changes: Changes,
    table: Table,
    place: Address,
    old: Stored | None,
    new: Stored | None,
    new_item: Item | None,
    *,
    by_ttl: bool = False,
) -> None:
    """Make the item at `place`, which was `old`, be `new` (None: not there), in every region that holds the table;
    `new_item` is the same, decoded."""
    await apply_here(tx, changes, table, place, old, new, new_item, by_ttl=by_ttl)
    for replica in table.replicas:
        sibling = await store.sibling(tx, table, replica)
        if sibling is not None:
            theirs = await rows.get(tx, sibling, place)
            await apply_here(tx, changes, sibling, place, theirs, new, new_item, copied=True)


async def apply_here(  # noqa: PLR0913  what was and is there, and two kinds of writes
    tx: Transaction,
    changes: Changes,
    table: Table,
    place: Address,
    old: Stored | None,
    new: Stored | None,
    new_item: Item | None,
    *,
    by_ttl: bool = False,
    copied: bool = False,
) -> None:
    """As `apply`, for the table of this region alone. What is `copied` another region has already: no bound refuses it here, and
    indexes leave out what they cannot hold, as they did there."""
    old_item = decode_item(old.body) if old is not None and not plain(table) else None
    moves = _moves(table, old, old_item, new, new_item, copied=copied) if table.indexes else []
    if table.local:
        more = (new.size if new else 0) - (old.size if old else 0) + sum(_growth(move) for move in moves)
        await item_collections.grow(tx, table, place.hash, more, None if copied else changes.most)
    if new is not None:
        if old is None or old.body != new.body:
            await rows.put(tx, table, place, new)
    elif old is not None:
        await rows.delete(tx, table, place)
    for move in moves:
        await _move(tx, move, place)
    if table.vectors:
        await entries.move(tx, table, place, old_item, new_item)
    if table.ttl:
        await changes.expire(tx, table, place, old_item, new_item)
    if table.recorded:
        await changes.record(tx, table, place, new_item or old_item or {}, old, new, by_ttl=by_ttl)


class _Move(NamedTuple):
    """What becomes of an item's entry in an index: where it was and is, and what it was (if that matters) and is."""

    of: Index
    before: Address | None
    after: Address | None
    was: Stored | None
    now: Stored | None


def _moves(
    table: Table, old: Stored | None, old_item: Item | None, new: Stored | None, new_item: Item | None, *, copied: bool
) -> list[_Move]:
    moves = []
    for index in table.indexes:
        before = entry_address(index.key, old_item) if old_item is not None else None
        after = entry_address(index.key, new_item) if new_item is not None else None
        if copied and after is not None and new_item is not None and not _short(index.key, new_item):
            after = None
        if before is None and after is None:
            continue
        was = now = None
        if before is not None and old is not None and old_item is not None and (before == after or index.local):
            was = projected(table, index, old_item, old)
        if after is not None and new is not None and new_item is not None:
            now = projected(table, index, new_item, new)
        moves.append(_Move(index, before, after, was, now))
    return moves


def _growth(move: _Move) -> int:
    """By how many bytes the entry makes its item's collection larger."""
    if not move.of.local:
        return 0
    return (move.now.size if move.now else 0) - (move.was.size if move.was else 0)


async def _move(tx: Transaction, move: _Move, place: Address) -> None:
    index, before, after, was, now = move
    if before is not None and before != after:
        await rows.delete_entry(tx, index, before, place)
    if after is None or now is None:
        return
    # An index that is being filled may not have the entry yet.
    if before == after and was is not None and index.status == ACTIVE and was.body == now.body:
        return
    await rows.put_entry(tx, index, after, place, now)


def projected(table: Table, index: Index, item: Item, stored: Stored) -> Stored:
    """An item as an index holds it."""
    kept = table.kept[index.name]
    if kept is None:
        return stored
    part = {name: value for name, value in item.items() if name in kept}
    return Stored(encode_item(part), item_size(part))


async def fill_entry(tx: Transaction, table: Table, index: Index | VectorIndex, place: Address, stored: Stored) -> None:
    """Enter an item in an index that is new. Items that lack its keys, or have other types or too
    long values there, are left out.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.OnlineOps.ViolationDetection.html
    """
    item = decode_item(stored.body)
    if isinstance(index, VectorIndex):
        found = entries.entry(index, item)
        if found is not None:
            await rows.put_entry(tx, index, found.at, place, found.stored)
        return
    at = entry_address(index.key, item)
    if at is not None and _short(index.key, item):
        await rows.put_entry(tx, index, at, place, projected(table, index, item, stored))


def _short(key: Key, item: Item) -> bool:
    """Whether an item's values may be keys of an index: what was written before there was one may be too long for it."""
    return all(
        sum(len(key_bytes(item[name])) for name, _ in part) <= most
        for part, most in ((key.hashes, LONGEST_HASH), (key.ranges, LONGEST_RANGE))
    )

"""What items were before they changed, so that a table can be read as it was at a moment.

A table's items at a moment are those it has now, but for each that changed since, the first of its former states since then.
"""

from __future__ import annotations

from typing import NamedTuple

from cumulet.services.dynamodb.rows import Address, Stored
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE ddb_former (
        tbl BIGINT NOT NULL, hash BYTEA NOT NULL, range BYTEA NOT NULL, seq BIGINT NOT NULL, size BIGINT NOT NULL,
        body BYTEA, PRIMARY KEY (tbl, hash, range, seq)) /* clustered */""",
    "CREATE INDEX ddb_former_seq ON ddb_former (tbl, seq)",
)
SWEEP = (
    "DELETE FROM ddb_former WHERE tbl = $1 AND seq IN "
    "(SELECT seq FROM ddb_former WHERE tbl = $1 ORDER BY seq LIMIT $2) RETURNING 1"
)
"""Removes some of what is kept of a table."""
_PIECE = 500
_START = Address(b"", b"")
_KEEP = "INSERT INTO ddb_former (tbl, hash, range, seq, size, body) VALUES ($1, $2, $3, $4, $5, $6)"
_NOW = (
    "SELECT hash, range, size, body FROM ddb_item WHERE tbl = $1 AND (hash, range) > ($2, $3) "
    "ORDER BY hash, range LIMIT $4"
)
_THEN = """
    SELECT f.hash, f.range, f.size, f.body FROM ddb_former f JOIN (
        SELECT hash, range, MIN(seq) AS seq FROM ddb_former
        WHERE tbl = $1 AND (hash, range) > ($2, $3) AND seq > $4
        GROUP BY hash, range ORDER BY hash, range LIMIT $5) s
    ON f.tbl = $1 AND f.hash = s.hash AND f.range = s.range AND f.seq = s.seq ORDER BY f.hash, f.range"""

_FEW = 100
_CHANGED = """
    SELECT hash, range, MIN(seq), MAX(seq) FROM ddb_former
    WHERE tbl = $1 AND (hash, range) > ($2, $3) AND seq >= $4 AND seq < $5
    GROUP BY hash, range ORDER BY hash, range LIMIT $6"""
_STATE = "SELECT body, size FROM ddb_former WHERE tbl = $1 AND hash = $2 AND range = $3 "


class Piece(NamedTuple):
    """Some items in the order of their addresses; `last` is where the next piece goes on, None at the end."""

    items: list[tuple[Address, Stored]]
    last: Address | None


class Changed(NamedTuple):
    """What became of an item within a window: what it was before and after (None: not there), and when it changed last,
    in microseconds since 1970."""

    old: Stored | None
    new: Stored | None
    moment: int


async def last_sequence(db: Database) -> int:
    row = await db.read_one(
        "SELECT MAX((SELECT MAX(f.seq) FROM ddb_former f WHERE f.tbl = t.id)) FROM ddb_table t"  # by the index
    )
    return int(row[0] or 0) if row else 0


async def keep(tx: Transaction, table: int, place: Address, moment: int, old: Stored | None) -> None:
    """Keep what was at a place up to a moment (microseconds since 1970, growing)."""
    size, body = (old.size, old.body) if old is not None else (0, None)
    await tx.write(_KEEP, (table, place.hash, place.range, moment, size, body))


async def piece(tx: Transaction, table: int, moment: int, after: Address = _START, limit: int = _PIECE) -> Piece:
    """Items as they were at a moment, from an address on; both queries see the same state."""
    now = await tx.read(_NOW, (table, after.hash, after.range, limit))
    then = await tx.read(_THEN, (table, after.hash, after.range, moment, limit))
    ends = [Address(*rows[-1][:2]) for rows in (now, then) if len(rows) == limit]
    end = min(ends, default=None)
    found: dict[Address, Stored] = {}
    for hash_, range_, size, body in (*now, *then):
        place = Address(hash_, range_)
        if end is not None and place > end:
            continue
        if body is None:
            found.pop(place, None)
        else:
            found[place] = Stored(body, size)
    return Piece(sorted(found.items()), end)


async def changes(
    tx: Transaction, table: int, window: tuple[int, int], after: Address
) -> tuple[list[Changed], Address | None]:
    """Some of the items that changed within a window, from an address on, and where to go on; None at the end.

    What came and went within the window is left out.
    """
    found = await tx.read(_CHANGED, (table, after.hash, after.range, *window, _FEW))
    changed = []
    for hash_, range_, first, last in found:
        old = await tx.read(_STATE + "AND seq = $4", (table, hash_, range_, first))
        new = await tx.read(_STATE + "AND seq >= $4 ORDER BY seq LIMIT 1", (table, hash_, range_, window[1]))
        if not new:
            new = await tx.read(
                "SELECT body, size FROM ddb_item WHERE tbl = $1 AND hash = $2 AND range = $3", (table, hash_, range_)
            )
        before, then = (Stored(*rows[0]) if rows and rows[0][0] is not None else None for rows in (old, new))
        if before is not None or then is not None:
            changed.append(Changed(before, then, last))
    return changed, Address(*found[-1][:2]) if len(found) == _FEW else None


async def trim(db: Database, table: int, before: int) -> bool:
    """Forget a piece of what was before a moment; tells whether there may be more."""
    rows = await db.read(
        "SELECT seq FROM ddb_former WHERE tbl = $1 AND seq < $2 ORDER BY seq LIMIT $3", (table, before, _PIECE)
    )
    if rows:
        await db.write("DELETE FROM ddb_former WHERE tbl = $1 AND seq <= $2", (table, rows[-1][0]))
    return len(rows) == _PIECE

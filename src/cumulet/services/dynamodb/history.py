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


class Piece(NamedTuple):
    """Some items in the order of their addresses; `last` is where the next piece goes on, None at the end."""

    items: list[tuple[Address, Stored]]
    last: Address | None


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


async def trim(db: Database, table: int, before: int) -> bool:
    """Forget a piece of what was before a moment; tells whether there may be more."""
    rows = await db.read(
        "SELECT seq FROM ddb_former WHERE tbl = $1 AND seq < $2 ORDER BY seq LIMIT $3", (table, before, _PIECE)
    )
    if rows:
        await db.write("DELETE FROM ddb_former WHERE tbl = $1 AND seq <= $2", (table, rows[-1][0]))
    return len(rows) == _PIECE

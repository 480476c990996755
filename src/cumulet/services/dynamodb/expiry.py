"""When items expire: a row for each item of a table with a time to live that has one.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/TTL.html
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Address
from cumulet.services.dynamodb.values import Item
from cumulet.storage.database import Transaction

SCHEMA = (
    """CREATE TABLE ddb_expiry (
        tbl BIGINT NOT NULL, hash BYTEA NOT NULL, range BYTEA NOT NULL, at BIGINT NOT NULL,
        PRIMARY KEY (tbl, hash, range)) /* clustered */""",
    "CREATE INDEX ddb_expiry_at ON ddb_expiry (at)",
)
SWEEP = (
    "DELETE FROM ddb_expiry WHERE tbl = $1 AND (hash, range) IN "
    "(SELECT hash, range FROM ddb_expiry WHERE tbl = $1 ORDER BY hash, range LIMIT $2) RETURNING 1"
)
_PUT = (
    "INSERT INTO ddb_expiry (tbl, hash, range, at) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (tbl, hash, range) DO UPDATE SET at = excluded.at"
)
_DELETE = "DELETE FROM ddb_expiry WHERE tbl = $1 AND hash = $2 AND range = $3"


class Alarm:
    """Wakes who waits for the next item to expire, when one comes that expires earlier."""

    def __init__(self) -> None:
        self.next = 0.0
        """What is waited for, in seconds since 1970."""
        self.rung = asyncio.Event()

    def ring(self) -> None:
        self.rung.set()


def expires(table: Table, item: Item | None) -> int | None:
    """When an item expires, in seconds since 1970; None when it does not."""
    value = item.get(table.ttl) if item is not None else None
    if value is None or value.n is None:
        return None
    try:
        moment = int(value.n) if len(value.n) <= 18 else int(Decimal(value.n))
    except ValueError:
        moment = int(Decimal(value.n))
    return moment if abs(moment) < 2**62 else None


async def note(tx: Transaction, alarm: Alarm, table: Table, place: Address, old: Item | None, new: Item | None) -> None:
    """Keep the row of an item true as it changes."""
    before, after = expires(table, old), expires(table, new)
    if after is not None:
        if after != before:
            await put(tx, table, place, after)
            if after < alarm.next:
                tx.after_commit(alarm.ring)
    elif before is not None:
        await remove(tx, table.id, place)


async def put(tx: Transaction, table: Table, place: Address, at: int) -> None:
    await tx.write(_PUT, (table.id, place.hash, place.range, at))


async def remove(tx: Transaction, table: int, place: Address) -> None:
    await tx.write(_DELETE, (table, place.hash, place.range))

"""The sizes of item collections: all items of a partition key, with their entries in local indexes.

Only tables with local indexes have them, and only for these a collection is bounded.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LSI.html#LSI.ItemCollections
"""

from __future__ import annotations

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import address
from cumulet.services.dynamodb.values import Item
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE ddb_collection (
        tbl BIGINT NOT NULL, hash BYTEA NOT NULL, bytes BIGINT NOT NULL, PRIMARY KEY (tbl, hash)) /* clustered */""",
)
SWEEP = (
    "DELETE FROM ddb_collection WHERE tbl = $1 AND hash IN "
    "(SELECT hash FROM ddb_collection WHERE tbl = $1 ORDER BY hash LIMIT $2) RETURNING 1"
)
"""Removes some of what is kept of a table."""
_GB = 1 << 30
_READ = "SELECT bytes FROM ddb_collection WHERE tbl = $1 AND hash = $2"
_WRITE = (
    "INSERT INTO ddb_collection (tbl, hash, bytes) VALUES ($1, $2, $3) "
    "ON CONFLICT (tbl, hash) DO UPDATE SET bytes = excluded.bytes"
)


async def grow(tx: Transaction, table: Table, hash_: bytes, more: int, most: int | None) -> None:
    """Note, before it is written, that the collection of a partition key takes so many bytes more (or less, below 0).

    Raises ItemCollectionSizeLimitExceededException when it would grow beyond `most` bytes (None: whatever it comes to).
    """
    if not more:
        return
    now = await _size(tx, table, hash_) + more
    if most is not None and more > 0 and now > most:
        raise api.ItemCollectionSizeLimitExceededException("Collection size exceeded.")
    await tx.write(_WRITE, (table.id, hash_, now))


async def _size(source: Database | Transaction, table: Table, hash_: bytes) -> int:
    found = await source.read(_READ, (table.id, hash_))
    if found:
        return int(found[0][0])
    # A new collection, or one of a table that is older than this file: counted once.
    counted = await source.read(
        "SELECT COALESCE(SUM(size), 0) FROM ddb_item WHERE tbl = $1 AND hash = $2", (table.id, hash_)
    )
    total = int(counted[0][0])
    if total:
        for index in table.indexes:
            if index.local:
                counted = await source.read(
                    "SELECT COALESCE(SUM(size), 0) FROM ddb_entry WHERE idx = $1 AND hash = $2", (index.id, hash_)
                )
                total += int(counted[0][0])
    return total


async def metrics(db: Database, table: Table, item: Item, given: str | None) -> api.ItemCollectionMetrics | None:
    """The item collection that a write touched, if the request asks for it and the table has such."""
    if given != "SIZE" or not table.local:
        return None
    size = await _size(db, table, address(table.key, item).hash)
    return api.ItemCollectionMetrics(
        item_collection_key={table.key.hash: item[table.key.hash]}, size_estimate_range_gb=estimate(size)
    )


def estimate(size: int) -> list[float]:
    """The whole gigabytes that a size lies between."""
    low = size // _GB
    return [float(low), float(low + 1)]

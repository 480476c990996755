"""What goes on without a request: removing rows of what is gone, filling new indexes, counting."""

from __future__ import annotations

import asyncio
import logging

from msgspec.structs import replace

from cumulet.kernel.clock import Clock, wait_until
from cumulet.kernel.tasks import Tasks
from cumulet.services.dynamodb import expiry, history, item_collections, rows, store, writing
from cumulet.services.dynamodb.directory import Directory
from cumulet.services.dynamodb.model import ACTIVE, Index, Table, VectorIndex
from cumulet.services.dynamodb.rows import Stored
from cumulet.services.dynamodb.store import TableStore
from cumulet.storage.database import Database

log = logging.getLogger(__name__)

_TURN = 200
"""Rows of one transaction: others write between two of them."""
_SWEEP_SECONDS = 3600.0
_MEASURE_SECONDS = 6 * 3600.0
_QUICK_ROWS = 2_000


class Sweeper:
    """Removes the rows of deleted tables and indexes, and tokens that have expired."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something was dropped."""
        self._woken.set()

    async def work(self) -> None:
        while True:
            self._woken.clear()
            for (id,) in await self._db.read("SELECT id FROM ddb_dropped"):
                await self._remove(id)
            await self._db.write("DELETE FROM ddb_token WHERE expires <= $1", (self._clock.now(),))
            await wait_until(self._clock, self._clock.now() + _SWEEP_SECONDS, self._woken)

    async def _remove(self, id: int) -> None:
        for statement in (_SWEEP_ITEMS, _SWEEP_ENTRIES, expiry.SWEEP, history.SWEEP, item_collections.SWEEP):
            while await self._db.write(statement, (id, _TURN)):
                pass  # others had their turns during the commit
        await self._db.write("DELETE FROM ddb_dropped WHERE id = $1", (id,))


_SWEEP_ITEMS = (
    "DELETE FROM ddb_item WHERE tbl = $1 AND (hash, range) IN "
    "(SELECT hash, range FROM ddb_item WHERE tbl = $1 ORDER BY hash, range LIMIT $2) RETURNING 1"
)
_SWEEP_ENTRIES = (
    "DELETE FROM ddb_entry WHERE idx = $1 AND (hash, range, item_hash, item_range) IN "
    "(SELECT hash, range, item_hash, item_range FROM ddb_entry WHERE idx = $1 "
    "ORDER BY hash, range, item_hash, item_range LIMIT $2) RETURNING 1"
)


class Builder:
    """Fills indexes that were added to tables, some rows at a time; goes on where a crash left it."""

    def __init__(self, db: Database, tables: TableStore, directory: Directory, tasks: Tasks) -> None:
        self._db = db
        self._tables = tables
        self._directory = directory
        self._tasks = tasks

    async def resume(self) -> None:
        """Go on with all that was under way."""
        waiting = {row[0] for row in await self._db.read("SELECT idx FROM ddb_backfill")}
        if not waiting:
            return
        for table in await self._tables.all():
            for index in table.every:
                if index.id in waiting:
                    self.begin(table, index)

    def begin(self, table: Table, index: Index | VectorIndex) -> None:
        self._tasks.start(f"fill index {index.name} of {table.name}", self._fill(table, index))

    async def _fill(self, table: Table, index: Index | VectorIndex) -> None:
        while await self._turn(table, index):
            pass  # others had their turns during the commit

    async def _turn(self, table: Table, index: Index | VectorIndex) -> bool:
        """Some more rows; whether there is more to do."""
        async with self._db.transaction() as tx:
            at = await tx.read("SELECT hash, range FROM ddb_backfill WHERE idx = $1", (index.id,))
            if not at:  # the index or its table was deleted
                return False
            found = await tx.read(
                "SELECT hash, range, size, body FROM ddb_item WHERE tbl = $1 AND (hash, range) > ($2, $3) "
                "ORDER BY hash, range LIMIT $4",
                (table.id, *at[0], _TURN),
            )
            for hash_, range_, size, body in found:
                place = rows.Address(hash_, range_)
                await writing.fill_entry(tx, table, index, place, Stored(body, size))
            if len(found) == _TURN:
                await tx.write(
                    "UPDATE ddb_backfill SET hash = $2, range = $3 WHERE idx = $1", (index.id, *found[-1][:2])
                )
                return True
            await tx.write("DELETE FROM ddb_backfill WHERE idx = $1", (index.id,))
            if (now := await store.current(tx, table)) is not None:
                await store.save(tx, _finished(now, index))
                tx.after_commit(lambda: self._directory.changed(table))
        return False


def _finished(table: Table, index: Index | VectorIndex) -> Table:
    indexes = tuple(replace(each, status=ACTIVE) if each.id == index.id else each for each in table.indexes)
    vectors = tuple(replace(each, status=ACTIVE) if each.id == index.id else each for each in table.vectors)
    busy = any(status != ACTIVE for status in (*(i.status for i in indexes), *(v.status for v in vectors)))
    return replace(table, indexes=indexes, vectors=vectors, status=table.status if busy else ACTIVE)


class Measurer:
    """Items and bytes of tables and indexes. Small ones are counted when somebody asks; of large ones the last count is
    told, and a new one is made in the background, at most every six hours, as on AWS."""

    def __init__(self, db: Database, clock: Clock, tasks: Tasks) -> None:
        self._db = db
        self._clock = clock
        self._tasks = tasks
        self._counting: set[int] = set()

    async def measures(self, ids: list[int], table: int) -> dict[int, tuple[int, int]]:
        """Items and bytes by id; the first is that of the table itself."""
        found = {}
        for id in ids:
            found[id] = await self._measure(id, "tbl" if id == table else "idx")
        return found

    async def _measure(self, id: int, column: str) -> tuple[int, int]:
        source = "ddb_item" if column == "tbl" else "ddb_entry"
        row = await self._db.read_one(
            f"SELECT COUNT(*), COALESCE(SUM(size), 0) FROM (SELECT size FROM {source} WHERE {column} = $1 LIMIT $2) part",  # noqa: S608
            (id, _QUICK_ROWS),
        )
        items, size = (int(row[0]), int(row[1])) if row else (0, 0)
        if items < _QUICK_ROWS:
            return items, size
        kept = await self._db.read_one("SELECT items, bytes, moment FROM ddb_measure WHERE id = $1", (id,))
        if (kept is None or kept[2] < self._clock.now() - _MEASURE_SECONDS) and id not in self._counting:
            self._counting.add(id)
            self._tasks.start(f"count rows of {id}", self._count(id, column, source))
        return (int(kept[0]), int(kept[1])) if kept else (items, size)

    async def _count(self, id: int, column: str, source: str) -> None:
        """Part by part, so that nobody waits long: the bytes that spread the keys make even parts."""
        items = size = 0
        try:
            for first in range(0, 65_536, 64):
                low, high = first.to_bytes(2, "big"), (first + 64).to_bytes(3, "big")
                high = b"\xff\xff\xff\xff\xff" if first + 64 >= 65_536 else high[1:]
                row = await self._db.read_one(
                    f"SELECT COUNT(*), COALESCE(SUM(size), 0) FROM {source} "  # noqa: S608  constants
                    f"WHERE {column} = $1 AND hash >= $2 AND hash < $3",
                    (id, low, high),
                )
                assert row is not None
                items, size = items + int(row[0]), size + int(row[1])
                await asyncio.sleep(0.002)
            await self._db.write(
                "INSERT INTO ddb_measure (id, items, bytes, moment) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT (id) DO UPDATE SET items = $2, bytes = $3, moment = $4",
                (id, items, size, self._clock.now()),
            )
        finally:
            self._counting.discard(id)

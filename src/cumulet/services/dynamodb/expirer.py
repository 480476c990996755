"""Deletes items that have expired."""

from __future__ import annotations

import logging

from cumulet.kernel.clock import Clock, wait_until
from cumulet.services.dynamodb import expiry, rows, store, writing
from cumulet.services.dynamodb.changes import Changes
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Address, decode_item
from cumulet.services.dynamodb.store import TableStore
from cumulet.storage.database import Database, StorageError, Transaction

log = logging.getLogger(__name__)

_TURN = 100
_REST = 10.0
_LEAST = 1.0
_BACKSTOP = 3600.0
_TOO_OLD = 5 * 365 * 86_400
"""What should have expired longer ago was not meant to."""


class Expirer:
    """Deletes what has expired, as soon as the clock shows it."""

    def __init__(self, db: Database, tables: TableStore, changes: Changes, clock: Clock) -> None:
        self._db = db
        self._tables = tables
        self._changes = changes
        self._alarm = changes.alarm
        self._clock = clock

    async def work(self) -> None:
        while True:
            self._alarm.rung.clear()
            try:
                while await self._turn():
                    pass
            except StorageError:
                log.exception("items that have expired could not be deleted, again in %.0f s", _REST)
                await self._clock.sleep(_REST)
            await self._wait()

    async def _turn(self) -> bool:
        """Some of what has expired; whether there may be more."""
        now = int(self._clock.now())
        due = await self._db.read(
            "SELECT tbl, hash, range FROM ddb_expiry WHERE at <= $1 AND at > $2 ORDER BY at LIMIT $3",
            (now, now - _TOO_OLD, _TURN),
        )
        if not due:
            return False
        tables = {table.id: table for table in await self._tables.all()}
        async with self._db.transaction() as tx:
            for id_, hash_, range_ in due:
                table = tables.get(id_)
                await self._expire(tx, table and await store.current(tx, table), id_, Address(hash_, range_), now)
        return len(due) == _TURN

    async def _expire(self, tx: Transaction, table: Table | None, id_: int, place: Address, now: int) -> None:
        await expiry.remove(tx, id_, place)
        if table is None or not table.ttl:
            return
        stored = await rows.get(tx, table, place)
        if stored is None:
            return
        at = expiry.expires(table, decode_item(stored.body))
        if at is not None and at <= now:
            await writing.apply(tx, self._changes, table, place, stored, None, None, by_ttl=True)
        elif at is not None:
            await expiry.put(tx, table, place, at)

    async def _wait(self) -> None:
        now = self._clock.now()
        row = await self._db.read_one("SELECT MIN(at) FROM ddb_expiry WHERE at > $1", (int(now) - _TOO_OLD,))
        due = row[0] if row and row[0] is not None else now + _BACKSTOP
        self._alarm.next = min(float(due), now + _BACKSTOP)
        await wait_until(self._clock, max(self._alarm.next, now + _LEAST), self._alarm.rung)

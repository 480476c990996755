"""Work on whole tables that goes on without a request, and after a crash where it was."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from typing import Any

from cumulet.kernel.clock import Clock
from cumulet.kernel.tasks import Tasks
from cumulet.storage.database import Database, Transaction

log = logging.getLogger(__name__)

SCHEMA = ("CREATE TABLE ddb_job (id TEXT PRIMARY KEY, kind TEXT NOT NULL, record BYTEA NOT NULL)",)

_LONGEST_PAUSE = 300.0
Work = Callable[[str, bytes], Coroutine[Any, Any, None]]
"""Does a job, given its id and what was last saved of it; it ends with `done`, or with `save` for each step on the way."""


class Jobs:
    """The jobs of this node. `kinds` has the work of each kind, and is filled before `resume`.

    Work that raises begins again with what was last saved of it, after pauses of 1 to 300 seconds on the clock.
    """

    def __init__(self, db: Database, clock: Clock, tasks: Tasks) -> None:
        self.kinds: dict[str, Work] = {}
        self._db = db
        self._clock = clock
        self._tasks = tasks

    async def resume(self) -> None:
        """Go on with all that was under way."""
        await self._db.migrate("dynamodb_jobs", SCHEMA)
        for id_, kind, record in await self._db.read("SELECT id, kind, record FROM ddb_job"):
            self._begin(id_, kind, record)

    async def add(self, tx: Transaction, kind: str, id_: str, record: bytes) -> None:
        """A new job; it begins when the transaction is durable. Raises Conflict when there is one with this id."""
        await tx.write("INSERT INTO ddb_job (id, kind, record) VALUES ($1, $2, $3)", (id_, kind, record))
        tx.after_commit(lambda: self._begin(id_, kind, record))

    async def under_way(self, id_: str, within: Transaction | None = None) -> bool:
        return bool(await (within or self._db).read("SELECT 1 FROM ddb_job WHERE id = $1", (id_,)))

    async def any_of(self, tx: Transaction, prefix: str) -> bool:
        """Whether there is a job whose id begins so."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        return bool(await tx.read("SELECT 1 FROM ddb_job WHERE id >= $1 AND id < $2 LIMIT 1", (prefix, end)))

    def _begin(self, id_: str, kind: str, record: bytes) -> None:
        self._tasks.start(f"dynamodb {kind} {id_}", self._run(id_, kind, record))

    async def _run(self, id_: str, kind: str, record: bytes) -> None:
        pause = 1.0
        while True:
            try:
                return await self.kinds[kind](id_, record)
            except Exception:
                log.exception("%s of %s failed, again in %.0f s", kind, id_, pause)
            await self._clock.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            rows = await self._db.read("SELECT record FROM ddb_job WHERE id = $1", (id_,))
            if not rows:
                return None
            record = rows[0][0]


async def saved(tx: Transaction, id_: str) -> bytes:
    """What was last saved of a job."""
    rows = await tx.read("SELECT record FROM ddb_job WHERE id = $1", (id_,))
    return bytes(rows[0][0])


async def save(tx: Transaction, id_: str, record: bytes) -> None:
    """How far a job is."""
    await tx.write("UPDATE ddb_job SET record = $2 WHERE id = $1", (id_, record))


async def done(tx: Transaction, id_: str) -> None:
    await tx.write("DELETE FROM ddb_job WHERE id = $1", (id_,))

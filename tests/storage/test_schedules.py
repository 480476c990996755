"""Writers of all kinds at once, who fail, are cancelled or dropped, on a disk that may be full: whatever the schedule, each
change is there as a whole or not at all, as its writer was told, and the next one finds the database free."""

import asyncio
import tempfile
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cumulet.storage.database import Conflict, Row, Statement, StorageError
from cumulet.storage.sqlite import SqliteDatabase

_SCHEMA = ("CREATE TABLE item (name TEXT, part BIGINT, body BYTEA, PRIMARY KEY (name, part))",)
_PUT = "INSERT INTO item (name, part) VALUES ($1, $2)"
_PUT_LARGE = "INSERT INTO item (name, part, body) VALUES ($1, 0, $2)"
_TAKEN = "taken"
_PARTS = 3
# Numbers that are given to one after another, each by a change that follows from what is read.
_FIRST_NUMBER = 100
_LAST_NUMBER = ("SELECT COALESCE(MAX(part), $1) FROM item WHERE part >= $1", (_FIRST_NUMBER - 1,))
# Pages that the file may have; no fewer than it has already.
_ROOM = {"fill the disk": 1, "empty the disk": 1_000_000}


class Oops(Exception):
    pass


@dataclass
class Writer:
    """What one does, after so many turns of the loop, and what became of it."""

    kind: str
    wait: int
    name: str = ""
    outcome: str = "nothing"
    parts: int = _PARTS
    acted: list[int] = field(default_factory=list)

    async def write(self, db: SqliteDatabase) -> None:
        for _ in range(self.wait):
            await asyncio.sleep(0)
        self.outcome = "unknown"  # whoever goes away meanwhile does not hear of it
        try:
            await self._change(db)
        except (Conflict, StorageError, Oops):
            self.outcome = "refused"
        else:
            self.outcome = "kept"

    async def _change(self, db: SqliteDatabase) -> None:
        if self.kind == "one":
            self.parts = 1
            await db.write(_PUT, (self.name, 0))
        elif self.kind == "large":
            self.parts = 1
            await db.write(_PUT_LARGE, (self.name, bytes(100_000)))
        elif self.kind == "twice":
            await db.write(_PUT, (_TAKEN, 0))
        elif self.kind == "all":
            await db.write_all([(_PUT, (self.name, part)) for part in range(_PARTS)])
        elif self.kind == "all and conflict":
            await db.write_all([(_PUT, (self.name, 0)), (_PUT, (_TAKEN, 0))])
        elif "number" in self.kind:
            self.parts = 0 if self.kind == "number and nothing" else 1
            await db.change(_LAST_NUMBER, self._take_next)
        elif self.kind in _ROOM:
            self.parts = 0
            async with db.transaction() as tx:
                await tx.read(f"PRAGMA max_page_count = {_ROOM[self.kind]}")
        else:
            await self._in_block(db)

    def _take_next(self, found: list[Row]) -> Statement | None:
        if self.kind == "number and error":
            raise Oops
        if self.kind == "number and conflict":
            return _PUT, (_TAKEN, 0)
        if self.kind == "number and nothing":
            return None
        body = bytes(100_000 if self.kind == "large number" else 0)
        return "INSERT INTO item (name, part, body) VALUES ($1, $2, $3)", (self.name, found[0][0] + 1, body)

    async def _in_block(self, db: SqliteDatabase) -> None:
        async with db.transaction() as tx:
            tx.after_commit(
                lambda: self.acted.append(len(db.read_at_once("SELECT 1 FROM item WHERE name = $1", (self.name,))))
            )
            for part in range(_PARTS):
                await tx.write(_PUT, (self.name, part))
                if self.kind == "slow block":
                    await asyncio.sleep(0)
            if self.kind == "block and conflict":
                await tx.write(_PUT, (_TAKEN, 0))
            if self.kind == "block and error":
                raise Oops

    def check(self, there: int) -> None:
        if self.outcome == "kept":
            assert there == self.parts, self
        elif self.outcome == "unknown":
            assert there in (0, self.parts), self
        else:
            assert there == 0, self
        in_block = "block" in self.kind
        assert self.acted == ([_PARTS] if in_block and there else []), self


_KINDS = (
    *("one", "large", "twice", "all", "all and conflict", "block", "block and conflict", "block and error"),
    *("number", "large number", "number and nothing", "number and conflict", "number and error"),
    *_ROOM,
)
_WRITERS = st.builds(Writer, st.one_of(st.just("slow block"), st.sampled_from(_KINDS)), st.integers(0, 2))
# Begin a writer; begin one and drop it; let turns of the loop pass; cancel some, from the one of that number on.
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), _WRITERS),
        st.tuples(st.just("begin"), _WRITERS),
        st.tuples(st.just("drop"), _WRITERS),
        st.tuples(st.just("turns"), st.integers(1, 3)),
        st.tuples(st.just("cancel"), st.tuples(st.integers(0, 9), st.integers(1, 3))),
    ),
    min_size=8,
    max_size=24,
)


def _drop(change: Coroutine[Any, Any, None]) -> None:
    """Begin it, and forget it where it first waits."""
    with suppress(StopIteration):
        change.send(None)
        change.close()


async def _play(db: SqliteDatabase, steps: list[tuple[str, Any]]) -> None:
    await db.migrate("item", _SCHEMA)
    await db.write(_PUT, (_TAKEN, 0))
    writers: list[Writer] = []
    tasks: list[asyncio.Task[None]] = []
    for step, what in steps:
        if step == "turns":
            for _ in range(what):
                await asyncio.sleep(0)
        elif step == "cancel":
            for task in tasks[what[0] : sum(what)]:
                task.cancel()
        else:
            writers.append(writer := Writer(what.kind, 0 if step == "drop" else what.wait, f"w{len(writers)}"))
            if step == "drop":
                _drop(writer.write(db))
            else:
                tasks.append(asyncio.ensure_future(writer.write(db)))
    async with asyncio.timeout(60):
        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(answer is None or isinstance(answer, asyncio.CancelledError) for answer in told), told
        await Writer("empty the disk", 0).write(db)
        await db.write(_PUT, ("last", 0))
    for writer in writers:
        writer.check(len(await db.read("SELECT 1 FROM item WHERE name = $1", (writer.name,))))
    assert len(await db.read("SELECT 1 FROM item WHERE name = $1", (_TAKEN,))) == 1
    numbers = [
        part for (part,) in await db.read("SELECT part FROM item WHERE part >= $1 ORDER BY part", (_FIRST_NUMBER,))
    ]
    assert numbers == list(range(_FIRST_NUMBER, _FIRST_NUMBER + len(numbers)))  # each saw the one before


@given(_STEPS)
def test_each_change_is_there_whole_or_not_at_all_as_its_writer_was_told(steps: list[tuple[str, Any]]) -> None:
    async def main(folder: str) -> None:
        # However slow the disk is: commits on a thread would make the schedule another one each time.
        db = SqliteDatabase(Path(folder) / "records.db", quick=60.0)
        try:
            await _play(db, steps)
        finally:
            async with asyncio.timeout(60):
                await db.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(folder))

"""Who writes alone has its commit at once, without a turn of the loop; who writes with others shares one with them."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import apsw
import pytest

from cumulet.storage.database import Conflict, StorageError, Transaction
from cumulet.storage.sqlite import SqliteDatabase

_SCHEMA = ("CREATE TABLE item (name TEXT PRIMARY KEY, body BYTEA)",)
_PUT = "INSERT INTO item (name) VALUES ($1)"

Scenario = Callable[[SqliteDatabase], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Scenario], None]:
    def runner(scenario: Scenario) -> None:
        async def main() -> None:
            # However slow the disk is: what is tried here is what is done while commits are quick.
            db = SqliteDatabase(tmp_path / "records.db", quick=60.0)
            await db.migrate("item", _SCHEMA)
            await asyncio.sleep(0)
            try:
                await scenario(db)
            finally:
                await db.close()

        asyncio.run(main())

    return runner


def _waits(coroutine: Coroutine[Any, Any, Any]) -> bool:
    """Whether it had to wait; what did not is done."""
    try:
        coroutine.send(None)
    except StopIteration:
        return False
    coroutine.close()
    return True


async def _names(db: SqliteDatabase) -> list[str]:
    return [row[0] for row in await db.read("SELECT name FROM item ORDER BY name")]


async def _block(db: SqliteDatabase, name: str) -> None:
    async with db.transaction() as tx:
        await tx.write(_PUT, (name,))


def test_one_writer_in_a_turn_of_the_loop_waits_for_nobody(run: Callable[[Scenario], None], tmp_path: Path) -> None:
    async def scenario(db: SqliteDatabase) -> None:
        for name, change in (
            ("a", db.write(_PUT, ("a",))),
            ("b", _block(db, "b")),
            ("c", db.write_all([(_PUT, ("c",)), ("UPDATE item SET body = NULL", ())])),
            ("d", db.change(("SELECT count(*) FROM item", ()), lambda rows: (_PUT, ("abcd"[rows[0][0]],)))),
        ):
            assert not _waits(change)
            assert name in await _names(db)
            assert name.encode() in (tmp_path / "records.db-wal").read_bytes()
            await asyncio.sleep(0)

    run(scenario)


def test_a_second_one_in_the_same_turn_waits_and_so_do_the_next(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: SqliteDatabase) -> None:
        both = [asyncio.ensure_future(db.write(_PUT, (name,))) for name in "ab"]
        await asyncio.sleep(0)
        assert [task.done() for task in both] == [True, False]
        await asyncio.gather(*both)
        await asyncio.sleep(0)
        alone = 0
        for number in range(40):
            writing = db.write(_PUT, (f"c{number}",))
            try:
                waited = writing.send(None)
            except StopIteration:
                alone += 1
            else:
                assert asyncio.isfuture(waited)
                await asyncio.wait({waited})
                writing.close()
            await asyncio.sleep(0)
        # Others were expected for a while, and then no more.
        assert 20 < alone < 40
        assert len(await _names(db)) == 42

    run(scenario)


def test_who_writes_on_and_on_leaves_the_loop_to_others(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: SqliteDatabase) -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        watching = asyncio.ensure_future(other())
        for number in range(50):
            await db.write(_PUT, (str(number),))
        watching.cancel()
        assert turns >= 40

    run(scenario)


def test_what_a_block_wants_done_afterwards_is_done_when_it_ends(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: SqliteDatabase) -> None:
        done: list[str] = []

        async def block(name: str, failure: Exception | None) -> None:
            async with db.transaction() as tx:
                await tx.write(_PUT, (name,))
                tx.after_commit(lambda: done.append(name))
                if failure is not None:
                    raise failure

        assert not _waits(block("a", None))
        assert done == ["a"]
        await asyncio.sleep(0)
        with pytest.raises(KeyError):
            block("b", KeyError()).send(None)
        await asyncio.sleep(0)
        assert not _waits(block("c", None))
        assert done == ["a", "c"]
        assert await _names(db) == ["a", "c"]

    run(scenario)


def test_others_wait_for_a_block_that_waits(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: SqliteDatabase) -> None:
        go_on = asyncio.Event()

        async def block() -> None:
            async with db.transaction() as tx:
                await tx.write(_PUT, ("a",))
                await go_on.wait()

        first = asyncio.ensure_future(block())
        await asyncio.sleep(0)
        others: list[Awaitable[object]] = [db.write(_PUT, (name,)) for name in "bc"]
        writing = asyncio.gather(*others, _block(db, "d"))
        await asyncio.sleep(0.01)
        assert await _names(db) == []
        go_on.set()
        await asyncio.gather(first, writing)
        assert await _names(db) == ["a", "b", "c", "d"]

    run(scenario)


def test_what_fails_at_once_leaves_nothing_and_holds_nobody_up(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: SqliteDatabase) -> None:
        await db.write(_PUT, ("a",))
        failures: list[tuple[type[Exception], Coroutine[Any, Any, Any]]] = [
            (Conflict, db.write(_PUT, ("a",))),
            (Conflict, _block(db, "a")),
            (Conflict, db.write_all([(_PUT, ("b",)), (_PUT, ("a",))])),
            (Conflict, db.change(("SELECT name FROM item", ()), lambda rows: (_PUT, rows[0]))),
            (IndexError, db.change(("SELECT name FROM item", ()), lambda rows: (_PUT, rows[100]))),
            (apsw.SQLError, db.write("DELETE FROM missing")),
            (apsw.SQLError, db.write_all([(_PUT, ("b",)), ("DELETE FROM missing", ())])),
        ]
        for number, (kind, change) in enumerate(failures):
            await asyncio.sleep(0)
            with pytest.raises(kind):
                change.send(None)
            await asyncio.sleep(0)
            assert not _waits(db.write(_PUT, (f"kept {number}",)))
        assert await _names(db) == ["a", *(f"kept {number}" for number in range(len(failures)))]

    run(scenario)


def test_a_full_disk_keeps_nothing_of_what_it_refused(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: SqliteDatabase) -> None:
        put = "INSERT INTO item (name, body) VALUES ($1, $2)"

        async def fill(tx: Transaction) -> None:
            for number in range(1_000):
                await tx.write(put, (str(number), bytes(10_000)))

        async with db.transaction() as tx:
            await tx.read("PRAGMA max_page_count = 100")
        await asyncio.sleep(0)
        with pytest.raises(StorageError):
            db.write(put, ("large", bytes(1_000_000))).send(None)
        await asyncio.sleep(0)
        with pytest.raises(StorageError):
            async with db.transaction() as tx:
                await fill(tx)
        await asyncio.sleep(0)
        assert await _names(db) == []
        await db.write(put, ("small", b"x"))
        assert await _names(db) == ["small"]

    run(scenario)

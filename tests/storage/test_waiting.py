"""Who waits for a turn or for a commit may go away, or want what fails: nobody else hears of it, and nobody waits for ever."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import apsw
import pytest

from cumulet.storage.database import Conflict, StorageError
from cumulet.storage.sqlite import SqliteDatabase

_PUT = "INSERT INTO item (name) VALUES ($1)"

Scenario = Callable[[SqliteDatabase], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Scenario], None]:
    def runner(scenario: Scenario) -> None:
        async def main() -> None:
            db = SqliteDatabase(tmp_path / "records.db", quick=60.0)
            await db.migrate("item", ("CREATE TABLE item (name TEXT PRIMARY KEY)",))
            async with asyncio.timeout(60):
                await scenario(db)
                await db.write(_PUT, ("last",))
                await db.close()

        asyncio.run(main())

    return runner


async def _names(db: SqliteDatabase) -> list[str]:
    return [row[0] for row in await db.read("SELECT name FROM item ORDER BY name")]


async def _block(db: SqliteDatabase, name: str, action: Callable[[], None] = lambda: None) -> None:
    async with db.transaction() as tx:
        await tx.write(_PUT, (name,))
        tx.after_commit(action)


def test_who_was_cancelled_is_passed_over_when_its_turn_comes(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: SqliteDatabase) -> None:
        async with db.transaction() as tx:
            await tx.write(_PUT, ("a",))
            second = asyncio.ensure_future(_block(db, "b"))
            third = asyncio.ensure_future(_block(db, "c"))
            await asyncio.sleep(0)
            second.cancel()  # it hears of it after this block has ended
        await third
        with pytest.raises(asyncio.CancelledError):
            await second
        assert await _names(db) == ["a", "c"]

    run(scenario)


def test_who_is_dropped_gives_its_turn_up(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: SqliteDatabase) -> None:
        async with db.transaction() as tx:
            await tx.write(_PUT, ("a",))
            dropped = _block(db, "b")
            dropped.send(None)
            dropped.close()
        await db.write(_PUT, ("c",))
        assert await _names(db) == ["a", "c"]

    run(scenario)


def test_an_action_that_fails_keeps_nobody_from_hearing_of_the_commit(
    run: Callable[[Scenario], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(db: SqliteDatabase) -> None:
        done: list[str] = []

        def fail() -> None:
            raise KeyError("why")

        await _block(db, "alone", fail)
        await asyncio.gather(_block(db, "a", fail), _block(db, "b", lambda: done.append("b")), db.write(_PUT, ("c",)))
        await asyncio.sleep(0)
        await asyncio.gather(*(_block(db, name, fail) for name in "de"), _block(db, "f", lambda: done.append("f")))
        assert await _names(db) == ["a", "alone", "b", "c", "d", "e", "f"]
        assert done == ["b", "f"]

    run(scenario)
    assert caplog.text.count("KeyError: 'why'") == 4


def test_what_met_something_durable_hears_so_whatever_becomes_of_others(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: SqliteDatabase) -> None:
        await db.write(_PUT, ("a",))
        changes = [
            db.write_all([(_PUT, ("c",)), (_PUT, ("a",))]),
            db.write_all([(_PUT, ("c",)), ("DELETE FROM missing", ())]),
        ]
        told = await asyncio.gather(*changes, return_exceptions=True)
        assert [type(answer) for answer in told] == [Conflict, apsw.SQLError]
        assert await _names(db) == ["a"]

    run(scenario)


def test_a_block_that_cannot_be_undone_alone_takes_its_group_along(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: SqliteDatabase) -> None:
        async def half() -> None:
            async with db.transaction() as tx:
                await tx.write(_PUT, ("half",))
                await tx.write("RELEASE block")  # so that there is nothing to go back to
                raise ValueError

        first, second, third = await asyncio.gather(
            db.write(_PUT, ("a",)), db.write(_PUT, ("b",)), half(), return_exceptions=True
        )
        assert (first, type(second), type(third)) == ([], StorageError, ValueError)
        assert await _names(db) == ["a"]

    run(scenario)

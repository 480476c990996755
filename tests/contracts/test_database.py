"""What every record store must do. A new engine is added to ENGINES and must pass unchanged."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cumulet.storage.database import Conflict, Database, Row, Statement
from cumulet.storage.sqlite import SqliteDatabase

ENGINES: dict[str, Callable[[Path], Database]] = {
    "sqlite": lambda folder: SqliteDatabase(folder / "records.db"),
    "sqlite on a slow disk": lambda folder: SqliteDatabase(folder / "records.db", quick=0.0),
}
SCHEMA = ("CREATE TABLE item (name TEXT PRIMARY KEY, size BIGINT NOT NULL DEFAULT 0, body BYTEA)",)

Scenario = Callable[[Database], Awaitable[None]]


@pytest.fixture(params=ENGINES)
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], None]:
    """Runs a scenario on a fresh database with one table."""

    def runner(scenario: Scenario) -> None:
        async def main() -> None:
            db = ENGINES[request.param](tmp_path)
            await db.migrate("item", SCHEMA)
            try:
                await scenario(db)
            finally:
                await db.close()

        asyncio.run(main())

    return runner


async def _names(db: Database) -> list[str]:
    return [row[0] for row in await db.read("SELECT name FROM item ORDER BY name")]


def test_a_write_is_read_back_and_gives_its_returning_rows(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        rows = await db.write("INSERT INTO item (name, size) VALUES ($1, $2) RETURNING size + 1, name", ("a", 41))
        assert rows == [(42, "a")]
        assert await db.read_one("SELECT size FROM item WHERE name = $1", ("a",)) == (41,)
        assert await db.read_one("SELECT size FROM item WHERE name = $1", ("b",)) is None
        assert db.read_at_once("SELECT name, size FROM item", ()) in (None, [("a", 41)])

    run(scenario)


def test_one_statement_alone_is_kept_or_refused_as_among_others(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        await db.write("INSERT INTO item (name) VALUES ($1)", ("a",))
        with pytest.raises(Conflict):
            await db.write("INSERT INTO item (name) VALUES ($1)", ("a",))
        with pytest.raises(Exception, match="no such table"):
            await db.write("DELETE FROM missing")
        gone = asyncio.ensure_future(db.write("INSERT INTO item (name) VALUES ($1)", ("b",)))
        await asyncio.sleep(0)
        gone.cancel()
        await db.write("INSERT INTO item (name) VALUES ($1)", ("c",))
        assert set(await _names(db)) - {"b"} == {"a", "c"}

    run(scenario)


def test_parameters_are_numbered_not_positional(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        await db.write("INSERT INTO item (size, name) VALUES ($2, $1)", ("a", 7))
        assert await db.read("SELECT name, size FROM item WHERE size = $1 AND size = $1", (7,)) == [("a", 7)]

    run(scenario)


def test_one_statement_runs_for_each_row_of_values(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        async with db.transaction() as tx:
            await tx.write_each("INSERT INTO item (name, size) VALUES ($1, $2)", [("a", 1), ("b", 2), ("c", 3)])
            await tx.write_each("DELETE FROM item WHERE name = $1 AND size = $2", [("a", 1), ("b", 0)])
            await tx.write_each("DELETE FROM item WHERE name = $1", [])
            assert await tx.read("SELECT name FROM item ORDER BY name") == [("b",), ("c",)]
        assert await _names(db) == ["b", "c"]
        with pytest.raises(Conflict):
            async with db.transaction() as tx:
                await tx.write_each("INSERT INTO item (name) VALUES ($1)", [("d",), ("b",)])
        assert await _names(db) == ["b", "c"]

    run(scenario)


def test_a_broken_constraint_is_a_conflict_and_harms_no_neighbour(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        results = await asyncio.gather(
            *(db.write("INSERT INTO item (name) VALUES ($1)", (name,)) for name in ("a", "b", "a", "c")),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [list, list, Conflict, list]
        assert await _names(db) == ["a", "b", "c"]

    run(scenario)


def test_statements_that_go_together_happen_or_do_not(run: Callable[[Scenario], None]) -> None:
    insert = "INSERT INTO item (name, size) VALUES ($1, $2)"

    async def scenario(db: Database) -> None:
        await db.write_all(
            [(insert, ("a", 1)), (insert, ("b", 2)), ("UPDATE item SET size = 3 WHERE name = $1", ("a",))]
        )
        with pytest.raises(Conflict):
            await db.write_all([(insert, ("c", 1)), (insert, ("a", 1))])
        assert await db.read("SELECT name, size FROM item ORDER BY name") == [("a", 3), ("b", 2)]
        results = await asyncio.gather(
            db.write_all([(insert, ("d", 1)), (insert, ("b", 1))]),
            db.write(insert, ("e", 1)),
            db.write_all([(insert, ("f", 1)), (insert, ("g", 1))]),
            db.write_all([(insert, ("h", 1)), (insert, ("e", 1))]),
            return_exceptions=True,
        )
        assert [isinstance(result, Conflict) for result in results] == [True, False, False, True]
        assert await _names(db) == ["a", "b", "e", "f", "g"]
        with pytest.raises(Exception, match="no such table"):
            await db.write_all([(insert, ("i", 1)), ("DELETE FROM missing", ())])
        assert await _names(db) == ["a", "b", "e", "f", "g"]

    run(scenario)


def test_a_failed_transaction_leaves_nothing_and_takes_nobody_along(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        async def fail() -> None:
            async with db.transaction() as tx:
                await tx.write("INSERT INTO item (name) VALUES ('a')")
                await asyncio.sleep(0)
                raise ConnectionError

        other = db.write("INSERT INTO item (name) VALUES ('b')")
        results = await asyncio.gather(fail(), other, return_exceptions=True)
        assert isinstance(results[0], ConnectionError)
        assert await _names(db) == ["b"]

    run(scenario)


def test_no_other_writer_falls_between_the_queries_of_a_transaction(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        await db.write("INSERT INTO item (name, size) VALUES ('counter', 0)")

        async def increment() -> None:
            async with db.transaction() as tx:
                [(size,)] = await tx.read("SELECT size FROM item WHERE name = 'counter'")
                await asyncio.sleep(0)
                await tx.write("UPDATE item SET size = $1 WHERE name = 'counter'", (size + 1,))

        await asyncio.gather(*(increment() for _ in range(50)))
        assert await db.read_one("SELECT size FROM item") == (50,)

    run(scenario)


def test_no_other_writer_falls_between_a_change_and_what_it_follows_from(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        await db.write("INSERT INTO item (name, size) VALUES ('counter', 0)")
        query = ("SELECT size FROM item WHERE name = $1", ("counter",))

        def more(rows: list[Row]) -> Statement:
            return "UPDATE item SET size = $1 WHERE name = 'counter'", (rows[0][0] + 1,)

        async def block() -> None:
            async with db.transaction() as tx:
                [(size,)] = await tx.read(*query)
                await asyncio.sleep(0)
                await tx.write(*more([(size,)]))

        for _ in range(3):
            await db.change(query, more)  # nobody else is there
            await asyncio.gather(*(db.change(query, more) if number % 3 else block() for number in range(50)))
        assert await db.read_one("SELECT size FROM item") == (153,)

    run(scenario)


def test_a_change_that_is_decided_against_leaves_everything(run: Callable[[Scenario], None]) -> None:
    query = ("SELECT 1 FROM item WHERE name = $1", ("a",))

    async def scenario(db: Database) -> None:
        def add(rows: list[Row]) -> Statement | None:
            if rows:
                raise KeyError("a")
            return "INSERT INTO item (name) VALUES ($1)", ("a",)

        async def change() -> list[str]:
            with contextlib.suppress(KeyError):
                await db.change(query, add)
            return await _names(db)

        await db.change(query, lambda rows: None)
        assert await _names(db) == []
        # Who is refused for what was there finds it.
        assert list(await asyncio.gather(change(), change(), change())) == [["a"]] * 3
        with pytest.raises(KeyError):
            await db.change(query, add)
        with pytest.raises(Conflict):
            await db.change(query, lambda rows: ("INSERT INTO item (name) VALUES ($1)", ("a",)))
        with pytest.raises(Exception, match="no such table"):
            await db.change(query, lambda rows: ("DELETE FROM missing", ()))
        await db.write("INSERT INTO item (name) VALUES ($1)", ("b",))
        assert await _names(db) == ["a", "b"]

    run(scenario)


def test_a_transaction_sees_its_own_changes_and_others_see_them_after_it(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        async with db.transaction() as tx:
            await tx.write("INSERT INTO item (name) VALUES ('a')")
            assert await tx.read("SELECT name FROM item") == [("a",)]
            assert await _names(db) == []
        assert await _names(db) == ["a"]

    run(scenario)


def test_after_commit_runs_once_durable_and_never_after_a_failure(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        done: list[str] = []
        async with db.transaction() as tx:
            await tx.write("INSERT INTO item (name) VALUES ('a')")
            tx.after_commit(lambda: done.append("a"))
            assert done == []
        with pytest.raises(ConnectionError):
            async with db.transaction() as tx:
                tx.after_commit(lambda: done.append("b"))
                raise ConnectionError
        assert done == ["a"]

    run(scenario)


def test_a_caller_that_goes_away_leaves_the_store_working(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        async def slow() -> None:
            async with db.transaction() as tx:
                await tx.write("INSERT INTO item (name) VALUES ('lost')")
                await asyncio.sleep(60)

        first = asyncio.ensure_future(slow())
        await asyncio.sleep(0.01)
        waiting = asyncio.ensure_future(slow())
        writer = asyncio.ensure_future(db.write("INSERT INTO item (name) VALUES ('cancelled')"))
        await asyncio.sleep(0.01)
        for task in (waiting, writer, first):
            task.cancel()
        await asyncio.gather(first, waiting, writer, return_exceptions=True)
        await db.write("INSERT INTO item (name) VALUES ('kept')")
        assert await _names(db) == ["kept"]

    run(scenario)


def test_what_is_made_durable_acts_even_when_who_asked_went_away(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        done: list[str] = []

        async def leave() -> None:
            async with db.transaction() as tx:
                await tx.write("INSERT INTO item (name) VALUES ('a')")
                tx.after_commit(lambda: done.append("a"))
                me = asyncio.current_task()
                assert me is not None
                me.cancel()  # told where the block waits for its commit

        with pytest.raises(asyncio.CancelledError):
            await asyncio.ensure_future(leave())
        await db.write("INSERT INTO item (name) VALUES ('b')")
        assert await _names(db) == ["a", "b"]
        assert done == ["a"]

    run(scenario)


def test_bytes_come_back_as_bytes_and_keys_compare_bytewise(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        for name in ("b", "B", "a", "é", "Z"):
            await db.write("INSERT INTO item (name, body) VALUES ($1, $2)", (name, b"\x00\xff"))
        assert await _names(db) == ["B", "Z", "a", "b", "é"]
        assert await db.read_one("SELECT body FROM item WHERE name = 'a'") == (b"\x00\xff",)

    run(scenario)


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_written_is_there_after_reopening_and_migrations_run_once(engine: str, tmp_path: Path) -> None:
    async def first() -> None:
        db = ENGINES[engine](tmp_path)
        await db.migrate("item", SCHEMA)
        await db.write("INSERT INTO item (name) VALUES ('a')")
        await db.close()

    async def second() -> None:
        db = ENGINES[engine](tmp_path)
        await db.migrate("item", (*SCHEMA, "INSERT INTO item (name) VALUES ('migrated')"))
        await db.migrate("item", (*SCHEMA, "INSERT INTO item (name) VALUES ('migrated')"))
        assert await _names(db) == ["a", "migrated"]
        await db.close()

    asyncio.run(first())
    asyncio.run(second())


def test_who_is_told_of_a_conflict_finds_what_is_there(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        async def add() -> None:
            with contextlib.suppress(Conflict):
                await db.write("INSERT INTO item (name) VALUES ($1)", ("a",))
            assert await _names(db) == ["a"]

        await asyncio.gather(add(), add(), add())

    run(scenario)


def test_a_block_that_fails_for_what_it_saw_ends_after_that_is_committed(run: Callable[[Scenario], None]) -> None:
    async def scenario(db: Database) -> None:
        async def add() -> None:
            with contextlib.suppress(KeyError):
                async with db.transaction() as tx:
                    if await tx.read("SELECT 1 FROM item WHERE name = $1", ("a",)):
                        raise KeyError("a")
                    await tx.write("INSERT INTO item (name) VALUES ($1)", ("a",))
            assert await _names(db) == ["a"]

        await asyncio.gather(add(), add(), add())

    run(scenario)

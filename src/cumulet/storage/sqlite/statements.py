"""A file of SQLite's, and what is run on it."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import apsw

from cumulet.storage.database import Conflict, Decision, Row, Statement, StorageError, Values

_CACHED_STATEMENTS = 256
# One lock for as long as the file is open, which no other process opens, instead of six system calls a commit and two a read.
_VFS = "unix-excl"


def open_file(path: Path) -> apsw.Connection:
    """A connection with the node's settings. Raises StorageError when another program has the file open."""
    connection = apsw.Connection(str(path), statementcachesize=_CACHED_STATEMENTS, vfs=_VFS)
    connection.set_busy_timeout(5_000)
    for name, value in (
        ("journal_mode", "WAL"),
        ("synchronous", "FULL"),
        ("foreign_keys", True),
        ("cache_size", -16_384),
        ("temp_store", "MEMORY"),
    ):
        try:
            connection.pragma(name, value)
        except apsw.BusyError as error:
            raise StorageError(f"another program has {path} open; close that, then start again") from error
    # No plan depends on the values of one call: else a statement with an ORDER BY is prepared again for each.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    return connection


@lru_cache(4096)
def _numbered(sql: str) -> str:
    """SQLite takes `?1` for PostgreSQL's `$1` (where `$1` would be a name)."""
    return sql.replace("$", "?")


def run(connection: apsw.Connection, sql: str, values: Values) -> list[Row]:
    """Run one statement of the port's; raises as the port says."""
    try:
        return connection.execute(_numbered(sql), tuple(values)).fetchall()
    except apsw.Error as error:
        raise _failure(error) from error


def run_each(connection: apsw.Connection, sql: str, rows: Sequence[Values]) -> None:
    """Run one statement for each row of values; raises as `run`."""
    try:
        connection.executemany(_numbered(sql), map(tuple, rows)).fetchall()
    except apsw.Error as error:
        raise _failure(error) from error


def change(connection: apsw.Connection, query: Statement, decide: Decision) -> None:
    """Run a query, and the statement that follows from its rows; raises as the port says, and what `decide` raises."""
    statement = decide(run(connection, *query))
    if statement is not None:
        run(connection, *statement)


def _failure(error: apsw.Error) -> Exception:
    """What the port says of it; the error itself where that is nothing."""
    if isinstance(error, apsw.ConstraintError):
        return Conflict(str(error))
    if isinstance(error, (apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.NotADBError, apsw.ReadOnlyError)):
        return StorageError(f"the database refused a statement: {error}")
    return error


class Queries:
    """What a `transaction()` block gets; `actions` are for after the commit."""

    def __init__(self, connection: apsw.Connection, actions: list[Callable[[], None]]) -> None:
        self._connection = connection
        self._actions = actions

    async def read(self, sql: str, values: Values = ()) -> list[Row]:
        return run(self._connection, sql, values)

    async def write(self, sql: str, values: Values = ()) -> list[Row]:
        return run(self._connection, sql, values)

    async def write_each(self, sql: str, rows: Sequence[Values]) -> None:
        run_each(self._connection, sql, rows)

    def after_commit(self, action: Callable[[], None]) -> None:
        self._actions.append(action)

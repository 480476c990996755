"""The embedded record store: a SQLite file in WAL mode with `synchronous=FULL`.

Statements run on the loop (10-20 us each). The COMMIT, which waits for the disk, runs there too while the disk is so fast
that a thread would cost more than the wait, and on a thread otherwise. Everything that arrives while a commit is under way
becomes one group with one fsync, so throughput grows with load while a lone writer waits for nobody. Reads use a second
connection, which sees only what is committed.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import apsw

from cumulet.storage.database import Conflict, Row, Statement, StorageError, Transaction, Values
from cumulet.storage.sqlite_log import WriteAheadLog

_CACHED_STATEMENTS = 256
# One lock for as long as the file is open, which no other process opens, instead of six system calls a commit and two a read.
_VFS = "unix-excl"
# Seconds a commit takes on average, below which it delays the loop less than a hop to a thread and back costs.
_QUICK = 0.0006
_WEIGHT = 1 / 16  # of the newest commit in that average


@lru_cache(4096)
def _numbered(sql: str) -> str:
    """SQLite takes `?1` for PostgreSQL's `$1` (where `$1` would be a name)."""
    return sql.replace("$", "?")


class _Job:
    """One statement waiting for its turn and then for its group's commit, which a conflict waits for too: whoever is told
    that something is there already must find it."""

    __slots__ = ("conflict", "done", "rows", "sql", "values")

    def __init__(self, sql: str, values: Values, done: "asyncio.Future[list[Row]]") -> None:
        self.sql = sql
        self.values = values
        self.done = done
        self.rows: list[Row] = []
        self.conflict: Conflict | None = None


class _Batch(_Job):
    """Several statements that go together."""

    __slots__ = ("statements",)

    def __init__(self, statements: Sequence[Statement], done: "asyncio.Future[list[Row]]") -> None:
        super().__init__("", (), done)
        self.statements = statements


class _Turn:
    """A `transaction()` block waiting for the connection, then for its group's commit."""

    __slots__ = ("actions", "done", "first", "granted")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.granted: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()
        self.actions: list[Callable[[], None]] = []
        self.first = False  # of its group: what it undoes is the whole transaction, so it needs no savepoint


class _Queries:
    """What a `transaction()` block gets."""

    def __init__(self, connection: apsw.Connection, turn: _Turn) -> None:
        self._connection = connection
        self._turn = turn

    async def read(self, sql: str, values: Values = ()) -> list[Row]:
        return _run(self._connection, sql, values)

    async def write(self, sql: str, values: Values = ()) -> list[Row]:
        return _run(self._connection, sql, values)

    async def write_each(self, sql: str, rows: Sequence[Values]) -> None:
        try:
            self._connection.executemany(_numbered(sql), map(tuple, rows)).fetchall()
        except apsw.Error as error:
            raise _failure(error) from error

    def after_commit(self, action: Callable[[], None]) -> None:
        self._turn.actions.append(action)


def _run(connection: apsw.Connection, sql: str, values: Values) -> list[Row]:
    try:
        return connection.execute(_numbered(sql), tuple(values)).fetchall()
    except apsw.Error as error:
        raise _failure(error) from error


def _failure(error: apsw.Error) -> Exception:
    """What the port says of it; the error itself where that is nothing."""
    if isinstance(error, apsw.ConstraintError):
        return Conflict(str(error))
    if isinstance(error, (apsw.FullError, apsw.IOError, apsw.CorruptError, apsw.NotADBError, apsw.ReadOnlyError)):
        return StorageError(f"the database refused a statement: {error}")
    return error


def _tell(item: _Job | _Turn, failure: StorageError | None) -> None:
    """Whoever waits for its group's commit."""
    if failure is not None:
        item.done.set_exception(failure)
    elif isinstance(item, _Turn):
        item.done.set_result(None)
    elif item.conflict is not None:
        item.done.set_exception(item.conflict)
    else:
        item.done.set_result(item.rows)


class _Block:
    """One `transaction()`. A class, as a generator would cost the loop as much as a statement does."""

    __slots__ = ("_database", "_turn")

    def __init__(self, database: "SqliteDatabase") -> None:
        self._database = database
        self._turn = _Turn(asyncio.get_running_loop())

    async def __aenter__(self) -> Transaction:
        return await self._database._enter(self._turn)

    async def __aexit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        database, turn = self._database, self._turn
        if error is not None:
            await database._fail(turn, error)
            return
        try:
            database._end_block(turn)
        except BaseException as failure:
            await database._fail(turn, failure)
            raise
        database._leave(turn)
        await turn.done


class SqliteDatabase:
    """One file. Open it on the loop that uses it; one process at a time (the data folder's lock sees to that).

    `quick`: commits that take more seconds than that on average are waited for on a thread.
    """

    def __init__(self, path: Path, quick: float = _QUICK) -> None:
        self._writer = _open(path)
        self._reader = _open(path)
        self._reader.pragma("query_only", True)
        self._pending: deque[_Job | _Turn] = deque()
        self._group: list[_Job | _Turn] = []
        self._owner: _Turn | None = None
        self._committing = False
        self._scheduled = False
        self._quick = quick
        self._commit_time = 0.0  # seconds, a running average
        self._log = WriteAheadLog(self._writer, path)
        self._commits: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._commit_loop, name=f"commit {path.name}", daemon=True)
        self._thread.start()

    async def read(self, sql: str, values: Values = ()) -> list[Row]:
        return _run(self._reader, sql, values)

    def read_at_once(self, sql: str, values: Values = ()) -> list[Row]:
        return _run(self._reader, sql, values)

    async def read_one(self, sql: str, values: Values = ()) -> Row | None:
        rows = _run(self._reader, sql, values)
        return rows[0] if rows else None

    async def write(self, sql: str, values: Values = ()) -> list[Row]:
        done: asyncio.Future[list[Row]] = asyncio.get_running_loop().create_future()
        self._pending.append(_Job(sql, values, done))
        self._pump()
        return await done

    async def write_all(self, statements: Sequence[Statement]) -> None:
        done: asyncio.Future[list[Row]] = asyncio.get_running_loop().create_future()
        self._pending.append(_Batch(statements, done))
        self._pump()
        await done

    def transaction(self) -> "_Block":
        return _Block(self)

    async def _enter(self, turn: _Turn) -> Transaction:
        self._pending.append(turn)
        self._pump()
        try:
            await turn.granted
        except asyncio.CancelledError:
            self._forget(turn)
            raise
        return _Queries(self._writer, turn)

    async def _fail(self, turn: _Turn, error: BaseException) -> None:
        turn.actions.clear()
        self._undo(turn)
        self._leave(turn)
        if isinstance(error, Exception):
            with contextlib.suppress(StorageError):
                await turn.done  # what the block saw, and failed for, may not be committed yet

    def _end_block(self, turn: _Turn) -> None:
        if not self._writer.in_transaction:
            raise StorageError("the engine rolled the transaction back on the way")
        if not turn.first:
            self._writer.execute("RELEASE block")

    def _leave(self, turn: _Turn) -> None:
        self._owner = None
        self._group.append(turn)
        self._pump()

    async def migrate(self, name: str, statements: Sequence[str]) -> None:
        if self._version(name) >= len(statements):
            return  # as at every start but the first: nothing is written, so no disk is waited for
        async with self.transaction() as tx:
            await tx.write("CREATE TABLE IF NOT EXISTS cumulet_schema (name TEXT PRIMARY KEY, version BIGINT NOT NULL)")
            rows = await tx.read("SELECT version FROM cumulet_schema WHERE name = $1", (name,))
            done = int(rows[0][0]) if rows else 0
            for statement in statements[done:]:
                # Rows in the order of their key, where a table asks for it; PostgreSQL sees a comment.
                await tx.write(statement.replace("/* clustered */", "WITHOUT ROWID"))
            await tx.write(
                "INSERT INTO cumulet_schema (name, version) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET version = $2",
                (name, max(done, len(statements))),
            )

    def _version(self, name: str) -> int:
        try:
            rows = _run(self._reader, "SELECT version FROM cumulet_schema WHERE name = $1", (name,))
        except apsw.SQLError:  # there is no such table yet
            return 0
        return int(rows[0][0]) if rows else 0

    def knows(self, schema: str) -> bool:
        """Whether `migrate` has ever been called for the schema of that name."""
        return self._version(schema) > 0

    def give_back_memory(self) -> None:
        """Empty the caches of pages; the next reads fill them again."""
        if not self._committing:  # a thread may have the writer
            self._reader.release_memory()
            self._writer.release_memory()

    async def close(self) -> None:
        async with self.transaction():  # its turn comes after everything that was accepted before
            pass
        self._commits.put(None)
        await asyncio.get_running_loop().run_in_executor(None, self._thread.join)
        self._reader.close()
        self._writer.pragma("wal_checkpoint(TRUNCATE)")
        self._writer.close()

    def _pump(self) -> None:
        """Run what may run now; when nothing is left to join the group, have it committed."""
        while self._pending and self._owner is None and not self._committing and not self._is_alone():
            item = self._pending.popleft()
            if isinstance(item, _Turn):
                self._grant(item)
            elif not item.done.cancelled():
                self._execute(item)
        if self._committing or self._owner is not None or self._scheduled:
            return
        if self._group or self._pending:
            self._scheduled = True
            # One trip through the loop lets every task that is ready add its statement to this group.
            asyncio.get_running_loop().call_soon(self._commit)

    def _is_alone(self) -> bool:
        """Whether all there is to do is one statement. It waits for others: without any it needs no BEGIN and no COMMIT."""
        return len(self._pending) == 1 and not self._group and type(self._pending[0]) is _Job

    def _begin(self) -> None:
        if not self._writer.in_transaction:
            self._writer.execute("BEGIN IMMEDIATE")

    def _execute(self, job: _Job, *, alone: bool = False) -> None:
        """Run it within the group's transaction, or `alone` as one of its own, durable when this returns."""
        try:
            if isinstance(job, _Batch):
                self._execute_all(job.statements)
            else:
                if not alone:
                    self._begin()
                job.rows = _run(self._writer, job.sql, job.values)
        except Conflict as error:
            job.conflict = error
            self._group.append(job)
        except Exception as error:  # noqa: BLE001  it belongs to whoever asked, not to the pump
            job.done.set_exception(error)
            self._check_still_open(error)
        else:
            self._group.append(job)

    def _execute_all(self, statements: Sequence[Statement]) -> None:
        writer = self._writer
        first = not writer.in_transaction
        writer.execute("BEGIN IMMEDIATE" if first else "SAVEPOINT block")
        try:
            for sql, values in statements:
                _run(writer, sql, values)
        except Exception:
            self._roll_back(first=first)
            raise
        if not first:
            writer.execute("RELEASE block")

    def _roll_back(self, *, first: bool) -> None:
        """Undo a block, which is the whole transaction when it is the `first` of its group."""
        if not self._writer.in_transaction:
            return
        if first:
            self._writer.execute("ROLLBACK")
        else:
            self._writer.execute("ROLLBACK TO block")
            self._writer.execute("RELEASE block")

    def _grant(self, turn: _Turn) -> None:
        try:
            turn.first = not self._writer.in_transaction
            self._writer.execute("BEGIN IMMEDIATE" if turn.first else "SAVEPOINT block")
        except apsw.Error as error:
            turn.granted.set_exception(StorageError(f"no transaction could be opened: {error}"))
            return
        self._owner = turn
        turn.granted.set_result(None)

    def _forget(self, turn: _Turn) -> None:
        """A caller went away while it waited for its turn, or just as it was granted."""
        turn.done.cancel()
        if self._owner is turn:
            self._undo(turn)
            self._owner = None
            self._group.append(turn)
            self._pump()
        elif turn in self._pending:
            self._pending.remove(turn)

    def _undo(self, turn: _Turn) -> None:
        lost = not turn.first and not self._writer.in_transaction
        self._roll_back(first=turn.first)
        if lost:
            self._check_still_open(StorageError("the transaction was rolled back by the engine"))

    def _check_still_open(self, error: Exception) -> None:
        """Some failures (disk full) make SQLite roll back the whole group: nobody in it may be told otherwise."""
        if self._group and not self._writer.in_transaction:
            self._finish(StorageError(f"the group was rolled back: {error}"))

    def _commit(self) -> None:
        self._scheduled = False
        if self._owner is not None or self._committing:
            return
        quick = self._commit_time < self._quick and not self._log.is_long
        if self._is_alone():
            self._execute_alone(quick=quick)
        if not self._group:
            return
        if not self._writer.in_transaction:
            self._committed(None)
            return
        if quick:
            self._committed(self._end_transaction())
            return
        self._committing = True
        loop = asyncio.get_running_loop()

        def commit() -> None:
            failure = self._end_transaction()
            if self._log.is_long:
                self._log.copy()
            loop.call_soon_threadsafe(self._committed, failure)

        self._commits.put(commit)

    def _execute_alone(self, *, quick: bool) -> None:
        """The one statement that nothing joined. If its commit is for the thread, it becomes a group like any other."""
        job = self._pending.popleft()
        if job.done.cancelled():
            return
        assert isinstance(job, _Job)
        started = time.perf_counter()
        self._execute(job, alone=quick)
        if quick:
            self._measure(started)

    def _end_transaction(self) -> StorageError | None:
        started = time.perf_counter()
        try:
            self._writer.execute("COMMIT")
        except apsw.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            return StorageError(f"the change could not be made durable: {error}")
        self._measure(started)
        return None

    def _measure(self, started: float) -> None:
        """Add a commit to their average, none as more than twice what is quick: a few that a busy machine held up for
        milliseconds say nothing of the disk."""
        seconds = min(time.perf_counter() - started, 2 * self._quick)
        self._commit_time += (seconds - self._commit_time) * _WEIGHT

    def _committed(self, failure: StorageError | None) -> None:
        self._committing = False
        self._finish(failure)
        self._pump()

    def _finish(self, failure: StorageError | None) -> None:
        group, self._group = self._group, []
        for item in group:
            if not item.done.done():
                _tell(item, failure)
            if failure is None and isinstance(item, _Turn):
                for action in item.actions:  # also when whoever asked went away meanwhile: the change is there
                    action()

    def _commit_loop(self) -> None:
        while (commit := self._commits.get()) is not None:
            commit()


def _open(path: Path) -> apsw.Connection:
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

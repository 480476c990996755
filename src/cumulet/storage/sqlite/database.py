"""The embedded record store: a SQLite file in WAL mode with `synchronous=FULL`.

Statements run on the loop (10-20 us each). The COMMIT, which waits for the disk, runs there too while the disk is so fast
that a thread would cost more than the wait, and on a thread otherwise. Who comes alone has it at once, before anything else
happens on the loop; of those who come together, and of all that arrives while a commit is under way, one group is made with
one fsync. So throughput grows with load while a lone writer waits for nobody. Reads use a second connection, which sees
only what is committed.
"""

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import apsw

from cumulet.storage.database import Decision, Row, Statement, StorageError, Transaction, Values
from cumulet.storage.sqlite.company import Company
from cumulet.storage.sqlite.log import WriteAheadLog
from cumulet.storage.sqlite.statements import Queries, change, open_file, run
from cumulet.storage.sqlite.waiting import Batch, Choice, Job, Turn, tell

# Seconds a commit takes on average, below which it delays the loop less than a hop to a thread and back costs.
_QUICK = 0.0006
_WEIGHT = 1 / 16  # of the newest commit in that average


class _Block:
    """One `transaction()`. A class, as a generator would cost the loop as much as a statement does."""

    __slots__ = ("_database", "_turn")

    def __init__(self, database: "SqliteDatabase") -> None:
        self._database = database
        self._turn = Turn()

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
        if not database._leave_at_once(turn):
            await turn.done


class SqliteDatabase:
    """One file. Open it on the loop that uses it; one process at a time (the data folder's lock sees to that).

    `quick`: commits that take more seconds than that on average are waited for on a thread.
    """

    def __init__(self, path: Path, quick: float = _QUICK) -> None:
        self._writer = open_file(path)
        self._reader = open_file(path)
        self._reader.pragma("query_only", True)
        self._pending: deque[Job | Turn] = deque()
        self._group: list[Job | Turn] = []
        self._owner: Turn | None = None
        self._committing = False
        self._scheduled = False
        self._company = Company()
        self._quick = quick
        self._commit_time = 0.0  # seconds, a running average
        self._log = WriteAheadLog(self._writer, path)
        self._commits: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._commit_loop, name=f"commit {path.name}", daemon=True)
        self._thread.start()

    async def read(self, sql: str, values: Values = ()) -> list[Row]:
        return run(self._reader, sql, values)

    def read_at_once(self, sql: str, values: Values = ()) -> list[Row]:
        return run(self._reader, sql, values)

    async def read_one(self, sql: str, values: Values = ()) -> Row | None:
        rows = run(self._reader, sql, values)
        return rows[0] if rows else None

    async def write(self, sql: str, values: Values = ()) -> list[Row]:
        if self._commits_at_once():
            started = time.perf_counter()
            rows = run(self._writer, sql, values)
            self._measure(started)
            return rows
        return await self._join(Job(sql, values, asyncio.get_running_loop().create_future()))

    async def write_all(self, statements: Sequence[Statement]) -> None:
        if self._commits_at_once():
            self._execute_all(statements)
            self._end_transaction()
            return
        await self._join(Batch(statements, asyncio.get_running_loop().create_future()))

    async def change(self, query: Statement, decide: Decision) -> None:
        if self._commits_at_once():
            started = time.perf_counter()
            change(self._writer, query, decide)
            self._measure(started)
            return
        await self._join(Choice(query, decide, asyncio.get_running_loop().create_future()))

    async def _join(self, job: Job) -> list[Row]:
        """Have it done with what others do."""
        self._pending.append(job)
        self._pump()
        return await job.done

    def transaction(self) -> _Block:
        return _Block(self)

    def _commits_at_once(self) -> bool:
        """Whether who changes something now commits it there and then: nobody else has a change on its way, commits are
        quick, and the log need not be copied."""
        if self._pending or self._group or self._committing or self._owner is not None:
            return False
        if self._commit_time >= self._quick or self._log.is_long:
            return False
        return not self._company.comes()

    async def _enter(self, turn: Turn) -> Transaction:
        if self._pending or self._committing or self._owner is not None:
            turn.granted = asyncio.get_running_loop().create_future()
            self._pending.append(turn)
            self._pump()
            try:
                await turn.granted
            except BaseException:  # also the end of a coroutine that is dropped
                self._forget(turn)
                raise
        else:
            self._open(turn)
        return Queries(self._writer, turn.actions)

    def _end_block(self, turn: Turn) -> None:
        if not self._writer.in_transaction:
            raise StorageError("the engine rolled the transaction back on the way")
        if not turn.first:
            self._writer.execute("RELEASE block")

    def _leave_at_once(self, turn: Turn) -> bool:
        """Whether the block's changes are durable; else `turn.done` tells when they are."""
        self._owner = None
        if self._commits_at_once():
            self._end_transaction()
            turn.act()
            return True
        self._await_commit(turn)
        return False

    async def _fail(self, turn: Turn, error: BaseException) -> None:
        turn.actions.clear()
        self._undo(turn)
        self._owner = None
        if not self._group or not isinstance(error, Exception):
            self._pump()
            return
        self._await_commit(turn)
        with contextlib.suppress(StorageError):
            await turn.done  # what the block saw, and failed for, is not committed yet

    def _await_commit(self, turn: Turn) -> None:
        """Make a block one of the group."""
        turn.done = asyncio.get_running_loop().create_future()
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
            rows = run(self._reader, "SELECT version FROM cumulet_schema WHERE name = $1", (name,))
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
            if isinstance(item, Turn):
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
        return len(self._pending) == 1 and not self._group and not isinstance(self._pending[0], (Batch, Turn))

    def _begin(self) -> None:
        if not self._writer.in_transaction:
            run(self._writer, "BEGIN IMMEDIATE", ())

    def _execute(self, job: Job, *, alone: bool = False) -> None:
        """Run it within the group's transaction, or `alone` as one of its own, durable when this returns."""
        try:
            if isinstance(job, Batch):
                self._execute_all(job.statements)
            else:
                if not alone:
                    self._begin()
                if isinstance(job, Choice):
                    change(self._writer, (job.sql, job.values), job.decide)
                else:
                    job.rows = run(self._writer, job.sql, job.values)
        except (StorageError, apsw.Error) as error:  # it belongs to whoever asked, not to the pump
            job.done.set_exception(error)
            self._check_still_open(error)
            if not self._group:
                self._roll_back(first=True)
        except Exception as error:  # noqa: BLE001  a conflict, or what a decision came to
            if self._writer.in_transaction:
                job.refusal = error
                self._group.append(job)
            else:  # what it met is durable
                job.done.set_exception(error)
        else:
            self._group.append(job)

    def _execute_all(self, statements: Sequence[Statement]) -> None:
        writer = self._writer
        first = not writer.in_transaction
        run(writer, "BEGIN IMMEDIATE" if first else "SAVEPOINT block", ())
        try:
            for sql, values in statements:
                run(writer, sql, values)
        except Exception:
            self._roll_back(first=first)
            raise
        if not first:
            writer.execute("RELEASE block")

    def _roll_back(self, *, first: bool) -> None:
        """Undo a block, which is the whole transaction when it is the `first` of its group.

        Raises StorageError when the rest of the group had to go with it: half a block is never made durable.
        """
        if not self._writer.in_transaction:
            return
        if first:
            self._writer.execute("ROLLBACK")
            return
        try:
            self._writer.execute("ROLLBACK TO block")
            self._writer.execute("RELEASE block")
        except apsw.Error as error:
            self._writer.execute("ROLLBACK")
            raise StorageError(f"a block could not be undone alone: {error}") from error

    def _grant(self, turn: Turn) -> None:
        if turn.granted.cancelled():
            return  # it is about to be told so
        try:
            self._open(turn)
        except StorageError as error:
            turn.granted.set_exception(error)
        else:
            turn.granted.set_result(None)

    def _open(self, turn: Turn) -> None:
        """Give a block the connection. Raises StorageError."""
        try:
            turn.first = not self._writer.in_transaction
            self._writer.execute("BEGIN IMMEDIATE" if turn.first else "SAVEPOINT block")
        except apsw.Error as error:
            raise StorageError(f"no transaction could be opened: {error}") from error
        self._owner = turn

    def _forget(self, turn: Turn) -> None:
        """A caller went away while it waited for its turn, or just as it was granted."""
        if self._owner is turn:
            self._undo(turn)
            self._owner = None
            self._pump()
        elif turn in self._pending:
            self._pending.remove(turn)

    def _undo(self, turn: Turn) -> None:
        lost = not turn.first and not self._writer.in_transaction
        try:
            self._roll_back(first=turn.first)
        except StorageError as error:
            self._check_still_open(error)
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
            self._committed(self._try_to_end())
            return
        self._committing = True
        loop = asyncio.get_running_loop()

        def commit() -> None:
            failure = self._try_to_end()
            if self._log.is_long:
                self._log.copy()
            loop.call_soon_threadsafe(self._committed, failure)

        self._commits.put(commit)

    def _execute_alone(self, *, quick: bool) -> None:
        """The one statement that nothing joined. If its commit is for the thread, it becomes a group like any other."""
        job = self._pending.popleft()
        if job.done.cancelled():
            return
        assert isinstance(job, Job)
        started = time.perf_counter()
        self._execute(job, alone=quick)
        if quick:
            self._measure(started)

    def _end_transaction(self) -> None:
        """Make it durable. Raises StorageError; nothing of it is kept then."""
        started = time.perf_counter()
        try:
            self._writer.execute("COMMIT")
        except apsw.Error as error:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            raise StorageError(f"the change could not be made durable: {error}") from error
        self._measure(started)

    def _try_to_end(self) -> StorageError | None:
        try:
            self._end_transaction()
        except StorageError as error:
            return error
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
        self._company.came(len(group))
        for item in group:
            tell(item, failure)

    def _commit_loop(self) -> None:
        while (commit := self._commits.get()) is not None:
            commit()

"""The tables of executions and their journals."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec import Struct
from msgspec.structs import astuple

from cumulet.services.stepfunctions.engine.journal import decode
from cumulet.storage.database import Database, Row, Statement

SCHEMA = (
    """CREATE TABLE sfn_execution (
        number BIGINT PRIMARY KEY, arn TEXT NOT NULL, machine TEXT NOT NULL, revision TEXT NOT NULL, version BIGINT, alias TEXT NOT NULL,
        account TEXT NOT NULL, region TEXT NOT NULL, type TEXT NOT NULL, status TEXT NOT NULL, started DOUBLE PRECISION NOT NULL,
        stopped DOUBLE PRECISION, due DOUBLE PRECISION, input TEXT NOT NULL, output TEXT, error TEXT, cause TEXT, trace TEXT,
        map_run TEXT NOT NULL, flow TEXT NOT NULL, items BIGINT NOT NULL, redrives BIGINT NOT NULL, redriven DOUBLE PRECISION,
        redrive_token TEXT, last_event BIGINT NOT NULL) /* clustered */""",
    "CREATE UNIQUE INDEX sfn_execution_arn ON sfn_execution (arn)",
    "CREATE INDEX sfn_execution_machine ON sfn_execution (machine, number)",
    "CREATE INDEX sfn_execution_due ON sfn_execution (due) WHERE due IS NOT NULL",
    "CREATE INDEX sfn_execution_map_run ON sfn_execution (map_run, number) WHERE map_run <> ''",
    """CREATE TABLE sfn_journal (
        execution BIGINT NOT NULL, chunk BIGINT NOT NULL, first BIGINT NOT NULL, body BYTEA NOT NULL,
        PRIMARY KEY (execution, chunk)) /* clustered */""",
)

_COLUMNS = (
    "number, arn, machine, revision, version, alias, account, region, type, status, started, stopped, due, input, output, error, cause, "
    "trace, map_run, flow, items, redrives, redriven, redrive_token, last_event"
)
_INSERT = f"INSERT INTO sfn_execution ({_COLUMNS}) VALUES ({', '.join(f'${place}' for place in range(1, 26))})"  # noqa: S608  constants
_FIND = f"SELECT {_COLUMNS} FROM sfn_execution WHERE arn = $1"  # noqa: S608  constants
_BY_NUMBER = f"SELECT {_COLUMNS} FROM sfn_execution WHERE number = $1"  # noqa: S608  constants
_LAST = 1 << 62
_TOGETHER = 16
_END = (
    "UPDATE sfn_execution SET status = $2, stopped = $3, due = NULL, output = $4, error = $5, cause = $6, last_event = $7 "
    "WHERE number = $1"
)
_CHUNK = "INSERT INTO sfn_journal (execution, chunk, first, body) VALUES ($1, $2, $3, $4)"


class Record(Struct, kw_only=True):
    """A row. `machine` is the machine's ARN, `revision` the key of what it runs; `due` is None once it ended, 0 while something is
    under way in a process, else when it is to be looked at (`frames.FOREVER`: when something comes)."""

    number: int
    arn: str
    machine: str
    revision: str
    version: int | None
    alias: str
    account: str
    region: str
    type: str
    status: str
    started: float
    stopped: float | None = None
    due: float | None = 0.0
    input: str = "{}"
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    trace: str | None = None
    map_run: str = ""
    flow: str = ""
    items: int = 0
    redrives: int = 0
    redriven: float | None = None
    redrive_token: str | None = None
    last_event: int = 0

    @property
    def name(self) -> str:
        return self.arn.rpartition(":")[2]


def _record(row: Row) -> Record:
    return Record(**dict(zip(Record.__struct_fields__, row, strict=True)))


class Change(Struct):
    """What a chunk changes of its execution's row."""

    number: int
    status: str
    stopped: float | None
    due: float | None
    output: str | None
    error: str | None
    cause: str | None
    last_event: int


class ExecutionStore(Struct, frozen=True):
    """Executions and journals."""

    db: Database

    async def begin(self, record: Record, first: int, chunk: bytes) -> None:
        """A new execution, with the first chunk of its journal. Raises Conflict when its ARN is taken."""
        await self.db.write_all(((_INSERT, astuple(record)), (_CHUNK, (record.number, 0, first, chunk))))

    async def append(self, number: int, place: int, first: int, chunk: bytes | None, change: Change | None) -> None:
        """A further chunk, and what it changes."""
        if change is None:
            await self.db.write(_CHUNK, (number, place, first, chunk))
        elif chunk is None:
            await self.db.write(*_changing(change))
        else:
            await self.db.write_all(((_CHUNK, (number, place, first, chunk)), _changing(change)))

    async def find(self, arn: str) -> Record | None:
        row = await self.db.read_one(_FIND, (arn,))
        return None if row is None else _record(row)

    async def by_number(self, number: int) -> Record | None:
        row = await self.db.read_one(_BY_NUMBER, (number,))
        return None if row is None else _record(row)

    async def chunks(self, number: int) -> AsyncIterator[bytes]:
        """The whole journal, some of it in memory at a time."""
        async for chunk in self._chunks(number, 0, _LAST, ""):
            yield chunk

    async def chunks_with(self, number: int, low: int, high: int, backwards: bool = False) -> AsyncIterator[bytes]:
        """The chunks that may have events from `low` to `high`."""
        rows = await self.db.read(
            "SELECT coalesce(max(CASE WHEN first <= $2 THEN chunk END), 0), coalesce(max(chunk), -1) FROM sfn_journal "
            "WHERE execution = $1 AND first <= $3",
            (number, low, high),
        )
        start, end = rows[0]
        async for chunk in self._chunks(number, start, end, "DESC" if backwards else ""):
            yield chunk

    async def _chunks(self, number: int, start: int, end: int, order: str) -> AsyncIterator[bytes]:
        query = (
            "SELECT chunk, body FROM sfn_journal WHERE execution = $1 AND chunk BETWEEN $2 AND $3 "  # noqa: S608  constants
            f"ORDER BY chunk {order} LIMIT {_TOGETHER}"
        )
        while True:
            rows = await self.db.read(query, (number, start, end))
            for row in rows:
                yield row[1]
            if len(rows) < _TOGETHER:
                return
            start, end = (start, rows[-1][0] - 1) if order else (rows[-1][0] + 1, end)

    async def interrupted(self) -> list[int]:
        """Executions that something was under way for when the last process ended."""
        return [row[0] for row in await self.db.read("SELECT number FROM sfn_execution WHERE due = 0 ORDER BY number")]

    async def due(self, until: float) -> list[tuple[float, int]]:
        """Executions that only wait, and when they are due, if that is before `until`."""
        rows = await self.db.read(
            "SELECT due, number FROM sfn_execution WHERE due > 0 AND due < $1 ORDER BY due", (until,)
        )
        return [(row[0], row[1]) for row in rows]

    async def open(self) -> list[tuple[str, str, str, int]]:
        """How many Standard executions run, by account, region and machine."""
        rows = await self.db.read(
            "SELECT account, region, machine, count(*) FROM sfn_execution WHERE due IS NOT NULL GROUP BY account, region, machine"
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    async def last_event(self, number: int) -> int:
        """The id of the newest event of an execution."""
        rows = await self.db.read(
            "SELECT body FROM sfn_journal WHERE execution = $1 ORDER BY chunk DESC LIMIT 20", (number,)
        )
        for row in rows:
            ids = [entry.id for entry in decode(row[0])]
            if any(ids):
                return max(ids)
        return 0

    async def revisions_of(self, machine: str, after: int, limit: int) -> tuple[int | None, set[str]]:
        """Which revisions some of a machine's executions run, of those with numbers over `after`; gives the last number too, None
        where there are no more."""
        rows = await self.db.read(
            "SELECT number, revision FROM sfn_execution WHERE machine = $1 AND number > $2 ORDER BY number LIMIT $3",
            (machine, after, limit),
        )
        return rows[-1][0] if len(rows) == limit else None, {row[1] for row in rows}

    async def listed(
        self,
        place: str,
        value: str,
        before: int,
        limit: int,
        *,
        status: str = "",
        redriven: str = "",
        version: int | None = None,
        alias: str = "",
    ) -> list[Record]:
        """Executions of a machine or a Map Run (`place`), newest first, begun before number `before`."""
        where = [f"{place} = $1", "number < $2"]
        values: list[object] = [value, before]
        if place == "machine":
            where.append("map_run = ''")
        if status:
            values.append(status)
            where.append(f"status = ${len(values)}")
        if redriven:
            where.append("redrives > 0" if redriven == "REDRIVEN" else "redrives = 0")
        if version is not None:
            values.append(version)
            where.append(f"version = ${len(values)}")
        if alias:
            values.append(alias)
            where.append(f"alias = ${len(values)}")
        values.append(limit)
        rows = await self.db.read(
            f"SELECT {_COLUMNS} FROM sfn_execution WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ${len(values)}",  # noqa: S608  constants
            values,
        )
        return [_record(row) for row in rows]

    async def redrive(self, record: Record, place: int, first: int, chunk: bytes) -> None:
        """An execution that had ended goes on."""
        async with self.db.transaction() as tx:
            await tx.write(_CHUNK, (record.number, place, first, chunk))
            await tx.write(
                "UPDATE sfn_execution SET status = 'RUNNING', stopped = NULL, due = 0, output = NULL, error = NULL, cause = NULL, "
                "redrives = $2, redriven = $3, redrive_token = $4, last_event = $5 WHERE number = $1",
                (record.number, record.redrives, record.redriven, record.redrive_token, record.last_event),
            )

    async def forget(self, machine: str, limit: int = 500) -> int:
        """Delete some executions of a machine; gives how many."""
        rows = await self.db.read("SELECT number FROM sfn_execution WHERE machine = $1 LIMIT $2", (machine, limit))
        return await self._delete([row[0] for row in rows])

    async def expire(self, stopped: float, started: int, limit: int = 500) -> int:
        """Delete some executions that ended before a time and have numbers below `started`; gives how many."""
        rows = await self.db.read(
            "SELECT number FROM sfn_execution WHERE number < $1 AND stopped < $2 ORDER BY number LIMIT $3",
            (started, stopped, limit),
        )
        return await self._delete([row[0] for row in rows])

    async def _delete(self, numbers: Sequence[int]) -> int:
        if numbers:
            async with self.db.transaction() as tx:
                values = [(number,) for number in numbers]
                await tx.write_each("DELETE FROM sfn_journal WHERE execution = $1", values)
                await tx.write_each("DELETE FROM sfn_execution WHERE number = $1", values)
        return len(numbers)


def _changing(change: Change) -> Statement:
    if change.stopped is None:
        return "UPDATE sfn_execution SET due = $2 WHERE number = $1", (change.number, change.due)
    values = (
        change.number,
        change.status,
        change.stopped,
        change.output,
        change.error,
        change.cause,
        change.last_event,
    )
    return _END, values

"""Every query of durable executions. Documents are msgspec's JSON of the model's structs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from cumulet.api import lambda_ as api
from cumulet.services.lambda_.durable.model import DurableExecution, Held
from cumulet.services.lambda_.names import FunctionKey
from cumulet.storage.database import Database, Row, Transaction, Values

SCHEMA = (
    """CREATE TABLE lambda_durable (
        arn TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, function TEXT NOT NULL, name TEXT NOT NULL,
        status TEXT NOT NULL, started DOUBLE PRECISION NOT NULL, due DOUBLE PRECISION, document BYTEA NOT NULL)""",
    "CREATE UNIQUE INDEX lambda_durable_name ON lambda_durable (account, region, function, name)",
    "CREATE INDEX lambda_durable_started ON lambda_durable (account, region, function, started, arn)",
    "CREATE INDEX lambda_durable_due ON lambda_durable (due)",
    """CREATE TABLE lambda_durable_operation (
        arn TEXT NOT NULL, id TEXT NOT NULL, position BIGINT NOT NULL, touched BIGINT NOT NULL,
        due DOUBLE PRECISION, waiting BIGINT NOT NULL, document BYTEA NOT NULL, PRIMARY KEY (arn, id))""",
    "CREATE UNIQUE INDEX lambda_durable_operation_position ON lambda_durable_operation (arn, position)",
    "CREATE INDEX lambda_durable_operation_touched ON lambda_durable_operation (arn, touched)",
    "CREATE INDEX lambda_durable_operation_due ON lambda_durable_operation (arn, due)",
    """CREATE TABLE lambda_durable_event (
        arn TEXT NOT NULL, number BIGINT NOT NULL, document BYTEA NOT NULL, PRIMARY KEY (arn, number))""",
)
_TABLES = ("lambda_durable", "lambda_durable_operation", "lambda_durable_event")

_executions = msgspec.json.Decoder(DurableExecution)
_encode = msgspec.json.encode


class Reader(Protocol):
    """A database or a transaction."""

    async def read(self, sql: str, values: Values = ()) -> list[Row]: ...


class DurableStore:
    """Executions, their operations and their events."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def migrate(self) -> None:
        await self._db.migrate("lambda_durable", SCHEMA)

    # Executions

    async def execution(self, arn: str, within: Reader | None = None) -> DurableExecution | None:
        rows = await (within or self._db).read("SELECT document FROM lambda_durable WHERE arn = $1", (arn,))
        return _executions.decode(rows[0][0]) if rows else None

    async def named(self, key: FunctionKey, name: str, within: Reader | None = None) -> DurableExecution | None:
        rows = await (within or self._db).read(
            "SELECT document FROM lambda_durable WHERE account = $1 AND region = $2 AND function = $3 AND name = $4",
            (*key, name),
        )
        return _executions.decode(rows[0][0]) if rows else None

    async def save(self, tx: Transaction, execution: DurableExecution) -> None:
        """Write an execution back, and when it is due."""
        due = execution.due(await self._next_operation(tx, execution.arn) if execution.open else None)
        await tx.write(
            """INSERT INTO lambda_durable (arn, account, region, function, name, status, started, due, document)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
               ON CONFLICT (arn) DO UPDATE SET status = $6, due = $8, document = $9""",
            (
                execution.arn,
                *execution.key,
                execution.name,
                execution.status,
                execution.started,
                due,
                _encode(execution),
            ),
        )

    async def remove(self, tx: Transaction, arn: str) -> None:
        """An execution with all that belongs to it."""
        for table in _TABLES:
            await tx.write(f"DELETE FROM {table} WHERE arn = $1", (arn,))  # noqa: S608  a constant

    async def due(self, now: float, limit: int) -> list[str]:
        """ARNs of executions with something to be done."""
        rows = await self._db.read("SELECT arn FROM lambda_durable WHERE due <= $1 ORDER BY due LIMIT $2", (now, limit))
        return [row[0] for row in rows]

    async def next_due(self, after: float) -> float | None:
        row = await self._db.read_one("SELECT min(due) FROM lambda_durable WHERE due > $1", (after,))
        return row[0] if row else None

    async def interrupted(self) -> list[str]:
        """Executions that had not ended when the node last stopped."""
        rows = await self._db.read("SELECT arn FROM lambda_durable WHERE status IN ('RUNNING', 'PAUSING', 'PAUSED')")
        return [row[0] for row in rows]

    async def listed(
        self,
        key: FunctionKey,
        *,
        name: str | None,
        statuses: Sequence[str],
        since: float,
        until: float,
        after: tuple[float, str] | None,
        newest_first: bool,
        limit: int,
    ) -> list[DurableExecution]:
        """In the order of their start."""
        comparison, order = ("<", "DESC") if newest_first else (">", "ASC")
        values: list[object] = [*key, since, until]
        conditions = ["account = $1", "region = $2", "function = $3", "started >= $4", "started <= $5"]

        def value(given: object) -> str:
            values.append(given)
            return f"${len(values)}"

        if name is not None:
            conditions.append(f"name = {value(name)}")
        if statuses:
            conditions.append(f"status IN ({', '.join(value(status) for status in statuses)})")
        if after is not None:
            started, arn = value(after[0]), value(after[1])
            conditions.append(f"(started {comparison} {started} OR (started = {started} AND arn {comparison} {arn}))")
        sql = f"""SELECT document FROM lambda_durable WHERE {" AND ".join(conditions)}
                  ORDER BY started {order}, arn {order} LIMIT {value(limit)}"""  # noqa: S608  constants and parameters
        return [_executions.decode(row[0]) for row in await self._db.read(sql, values)]

    # Operations

    async def operations(self, arn: str, ids: Sequence[str], within: Reader) -> dict[str, Held]:
        if not ids:
            return {}
        places = ", ".join(f"${number}" for number in range(2, len(ids) + 2))
        sql = f"SELECT document FROM lambda_durable_operation WHERE arn = $1 AND id IN ({places})"  # noqa: S608
        return {held.operation.id: held for held in _held(await within.read(sql, (arn, *ids)))}

    async def page(self, arn: str, after: int, limit: int, within: Reader | None = None) -> list[Held]:
        """In the order in which they were started; `after` is a position."""
        sql = """SELECT document FROM lambda_durable_operation WHERE arn = $1 AND position > $2
                 ORDER BY position LIMIT $3"""
        return _held(await (within or self._db).read(sql, (arn, after, limit)))

    async def touched(self, arn: str, since: int, within: Reader) -> list[Held]:
        """Those that changed after a change."""
        sql = "SELECT document FROM lambda_durable_operation WHERE arn = $1 AND touched > $2 ORDER BY position"
        return _held(await within.read(sql, (arn, since)))

    async def due_operations(self, arn: str, now: float, within: Reader) -> list[Held]:
        sql = "SELECT document FROM lambda_durable_operation WHERE arn = $1 AND due <= $2 ORDER BY due, position"
        return _held(await within.read(sql, (arn, now)))

    async def awaits(self, arn: str, within: Reader) -> bool:
        """Whether any operation will change without the handler: a wait, a retry, a callback, another function."""
        sql = """SELECT 1 FROM lambda_durable_operation WHERE arn = $1 AND waiting = 1 LIMIT 1"""
        return bool(await within.read(sql, (arn,)))

    async def chained(self, arn: str) -> list[Held]:
        """Invocations of other functions that have not come back."""
        sql = "SELECT document FROM lambda_durable_operation WHERE arn = $1 AND waiting = 1 ORDER BY position"
        return [held for held in _held(await self._db.read(sql, (arn,))) if held.update is not None]

    async def put_operation(self, tx: Transaction, arn: str, held: Held) -> None:
        await tx.write(
            """INSERT INTO lambda_durable_operation (arn, id, position, touched, due, waiting, document)
               VALUES ($1, $2, $3, $4, $5, $6, $7)
               ON CONFLICT (arn, id) DO UPDATE SET touched = $4, due = $5, waiting = $6, document = $7""",
            (arn, held.operation.id, held.position, held.touched, held.due, int(held.waiting), _encode(held)),
        )

    async def _next_operation(self, tx: Transaction, arn: str) -> float | None:
        sql = "SELECT min(due) FROM lambda_durable_operation WHERE arn = $1"
        rows = await tx.read(sql, (arn,))
        return None if rows[0][0] is None else float(rows[0][0])

    # Events

    async def add_event(self, tx: Transaction, arn: str, event: api.Event) -> None:
        await tx.write(
            "INSERT INTO lambda_durable_event (arn, number, document) VALUES ($1, $2, $3)",
            (arn, event.event_id, _encode(event)),
        )

    async def events(self, arn: str, after: int, limit: int, *, newest_first: bool) -> list[api.Event]:
        comparison, order = ("<", "DESC") if newest_first else (">", "ASC")
        sql = f"""SELECT document FROM lambda_durable_event WHERE arn = $1 AND number {comparison} $2
                  ORDER BY number {order} LIMIT $3"""  # noqa: S608  constants
        return [msgspec.json.decode(row[0], type=api.Event) for row in await self._db.read(sql, (arn, after, limit))]


def _held(rows: list[Row]) -> list[Held]:
    return [msgspec.json.decode(row[0], type=Held) for row in rows]

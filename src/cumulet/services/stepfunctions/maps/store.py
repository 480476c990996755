"""The tables of Map Runs and of what came of their children: all SQL on them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec import Struct

from cumulet.storage.database import Database, Row

SCHEMA = (
    """CREATE TABLE sfn_map_run (
        arn TEXT PRIMARY KEY, id TEXT NOT NULL, execution TEXT NOT NULL, machine TEXT NOT NULL, status TEXT NOT NULL,
        started DOUBLE PRECISION NOT NULL, stopped DOUBLE PRECISION, max_concurrency BIGINT NOT NULL,
        tolerated_count BIGINT, tolerated_percentage DOUBLE PRECISION, children BIGINT NOT NULL, items BIGINT NOT NULL,
        exported BIGINT NOT NULL, redrives BIGINT NOT NULL, redriven DOUBLE PRECISION)""",
    "CREATE INDEX sfn_map_run_execution ON sfn_map_run (execution, started, arn)",
    "CREATE INDEX sfn_map_run_stopped ON sfn_map_run (stopped)",
    """CREATE TABLE sfn_map_child (
        run TEXT NOT NULL, number BIGINT NOT NULL, status TEXT NOT NULL, items BIGINT NOT NULL, arn TEXT NOT NULL,
        started DOUBLE PRECISION NOT NULL, stopped DOUBLE PRECISION NOT NULL, input TEXT NOT NULL, output TEXT, error TEXT,
        cause TEXT, PRIMARY KEY (run, number)) /* clustered */""",
)

_PAGE = 200


class MapRun(Struct, kw_only=True):
    """A Map Run. `machine` has the Map's label behind it, `id` is the last part of the ARN.

    `tolerated_count` and `tolerated_percentage` are None where the Map did not say; `children` and `items` are how many were
    found, `exported` whether results went to S3.
    """

    arn: str
    id: str
    execution: str
    machine: str
    status: str
    started: float
    stopped: float | None = None
    max_concurrency: int = 0
    tolerated_count: int | None = None
    tolerated_percentage: float | None = None
    children: int = 0
    items: int = 0
    exported: int = 0
    redrives: int = 0
    redriven: float | None = None


class Outcome(Struct, frozen=True, kw_only=True):
    """How a child ended: the row of one that has."""

    number: int
    status: str
    items: int
    arn: str
    started: float
    stopped: float
    input: str
    output: str | None = None
    error: str | None = None
    cause: str | None = None


class Tally(Struct, frozen=True):
    """How many children, and items in them, have ended with one status."""

    status: str
    children: int
    items: int


def _run(row: Row) -> MapRun:
    names = MapRun.__struct_fields__
    return MapRun(**dict(zip(names, row, strict=True)))


class MapRunStore(Struct, frozen=True):
    """Map Runs, and the outcomes of their children."""

    db: Database

    async def find(self, arn: str) -> MapRun | None:
        row = await self.db.read_one(
            "SELECT arn, id, execution, machine, status, started, stopped, max_concurrency, tolerated_count, "
            "tolerated_percentage, children, items, exported, redrives, redriven FROM sfn_map_run WHERE arn = $1",
            (arn,),
        )
        return None if row is None else _run(row)

    async def put(self, run: MapRun) -> None:
        """New, or changed."""
        await self.db.write(
            "INSERT INTO sfn_map_run (arn, id, execution, machine, status, started, stopped, max_concurrency, "
            "tolerated_count, tolerated_percentage, children, items, exported, redrives, redriven) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT (arn) DO UPDATE SET "
            "status = $5, stopped = $7, max_concurrency = $8, tolerated_count = $9, tolerated_percentage = $10, "
            "children = $11, items = $12, exported = $13, redrives = $14, redriven = $15",
            tuple(getattr(run, name) for name in MapRun.__struct_fields__),
        )

    async def of_execution(self, execution: str, after: str, most: int) -> list[MapRun]:
        """Newest first; `after` is the ARN of the last one on the page before."""
        rows = await self.db.read(
            "SELECT arn, id, execution, machine, status, started, stopped, max_concurrency, tolerated_count, "
            "tolerated_percentage, children, items, exported, redrives, redriven FROM sfn_map_run WHERE execution = $1 "
            "AND ($2 = '' OR (started, arn) < (SELECT started, arn FROM sfn_map_run WHERE arn = $2)) "
            "ORDER BY started DESC, arn DESC LIMIT $3",
            (execution, after, most),
        )
        return [_run(row) for row in rows]

    async def add(self, run: str, outcomes: Sequence[Outcome]) -> None:
        """What came of children; a child that was redriven has a row that is replaced."""
        async with self.db.transaction() as tx:
            await tx.write_each(
                "INSERT INTO sfn_map_child (run, number, status, items, arn, started, stopped, input, output, error, cause) "
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (run, number) DO UPDATE SET "
                "status = $3, arn = $5, started = $6, stopped = $7, output = $9, error = $10, cause = $11",
                [
                    (run, *(getattr(outcome, name) for name in Outcome.__struct_fields__))  # in the columns' order
                    for outcome in outcomes
                ],
            )

    async def tallies(self, run: str) -> list[Tally]:
        rows = await self.db.read(
            "SELECT status, COUNT(*), SUM(items) FROM sfn_map_child WHERE run = $1 GROUP BY status", (run,)
        )
        return [Tally(row[0], row[1], int(row[2])) for row in rows]

    async def numbers(self, run: str) -> set[int]:
        """Of the children that have ended."""
        rows = await self.db.read("SELECT number FROM sfn_map_child WHERE run = $1", (run,))
        return {row[0] for row in rows}

    async def forget_failures(self, run: str) -> dict[str, int]:
        """Children that did not succeed are to run again: their ARNs, and how many items each has."""
        rows = await self.db.write(
            "DELETE FROM sfn_map_child WHERE run = $1 AND status <> 'SUCCEEDED' RETURNING arn, items", (run,)
        )
        return {row[0]: row[1] for row in rows}

    async def outcomes(self, run: str, *, succeeded: bool | None = None) -> AsyncIterator[Outcome]:
        """In the order of their items: all, those that succeeded, or those that did not."""
        after = -1
        while True:
            rows = await self.db.read(
                "SELECT number, status, items, arn, started, stopped, input, output, error, cause FROM sfn_map_child "
                "WHERE run = $1 AND number > $2 AND ($3 = 2 OR (status = 'SUCCEEDED') = ($3 = 1)) ORDER BY number LIMIT $4",
                (run, after, 2 if succeeded is None else int(succeeded), _PAGE),
            )
            for row in rows:
                yield Outcome(**dict(zip(Outcome.__struct_fields__, row, strict=True)))
            if len(rows) < _PAGE:
                return
            after = rows[-1][0]

    async def expire(self, before: float, most: int = 100) -> int:
        """Forget Map Runs that ended before a time; gives how many."""
        rows = await self.db.read("SELECT arn, id FROM sfn_map_run WHERE stopped < $1 LIMIT $2", (before, most))
        async with self.db.transaction() as tx:
            for arn, id in rows:
                await tx.write("DELETE FROM sfn_map_child WHERE run = $1", (id,))
                await tx.write("DELETE FROM sfn_map_run WHERE arn = $1", (arn,))
        return len(rows)

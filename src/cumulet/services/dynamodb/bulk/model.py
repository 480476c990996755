"""Bulk operations as they are kept, and every query on them."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import digits
from cumulet.services.dynamodb.backups.transfers import Caller
from cumulet.services.dynamodb.model import Table
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE ddb_bulk (
        arn TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, started DOUBLE PRECISION NOT NULL,
        token TEXT NOT NULL, digest TEXT NOT NULL, record TEXT NOT NULL)""",
    "CREATE INDEX ddb_bulk_place ON ddb_bulk (account, region, started)",
    "CREATE INDEX ddb_bulk_token ON ddb_bulk (account, region, token)",
)
IN_PROGRESS, CANCELLING, CANCELLED = "IN_PROGRESS", "CANCELLING", "CANCELLED"
COMPLETED, WITH_ERRORS, FAILED = "COMPLETED", "COMPLETED_WITH_ERRORS", "FAILED"
UNDER_WAY = frozenset({IN_PROGRESS, CANCELLING})
ERROR, CONDITION = "ERROR", "CONDITION_CHECK_FAILURE"
KEPT_SECONDS = 90 * 86_400.0
"""For how long operations are listed."""
TOKEN_SECONDS = 8 * 3600.0
Description = api.BulkOperationDescription


class Report(Struct):
    """Lines of one kind of output that are not in S3 yet, and how many files of it are."""

    lines: list[bytes] = []
    size: int = 0
    files: int = 0
    items: int = 0

    def add(self, line: bytes) -> None:
        self.lines.append(line)
        self.size += len(line) + 1
        self.items += 1


class Job(Struct):
    """How far a bulk operation is: all files up to `key` are done, and of the next one `lines` lines."""

    arn: str
    caller: Caller
    table: Table
    description: Description
    key: str = ""
    lines: int = 0
    measured: bool = False
    reports: dict[str, Report] = {}


def operation_arn(table: Table, now: float) -> str:
    return f"{table.arn}/bulk-operation/{int(now * 1000):014d}-{digits(8)}"


def job_id(table: Table, arn: str) -> str:
    """Jobs of a table are found by how their ids begin."""
    return f"{jobs_of(table)}{arn}"


def jobs_of(table: Table) -> str:
    return f"bulk-{table.id}-"


async def insert(tx: Transaction, call: Call, token: str, digest: str, told: Description) -> None:
    await tx.write(
        "INSERT INTO ddb_bulk (arn, account, region, started, token, digest, record) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        (told.bulk_operation_arn, call.account, call.region, told.start_time, token, digest, _encoded(told)),
    )


async def save(tx: Transaction, told: Description) -> None:
    await tx.write("UPDATE ddb_bulk SET record = $2 WHERE arn = $1", (told.bulk_operation_arn, _encoded(told)))


async def find(source: Database | Transaction, account: str, arn: str) -> Description | None:
    rows = await source.read("SELECT record FROM ddb_bulk WHERE arn = $1 AND account = $2", (arn, account))
    return _decoded(rows[0][0]) if rows else None


async def by_token(tx: Transaction, call: Call, token: str, since: float) -> tuple[str, Description] | None:
    """The digest of the request that had this token since a moment, and what it began."""
    rows = await tx.read(
        "SELECT digest, record FROM ddb_bulk WHERE account = $1 AND region = $2 AND token = $3 AND started > $4",
        (call.account, call.region, token, since),
    )
    return (rows[0][0], _decoded(rows[0][1])) if rows else None


async def page(
    db: Database, call: Call, since: float, before: tuple[float, str], limit: int
) -> list[tuple[float, Description]]:
    """Operations begun since a moment, the latest first, from a place on."""
    rows = await db.read(
        "SELECT started, record FROM ddb_bulk WHERE account = $1 AND region = $2 AND started > $3 "
        "AND (started, arn) < ($4, $5) ORDER BY started DESC, arn DESC LIMIT $6",
        (call.account, call.region, since, *before, limit),
    )
    return [(float(started), _decoded(record)) for started, record in rows]


async def forget(tx: Transaction, before: float) -> None:
    """Forget what nobody is shown any more."""
    await tx.write("DELETE FROM ddb_bulk WHERE started <= $1", (before,))


def _encoded(told: Description) -> str:
    return msgspec.json.encode(told).decode()


def _decoded(record: str) -> Description:
    return msgspec.json.decode(record, type=api.BulkOperationDescription)

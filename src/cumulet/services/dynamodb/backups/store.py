"""Every query on backups and their rows."""

from __future__ import annotations

from typing import Any, NamedTuple

from cumulet.services.dynamodb.backups.model import SYSTEM, Backup, decode, encode
from cumulet.services.dynamodb.rows import Address, Stored
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE ddb_backup (
        arn TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, table_name TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL, id BIGINT NOT NULL, record TEXT NOT NULL)""",
    "CREATE INDEX ddb_backup_place ON ddb_backup (account, region, arn)",
    """CREATE TABLE ddb_backup_item (
        backup BIGINT NOT NULL, hash BYTEA NOT NULL, range BYTEA NOT NULL, size BIGINT NOT NULL, body BYTEA NOT NULL,
        PRIMARY KEY (backup, hash, range)) /* clustered */""",
    "ALTER TABLE ddb_backup ADD COLUMN kind TEXT NOT NULL DEFAULT 'USER'",
)
_TURN = 200


async def find(source: Database | Transaction, arn: str) -> Backup | None:
    rows = await source.read("SELECT record FROM ddb_backup WHERE arn = $1", (arn,))
    return decode(rows[0][0]) if rows else None


async def put(tx: Transaction, backup: Backup) -> None:
    table = backup.table
    await tx.write(
        "INSERT INTO ddb_backup (arn, account, region, table_name, created, id, record, kind) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (arn) DO UPDATE SET record = $7",
        (
            *(backup.arn, table.account, table.region, table.name, backup.created, backup.id),
            *(encode(backup).decode(), backup.kind),
        ),
    )


class Wanted(NamedTuple):
    """Which backups are listed: of one table or all, of one kind or all, begun within a span of time."""

    table: str | None
    kind: str | None
    span: tuple[float, float]


async def page(db: Database, account: str, region: str, wanted: Wanted, after: str, limit: int) -> list[Backup]:
    """Backups in the order of their ARNs."""
    values: list[Any] = [account, region, after, *wanted.span, limit]
    where = ""
    for column, value in (("table_name", wanted.table), ("kind", wanted.kind)):
        if value is not None:
            values.append(value)
            where += f" AND {column} = ${len(values)}"
    rows = await db.read(
        "SELECT record FROM ddb_backup WHERE account = $1 AND region = $2 AND arn > $3 "  # noqa: S608  constants
        f"AND created >= $4 AND created < $5{where} ORDER BY arn LIMIT $6",
        tuple(values),
    )
    return [decode(row[0]) for row in rows]


async def of_system(db: Database, before: float) -> list[Backup]:
    """Backups that the service made itself, begun before a moment."""
    rows = await db.read("SELECT record FROM ddb_backup WHERE kind = $1 AND created < $2", (SYSTEM, before))
    return [decode(row[0]) for row in rows]


async def delete(tx: Transaction, backup: Backup) -> None:
    """Forget a backup, but not its rows."""
    await tx.write("DELETE FROM ddb_backup WHERE arn = $1", (backup.arn,))


async def empty(db: Database, id_: int) -> None:
    """Remove the rows of a backup that was deleted, a piece at a time."""
    while await db.write(
        "DELETE FROM ddb_backup_item WHERE backup = $1 AND (hash, range) IN "
        "(SELECT hash, range FROM ddb_backup_item WHERE backup = $1 ORDER BY hash, range LIMIT $2) RETURNING 1",
        (id_, _TURN),
    ):
        pass


async def add(tx: Transaction, backup: int, place: Address, stored: Stored) -> None:
    await tx.write(
        "INSERT INTO ddb_backup_item (backup, hash, range, size, body) VALUES ($1, $2, $3, $4, $5)",
        (backup, place.hash, place.range, stored.size, stored.body),
    )


async def piece(tx: Transaction, backup: int, after: Address, limit: int) -> list[tuple[Address, Stored]]:
    rows = await tx.read(
        "SELECT hash, range, size, body FROM ddb_backup_item WHERE backup = $1 AND (hash, range) > ($2, $3) "
        "ORDER BY hash, range LIMIT $4",
        (backup, after.hash, after.range, limit),
    )
    return [(Address(hash_, range_), Stored(body, size)) for hash_, range_, size, body in rows]

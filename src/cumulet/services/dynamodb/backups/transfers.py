"""Exports and imports as they are kept, and what both need of S3."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError, NotImplementedHere
from cumulet.kernel.ids import digits, new_id
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE ddb_transfer (
        arn TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, kind TEXT NOT NULL, table_arn TEXT NOT NULL,
        token TEXT NOT NULL, digest TEXT NOT NULL, record TEXT NOT NULL)""",
    "CREATE INDEX ddb_transfer_place ON ddb_transfer (account, region, kind, arn)",
    "CREATE INDEX ddb_transfer_token ON ddb_transfer (account, region, kind, token)",
)
EXPORT, IMPORT = "export", "import"


class Caller(Struct, frozen=True):
    """Who asked: the objects are read and written in their name."""

    account: str
    region: str
    principal: Principal

    @classmethod
    def of(cls, call: Call) -> Caller:
        return cls(call.account, call.region, call.principal)

    def call(self) -> Call:
        return Call(self.account, self.region, self.principal, new_id())


class Transfer(Struct, frozen=True, kw_only=True):
    """An export or an import. `record` is its description as AWS shows it, in JSON."""

    arn: str
    account: str
    region: str
    kind: str
    table_arn: str
    token: str
    digest: str
    record: bytes


def transfer_arn(table_arn: str, kind: str, now: float) -> str:
    return f"{table_arn}/{kind}/{int(now * 1000):014d}-{digits(8)}"


def digest_of(request: Struct) -> str:
    return hashlib.sha256(msgspec.json.encode(request)).hexdigest()


def not_here(what: str) -> NotImplementedHere:
    return NotImplementedHere(f"{what} is not implemented in Cumulet's dynamodb yet. See docs/services/dynamodb.md.")


def failure(error: AwsError) -> tuple[str, str]:
    """The code and the message of an export or import that failed in S3."""
    code = "S3AccessDenied" if "AccessDenied" in error.code else f"S3{error.code}"
    return code, error.message


async def insert(tx: Transaction, each: Transfer) -> None:
    await tx.write(
        "INSERT INTO ddb_transfer (arn, account, region, kind, table_arn, token, digest, record) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        (
            *(each.arn, each.account, each.region, each.kind, each.table_arn, each.token, each.digest),
            each.record.decode(),
        ),
    )


async def save(tx: Transaction, arn: str, description: Struct) -> None:
    await tx.write(
        "UPDATE ddb_transfer SET record = $2 WHERE arn = $1", (arn, msgspec.json.encode(description).decode())
    )


async def find(db: Database, account: str, kind: str, arn: str) -> str | None:
    """The description of one."""
    row = await db.read_one(
        "SELECT record FROM ddb_transfer WHERE arn = $1 AND account = $2 AND kind = $3", (arn, account, kind)
    )
    return row[0] if row else None


async def by_token(tx: Transaction, call: Call, kind: str, token: str) -> tuple[str, str] | None:
    """The digest of the request that had this token, and the description of what it began."""
    rows = await tx.read(
        "SELECT digest, record FROM ddb_transfer WHERE account = $1 AND region = $2 AND kind = $3 AND token = $4",
        (call.account, call.region, kind, token),
    )
    return (rows[0][0], rows[0][1]) if rows else None


async def page(db: Database, call: Call, kind: str, table: str | None, after: str, limit: int) -> list[str]:
    """Descriptions in the order of their ARNs."""
    where = "AND table_arn = $6" if table else ""
    values: tuple[Any, ...] = (call.account, call.region, kind, after, limit)
    rows = await db.read(
        "SELECT record FROM ddb_transfer WHERE account = $1 AND region = $2 AND kind = $3 AND arn > $4 "  # noqa: S608
        f"{where} ORDER BY arn LIMIT $5",
        (*values, table) if table else values,
    )
    return [row[0] for row in rows]

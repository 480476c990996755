"""The tables of DynamoDB, and the queries on tables as such. Those on items are in `rows.py`."""

from __future__ import annotations

from cumulet.services.dynamodb.model import Replica, Table, decode_table, encode_table
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE ddb_table (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id BIGINT NOT NULL, record TEXT NOT NULL,
        tags TEXT NOT NULL, PRIMARY KEY (account, region, name))""",
    "CREATE TABLE ddb_sequence (name TEXT PRIMARY KEY, value BIGINT NOT NULL)",
    # Rows of a table or index that is gone, until they are removed.
    "CREATE TABLE ddb_dropped (id BIGINT PRIMARY KEY)",
    # `hash` begins with four bytes that spread the keys, for segments of equal size; `range` is empty without one.
    """CREATE TABLE ddb_item (
        tbl BIGINT NOT NULL, hash BYTEA NOT NULL, range BYTEA NOT NULL, size BIGINT NOT NULL, body BYTEA NOT NULL,
        PRIMARY KEY (tbl, hash, range)) /* clustered */""",
    """CREATE TABLE ddb_entry (
        idx BIGINT NOT NULL, hash BYTEA NOT NULL, range BYTEA NOT NULL, item_hash BYTEA NOT NULL, item_range BYTEA NOT NULL,
        size BIGINT NOT NULL, body BYTEA NOT NULL, PRIMARY KEY (idx, hash, range, item_hash, item_range)) /* clustered */""",
    # How far an index that is being made has come.
    """CREATE TABLE ddb_backfill (
        idx BIGINT PRIMARY KEY, tbl BIGINT NOT NULL, hash BYTEA NOT NULL, range BYTEA NOT NULL)""",
    """CREATE TABLE ddb_token (
        account TEXT NOT NULL, region TEXT NOT NULL, token TEXT NOT NULL, digest BYTEA NOT NULL,
        expires DOUBLE PRECISION NOT NULL, answer BYTEA NOT NULL, PRIMARY KEY (account, region, token))""",
    "CREATE INDEX ddb_token_expires ON ddb_token (expires)",
    # Documents by the ARN of a table or a stream.
    """CREATE TABLE ddb_policy (
        tbl BIGINT NOT NULL, arn TEXT NOT NULL, document TEXT NOT NULL, revision TEXT NOT NULL, PRIMARY KEY (arn))""",
    """CREATE TABLE ddb_measure (
        id BIGINT PRIMARY KEY, items BIGINT NOT NULL, bytes BIGINT NOT NULL, moment DOUBLE PRECISION NOT NULL)""",
    """CREATE TABLE ddb_insight (
        tbl BIGINT NOT NULL, index_name TEXT NOT NULL, mode TEXT NOT NULL, enabled BIGINT NOT NULL,
        changed DOUBLE PRECISION NOT NULL, PRIMARY KEY (tbl, index_name))""",
)

_WHERE = "WHERE account = $1 AND region = $2 AND name = $3"


class TableStore:
    """Tables by account, region and name."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def find(self, account: str, region: str, name: str) -> Table | None:
        row = await self.db.read_one(f"SELECT record FROM ddb_table {_WHERE}", (account, region, name))  # noqa: S608  constants
        return decode_table(row[0]) if row else None

    async def names(self, account: str, region: str, after: str, limit: int) -> list[str]:
        """Names in order, beginning after one."""
        rows = await self.db.read(
            "SELECT name FROM ddb_table WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4",
            (account, region, after, limit),
        )
        return [row[0] for row in rows]

    async def all(self) -> list[Table]:
        """Every table of the node, for what runs in the background."""
        return [decode_table(row[0]) for row in await self.db.read("SELECT record FROM ddb_table")]

    async def count(self, account: str, region: str) -> int:
        row = await self.db.read_one(
            "SELECT COUNT(*) FROM ddb_table WHERE account = $1 AND region = $2", (account, region)
        )
        return int(row[0]) if row else 0

    async def tags(self, table: Table, tx: Transaction | None = None) -> str:
        """The JSON object of its tags, as committed or as a transaction sees it: who changes them reads them in it."""
        rows = await (tx or self.db).read(f"SELECT tags FROM ddb_table {_WHERE}", _names(table))  # noqa: S608  constants
        return str(rows[0][0]) if rows else "{}"

    async def put_tags(self, tx: Transaction, table: Table, tags: str) -> None:
        await tx.write(f"UPDATE ddb_table SET tags = $4 {_WHERE}", (*_names(table), tags))  # noqa: S608  constants


async def next_id(tx: Transaction) -> int:
    """An id for rows of a table or an index: small, and never used again."""
    rows = await tx.write(
        "INSERT INTO ddb_sequence (name, value) VALUES ('rows', 1) "
        "ON CONFLICT (name) DO UPDATE SET value = ddb_sequence.value + 1 RETURNING value"
    )
    return int(rows[0][0])


async def insert(tx: Transaction, table: Table, tags: str) -> None:
    """Raises Conflict when there is a table of that name."""
    await tx.write(
        "INSERT INTO ddb_table (account, region, name, id, record, tags) VALUES ($1, $2, $3, $4, $5, $6)",
        (*_names(table), table.id, encode_table(table).decode(), tags),
    )


async def current(tx: Transaction, table: Table) -> Table | None:
    """The table as it is now; None when it was deleted meanwhile, though another may have its name."""
    rows = await tx.read(f"SELECT record FROM ddb_table {_WHERE} AND id = $4", (*_names(table), table.id))  # noqa: S608
    return decode_table(rows[0][0]) if rows else None


async def named(source: Database | Transaction, account: str, region: str, name: str) -> Table | None:
    """The table of that name as it is now."""
    rows = await source.read(f"SELECT record FROM ddb_table {_WHERE}", (account, region, name))  # noqa: S608  constants
    return decode_table(rows[0][0]) if rows else None


async def sibling(source: Database | Transaction, table: Table, replica: Replica) -> Table | None:
    """The same table as a replica of it is: one that knows it, too, and not just one that has its name by now."""
    found = await named(source, replica.account or table.account, replica.region, table.name)
    if found is None:
        return None
    known = ((each.account or found.account, each.region) for each in found.replicas)
    return found if (table.account, table.region) in known else None


async def save(tx: Transaction, table: Table) -> None:
    await tx.write(
        f"UPDATE ddb_table SET record = $4 {_WHERE}",  # noqa: S608  constants
        (*_names(table), encode_table(table).decode()),
    )


async def delete(tx: Transaction, table: Table, *, kept: bool = False) -> None:
    """Forget a table, and leave its rows to the sweeper; `kept`: its items stay, to be backed up."""
    await tx.write(f"DELETE FROM ddb_table {_WHERE}", _names(table))  # noqa: S608  constants
    await tx.write("DELETE FROM ddb_insight WHERE tbl = $1", (table.id,))
    await tx.write("DELETE FROM ddb_policy WHERE tbl = $1", (table.id,))
    for id in (*(() if kept else (table.id,)), *(index.id for index in table.every)):
        await drop_rows(tx, id)


async def drop_rows(tx: Transaction, id: int) -> None:
    """Leave the rows of a table or an index to the sweeper."""
    await tx.write("INSERT INTO ddb_dropped (id) VALUES ($1) ON CONFLICT (id) DO NOTHING", (id,))
    await tx.write("DELETE FROM ddb_backfill WHERE idx = $1", (id,))
    await tx.write("DELETE FROM ddb_measure WHERE id = $1", (id,))


def _names(table: Table) -> tuple[str, str, str]:
    return table.account, table.region, table.name

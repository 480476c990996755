"""Every query on event source mappings and on how far they have read."""

from typing import NamedTuple

import msgspec

from cumulet.services.lambda_.names import FunctionKey
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.tag_store import TagStore
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE lambda_source (
        uuid TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, qualifier TEXT NOT NULL,
        source TEXT NOT NULL, document BYTEA NOT NULL)""",
    "CREATE INDEX lambda_source_function ON lambda_source (account, region, name)",
    "CREATE INDEX lambda_source_source ON lambda_source (account, region, source)",
    """CREATE TABLE lambda_checkpoint (
        uuid TEXT NOT NULL, shard TEXT NOT NULL, document BYTEA NOT NULL, PRIMARY KEY (uuid, shard))""",
)

_mappings = msgspec.json.Decoder(Mapping)
_encode = msgspec.json.encode


class Wanted(NamedTuple):
    """What ListEventSourceMappings is asked for; None stands for any."""

    account: str
    region: str
    function: tuple[str, str | None] | None = None
    """The name, and the qualifier when only that one is wanted."""
    source: str | None = None


class MappingStore:
    """Mappings by their UUID; checkpoints by mapping and shard."""

    def __init__(self, db: Database, tags: TagStore) -> None:
        self._db = db
        self._tags = tags

    async def get(self, uuid: str, within: Transaction | None = None) -> Mapping | None:
        rows = await (within or self._db).read("SELECT document FROM lambda_source WHERE uuid = $1", (uuid,))
        return _mappings.decode(rows[0][0]) if rows else None

    async def put(self, mapping: Mapping, within: Transaction | None = None) -> None:
        await (within or self._db).write(
            "INSERT INTO lambda_source (uuid, account, region, name, qualifier, source, document) "
            "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (uuid) DO UPDATE SET "
            "name = $4, qualifier = $5, source = $6, document = $7",
            (
                *(mapping.uuid, mapping.account, mapping.region, mapping.name, mapping.qualifier, mapping.source),
                _encode(mapping),
            ),
        )

    async def delete(self, mapping: Mapping) -> None:
        """With its checkpoints and tags."""
        async with self._db.transaction() as tx:
            await tx.write("DELETE FROM lambda_source WHERE uuid = $1", (mapping.uuid,))
            await tx.write("DELETE FROM lambda_checkpoint WHERE uuid = $1", (mapping.uuid,))
            await self._tags.put(tx, mapping.arn, {})

    async def all(self) -> list[Mapping]:
        return [_mappings.decode(row[0]) for row in await self._db.read("SELECT document FROM lambda_source")]

    async def same(self, mapping: Mapping, within: Transaction) -> str | None:
        """The UUID of another mapping of the same source to the same function."""
        rows = await within.read(
            "SELECT uuid FROM lambda_source WHERE account = $1 AND region = $2 AND source = $3 AND name = $4 "
            "AND qualifier = $5 AND uuid <> $6",
            (mapping.account, mapping.region, mapping.source, mapping.name, mapping.qualifier, mapping.uuid),
        )
        return rows[0][0] if rows else None

    async def page(self, wanted: Wanted, after: str, limit: int) -> list[Mapping]:
        """Up to `limit` mappings with a UUID above `after`, in their order."""
        sql = "SELECT document FROM lambda_source WHERE account = $1 AND region = $2 AND uuid > $3"
        values: list[object] = [wanted.account, wanted.region, after]
        if wanted.function is not None:
            name, qualifier = wanted.function
            values.append(name)
            sql += f" AND name = ${len(values)}"
            if qualifier is not None:
                values.append(qualifier)
                sql += f" AND qualifier = ${len(values)}"
        if wanted.source is not None:
            values.append(wanted.source)
            sql += f" AND source = ${len(values)}"
        values.append(limit)
        rows = await self._db.read(f"{sql} ORDER BY uuid LIMIT ${len(values)}", values)
        return [_mappings.decode(row[0]) for row in rows]

    async def of_account(self, account: str, region: str, within: Transaction) -> list[Mapping]:
        rows = await within.read(
            "SELECT document FROM lambda_source WHERE account = $1 AND region = $2", (account, region)
        )
        return [_mappings.decode(row[0]) for row in rows]

    async def of_function(self, key: FunctionKey) -> list[Mapping]:
        rows = await self._db.read(
            "SELECT document FROM lambda_source WHERE account = $1 AND region = $2 AND name = $3", key
        )
        return [_mappings.decode(row[0]) for row in rows]

    async def checkpoints(self, uuid: str) -> dict[str, bytes]:
        """What was kept for each shard."""
        rows = await self._db.read("SELECT shard, document FROM lambda_checkpoint WHERE uuid = $1", (uuid,))
        return dict(rows)

    async def checkpoint(self, uuid: str, shard: str, document: bytes, within: Transaction | None = None) -> None:
        """Durable when it returns (or with the transaction)."""
        await (within or self._db).write(
            "INSERT INTO lambda_checkpoint (uuid, shard, document) VALUES ($1, $2, $3) "
            "ON CONFLICT (uuid, shard) DO UPDATE SET document = $3",
            (uuid, shard, document),
        )

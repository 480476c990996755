"""Every query on capacity providers, and on which versions of functions use them."""

from collections.abc import Sequence

import msgspec

from cumulet.api.lambda_ import CapacityProvider
from cumulet.services.lambda_.names import FunctionKey
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE lambda_capacity (account TEXT NOT NULL, region TEXT NOT NULL, provider TEXT NOT NULL,
       document BYTEA NOT NULL, PRIMARY KEY (account, region, provider))""",
    """CREATE TABLE lambda_capacity_use (account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
       version TEXT NOT NULL, arn TEXT NOT NULL, PRIMARY KEY (account, region, name, version))""",
    "CREATE INDEX lambda_capacity_use_arn ON lambda_capacity_use (arn)",
)

_PLACE = "account = $1 AND region = $2"
_decode = msgspec.json.Decoder(CapacityProvider).decode


class CapacityStore:
    """Providers by name, kept as answers show them."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(
        self, account: str, region: str, name: str, within: Transaction | None = None
    ) -> CapacityProvider | None:
        rows = await (within or self._db).read(
            f"SELECT document FROM lambda_capacity WHERE {_PLACE} AND provider = $3",  # noqa: S608 - a constant
            (account, region, name),
        )
        return _decode(rows[0][0]) if rows else None

    async def put(self, tx: Transaction, account: str, region: str, name: str, provider: CapacityProvider) -> None:
        await tx.write(
            """INSERT INTO lambda_capacity (account, region, provider, document) VALUES ($1, $2, $3, $4)
               ON CONFLICT (account, region, provider) DO UPDATE SET document = $4""",
            (account, region, name, msgspec.json.encode(provider)),
        )

    async def delete(self, tx: Transaction, account: str, region: str, name: str) -> None:
        await tx.write(
            f"DELETE FROM lambda_capacity WHERE {_PLACE} AND provider = $3",  # noqa: S608 - a constant
            (account, region, name),
        )

    async def page(self, account: str, region: str, after: str) -> Sequence[tuple[str, CapacityProvider]]:
        """With their names, by name."""
        rows = await self._db.read(
            f"SELECT provider, document FROM lambda_capacity WHERE {_PLACE} AND provider > $3 ORDER BY provider",  # noqa: S608 - a constant
            (account, region, after),
        )
        return [(row[0], _decode(row[1])) for row in rows]

    async def count(self, tx: Transaction, account: str, region: str) -> int:
        [(count,)] = await tx.read(
            f"SELECT COUNT(*) FROM lambda_capacity WHERE {_PLACE}",  # noqa: S608 - a constant
            (account, region),
        )
        return int(count)

    async def use(self, tx: Transaction, key: FunctionKey, version: str, arn: str) -> None:
        """A version of a function is to run by a provider."""
        await tx.write(
            """INSERT INTO lambda_capacity_use (account, region, name, version, arn) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (account, region, name, version) DO UPDATE SET arn = $5""",
            (*key, version, arn),
        )

    async def forget(self, tx: Transaction, key: FunctionKey, version: str | None) -> None:
        """A version is gone, or (None) a function with all of them."""
        where = f"{_PLACE} AND name = $3" + ("" if version is None else " AND version = $4")
        values = key if version is None else (*key, version)
        await tx.write(f"DELETE FROM lambda_capacity_use WHERE {where}", values)  # noqa: S608 - constants

    async def users(
        self, arn: str, after: tuple[str, str], limit: int, within: Transaction | None = None
    ) -> list[tuple[FunctionKey, str]]:
        """The versions that run by a provider, $LATEST too, by function and version."""
        rows = await (within or self._db).read(
            """SELECT account, region, name, version FROM lambda_capacity_use
               WHERE arn = $1 AND (name > $2 OR (name = $2 AND version > $3)) ORDER BY name, version LIMIT $4""",
            (arn, *after, limit),
        )
        return [(FunctionKey(*row[:3]), row[3]) for row in rows]

    async def versions(self, key: FunctionKey) -> list[str]:
        """The versions of a function that run by a provider."""
        rows = await self._db.read(
            f"SELECT version FROM lambda_capacity_use WHERE {_PLACE} AND name = $3",  # noqa: S608 - a constant
            key,
        )
        return [row[0] for row in rows]

    async def keys(self) -> list[FunctionKey]:
        """Functions that run by a provider, in all accounts."""
        rows = await self._db.read("SELECT DISTINCT account, region, name FROM lambda_capacity_use")
        return [FunctionKey(*row) for row in rows]

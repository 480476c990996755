"""Every query on code signing configurations, and on which functions have them."""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from cumulet.services.lambda_.names import FunctionKey
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE lambda_signing (account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL,
       document BYTEA NOT NULL, PRIMARY KEY (account, region, id))""",
    """CREATE TABLE lambda_signing_use (account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
       arn TEXT NOT NULL, PRIMARY KEY (account, region, name))""",
    "CREATE INDEX lambda_signing_use_arn ON lambda_signing_use (arn)",
)


class Signing(Struct, frozen=True, kw_only=True):
    """A code signing configuration. `publishers` are ARNs of signing profiles, `policy` is Warn or Enforce."""

    id: str
    arn: str
    publishers: list[str]
    policy: str
    modified: str
    description: str = ""


_decode = msgspec.json.Decoder(Signing).decode


class SigningStore:
    """Configurations by the id in their ARNs."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, account: str, region: str, id: str, within: Transaction | None = None) -> Signing | None:
        rows = await (within or self._db).read(
            "SELECT document FROM lambda_signing WHERE account = $1 AND region = $2 AND id = $3", (account, region, id)
        )
        return _decode(rows[0][0]) if rows else None

    async def put(self, tx: Transaction, account: str, region: str, signing: Signing) -> None:
        await tx.write(
            """INSERT INTO lambda_signing (account, region, id, document) VALUES ($1, $2, $3, $4)
               ON CONFLICT (account, region, id) DO UPDATE SET document = $4""",
            (account, region, signing.id, msgspec.json.encode(signing)),
        )

    async def delete(self, tx: Transaction, account: str, region: str, id: str) -> None:
        await tx.write(
            "DELETE FROM lambda_signing WHERE account = $1 AND region = $2 AND id = $3", (account, region, id)
        )

    async def page(self, account: str, region: str, after: str, limit: int) -> Sequence[Signing]:
        """By id."""
        rows = await self._db.read(
            """SELECT document FROM lambda_signing WHERE account = $1 AND region = $2 AND id > $3
               ORDER BY id LIMIT $4""",
            (account, region, after, limit),
        )
        return [_decode(row[0]) for row in rows]

    async def of(self, key: FunctionKey, within: Transaction | None = None) -> str | None:
        """The ARN of a function's configuration."""
        rows = await (within or self._db).read(
            "SELECT arn FROM lambda_signing_use WHERE account = $1 AND region = $2 AND name = $3", key
        )
        return rows[0][0] if rows else None

    async def attach(self, tx: Transaction, key: FunctionKey, arn: str | None) -> None:
        """Give a function a configuration, or none."""
        if arn is None:
            await tx.write("DELETE FROM lambda_signing_use WHERE account = $1 AND region = $2 AND name = $3", key)
            return
        await tx.write(
            """INSERT INTO lambda_signing_use (account, region, name, arn) VALUES ($1, $2, $3, $4)
               ON CONFLICT (account, region, name) DO UPDATE SET arn = $4""",
            (*key, arn),
        )

    async def functions(
        self, arn: str, after: str, limit: int, within: Transaction | None = None
    ) -> Sequence[FunctionKey]:
        """Those that have a configuration, by name."""
        rows = await (within or self._db).read(
            """SELECT account, region, name FROM lambda_signing_use WHERE arn = $1 AND name > $2
               ORDER BY name LIMIT $3""",
            (arn, after, limit),
        )
        return [FunctionKey(*row) for row in rows]

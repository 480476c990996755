"""Every query on function URLs, and what one is."""

import msgspec
from msgspec import Struct

from cumulet.api.lambda_ import Cors
from cumulet.services.lambda_.names import FunctionKey
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE lambda_url (account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, qualifier TEXT NOT NULL,
       id TEXT NOT NULL, document BYTEA NOT NULL, PRIMARY KEY (account, region, name, qualifier))""",
    "CREATE UNIQUE INDEX lambda_url_id ON lambda_url (region, id)",
)
_FUNCTION = "account = $1 AND region = $2 AND name = $3"


class Url(Struct, frozen=True, kw_only=True):
    """A function's URL; `qualifier` is the alias it leads to, empty for $LATEST. Times are in seconds since 1970."""

    id: str
    account: str
    region: str
    name: str
    qualifier: str
    auth_type: str
    invoke_mode: str = "BUFFERED"
    cors: Cors | None = None
    created: float
    modified: float

    @property
    def key(self) -> FunctionKey:
        return FunctionKey(self.account, self.region, self.name)

    @property
    def function_arn(self) -> str:
        return f"{self.key.arn}:{self.qualifier}" if self.qualifier else self.key.arn


_decode = msgspec.json.Decoder(Url).decode


class UrlStore:
    """URLs by function and alias, and by id."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(self, key: FunctionKey, qualifier: str, within: Transaction | None = None) -> Url | None:
        sql = f"SELECT document FROM lambda_url WHERE {_FUNCTION} AND qualifier = $4"  # noqa: S608  a constant of ours
        rows = await (within or self._db).read(sql, (*key, qualifier))
        return _decode(rows[0][0]) if rows else None

    async def by_id(self, region: str, id: str, within: Transaction | None = None) -> Url | None:
        sql = "SELECT document FROM lambda_url WHERE region = $1 AND id = $2"
        rows = await (within or self._db).read(sql, (region, id))
        return _decode(rows[0][0]) if rows else None

    async def of(self, key: FunctionKey, after: str | None, limit: int) -> list[Url]:
        """A function's URLs by alias, the one of the function itself first; those after the alias `after`."""
        sql = f"SELECT document FROM lambda_url WHERE {_FUNCTION} "  # noqa: S608  as above
        if after is None:
            rows = await self._db.read(f"{sql} ORDER BY qualifier LIMIT $4", (*key, limit))
        else:
            rows = await self._db.read(f"{sql} AND qualifier > $4 ORDER BY qualifier LIMIT $5", (*key, after, limit))
        return [_decode(row[0]) for row in rows]

    async def put(self, tx: Transaction, url: Url) -> None:
        await tx.write(
            """INSERT INTO lambda_url (account, region, name, qualifier, id, document) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (account, region, name, qualifier) DO UPDATE SET id = $5, document = $6""",
            (*url.key, url.qualifier, url.id, msgspec.json.encode(url)),
        )

    async def delete(self, tx: Transaction, key: FunctionKey, qualifier: str) -> bool:
        sql = f"DELETE FROM lambda_url WHERE {_FUNCTION} AND qualifier = $4 RETURNING id"  # noqa: S608  as above
        return bool(await tx.write(sql, (*key, qualifier)))

    async def clean(self, tx: Transaction, key: FunctionKey, qualifier: str | None) -> None:
        """A function, or an alias of it, is being deleted."""
        if qualifier is not None:
            await self.delete(tx, key, qualifier)
        else:
            await tx.write(f"DELETE FROM lambda_url WHERE {_FUNCTION}", key)  # noqa: S608  as above

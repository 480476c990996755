"""REST APIs: a row each, without their parts."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.api import apigateway

SCHEMA = (
    """CREATE TABLE apigateway_api (id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, body BYTEA NOT NULL)""",
    "CREATE INDEX apigateway_api_owner ON apigateway_api (account, region, id)",
)


class OwnedApi(Struct, frozen=True):
    """An API, and whose it is."""

    account: str
    region: str
    api: apigateway.RestApi


@cache
def _decoder() -> msgspec.json.Decoder[apigateway.RestApi]:
    from cumulet.api.apigateway import RestApi  # noqa: PLC0415  made when first used

    return msgspec.json.Decoder(RestApi)


class ApiStore(Struct, frozen=True):
    """APIs by id, which is one in the whole node."""

    db: Database

    async def find(self, api_id: str, within: Transaction | None = None) -> OwnedApi | None:
        rows = await (within or self.db).read(
            "SELECT account, region, body FROM apigateway_api WHERE id = $1", (api_id,)
        )
        return OwnedApi(rows[0][0], rows[0][1], _decoder().decode(rows[0][2])) if rows else None

    async def owned(self, account: str, region: str, api_id: str, within: Transaction | None = None) -> bool:
        """Whether an account has this API in a region."""
        sql = "SELECT 1 FROM apigateway_api WHERE id = $1 AND account = $2 AND region = $3"
        return bool(await (within or self.db).read(sql, (api_id, account, region)))

    async def add(self, tx: Transaction, account: str, region: str, api: apigateway.RestApi) -> None:
        """Raises Conflict when the id is taken."""
        await tx.write(
            "INSERT INTO apigateway_api (id, account, region, body) VALUES ($1, $2, $3, $4)",
            (api.id, account, region, msgspec.json.encode(api)),
        )

    async def put(self, tx: Transaction, api: apigateway.RestApi) -> None:
        await tx.write("UPDATE apigateway_api SET body = $2 WHERE id = $1", (api.id, msgspec.json.encode(api)))

    async def delete(self, tx: Transaction, api_id: str) -> None:
        await tx.write("DELETE FROM apigateway_api WHERE id = $1", (api_id,))

    async def list(
        self, account: str, region: str, after: str, limit: int, within: Transaction | None = None
    ) -> list[apigateway.RestApi]:
        """APIs of an account in a region in the order of their ids, those after an id."""
        rows = await (within or self.db).read(
            "SELECT body FROM apigateway_api WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4",
            (account, region, after, limit),
        )
        return [_decoder().decode(body) for (body,) in rows]

    async def count(self, account: str, region: str, within: Transaction | None = None) -> int:
        sql = "SELECT COUNT(*) FROM apigateway_api WHERE account = $1 AND region = $2"
        return int((await (within or self.db).read(sql, (account, region)))[0][0])

"""Stages: names under which deployments are called."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

SCHEMA = (
    """CREATE TABLE apigateway_stage (
        api TEXT NOT NULL, name TEXT NOT NULL, body BYTEA NOT NULL, PRIMARY KEY (api, name))""",
)


@cache
def _decoder() -> msgspec.json.Decoder[api.Stage]:
    from cumulet.api.apigateway import Stage  # noqa: PLC0415  made when first used

    return msgspec.json.Decoder(Stage)


class StageStore(Struct, frozen=True):
    """Stages by API and name."""

    db: Database

    async def get(self, api_id: str, name: str, within: Transaction | None = None) -> api.Stage | None:
        sql = "SELECT body FROM apigateway_stage WHERE api = $1 AND name = $2"
        rows = await (within or self.db).read(sql, (api_id, name))
        return _decoder().decode(rows[0][0]) if rows else None

    async def put(self, tx: Transaction, api_id: str, stage: api.Stage) -> None:
        await tx.write(
            "INSERT INTO apigateway_stage (api, name, body) VALUES ($1, $2, $3) ON CONFLICT (api, name) DO UPDATE SET body = $3",
            (api_id, stage.stage_name, msgspec.json.encode(stage)),
        )

    async def delete(self, tx: Transaction, api_id: str, name: str | None = None) -> None:
        """One, or all of an API."""
        if name is None:
            await tx.write("DELETE FROM apigateway_stage WHERE api = $1", (api_id,))
        else:
            await tx.write("DELETE FROM apigateway_stage WHERE api = $1 AND name = $2", (api_id, name))

    async def list(self, api_id: str, within: Transaction | None = None) -> list[api.Stage]:
        """In the order of their names."""
        sql = "SELECT body FROM apigateway_stage WHERE api = $1 ORDER BY name"
        return [_decoder().decode(body) for (body,) in await (within or self.db).read(sql, (api_id,))]

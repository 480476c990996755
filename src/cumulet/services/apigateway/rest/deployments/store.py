"""Deployments: what an API was when it was deployed, whole and never changed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from cumulet.services.apigateway.rest import definition as definitions
from cumulet.services.apigateway.rest.definition import Definition
from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

SCHEMA = (
    """CREATE TABLE apigateway_deployment (
        api TEXT NOT NULL, id TEXT NOT NULL, body BYTEA NOT NULL, snapshot BYTEA NOT NULL, PRIMARY KEY (api, id))""",
)


@cache
def _decoder() -> msgspec.json.Decoder[api.Deployment]:
    from cumulet.api.apigateway import Deployment  # noqa: PLC0415  made when first used

    return msgspec.json.Decoder(Deployment)


class DeploymentStore(Struct, frozen=True):
    """Deployments (with their summary of methods) and their snapshots, by API and id."""

    db: Database

    async def get(self, api_id: str, id: str, within: Transaction | None = None) -> api.Deployment | None:
        sql = "SELECT body FROM apigateway_deployment WHERE api = $1 AND id = $2"
        rows = await (within or self.db).read(sql, (api_id, id))
        return _decoder().decode(rows[0][0]) if rows else None

    async def snapshot(self, api_id: str, id: str) -> bytes | None:
        """The API as it was, as `definition.encode` made it."""
        row = await self.db.read_one(
            "SELECT snapshot FROM apigateway_deployment WHERE api = $1 AND id = $2", (api_id, id)
        )
        return row[0] if row else None

    async def add(self, tx: Transaction, api_id: str, deployment: api.Deployment, definition: Definition) -> None:
        await tx.write(
            "INSERT INTO apigateway_deployment (api, id, body, snapshot) VALUES ($1, $2, $3, $4)",
            (api_id, deployment.id, msgspec.json.encode(deployment), definitions.encode(definition)),
        )

    async def put(self, tx: Transaction, api_id: str, deployment: api.Deployment) -> None:
        """Change what can be changed of it, which is its description."""
        await tx.write(
            "UPDATE apigateway_deployment SET body = $3 WHERE api = $1 AND id = $2",
            (api_id, deployment.id, msgspec.json.encode(deployment)),
        )

    async def delete(self, tx: Transaction, api_id: str, id: str | None = None) -> None:
        """One, or all of an API."""
        if id is None:
            await tx.write("DELETE FROM apigateway_deployment WHERE api = $1", (api_id,))
        else:
            await tx.write("DELETE FROM apigateway_deployment WHERE api = $1 AND id = $2", (api_id, id))

    async def list(self, api_id: str, after: str, limit: int) -> list[api.Deployment]:
        """In the order of their ids, those after an id."""
        sql = "SELECT body FROM apigateway_deployment WHERE api = $1 AND id > $2 ORDER BY id LIMIT $3"
        return [_decoder().decode(body) for (body,) in await self.db.read(sql, (api_id, after, limit))]

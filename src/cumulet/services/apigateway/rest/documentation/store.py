"""Versions of an API's documentation, with the parts as they were."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from cumulet.storage.database import Database, Transaction

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

SCHEMA = (
    """CREATE TABLE apigateway_documentation_version (
        api TEXT NOT NULL, version TEXT NOT NULL, body BYTEA NOT NULL, parts BYTEA NOT NULL, PRIMARY KEY (api, version))""",
)


@cache
def _decoder() -> msgspec.json.Decoder[api.DocumentationVersion]:
    from cumulet.api.apigateway import DocumentationVersion  # noqa: PLC0415  made when first used

    return msgspec.json.Decoder(DocumentationVersion)


@cache
def _parts_decoder() -> msgspec.json.Decoder[list[api.DocumentationPart]]:
    from cumulet.api.apigateway import DocumentationPart  # noqa: PLC0415  made when first used

    return msgspec.json.Decoder(list[DocumentationPart])


class DocumentationStore(Struct, frozen=True):
    """Versions by API and name."""

    db: Database

    async def get(
        self, api_id: str, version: str, within: Transaction | None = None
    ) -> api.DocumentationVersion | None:
        sql = "SELECT body FROM apigateway_documentation_version WHERE api = $1 AND version = $2"
        rows = await (within or self.db).read(sql, (api_id, version))
        return _decoder().decode(rows[0][0]) if rows else None

    async def parts(self, api_id: str, version: str) -> list[api.DocumentationPart]:
        """The parts as they were when the version was made."""
        sql = "SELECT parts FROM apigateway_documentation_version WHERE api = $1 AND version = $2"
        row = await self.db.read_one(sql, (api_id, version))
        return _parts_decoder().decode(row[0]) if row else []

    async def add(
        self, tx: Transaction, api_id: str, version: api.DocumentationVersion, parts: list[api.DocumentationPart]
    ) -> None:
        await tx.write(
            "INSERT INTO apigateway_documentation_version (api, version, body, parts) VALUES ($1, $2, $3, $4)",
            (api_id, version.version, msgspec.json.encode(version), msgspec.json.encode(parts)),
        )

    async def put(self, tx: Transaction, api_id: str, version: api.DocumentationVersion) -> None:
        await tx.write(
            "UPDATE apigateway_documentation_version SET body = $3 WHERE api = $1 AND version = $2",
            (api_id, version.version, msgspec.json.encode(version)),
        )

    async def delete(self, tx: Transaction, api_id: str, version: str | None = None) -> None:
        """One, or all of an API."""
        if version is None:
            await tx.write("DELETE FROM apigateway_documentation_version WHERE api = $1", (api_id,))
        else:
            sql = "DELETE FROM apigateway_documentation_version WHERE api = $1 AND version = $2"
            await tx.write(sql, (api_id, version))

    async def list(self, api_id: str, after: str, limit: int) -> list[api.DocumentationVersion]:
        """In the order of their names, those after a name."""
        sql = "SELECT body FROM apigateway_documentation_version WHERE api = $1 AND version > $2 ORDER BY version LIMIT $3"
        return [_decoder().decode(body) for (body,) in await self.db.read(sql, (api_id, after, limit))]

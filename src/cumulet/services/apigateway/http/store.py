"""Every query on HTTP and WebSocket APIs, their parts and what is deployed."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from cumulet.api import apigatewayv2 as api
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    "CREATE TABLE apigatewayv2_api (id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, body BYTEA NOT NULL)",
    "CREATE INDEX apigatewayv2_api_owner ON apigatewayv2_api (account, region, id)",
    """CREATE TABLE apigatewayv2_part (
        scope TEXT NOT NULL, kind TEXT NOT NULL, parent TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, body BYTEA NOT NULL,
        PRIMARY KEY (scope, kind, parent, id)) /* clustered */""",
    "CREATE UNIQUE INDEX apigatewayv2_part_name ON apigatewayv2_part (scope, kind, parent, name)",
    """CREATE TABLE apigatewayv2_snapshot (
        api TEXT NOT NULL, deployment TEXT NOT NULL, body BYTEA NOT NULL, PRIMARY KEY (api, deployment))""",
)

P = TypeVar("P", bound=Struct)


class Kind(Struct, Generic[P], frozen=True):
    """A kind of part: its name in the table, its struct, the members that hold its id and what must be unique, AWS's word for it."""

    table: str
    struct: Callable[[], type[P]]
    id: str
    unique: str
    label: str

    def decode(self, body: bytes) -> P:
        part: P = _decoder(self)(body)
        return part

    def id_of(self, part: Struct) -> str:
        return str(getattr(part, self.id))


@cache
def _decoder(kind: Kind[Any]) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(kind.struct()).decode


ROUTE = Kind("route", lambda: api.Route, "route_id", "route_key", "Route")
ROUTE_RESPONSE = Kind(
    "route_response", lambda: api.RouteResponse, "route_response_id", "route_response_key", "RouteResponse"
)
INTEGRATION = Kind("integration", lambda: api.Integration, "integration_id", "integration_id", "Integration")
INTEGRATION_RESPONSE = Kind(
    "integration_response",
    lambda: api.IntegrationResponse,
    "integration_response_id",
    "integration_response_key",
    "IntegrationResponse",
)
AUTHORIZER = Kind("authorizer", lambda: api.Authorizer, "authorizer_id", "name", "Authorizer")
MODEL = Kind("model", lambda: api.Model, "model_id", "name", "Model")
STAGE = Kind("stage", lambda: api.Stage, "stage_name", "stage_name", "Stage")
DEPLOYMENT = Kind("deployment", lambda: api.Deployment, "deployment_id", "deployment_id", "Deployment")
VPC_LINK = Kind("vpc_link", lambda: api.VpcLink, "vpc_link_id", "vpc_link_id", "VpcLink")

DEPLOYED: tuple[Kind[Any], ...] = (ROUTE, ROUTE_RESPONSE, INTEGRATION, INTEGRATION_RESPONSE, AUTHORIZER, MODEL)
"""The kinds that a deployment freezes."""


class Owned(Struct, frozen=True):
    """An API, and whose it is."""

    account: str
    region: str
    api: api.Api


@cache
def _api_decoder() -> msgspec.json.Decoder[api.Api]:
    return msgspec.json.Decoder(api.Api)


def decode_api(body: bytes) -> api.Api:
    """An API of its row."""
    return _api_decoder().decode(body)


class ApiStore(Struct, frozen=True):
    """APIs by id, which is one in the whole node."""

    db: Database

    async def find(self, api_id: str, within: Transaction | None = None) -> Owned | None:
        rows = await (within or self.db).read(
            "SELECT account, region, body FROM apigatewayv2_api WHERE id = $1", (api_id,)
        )
        return Owned(rows[0][0], rows[0][1], decode_api(rows[0][2])) if rows else None

    async def add(self, tx: Transaction, account: str, region: str, item: api.Api) -> None:
        """Raises Conflict when the id is taken."""
        await tx.write(
            "INSERT INTO apigatewayv2_api (id, account, region, body) VALUES ($1, $2, $3, $4)",
            (item.api_id, account, region, msgspec.json.encode(item)),
        )

    async def put(self, tx: Transaction, item: api.Api) -> None:
        await tx.write("UPDATE apigatewayv2_api SET body = $2 WHERE id = $1", (item.api_id, msgspec.json.encode(item)))

    async def delete(self, tx: Transaction, api_id: str) -> None:
        """Forget an API with all that it has."""
        await tx.write("DELETE FROM apigatewayv2_api WHERE id = $1", (api_id,))
        await tx.write("DELETE FROM apigatewayv2_part WHERE scope = $1", (api_id,))
        await tx.write("DELETE FROM apigatewayv2_snapshot WHERE api = $1", (api_id,))

    async def page(self, account: str, region: str, after: str, limit: int) -> list[api.Api]:
        """APIs of an account in a region in the order of their ids, those after an id."""
        rows = await self.db.read(
            "SELECT body FROM apigatewayv2_api WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4",
            (account, region, after, limit),
        )
        return [decode_api(body) for (body,) in rows]


_PUT = """INSERT INTO apigatewayv2_part (scope, kind, parent, id, name, body) VALUES ($1, $2, $3, $4, $5, $6)
          ON CONFLICT (scope, kind, parent, id) DO UPDATE SET name = $5, body = $6"""


class PartStore(Struct, frozen=True):
    """Parts by scope, kind, parent and id.

    A scope is an API's id, or `account/region` for what belongs to no API. The parent of a response is its route or integration;
    others have none.
    """

    db: Database

    async def get(
        self, scope: str, kind: Kind[P], id: str, parent: str = "", within: Transaction | None = None
    ) -> P | None:
        rows = await (within or self.db).read(
            "SELECT body FROM apigatewayv2_part WHERE scope = $1 AND kind = $2 AND parent = $3 AND id = $4",
            (scope, kind.table, parent, id),
        )
        return kind.decode(rows[0][0]) if rows else None

    async def put(self, tx: Transaction, scope: str, kind: Kind[P], part: P, parent: str = "") -> None:
        """Add or replace. Raises Conflict when another part of that parent has its name."""
        name = str(getattr(part, kind.unique))
        await tx.write(_PUT, (scope, kind.table, parent, kind.id_of(part), name, msgspec.json.encode(part)))

    async def delete(self, tx: Transaction, scope: str, kind: Kind[Any], id: str, parent: str = "") -> bool:
        """Tells whether it was there."""
        sql = "DELETE FROM apigatewayv2_part WHERE scope = $1 AND kind = $2 AND parent = $3 AND id = $4 RETURNING id"
        return bool(await tx.write(sql, (scope, kind.table, parent, id)))

    async def delete_below(self, tx: Transaction, scope: str, kind: Kind[Any], parent: str) -> None:
        """Delete what a route or integration has."""
        sql = "DELETE FROM apigatewayv2_part WHERE scope = $1 AND kind = $2 AND parent = $3"
        await tx.write(sql, (scope, kind.table, parent))

    async def clear(self, tx: Transaction, scope: str) -> None:
        """Delete all that a deployment would freeze."""
        for kind in DEPLOYED:
            await tx.write("DELETE FROM apigatewayv2_part WHERE scope = $1 AND kind = $2", (scope, kind.table))

    async def page(
        self,
        scope: str,
        kind: Kind[P],
        parent: str = "",
        after: str = "",
        limit: int = 1_000_000,
        within: Transaction | None = None,
    ) -> list[P]:
        """Parts in the order of their ids, those after an id."""
        rows = await (within or self.db).read(
            "SELECT body FROM apigatewayv2_part WHERE scope = $1 AND kind = $2 AND parent = $3 AND id > $4 ORDER BY id LIMIT $5",
            (scope, kind.table, parent, after, limit),
        )
        return [kind.decode(body) for (body,) in rows]


class SnapshotStore(Struct, frozen=True):
    """What deployments froze: one immutable document each."""

    db: Database

    async def freeze(self, tx: Transaction, item: api.Api, deployment: str) -> None:
        """Keep the API as it is now, without decoding its parts."""
        assert item.api_id is not None
        rows = await tx.read(
            "SELECT kind, parent, body FROM apigatewayv2_part WHERE scope = $1 ORDER BY kind, parent, id",
            (item.api_id,),
        )
        frozen = {kind.table for kind in DEPLOYED}
        parts = [(kind, parent, msgspec.Raw(body)) for kind, parent, body in rows if kind in frozen]
        body = msgspec.json.encode({"api": item, "parts": parts})
        await tx.write(
            "INSERT INTO apigatewayv2_snapshot (api, deployment, body) VALUES ($1, $2, $3)",
            (item.api_id, deployment, body),
        )

    async def get(self, api_id: str, deployment: str) -> bytes | None:
        row = await self.db.read_one(
            "SELECT body FROM apigatewayv2_snapshot WHERE api = $1 AND deployment = $2", (api_id, deployment)
        )
        return row[0] if row else None

    async def delete(self, tx: Transaction, api_id: str, deployment: str) -> None:
        await tx.write("DELETE FROM apigatewayv2_snapshot WHERE api = $1 AND deployment = $2", (api_id, deployment))


async def is_stage(source: Database | Transaction, account: str, region: str, api_id: str, stage: str) -> bool:
    """Whether an account's API in a region has a stage."""
    rows = await source.read(
        "SELECT 1 FROM apigatewayv2_api a JOIN apigatewayv2_part p ON p.scope = a.id "
        "WHERE a.id = $1 AND a.account = $2 AND a.region = $3 AND p.kind = 'stage' AND p.parent = '' AND p.id = $4",
        (api_id, account, region, stage),
    )
    return bool(rows)

"""The parts of REST APIs, a row each: changing a method writes one resource, however large the API is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from cumulet.api import apigateway as api
from cumulet.services.apigateway.rest.definition import Definition
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE apigateway_part (
        api TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, place TEXT NOT NULL, name TEXT NOT NULL, body BYTEA NOT NULL,
        PRIMARY KEY (api, kind, id))""",
    "CREATE UNIQUE INDEX apigateway_part_name ON apigateway_part (api, kind, place, name)",
    "ALTER TABLE apigateway_part ADD COLUMN sort TEXT NOT NULL DEFAULT ''",
    "UPDATE apigateway_part SET sort = id",
    "CREATE INDEX apigateway_part_sort ON apigateway_part (api, kind, sort)",
)

P = TypeVar("P", bound=Struct)


class Kind(Struct, Generic[P], frozen=True):
    """A kind of part: its name in the table, its struct, what must be unique in an API (a name, within a place), and the order of
    lists, which is that of ids unless `order` says otherwise.
    """

    table: str
    struct: Callable[[], type[P]]
    unique: Callable[[P], tuple[str, str]]
    order: Callable[[P], str | None] | None = None

    def decode(self, body: bytes) -> P:
        part: P = _decoder(self)(body)
        return part


@cache
def _decoder(kind: Kind[Any]) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(kind.struct()).decode


def _location(part: api.DocumentationPart) -> tuple[str, str]:
    assert part.location is not None
    return "", msgspec.json.encode(part.location).decode()


RESOURCE = Kind(
    "resource",
    lambda: api.Resource,
    lambda part: (part.parent_id or "", part.path_part or ""),
    lambda part: part.path,
)
MODEL = Kind("model", lambda: api.Model, lambda part: ("", part.name or ""))
VALIDATOR = Kind("validator", lambda: api.RequestValidator, lambda part: ("", part.id or ""))
AUTHORIZER = Kind("authorizer", lambda: api.Authorizer, lambda part: ("", part.name or ""))
GATEWAY_RESPONSE = Kind("gateway_response", lambda: api.GatewayResponse, lambda part: ("", part.response_type or ""))
DOCUMENTATION = Kind("documentation", lambda: api.DocumentationPart, _location)

KINDS: dict[str, tuple[Kind[Any], str]] = {
    "resource": (RESOURCE, "resources"),
    "model": (MODEL, "models"),
    "validator": (VALIDATOR, "validators"),
    "authorizer": (AUTHORIZER, "authorizers"),
    "gateway_response": (GATEWAY_RESPONSE, "gateway_responses"),
    "documentation": (DOCUMENTATION, "documentation"),
}
"""By name in the table: the kind, and where its parts are in a Definition."""

_PUT = """INSERT INTO apigateway_part (api, kind, id, place, name, sort, body) VALUES ($1, $2, $3, $4, $5, $6, $7)
          ON CONFLICT (api, kind, id) DO UPDATE SET place = $4, name = $5, sort = $6, body = $7"""


class PartStore(Struct, frozen=True):
    """Parts by API, kind and id. The id of a model is its name, that of a gateway response its type."""

    db: Database

    async def get(self, api_id: str, kind: Kind[P], id: str, within: Transaction | None = None) -> P | None:
        rows = await (within or self.db).read(
            "SELECT body FROM apigateway_part WHERE api = $1 AND kind = $2 AND id = $3", (api_id, kind.table, id)
        )
        return kind.decode(rows[0][0]) if rows else None

    async def put(self, tx: Transaction, api_id: str, kind: Kind[P], id: str, part: P) -> None:
        """Add or replace. Raises Conflict when another part has its name."""
        await tx.write(_PUT, _row(api_id, kind, id, part))

    async def put_each(self, tx: Transaction, api_id: str, kind: Kind[P], parts: dict[str, P]) -> None:
        await tx.write_each(_PUT, [_row(api_id, kind, id, part) for id, part in parts.items()])

    async def delete(self, tx: Transaction, api_id: str, kind: Kind[Any], id: str) -> bool:
        """Tells whether it was there."""
        sql = "DELETE FROM apigateway_part WHERE api = $1 AND kind = $2 AND id = $3 RETURNING id"
        return bool(await tx.write(sql, (api_id, kind.table, id)))

    async def clear(self, tx: Transaction, api_id: str) -> None:
        """Delete all parts of an API."""
        await tx.write("DELETE FROM apigateway_part WHERE api = $1", (api_id,))

    async def named(
        self, api_id: str, kind: Kind[Any], place: str, name: str, within: Transaction | None = None
    ) -> str | None:
        """The id of the part with a name."""
        sql = "SELECT id FROM apigateway_part WHERE api = $1 AND kind = $2 AND place = $3 AND name = $4"
        rows = await (within or self.db).read(sql, (api_id, kind.table, place, name))
        return rows[0][0] if rows else None

    async def names(
        self, api_id: str, kind: Kind[Any], place: str, prefix: str, within: Transaction | None = None
    ) -> Sequence[tuple[str, str]]:
        """Ids and names of the parts in a place whose names begin so."""
        sql = (
            "SELECT id, name FROM apigateway_part WHERE api = $1 AND kind = $2 AND place = $3 AND name >= $4 AND name < $5 "
            "ORDER BY name"
        )
        rows = await (within or self.db).read(sql, (api_id, kind.table, place, prefix, f"{prefix}\U0010ffff"))
        return [(id, name) for id, name in rows]

    async def list(
        self, api_id: str, kind: Kind[P], after: str = "", limit: int = -1, within: Transaction | None = None
    ) -> list[P]:
        """Parts in the order of their kind, those after one: ids, and for resources paths."""
        sql = "SELECT body FROM apigateway_part WHERE api = $1 AND kind = $2 AND sort > $3 ORDER BY sort"
        if limit < 0:
            rows = await (within or self.db).read(sql, (api_id, kind.table, after))
        else:
            rows = await (within or self.db).read(f"{sql} LIMIT $4", (api_id, kind.table, after, limit))
        return [kind.decode(body) for (body,) in rows]

    async def count(self, api_id: str, kind: Kind[Any], within: Transaction | None = None) -> int:
        sql = "SELECT COUNT(*) FROM apigateway_part WHERE api = $1 AND kind = $2"
        return int((await (within or self.db).read(sql, (api_id, kind.table)))[0][0])

    async def definition(self, rest_api: api.RestApi, within: Transaction | None = None) -> Definition:
        """The API as a whole, as it is now."""
        definition = Definition(api=rest_api)
        sql = "SELECT kind, id, body FROM apigateway_part WHERE api = $1 ORDER BY kind, id"
        for table, id, body in await (within or self.db).read(sql, (rest_api.id,)):
            kind, field = KINDS[table]
            getattr(definition, field)[id] = kind.decode(body)
        return definition

    async def replace(self, tx: Transaction, definition: Definition) -> None:
        """Make all parts of an API those of a definition."""
        api_id = definition.api.id or ""
        await self.clear(tx, api_id)
        for kind, field in KINDS.values():
            await self.put_each(tx, api_id, kind, getattr(definition, field))


def _row(api_id: str, kind: Kind[P], id: str, part: P) -> tuple[object, ...]:
    sort = (kind.order(part) if kind.order is not None else None) or id
    return (api_id, kind.table, id, *kind.unique(part), sort, msgspec.json.encode(part))

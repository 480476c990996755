"""Every query on custom domain names, and on where their paths lead."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from cumulet.storage.database import Database, Row, Transaction

if TYPE_CHECKING:
    from cumulet.api import apigateway as api

SCHEMA = (
    """CREATE TABLE apigateway_domain (
        region TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, account TEXT NOT NULL, body BYTEA NOT NULL,
        PRIMARY KEY (region, name, id))""",
    "CREATE INDEX apigateway_domain_name ON apigateway_domain (name)",
    "CREATE INDEX apigateway_domain_owner ON apigateway_domain (account, region, name, id)",
    """CREATE TABLE apigateway_mapping (
        region TEXT NOT NULL, domain TEXT NOT NULL, domain_id TEXT NOT NULL, path TEXT NOT NULL, id TEXT NOT NULL,
        api TEXT NOT NULL, stage TEXT NOT NULL, PRIMARY KEY (region, domain, domain_id, path))""",
    "CREATE INDEX apigateway_mapping_api ON apigateway_mapping (api, stage)",
    """CREATE TABLE apigateway_routing_rule (
        region TEXT NOT NULL, domain TEXT NOT NULL, domain_id TEXT NOT NULL, id TEXT NOT NULL, priority BIGINT NOT NULL,
        body BYTEA NOT NULL, PRIMARY KEY (region, domain, domain_id, id))""",
)
TRUST_SCHEMA = (
    """CREATE TABLE apigateway_truststore (
        region TEXT NOT NULL, domain TEXT NOT NULL, domain_id TEXT NOT NULL, pem TEXT NOT NULL,
        PRIMARY KEY (region, domain, domain_id))""",
)
_PLACE = "region = $1 AND domain = $2 AND domain_id = $3"


class DomainKey(Struct, frozen=True):
    """Which domain: private ones share their names, so each has an id; `id` is empty for all others."""

    region: str
    name: str
    id: str = ""


class Domain(Struct, frozen=True):
    """A domain, and whose it is. `body` is as REST's API shows it, and holds what the other API shows as well."""

    account: str
    key: DomainKey
    body: api.DomainName


class Mapping(Struct, frozen=True):
    """Where paths below `path` lead (no slash at either end; empty: all). An empty stage: the path's next part names it."""

    path: str
    id: str
    api: str
    stage: str


class RoutingRule(Struct, frozen=True):
    """A rule of a domain; `body` is whoever wrote it's own JSON."""

    id: str
    priority: int
    body: bytes


@cache
def _decoder() -> msgspec.json.Decoder[api.DomainName]:
    from cumulet.api.apigateway import DomainName  # noqa: PLC0415  made when first used

    return msgspec.json.Decoder(DomainName)


class DomainStore(Struct, frozen=True):
    """Domains by key and by name alone, their mappings and rules."""

    db: Database

    async def get(self, key: DomainKey, within: Transaction | None = None) -> Domain | None:
        sql = (
            "SELECT region, name, id, account, body FROM apigateway_domain WHERE region = $1 AND name = $2 AND id = $3"
        )
        rows = await (within or self.db).read(sql, (key.region, key.name, key.id))
        return _domain(rows[0]) if rows else None

    async def named(self, name: str, within: Transaction | None = None) -> list[Domain]:
        """Domains of this name, in whatever region and whoever's."""
        sql = "SELECT region, name, id, account, body FROM apigateway_domain WHERE name = $1 ORDER BY region, id"
        return [_domain(row) for row in await (within or self.db).read(sql, (name,))]

    async def page(self, account: str, region: str, after: str, limit: int) -> list[Domain]:
        """An account's in a region, in the order of `name/id`, those after one."""
        sql = (
            "SELECT region, name, id, account, body FROM apigateway_domain WHERE account = $1 AND region = $2 "
            "AND name || '/' || id > $3 ORDER BY name || '/' || id LIMIT $4"
        )
        return [_domain(row) for row in await self.db.read(sql, (account, region, after, limit))]

    async def count(
        self, account: str, region: str, within: Transaction | None = None, *, private: bool = False
    ) -> int:
        """How many an account has in a region: those that are private, which alone have ids, or the others."""
        sql = "SELECT COUNT(*) FROM apigateway_domain WHERE account = $1 AND region = $2 AND (id <> '') = $3"
        return int((await (within or self.db).read(sql, (account, region, private)))[0][0])

    async def put(self, tx: Transaction, domain: Domain) -> None:
        key = domain.key
        await tx.write(
            "INSERT INTO apigateway_domain (region, name, id, account, body) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (region, name, id) DO UPDATE SET body = $5",
            (key.region, key.name, key.id, domain.account, msgspec.json.encode(domain.body)),
        )

    async def delete(self, tx: Transaction, key: DomainKey) -> None:
        """With its mappings and rules."""
        values = (key.region, key.name, key.id)
        await tx.write("DELETE FROM apigateway_domain WHERE region = $1 AND name = $2 AND id = $3", values)
        await tx.write(f"DELETE FROM apigateway_mapping WHERE {_PLACE}", values)  # noqa: S608  a constant, here and below
        await tx.write(f"DELETE FROM apigateway_routing_rule WHERE {_PLACE}", values)  # noqa: S608
        await tx.write(f"DELETE FROM apigateway_truststore WHERE {_PLACE}", values)  # noqa: S608

    async def truststore(self, key: DomainKey) -> str:
        """The certificates of authorities (PEM) that clients' certificates are to be by; empty where there are none."""
        sql = f"SELECT pem FROM apigateway_truststore WHERE {_PLACE}"  # noqa: S608
        row = await self.db.read_one(sql, (key.region, key.name, key.id))
        return str(row[0]) if row else ""

    async def put_truststore(self, tx: Transaction, key: DomainKey, pem: str) -> None:
        """As a domain's own copy: what becomes of the object that it was read from does not matter."""
        await tx.write(
            "INSERT INTO apigateway_truststore (region, domain, domain_id, pem) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (region, domain, domain_id) DO UPDATE SET pem = $4",
            (key.region, key.name, key.id, pem),
        )

    async def mappings(self, key: DomainKey, within: Transaction | None = None) -> list[Mapping]:
        """In the order of their paths."""
        sql = f"SELECT path, id, api, stage FROM apigateway_mapping WHERE {_PLACE} ORDER BY path"  # noqa: S608
        return [Mapping(*row) for row in await (within or self.db).read(sql, (key.region, key.name, key.id))]

    async def put_mapping(self, tx: Transaction, key: DomainKey, mapping: Mapping) -> None:
        """Add, or replace the one of this path."""
        await tx.write(
            "INSERT INTO apigateway_mapping (region, domain, domain_id, path, id, api, stage) VALUES ($1, $2, $3, $4, $5, $6, $7) "
            "ON CONFLICT (region, domain, domain_id, path) DO UPDATE SET id = $5, api = $6, stage = $7",
            (key.region, key.name, key.id, mapping.path, mapping.id, mapping.api, mapping.stage),
        )

    async def delete_mapping(self, tx: Transaction, key: DomainKey, path: str) -> bool:
        """Tells whether it was there."""
        sql = f"DELETE FROM apigateway_mapping WHERE {_PLACE} AND path = $4 RETURNING path"  # noqa: S608
        return bool(await tx.write(sql, (key.region, key.name, key.id, path)))

    async def mapped(self, api_id: str, stage: str | None = None, within: Transaction | None = None) -> list[DomainKey]:
        """Domains that lead to an API, or to a stage of it."""
        sql = "SELECT DISTINCT region, domain, domain_id FROM apigateway_mapping WHERE api = $1"
        values: tuple[str, ...] = (api_id,)
        if stage is not None:
            sql, values = f"{sql} AND stage = $2", (api_id, stage)
        return [DomainKey(*row) for row in await (within or self.db).read(sql, values)]

    async def is_associated(self, key: DomainKey, endpoint: str) -> bool:
        """Whether somebody has an access association of a VPC endpoint with a private domain; see rest/domain_names."""
        sql = "SELECT 1 FROM apigateway_association WHERE region = $1 AND alias = $2 LIMIT 1"
        return bool(await self.db.read(sql, (key.region, f"{key.name}+{key.id} {endpoint}")))

    async def forget_api(self, tx: Transaction, api_id: str) -> None:
        """An API is being deleted: nothing leads to it any more."""
        await tx.write("DELETE FROM apigateway_mapping WHERE api = $1", (api_id,))

    async def rules(self, key: DomainKey, within: Transaction | None = None) -> list[RoutingRule]:
        """In the order of their priorities."""
        sql = f"SELECT id, priority, body FROM apigateway_routing_rule WHERE {_PLACE} ORDER BY priority, id"  # noqa: S608
        return [RoutingRule(*row) for row in await (within or self.db).read(sql, (key.region, key.name, key.id))]

    async def put_rule(self, tx: Transaction, key: DomainKey, rule: RoutingRule) -> None:
        await tx.write(
            "INSERT INTO apigateway_routing_rule (region, domain, domain_id, id, priority, body) VALUES ($1, $2, $3, $4, $5, $6) "
            "ON CONFLICT (region, domain, domain_id, id) DO UPDATE SET priority = $5, body = $6",
            (key.region, key.name, key.id, rule.id, rule.priority, rule.body),
        )

    async def delete_rule(self, tx: Transaction, key: DomainKey, id: str) -> bool:
        """Tells whether it was there."""
        sql = f"DELETE FROM apigateway_routing_rule WHERE {_PLACE} AND id = $4 RETURNING id"  # noqa: S608
        return bool(await tx.write(sql, (key.region, key.name, key.id, id)))


def _domain(row: Row) -> Domain:
    region, name, id, account, body = row
    return Domain(account, DomainKey(region, name, id), _decoder().decode(body))

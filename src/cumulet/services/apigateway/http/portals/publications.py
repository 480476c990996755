"""Portals as they were published, whole and never changed, and previews, which last an hour."""

from __future__ import annotations

from functools import cache

import msgspec
from msgspec import Struct

from cumulet.services.apigateway.http.portals.logos import NONE
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE apigatewayv2_publication (
        name TEXT NOT NULL PRIMARY KEY, portal TEXT NOT NULL, domain TEXT NOT NULL, expires DOUBLE PRECISION NOT NULL,
        body BYTEA NOT NULL)""",
    "CREATE INDEX apigatewayv2_publication_portal ON apigatewayv2_publication (portal)",
)
FOREVER = 0.0


class Text(Struct, frozen=True):
    """A page of a product."""

    id: str
    title: str
    body: str


class Endpoint(Struct, frozen=True):
    """A method that a product tells of. `tried`: its page has a form that calls it."""

    id: str
    title: str
    verb: str
    url: str
    body: str
    tried: bool


class Section(Struct, frozen=True):
    """Methods under a heading, which is empty for those that are in no section."""

    name: str
    endpoints: list[Endpoint]


class Product(Struct, frozen=True):
    """A product; its overview is the first of its texts where it has one."""

    id: str
    name: str
    description: str
    texts: list[Text]
    sections: list[Section]


class Site(Struct, frozen=True):
    """All that a portal's visitors see. `colors` are CSS's, by the names that portals have for them; `logo` is one of `logos`, as JSON."""

    name: str
    description: str
    colors: dict[str, str]
    products: list[Product]
    logo: msgspec.Raw = NONE


@cache
def _decoder() -> msgspec.json.Decoder[Site]:
    return msgspec.json.Decoder(Site)


class PublicationStore:
    """Sites by name: a portal's id, or that of a preview. Domains of portals are known from memory."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._domains: dict[str, str] | None = None

    async def find(self, name: str, now: float) -> Site | None:
        """The site of that name, unless its time is over."""
        row = await self._db.read_one("SELECT body, expires FROM apigatewayv2_publication WHERE name = $1", (name,))
        return None if row is None or (row[1] and row[1] <= now) else _decoder().decode(row[0])

    async def by_domain(self, domain: str) -> str:
        """The portal that has this domain name; empty for none."""
        if self._domains is None:
            rows = await self._db.read("SELECT domain, name FROM apigatewayv2_publication WHERE domain <> ''", ())
            self._domains = dict(rows)
        return self._domains.get(domain, "")

    async def holder(self, tx: Transaction, domain: str) -> str:
        """The portal whose visitors come by this domain name, of whatever account; empty for none."""
        rows = await tx.read(
            "SELECT portal FROM apigatewayv2_publication WHERE domain = $1 AND domain <> ''", (domain,)
        )
        return str(rows[0][0]) if rows else ""

    async def put(self, tx: Transaction, name: str, portal: str, site: Site, *, domain: str, expires: float) -> None:
        """Add, or replace the one of this name."""
        await tx.write(
            "INSERT INTO apigatewayv2_publication (name, portal, domain, expires, body) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (name) DO UPDATE SET domain = $3, expires = $4, body = $5",
            (name, portal, domain, expires, msgspec.json.encode(site)),
        )
        tx.after_commit(self._forget)

    async def delete(self, tx: Transaction, portal: str, *, previews: bool) -> None:
        """What is published of a portal, or the previews of it."""
        comparison = "<>" if previews else "="
        await tx.write(f"DELETE FROM apigatewayv2_publication WHERE portal = $1 AND name {comparison} $1", (portal,))  # noqa: S608  one of two constants
        tx.after_commit(self._forget)

    def _forget(self) -> None:
        self._domains = None

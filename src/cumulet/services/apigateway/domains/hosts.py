"""Which domain a request is for, and where its path leads: from memory after the first time."""

from __future__ import annotations

from msgspec import Struct

from cumulet.services.apigateway.domains.store import Domain, DomainKey, DomainStore, Mapping, RoutingRule
from cumulet.storage.database import Transaction

_MOST = 10_000


class Host(Struct, frozen=True):
    """A domain with all that decides where its requests go; mappings with the longest paths come first."""

    domain: Domain
    mappings: list[Mapping]
    rules: list[RoutingRule]

    def match(self, path: str) -> tuple[Mapping, str] | None:
        """The mapping for a path (`/v1/pets`), and the path behind it (`/pets`); None when there is none."""
        for mapping in self.mappings:
            if not mapping.path:
                return mapping, path
            start = f"/{mapping.path}"
            if path == start or path.startswith(f"{start}/"):
                return mapping, path[len(start) :] or "/"
        return None


class Domains:
    """The custom domain names of a node; one for all three services of API Gateway."""

    def __init__(self, store: DomainStore) -> None:
        self.store = store
        self._known: dict[str, Host | None] = {}

    async def host(self, name: str) -> Host | None:
        """The domain for a Host header without its port: of exactly this name, or with `*` for its first label."""
        known = self._known
        name = name.lower()
        try:
            return known[name]
        except KeyError:
            pass
        found = await self._load(name) or await self._load(f"*.{name.partition('.')[2]}")
        if len(known) >= _MOST:  # names that strangers made up
            known.clear()
        # Into the map of before: a change meanwhile has put another in its place.
        known[name] = found
        return found

    def changed(self, tx: Transaction) -> None:
        """A domain, or where it leads, is being changed."""
        tx.after_commit(self._forget)

    def _forget(self) -> None:
        self._known = {}

    async def _load(self, name: str) -> Host | None:
        for domain in await self.store.named(name):
            mappings = sorted(await self.store.mappings(domain.key), key=lambda mapping: -len(mapping.path))
            return Host(domain, mappings, await self.store.rules(domain.key))
        return None


def key_of(region: str, name: str, id: str | None) -> DomainKey:
    """The key of a domain by what a request names."""
    return DomainKey(region, name.lower(), id or "")

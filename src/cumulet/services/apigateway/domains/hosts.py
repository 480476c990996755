"""Which domain a request is for, and where its path leads: from memory after the first time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from msgspec import Struct

from cumulet.kernel.web import Tls
from cumulet.services.apigateway.domains.security import newest, suites
from cumulet.services.apigateway.domains.store import Domain, DomainKey, DomainStore, Mapping, RoutingRule
from cumulet.storage.database import Transaction

MARK = ".execute-api."
FindPolicy = Callable[[str], Awaitable[str | None]]
"""Gives the security policy of a REST API, by its id."""
_MOST = 10_000
_LONGEST = 253


class Terms(Struct, frozen=True):
    """What TLS connections to a domain take: a certificate for `name` (which can begin with `*.`); with `mutual` a client's
    certificate by one of the authorities in `truststore` (PEM); with `newest` no version before 1.3, else of 1.2 the `suites`, where any
    are named.
    """

    name: str
    mutual: bool = False
    truststore: str = ""
    newest: bool = False
    suites: str = ""


class Host(Struct, frozen=True):
    """A domain with all that decides where its requests go; mappings with the longest paths come first."""

    domain: Domain
    mappings: list[Mapping]
    rules: list[RoutingRule]
    terms: Terms

    @property
    def private(self) -> bool:
        """Whether only VPC endpoints lead there."""
        return bool(self.domain.key.id)

    def admits(self, name: str, tls: Tls | None) -> bool:
        """Whether a request for the domain may come by a connection (None: one without TLS).

        Where clients have to show a certificate, they did so for the name of the request, not for a neighbour's.
        """
        mutual = self.terms.mutual
        if not mutual and self.domain.body.endpoint_access_mode != "STRICT":
            return True
        return tls is not None and tls.server_name == name and (tls.certificate is not None or not mutual)

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

    def __init__(self, store: DomainStore, find_policy: FindPolicy) -> None:
        self.store = store
        self._find_policy = find_policy
        self._known: dict[str, Host | None] = {}

    async def host(self, name: str) -> Host | None:
        """The domain for a Host header without its port: of exactly this name, or with `*` for its first label."""
        known = self._known
        if len(name) > _LONGEST:
            return None
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

    async def terms(self, name: str) -> Terms | None:
        """What TLS connections for a name take; None where that is what they take at the node's own names."""
        if MARK in name:
            policy = await self._find_policy(name.partition(MARK)[0].rpartition(".")[2])
            found = Terms(name, newest=newest(policy), suites=suites(policy))
            return found if found.newest or found.suites else None
        host = await self.host(name)
        return None if host is None else host.terms

    async def private(self, host: Host, endpoint: str) -> Host | None:
        """Of the private domains that share a host's name, the one that a VPC endpoint has an access association with."""
        if not endpoint or len(endpoint) > _LONGEST:
            return None
        known, name = self._known, host.domain.key.name
        asked = f"{name} {endpoint}"
        if asked not in known:
            found = await self._associated(name, endpoint)
            if len(known) >= _MOST:
                known.clear()
            known[asked] = found
        return known[asked]

    async def _associated(self, name: str, endpoint: str) -> Host | None:
        for domain in await self.store.named(name):
            if domain.key.id and await self.store.is_associated(domain.key, endpoint):
                return await self._whole(domain)
        return None

    async def _terms(self, domain: Domain) -> Terms:
        mutual = domain.body.mutual_tls_authentication is not None
        trusted = await self.store.truststore(domain.key) if mutual else ""
        policy = domain.body.security_policy
        return Terms(domain.key.name, mutual, trusted, newest(policy), suites(policy))

    def changed(self, tx: Transaction) -> None:
        """A domain, or where it leads, is being changed."""
        tx.after_commit(self._forget)

    def _forget(self) -> None:
        self._known = {}

    async def _load(self, name: str) -> Host | None:
        for domain in await self.store.named(name):
            return await self._whole(domain)
        return None

    async def _whole(self, domain: Domain) -> Host:
        mappings = sorted(await self.store.mappings(domain.key), key=lambda mapping: -len(mapping.path))
        return Host(domain, mappings, await self.store.rules(domain.key), await self._terms(domain))


def key_of(region: str, name: str, id: str | None) -> DomainKey:
    """The key of a domain by what a request names."""
    return DomainKey(region, name.lower(), id or "")

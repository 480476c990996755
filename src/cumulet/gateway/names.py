"""TLS by the name that a client asks for: the node's own names, AWS's, and custom domain names with what their owners demand.

The node is its own authority. Certificates are made by a process that ends (`minting.py`): the node's own before it listens, a
domain name's when the first client asks for it.
"""

import asyncio
import ssl
import zlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cumulet.gateway.authority import DOMAINS, NODE_AUTHORITY, REGIONS, Authority, mint
from cumulet.gateway.tls import context, is_fresh, write

if TYPE_CHECKING:
    from cumulet.services.apigateway.domains.hosts import Terms

_MOST = 1_000
_AWS = tuple(f".{domain}" for domain in DOMAINS)
_BELOW = ("*.execute-api.{}", "*.s3.{}")
_BELOW_REGION = ("*.execute-api.{}.{}", "*.lambda-url.{}.{}", "*.s3.{}.{}", "*.s3-website.{}.{}")


def own_names(hosts: Sequence[str]) -> list[str]:
    """All names of a node that is known as `hosts`: those, and below each the names of APIs, functions and buckets."""
    names = list(dict.fromkeys(hosts))
    for host in [host for host in names if not host[-1].isdigit() and ":" not in host]:
        names += [pattern.format(host) for pattern in _BELOW]
        names += [pattern.format(region, host) for region in REGIONS for pattern in _BELOW_REGION]
    return names


class Names:
    """Contexts of TLS by name. `find` gives a custom domain's terms, None for a name that is none; `now` is real time.

    `folder` keeps the certificates and the authority's key. `trust` becomes the file that clients are to trust.
    """

    def __init__(
        self,
        folder: Path,
        trust: Path,
        platform: Authority,
        find: Callable[[str], Awaitable["Terms | None"]],
        now: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._trust = trust
        self._platform = platform
        self._platform_context = platform.server()
        self._find = find
        self._now = now
        self._own: ssl.SSLContext
        self._contexts: dict[Terms, ssl.SSLContext] = {}
        self._making: dict[str, asyncio.Lock] = {}

    async def prepare(self, hosts: Sequence[str]) -> None:
        """Have a certificate for the names of a node that is known as `hosts`. Raises OSError."""
        names = own_names(hosts)
        file = f"node-{zlib.crc32(' '.join(names).encode()):08x}.pem"
        self._own = context(await self._certificate(file, names))
        if not self._platform.prepare(self._now()):
            await self._platform.make()
        write(self._trust, (self._folder / NODE_AUTHORITY).read_bytes() + self._platform.certificate(), 0o644)

    async def choose(self, name: str) -> ssl.SSLContext:
        """The context for a client that asks for `name` (empty: for none). Raises OSError when a certificate cannot be made."""
        if name.endswith(_AWS):
            return self._platform_context
        terms = await self._find(name) if name else None
        return self._own if terms is None else await self._for_domain(terms)

    async def _for_domain(self, terms: "Terms") -> ssl.SSLContext:
        found = self._contexts.get(terms)
        file = f"{terms.name.replace('*', '_')}.pem"
        if found is not None and is_fresh(self._folder / file, self._now()):
            return found
        async with self._making.setdefault(file, asyncio.Lock()):
            certificate = await self._certificate(file, [terms.name])
            found = _with_terms(certificate, terms)
        if len(self._contexts) >= _MOST:
            self._contexts.clear()
            self._making = {name: lock for name, lock in self._making.items() if lock.locked()}
        self._contexts[terms] = found
        return found

    async def _certificate(self, file: str, names: Sequence[str]) -> Path:
        path = self._folder / file
        if not is_fresh(path, self._now()) and not await mint("names", str(self._folder), file, *names):
            raise OSError(f"no certificate for {names[0]} could be made: see the node's log")
        return path


def _with_terms(certificate: Path, terms: "Terms") -> ssl.SSLContext:
    made = context(certificate)
    if terms.newest:
        made.minimum_version = ssl.TLSVersion.TLSv1_3
    if terms.suites:
        made.set_ciphers(terms.suites)
    if terms.truststore:
        made.load_verify_locations(cadata=terms.truststore)
        made.verify_mode = ssl.CERT_REQUIRED
    return made

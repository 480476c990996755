"""One pool of connections to HTTP servers elsewhere: no cookies, no proxies, no redirects."""

import asyncio
import errno
import re
import socket
import ssl
import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from cumulet.kernel.addresses import serves_credentials
from cumulet.kernel.web import WebAnswer, WebRequest

_CONNECTIONS = 2_048
_TO_ONE = 256
"""Connections to one server: one that is slow must not keep the others from being called."""
_KEEP = 15.0
_PIECE = 65_536
_CONNECT = 10.0
_LARGEST_LINE = 65_536
_CONTEXTS = 64
_OWN_NAMES = (".lambda-url.", ".execute-api.")
_OWN_PAGES = ("/_cumulet/", "/_localstack/")
_BREAKS = re.compile(r"[\r\n\0]")
_FORBIDDEN = "link-local addresses are not called from here"
LARGEST = 10 * 1024 * 1024
"""Bytes of an answer that is taken whole."""
_QUIET = 300.0
"""Seconds without a byte after which a stream is given up."""


class Pool:
    """What `delivery.http.HttpClient` is once it is used."""

    def __init__(self, own_port: Callable[[], int], trusted: Path | None = None) -> None:
        self._own_port = own_port
        self._trusted = trusted
        self._session: aiohttp.ClientSession | None = None
        self._contexts: OrderedDict[str, ssl.SSLContext] = OrderedDict()

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(
        self,
        url: str,
        request: WebRequest,
        *,
        seconds: float,
        stream: bool = False,
        verify: bool = True,
        certificate: str = "",
        server_name: str = "",
    ) -> WebAnswer:
        """See kernel/web.py."""
        response: aiohttp.ClientResponse | None = None
        try:
            async with asyncio.timeout(seconds):
                response = await self._begin(
                    url, request, verify=verify, certificate=certificate, server_name=server_name
                )
                headers = _headers(response)
                if not stream:
                    return WebAnswer(status=response.status, headers=headers, body=await _whole(response))
        except TimeoutError:
            _drop(response)
            raise
        except aiohttp.InvalidURL:
            raise ValueError("its address is no URL") from None
        except aiohttp.ClientError as error:
            _drop(response)
            raise ConnectionError(_why(error)) from error
        except BaseException:
            _drop(response)
            raise
        return WebAnswer(status=response.status, headers=headers, body=_pieces(response))

    async def _begin(
        self, url: str, request: WebRequest, *, verify: bool, certificate: str, server_name: str
    ) -> aiohttp.ClientResponse:
        if self._session is None:
            self._session = self._open()
        target = URL(url, encoded=True)
        if target.port == self._own_port() and target.raw_path.startswith(_OWN_PAGES):
            # They trust whoever is on this machine; whom the platform calls for is somewhere else.
            raise ConnectionError("the node's own pages are not called from here")
        if serves_credentials(target.host or ""):
            raise ConnectionError(_FORBIDDEN)
        trust: Any = True
        if target.scheme == "https" and (certificate or self._trusted or not verify):
            trust = self._context(verify, certificate)
        response = await self._session.request(
            request.method,
            target,
            headers=_lines(request.lines),
            data=request.content or None,
            allow_redirects=False,
            ssl=trust,
            server_hostname=server_name or None,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        )
        if not 200 <= response.status <= 599:
            response.close()
            raise ConnectionError(f"status {response.status} is no answer")
        return response

    def _open(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=_CONNECTIONS,
            limit_per_host=_TO_ONE,
            keepalive_timeout=_KEEP,
            resolver=_Resolver(self._own_port),
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT, sock_read=_QUIET),
            max_line_size=_LARGEST_LINE,
            max_field_size=_LARGEST_LINE,
        )

    def _context(self, verify: bool, certificate: str) -> ssl.SSLContext:
        key = f"{verify}{certificate}"
        found = self._contexts.get(key)
        if found is None:
            found = self._contexts[key] = _make_context(self._trusted, verify=verify, certificate=certificate)
            if len(self._contexts) > _CONTEXTS:
                self._contexts.popitem(last=False)
        return found


class _Resolver(ThreadedResolver):
    """The system's, but for names of this machine: those below `localhost` (RFC 6761), which not every system knows, and
    those of functions and APIs at the node's own port, by whatever domain a client knows the node. Names that lead to link-local
    addresses lead nowhere.
    """

    def __init__(self, own_port: Callable[[], int]) -> None:
        super().__init__()
        self._own_port = own_port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        own = port == self._own_port() and any(mark in host for mark in _OWN_NAMES)
        name = "localhost" if own or host.endswith(".localhost") else host
        found = await super().resolve(name, port, family)
        for each in found:
            if serves_credentials(each["host"]):
                raise OSError(errno.EACCES, _FORBIDDEN)
            each["hostname"] = host
        return found


def _make_context(trusted: Path | None, *, verify: bool, certificate: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if trusted is not None:
        context.load_verify_locations(trusted)
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate:
        # The library takes a certificate and its key from a file only.
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(certificate)
            file.flush()
            context.load_cert_chain(file.name)
    return context


def _lines(lines: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """One casing for each name: the library takes a second one for another value in place of the first."""
    names: dict[str, str] = {}
    return [(names.setdefault(name.lower(), name), value) for name, value in lines]


def _headers(response: aiohttp.ClientResponse) -> list[tuple[str, str]]:
    """Without those that would become more than one line: the library's parser is lenient."""
    lines = [(name.decode("latin-1"), value.decode("utf-8", "replace")) for name, value in response.raw_headers]
    return [line for line in lines if not _BREAKS.search(line[1])]


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """The body. Raises ConnectionError for one that is larger than what is taken."""
    pieces = []
    size = 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > LARGEST:
            raise ConnectionError(f"the answer is larger than {LARGEST} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _why(error: aiohttp.ClientError) -> str:
    """Without the address, whose parameters may be secret, and without what came for an answer."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"the answer is no HTTP: {error.message.partition(':')[0]}"
    return str(error) or type(error).__name__


def _drop(response: aiohttp.ClientResponse | None) -> None:
    if response is not None:
        response.close()


async def _pieces(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for piece in response.content.iter_any():
            yield piece
    except (aiohttp.ClientError, TimeoutError) as error:
        raise ConnectionError(f"the answer was cut off: {error}") from error
    finally:
        response.close()

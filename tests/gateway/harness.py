"""A server and clients for the tests of the HTTP core."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import uvloop

from cumulet.gateway.body import is_read, read_content
from cumulet.gateway.connection import Answer, Handler
from cumulet.gateway.limits import Limits
from cumulet.gateway.server import Listener, Server
from cumulet.wire.http import HttpRequest, HttpResponse

# Times that only protect are long: on a busy machine, moments pass between any two steps of a test.
LIMITS = Limits(head=4096, half_close_time=30, linger_time=30)
_LARGEST = 10_000_000
GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
Test = Callable[["Setup"], Coroutine[Any, Any, None]]


class Client:
    """A connection that reads answers one by one."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    async def head(self) -> tuple[int, dict[str, str]]:
        text = (await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), 60)).decode("latin-1")
        first, *lines = text.strip().split("\r\n")
        return int(first.split()[1]), dict(line.split(": ", 1) for line in lines)

    async def answer(self) -> tuple[int, dict[str, str], bytes]:
        status, headers = await self.head()
        if headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(await self.reader.readline(), 16):
                body += (await self.reader.readexactly(size + 2))[:-2]
            await self.reader.readexactly(2)
        else:
            body = await self.reader.readexactly(int(headers.get("Content-Length", "0")))
        return status, headers, body

    async def ended(self) -> bytes:
        """What comes until the server closes."""
        return await asyncio.wait_for(self.reader.read(), 60)

    def close(self) -> None:
        self.writer.close()


class Setup:
    """A server with an echoing handler, which answers at once what has come whole, and what the tests look at."""

    def __init__(self, limits: Limits) -> None:
        self.server = Server(self.handle, limits)
        self.listener: Listener = None  # type: ignore[assignment]  # set by run
        self.cancelled = asyncio.Event()
        self.entered = asyncio.Event()
        self.go = asyncio.Event()
        self.seen: list[HttpRequest] = []
        self.clients: list[Client] = []
        self.routes: dict[str, Handler] = {}

    def handle(self, request: HttpRequest) -> Answer:
        self.seen.append(request)
        if (route := self.routes.get(request.path)) is not None:
            return route(request)
        if is_read(request, _LARGEST):
            return HttpResponse(200, {"X-Path": request.path}, request.content)
        return self._echo(request)

    async def _echo(self, request: HttpRequest) -> HttpResponse:
        content = await read_content(request, _LARGEST)
        return HttpResponse(200, {"X-Path": request.path}, content)

    async def wait(self, request: HttpRequest) -> HttpResponse:
        self.entered.set()
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return HttpResponse(200, {}, b"waited")

    async def connect(self, **more: Any) -> Client:
        host, port = self.listener.address
        client = Client(*await asyncio.open_connection(host, port, **more))
        self.clients.append(client)
        return client


def run(test: Test, limits: Limits = LIMITS) -> None:
    async def whole() -> None:
        setup = Setup(limits)
        setup.listener = await setup.server.listen_tcp("127.0.0.1", 0)
        try:
            await asyncio.wait_for(test(setup), 100)
        finally:
            for client in setup.clients:
                client.writer.transport.abort()
            await setup.server.close()

    uvloop.run(whole())


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part

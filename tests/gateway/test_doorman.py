"""A socket that many clients share: no client can take it from the others."""

import asyncio
import socket
from pathlib import Path

import uvloop

from cumulet.gateway import authority
from cumulet.gateway.server import Server
from cumulet.wire.http import HttpRequest, HttpResponse

_GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


async def _handle(request: HttpRequest) -> HttpResponse:
    del request
    return HttpResponse(200, {}, b"hello")


async def _connect(port: int, source: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))


async def _answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    try:
        writer.write(_GET)
        async with asyncio.timeout(60):
            return b"200" in await reader.readline()
    except OSError:
        return False


def test_one_address_has_so_many_connections_and_others_have_theirs() -> None:
    async def scenario() -> None:
        server = Server(_handle)
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server.listen_shared(listening, 3)
        first = [await _connect(port, "127.0.0.2") for _ in range(5)]
        assert sorted([await _answered(*one) for one in first]) == [False, False, True, True, True]
        assert await _answered(*await _connect(port, "127.0.0.3"))
        for _, writer in first:
            writer.close()
        async with asyncio.timeout(60):
            while not await _answered(*await _connect(port, "127.0.0.2")):  # noqa: ASYNC110  until its connections have ended
                await asyncio.sleep(0.01)
        await server.close()

    uvloop.run(scenario())


def test_who_never_begins_to_speak_tls_counts_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        server = Server(_handle)
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server.listen_shared(listening, 2, ssl=authority.Authority(tmp_path).server())
        silent = [await _connect(port, "127.0.0.2") for _ in range(4)]
        ended = [asyncio.ensure_future(reader.read(1)) for reader, _ in silent]
        async with asyncio.timeout(60):
            while sum(task.done() for task in ended) < 2:  # noqa: ASYNC110  of several tasks some
                await asyncio.sleep(0.01)
        await asyncio.wait(ended, timeout=0.5)
        assert sum(task.done() for task in ended) == 2
        await server.close()
        for task in ended:
            task.cancel()

    uvloop.run(scenario())

"""The HTTP core: its times, its listeners, and how they end."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.gateway.harness import GET, LIMITS, Client, Setup, run

from cumulet.gateway import authority, minting, tls
from cumulet.gateway.upgrade import Upgrade
from cumulet.wire.http import HttpRequest, HttpResponse

# --- times


def test_an_idle_connection_is_closed() -> None:
    async def check(setup: Setup) -> None:
        client = await setup.connect()
        client.send(GET % 1)
        await client.answer()
        assert await client.ended() == b""

    run(check, replace(LIMITS, idle_time=2.0))


def test_headers_that_never_end() -> None:
    async def check(setup: Setup) -> None:
        client = await setup.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-")
        assert (await client.ended()).startswith(b"HTTP/1.1 408 ")

    run(check, replace(LIMITS, header_time=0.05))


def test_a_body_that_stalls() -> None:
    async def check(setup: Setup) -> None:
        client = await setup.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab")
        answer = await client.ended()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"RequestTimeout" in answer

    run(check, replace(LIMITS, stall_time=0.05))


def test_a_client_that_takes_nothing_is_dropped() -> None:
    async def check(setup: Setup) -> None:
        ended = asyncio.Event()

        async def flood(request: HttpRequest) -> HttpResponse:
            async def body() -> AsyncIterator[bytes]:
                try:
                    while True:
                        yield bytes(64_000)
                finally:
                    ended.set()

            return HttpResponse(200, {}, body())

        setup.routes["/"] = flood
        client = await setup.connect(limit=1000)
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(ended.wait(), 60)
        client.writer.transport.abort()

    run(check, replace(LIMITS, stall_time=0.05))


# --- listeners


def test_drain_lets_running_requests_end() -> None:
    async def check(setup: Setup) -> None:
        setup.routes["/"] = setup.wait
        idle, busy = await setup.connect(), await setup.connect()
        idle.send(GET % 1)
        await idle.answer()
        busy.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await setup.entered.wait()
        draining = asyncio.create_task(setup.server.drain(60))
        assert await idle.ended() == b""
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await setup.connect()
        setup.go.set()
        status, headers, body = await busy.answer()
        assert (status, headers["Connection"], body) == (200, "close", b"waited")
        assert await draining

    run(check)


@pytest.mark.parametrize("kind", ["stream", "large", "unread"])
def test_drain_ends_connections_whose_answers_had_begun(kind: str) -> None:
    """Their heads say that another request may follow; nobody should wait for one."""

    async def check(setup: Setup) -> None:
        async def body() -> AsyncIterator[bytes]:
            yield b"a"
            await setup.go.wait()
            yield b"b"

        size = 50_000_000  # more than the buffers of the socket and of the client take
        setup.routes |= {
            "/stream": lambda _: HttpResponse(200, {"Content-Length": "2"}, body()),
            "/large": lambda _: HttpResponse(200, {}, bytes(size)),
            "/unread": lambda _: HttpResponse(200, {}, b"ok"),
        }
        client = await setup.connect(limit=1000)
        length = b"Content-Length: 2\r\n" if kind == "unread" else b""
        client.send(b"POST /%s HTTP/1.1\r\nHost: a\r\n%s\r\n" % (kind.encode(), length))
        _, headers = await client.head()
        assert "Connection" not in headers
        left = int(headers["Content-Length"])
        if kind == "stream":
            assert await client.reader.readexactly(1) == b"a"
            left -= 1
        setup.listener.stop()
        assert setup.listener.connections
        setup.go.set()
        if kind == "unread":
            client.send(b"ab")
        assert len(await client.ended()) == left
        assert await setup.server.drain(60)

    run(check)


def test_drain_gives_up_and_close_cancels() -> None:
    async def check(setup: Setup) -> None:
        setup.routes["/"] = setup.wait
        client = await setup.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await setup.entered.wait()
        assert not await setup.server.drain(0.02)
        await setup.server.close()
        assert setup.cancelled.is_set()

    run(check)


def test_too_many_connections() -> None:
    async def check(setup: Setup) -> None:
        first, second = await setup.connect(), await setup.connect()
        assert (await second.ended()).startswith(b"HTTP/1.1 503 ")
        first.send(GET % 1)
        assert (await first.answer())[0] == 200

    run(check, replace(LIMITS, connections=1))


def test_unix_sockets_and_handlers_of_their_own(tmp_path: Path) -> None:
    async def check(setup: Setup) -> None:
        async def other(request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, {}, b"other for " + request.peer.encode())

        path = tmp_path / "http.sock"
        listener = await setup.server.listen_unix(path, handler=other)
        client = Client(*await asyncio.open_unix_connection(path))
        client.send(GET % 1)
        assert (await client.answer())[2] == b"other for 127.0.0.1"
        assert path.stat().st_mode & 0o777 == 0o600
        await listener.close()
        assert await client.ended() == b""
        assert not path.exists()
        again = await setup.connect()
        again.send(GET % 1)
        assert (await again.answer())[0] == 200

    run(check)


def test_tls(tmp_path: Path) -> None:
    async def check(setup: Setup) -> None:
        minting.issue(tmp_path, "node.pem", ["localhost", "127.0.0.1"], time.time())
        assert (tmp_path / "node.pem").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / authority.NODE_KEY).stat().st_mode & 0o777 == 0o600
        setup.listener = await setup.server.listen_tcp("127.0.0.1", 0, ssl=tls.context(tmp_path / "node.pem"))
        trust = ssl.create_default_context(cafile=tmp_path / authority.NODE_AUTHORITY)
        client = await setup.connect(ssl=trust, server_hostname="localhost")
        for size in (3, 3_000_000):
            client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
            assert len((await client.answer())[2]) == size
        assert setup.seen[0].scheme == "https"
        plain = await setup.connect()
        plain.send(GET % 1)
        assert not (await plain.ended()).startswith(b"HTTP/1.1 2")
        client.close()

    run(check)


def test_tls_by_the_name_that_is_asked_for(tmp_path: Path) -> None:
    async def check(setup: Setup) -> None:
        for name in ("one.test", "two.test"):
            minting.issue(tmp_path, f"{name}.pem", [name], time.time())
        asked = []

        async def choose(name: str) -> ssl.SSLContext:
            asked.append(name)
            return tls.context(tmp_path / f"{name or 'one.test'}.pem")

        setup.listener = await setup.server.listen_tls("localhost", 0, choose)
        trust = ssl.create_default_context(cafile=tmp_path / authority.NODE_AUTHORITY)
        for name in ("one.test", "TWO.test"):
            client = await setup.connect(ssl=trust, server_hostname=name)
            client.send(GET % 1)
            assert (await client.answer())[0] == 200
            client.close()
        with pytest.raises(OSError):  # noqa: PT011  a file that is not there, and so no answer
            await setup.connect(ssl=trust, server_hostname="three.test")
        assert asked == ["one.test", "two.test", "three.test"]
        assert [request.tls and request.tls.server_name for request in setup.seen] == ["one.test", "two.test"]

    run(check)


def test_a_certificate_ends_before_its_authority(tmp_path: Path) -> None:
    now = time.time()
    minting.issue(tmp_path, "a.pem", ["a.test"], now)
    first = (tmp_path / authority.NODE_AUTHORITY).read_bytes()
    minting.issue(tmp_path, "a.pem", ["a.test"], now + 2_000 * 86_400)
    assert (tmp_path / authority.NODE_AUTHORITY).read_bytes() == first
    minting.issue(tmp_path, "a.pem", ["a.test"], now + 3_000 * 86_400)
    assert (tmp_path / authority.NODE_AUTHORITY).read_bytes() != first


def test_an_upgrade_hands_the_connection_over() -> None:
    async def check(setup: Setup) -> None:
        class Echo(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                self.transport: Any = transport

            def data_received(self, data: bytes) -> None:
                self.transport.write(data.upper())

        async def upgrade(request: HttpRequest) -> HttpResponse:
            await asyncio.sleep(0)
            return Upgrade(headers={"Upgrade": "websocket"}, protocol=Echo)

        setup.routes["/ws"] = upgrade
        ask = b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
        client = await setup.connect()
        client.send(ask % b"/no" + ask % b"/ws" + b"early")
        assert (await client.answer())[1]["X-Path"] == "/no"
        status, headers = await client.head()
        assert (status, headers["Connection"], headers["Upgrade"]) == (101, "Upgrade", "websocket")
        client.send(b" late")
        assert await client.reader.readexactly(10) == b"EARLY LATE"
        client.close()

    run(check)


@pytest.mark.parametrize("cut", [1, 90, 120, 1000])
def test_an_upgrade_nobody_offers_is_ignored(cut: int) -> None:
    async def check(setup: Setup) -> None:
        h2c = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ\r\n"
        data = b"POST /a HTTP/1.1\r\nHost: a\r\n" + h2c + b"Content-Length: 5\r\n\r\nhello"
        data += b"POST /b HTTP/1.1\r\nHost: a\r\n" + h2c + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
        data += b"GET /c HTTP/1.1\r\nHost: a\r\n" + h2c + b"\r\n"
        client = await setup.connect()
        for start in range(0, len(data), cut):
            client.send(data[start : start + cut])
            await asyncio.sleep(0)
        for path, body in (("/a", b"hello"), ("/b", b"hi"), ("/c", b"")):
            _, headers, got = await client.answer()
            assert (headers["X-Path"], got) == (path, body)

    run(check)

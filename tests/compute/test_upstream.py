"""HTTP to servers that nobody vouches for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from cumulet.compute.upstream import Broken, Upstream, request_head

GET = request_head("GET", "/", [("Host", "x")])
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def says(*answers: bytes, close: bool = True) -> Serve:
    """Answers each request with the next of these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        if not close:
            await reader.read()
        writer.close()

    return serve


async def connected(serve: Serve) -> tuple[Upstream, asyncio.Server]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    _, connection = await asyncio.get_running_loop().create_connection(Upstream, host, port)
    return connection, server


async def whole(connection: Upstream) -> bytes:
    pieces = []
    while piece := await connection.next():
        pieces.append(piece)
    return b"".join(pieces)


def run(serve: Serve, use: Callable[[Upstream], Awaitable[None]]) -> None:
    async def main() -> None:
        connection, server = await connected(serve)
        async with asyncio.timeout(60):
            await use(connection)
        connection.close()
        server.close()

    asyncio.run(main())


def test_one_connection_serves_several_requests() -> None:
    async def use(connection: Upstream) -> None:
        for body in (b"one", b"four"):
            await connection.ask(GET, b"", chunked=False, bodiless=False)
            assert (connection.status, await whole(connection)) == (200, body)
            assert connection.reusable
            connection.rest()

    first = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none"
    second = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n"
    run(says(first, second, close=False), use)


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
        (b"HTTP/1.0 404 No\r\nContent-Length: 2\r\n\r\nno", 404, b"no"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 1\r\n\r\nx", 201, b"x"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 None\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", 304, b""),
    ],
)
def test_bodies_end_as_http_says(answer: bytes, status: int, body: bytes) -> None:
    async def use(connection: Upstream) -> None:
        await connection.ask(GET, b"", chunked=False, bodiless=False)
        assert (connection.status, await whole(connection)) == (status, body)
        assert ("Link", "a") not in connection.headers

    run(says(answer), use)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"a" * 400_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
def test_what_is_no_answer(answer: bytes) -> None:
    async def use(connection: Upstream) -> None:
        with pytest.raises(Broken):
            await connection.ask(GET, b"", chunked=False, bodiless=False)
        assert not connection.reusable

    run(says(answer), use)


def test_an_answer_that_breaks_off() -> None:
    async def use(connection: Upstream) -> None:
        await connection.ask(GET, b"", chunked=False, bodiless=False)
        with pytest.raises(Broken):
            await whole(connection)
        assert not connection.reusable

    run(says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive5"), use)


def test_an_idle_connection_that_was_closed() -> None:
    async def use(connection: Upstream) -> None:
        await connection.ask(GET, b"", chunked=False, bodiless=False)
        connection.rest()
        while connection.idle:  # noqa: ASYNC110  nothing tells of it
            await asyncio.sleep(0)
        with pytest.raises(Broken) as broken:
            await connection.ask(GET, b"", chunked=False, bodiless=False)
        assert broken.value.untouched

    run(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), use)


def test_what_nobody_asked_for_ends_the_connection() -> None:
    async def use(connection: Upstream) -> None:
        await connection.ask(GET, b"", chunked=False, bodiless=False)
        assert not connection.reusable
        assert connection.headers == [("Content-Length", "0")]

    twice = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" * 2
    run(says(twice, close=False), use)


def test_the_length_of_a_body_that_is_not_sent() -> None:
    async def use(connection: Upstream) -> None:
        await connection.ask(GET, b"", chunked=False, bodiless=True)
        assert connection.complete
        assert ("Content-Length", "5") in connection.headers

    run(says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", close=False), use)


def test_a_server_waits_for_its_reader() -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 << 20))
        for _ in range(64):
            writer.write(bytes(1 << 20))
            await writer.drain()
            sent += 1
        writer.close()

    async def use(connection: Upstream) -> None:
        await connection.ask(GET, b"", chunked=False, bodiless=False)
        before = -1
        while before != sent:
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 32
        assert len(await whole(connection)) == 64 << 20

    run(serve, use)


def test_a_body_that_is_sent_as_it_comes() -> None:
    got = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal got
        got = await reader.readuntil(b"0\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.read()
        writer.close()

    async def body() -> AsyncIterator[bytes]:
        yield b"one"
        yield b""
        yield b"three"

    async def use(connection: Upstream) -> None:
        head = request_head("POST", "/", [("Transfer-Encoding", "chunked")])
        await connection.ask(head, body(), chunked=True, bodiless=False)

    run(serve, use)
    assert got.endswith(b"\r\n\r\n3\r\none\r\n5\r\nthree\r\n0\r\n\r\n")


def test_lines_that_break() -> None:
    with pytest.raises(ValueError, match="line break"):
        request_head("GET", "/", [("a", "b\r\nc: d")])
    with pytest.raises(ValueError, match="line break"):
        request_head("GET", "/ HTTP/1.1\r\nx: y", [])

"""HTTP out of the platform, to a server of this test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from cumulet.delivery.http import HttpClient
from cumulet.kernel.web import WebAnswer, WebRequest

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def server(answer: Answer) -> AsyncIterator[str]:
    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()


def run(test: Callable[[HttpClient], Awaitable[Any]]) -> Any:
    async def go() -> Any:
        client = HttpClient(lambda: 0)
        try:
            return await test(client)
        finally:
            await client.close()

    return asyncio.run(go())


def test_headers_and_body_pass_as_they_are() -> None:
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(3))
        writer.write(
            b"HTTP/1.1 302 Found\r\nLocation: /other\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nContent-Length: 2\r\n\r\nhi"
        )

    async def test(client: HttpClient) -> WebAnswer:
        async with server(answer) as url:
            lines = [("X-One", "1"), ("x-one", "2")]
            request = WebRequest(method="PUT", path="", lines=lines, content=b"abc")
            return await client.send(f"{url}/a%2Fb/../c?x=%20", request, seconds=60)

    found = run(test)
    assert (found.status, found.body) == (302, b"hi")
    assert [line for line in found.headers if "ookie" in line[0]] == [("Set-Cookie", "a=1"), ("set-cookie", "b=2")]
    head = asked[0].decode()
    assert head.startswith("PUT /a%2Fb/../c?x=%20 HTTP/1.1\r\n")
    assert "X-One: 1\r\nX-One: 2\r\n" in head
    assert "User-Agent" not in head
    assert "Accept" not in head


def test_pieces_come_as_they_are_sent() -> None:
    go_on = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        await go_on.wait()
        writer.write(b"3\r\ntwo\r\n0\r\n\r\n")

    async def test(client: HttpClient) -> list[bytes]:
        async with server(answer) as url:
            found = await client.send(url, WebRequest(method="GET", path=""), seconds=60, stream=True)
            pieces = []
            assert not isinstance(found.body, bytes)
            async for piece in found.body:
                pieces.append(piece)
                go_on.set()
            return pieces

    assert run(test) == [b"one", b"two"]


def test_time_runs_out() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def test(client: HttpClient) -> None:
        async with server(answer) as url:
            await client.send(url, WebRequest(method="GET", path=""), seconds=0.05)

    with pytest.raises(TimeoutError):
        run(test)


@pytest.mark.parametrize("answered", [b"", b"no http\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"])
def test_what_is_no_answer(answered: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answered)
        writer.close()

    async def test(client: HttpClient) -> None:
        async with server(answer) as url:
            await client.send(url, WebRequest(method="GET", path=""), seconds=60)

    with pytest.raises(ConnectionError):
        run(test)


def test_nobody_is_there() -> None:
    with pytest.raises(ConnectionError):
        run(lambda client: client.send("http://127.0.0.1:9/", WebRequest(method="GET", path=""), seconds=60))
    with pytest.raises(ValueError, match="no URL"):
        run(lambda client: client.send("nonsense", WebRequest(method="GET", path=""), seconds=60))


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", b""),
        (b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 20000000\r\n\r\n", b"x" * 20_000_000),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", b"short"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", b"zz\r\n"),
        (b"nonsense\r\n\r\n", b""),
    ],
    ids=["switching", "absurd", "huge", "cut off", "two lengths", "no HTTP"],
)
def test_answers_that_are_not_passed_on(head: bytes, body: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            writer.write(head + body)
            await writer.drain()
        writer.close()

    async def test(client: HttpClient) -> None:
        async with server(answer) as url:
            with pytest.raises(ConnectionError):
                await client.send(url, WebRequest(method="GET", path=""), seconds=60)

    run(test)


def test_headers_that_would_become_two() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Bad: a\rX-Evil: 1\r\nX-Good: b\r\nContent-Length: 0\r\n\r\n")

    async def test(client: HttpClient) -> list[tuple[str, str]]:
        async with server(answer) as url:
            try:
                return (await client.send(url, WebRequest(method="GET", path=""), seconds=60)).headers
            except ConnectionError:
                return []

    assert not any("\r" in value or name == "X-Evil" for name, value in run(test))


@pytest.mark.parametrize("path", ["/_cumulet/clock", "/_localstack/health", "/_cumulet/clock?x=1"])
def test_the_nodes_own_pages_are_not_called(path: str) -> None:
    called: list[bool] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.append(True)
        writer.close()

    async def go() -> None:
        async with server(answer) as url:
            client = HttpClient(lambda: int(url.rpartition(":")[2]))
            for host in (url, url.replace("127.0.0.1", "localhost")):
                with pytest.raises(ConnectionError):
                    await client.send(host + path, WebRequest(method="POST", path=""), seconds=60)
            await client.close()

    asyncio.run(go())
    assert not called


@pytest.mark.parametrize("head", [b"no http\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"])
def test_what_went_wrong_is_told_without_the_address(head: bytes) -> None:
    """Its parameters may be a connection's secrets, and what went wrong becomes a part of histories and logs."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        writer.close()

    async def test(client: HttpClient) -> None:
        async with server(answer) as url:
            await client.send(f"{url}/?key=secret", WebRequest(method="GET", path=""), seconds=60)

    with pytest.raises(ConnectionError) as told:
        run(test)
    assert "secret" not in str(told.value)
    with pytest.raises(ValueError, match="no URL") as wrong:
        run(lambda client: client.send("nonsense?key=secret", WebRequest(method="GET", path=""), seconds=60))
    assert "secret" not in str(wrong.value)


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "0xa9fea9fe", "[fe80::1]", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"]
)
def test_link_local_addresses_are_not_called(host: str) -> None:
    with pytest.raises(ConnectionError, match="link-local"):
        run(lambda client: client.send(f"http://{host}/", WebRequest(method="GET", path=""), seconds=60))

"""The HTTP core over real sockets: requests, bodies, answers."""

import asyncio
import contextlib
import gc
import weakref
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace
from tests.gateway.harness import GET, LIMITS, Client, Setup, pieces, run

from cumulet.gateway.body import BodyTooLarge, read_content
from cumulet.kernel.errors import AwsError
from cumulet.wire.http import HttpRequest, HttpResponse


def test_requests_follow_each_other_on_a_connection() -> None:
    async def check(setup: Setup) -> None:
        client = await setup.connect()
        for number in range(3):
            client.send(
                b"POST /p/%d?a=%%20b&c HTTP/1.1\r\nHost: a\r\nX-Twice: 1\r\nx-twice: 2\r\nContent-Length: 3\r\n\r\nabc"
                % number
            )
            status, headers, body = await client.answer()
            assert (status, headers["X-Path"], body) == (200, f"/p/{number}", b"abc")
            assert headers["Server"] == "cumulet"
            assert headers["Date"].endswith(" GMT")
            assert "Connection" not in headers
        request = setup.seen[0]
        assert (request.method, request.path, request.query) == ("POST", "/p/0", "a=%20b&c")
        assert request.headers["x-twice"] == "1,2"
        assert (request.scheme, request.peer, request.content) == ("http", "127.0.0.1", b"abc")

    run(check)


def test_pipelined_requests_are_answered_in_order() -> None:
    async def check(setup: Setup) -> None:
        async def slow(request: HttpRequest) -> HttpResponse:
            await asyncio.sleep(0.05)
            return HttpResponse(200, {"X-Path": request.path}, b"")

        setup.routes["/0"] = slow
        client = await setup.connect()
        client.send(b"".join(GET % number for number in range(5000)))
        for number in range(5000):
            assert (await client.answer())[1]["X-Path"] == f"/{number}"
        assert len(setup.seen) == 5000

    run(check)


def test_a_full_pipeline_stops_reading() -> None:
    async def check(setup: Setup) -> None:
        setup.routes["/0"] = setup.wait
        client = await setup.connect()
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 100_000_000:
                client.send((GET % 0) * 10_000)
                sent += 10_000 * len(GET % 0)
                await asyncio.wait_for(client.writer.drain(), 0.3)
        assert sent < 20_000_000
        client.writer.transport.abort()

    run(check)


@pytest.mark.parametrize("name", [b"Connection", b"Proxy-Connection"])
def test_http_1_0(name: bytes) -> None:
    async def check(setup: Setup) -> None:
        async def stream(request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, {}, pieces(b"a", b"b"))

        setup.routes["/s"] = stream
        client = await setup.connect()
        client.send(b"GET / HTTP/1.0\r\n" + name + b": keep-alive\r\n\r\n")
        assert (await client.answer())[1]["Connection"] == "keep-alive"
        client.send(b"GET /s HTTP/1.0\r\n" + name + b": keep-alive\r\n\r\n")
        answer = await client.ended()
        assert b"Connection: close" in answer
        assert answer.endswith(b"\r\n\r\nab")

    run(check)


def test_streamed_answers() -> None:
    async def check(setup: Setup) -> None:
        async def chunked(request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, {}, pieces(b"one", b"", b"two"))

        async def sized(request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, {"content-length": "6"}, pieces(b"one", b"two"))

        setup.routes |= {"/c": chunked, "/s": sized}
        client = await setup.connect()
        client.send(b"GET /c HTTP/1.1\r\nHost: a\r\n\r\nGET /s HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer())[2] == b"onetwo"
        _status, headers, body = await client.answer()
        assert (headers["Content-Length"], body) == ("6", b"onetwo")

    run(check)


@pytest.mark.parametrize("parts", [(b"one",), (b"one", b"two", b"three")])
def test_a_stream_of_another_length_ends_the_connection(parts: tuple[bytes, ...]) -> None:
    async def check(setup: Setup) -> None:
        async def wrong(request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, {"Content-Length": "6"}, pieces(*parts))

        setup.routes["/"] = wrong
        client = await setup.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with contextlib.suppress(ConnectionResetError):
            assert not (await client.ended()).endswith(b"three")

    run(check)


@pytest.mark.parametrize("status", [200, 204, 304, 404])
@pytest.mark.parametrize("method", [b"HEAD", b"GET"])
@pytest.mark.parametrize("streamed", [True, False])
def test_answers_without_a_body(status: int, method: bytes, streamed: bool) -> None:
    async def check(setup: Setup) -> None:
        closed = asyncio.Event()

        async def body() -> AsyncIterator[bytes]:
            try:
                yield b"hello"
            finally:
                closed.set()

        async def bodiless(request: HttpRequest) -> HttpResponse:
            return HttpResponse(status, {"Content-Length": "5"}, body() if streamed else b"hello")

        setup.routes["/"] = bodiless
        client = await setup.connect()
        client.send(method + b" / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        got, headers = await client.head()
        assert got == status
        assert headers.get("Content-Length") == (None if status == 204 else "5")
        if method == b"GET" and status not in (204, 304):
            assert await client.reader.readexactly(5) == b"hello"
        assert (await client.answer())[1]["X-Path"] == "/next"

    run(check)


def test_100_continue_is_sent_when_the_body_is_wanted() -> None:
    async def check(setup: Setup) -> None:
        async def refuse(request: HttpRequest) -> HttpResponse:
            return HttpResponse(403, {}, b"no")

        setup.routes["/no"] = refuse
        client = await setup.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert (await client.head())[0] == 100
        client.send(b"hello")
        assert (await client.answer())[2] == b"hello"
        client.send(b"PUT /no HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        status, headers, _ = await client.answer()
        assert (status, headers["Connection"]) == (403, "close")
        assert await client.ended() == b""

    run(check)


def test_a_chunked_body_with_a_trailer() -> None:
    async def check(setup: Setup) -> None:
        client = await setup.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\n")
        await asyncio.sleep(0.02)
        client.send(b"de\r\n0\r\nX-Trailer: 1\r\n\r\n" + GET % 7)
        assert (await client.answer())[2] == b"abcde"
        assert (await client.answer())[1]["X-Path"] == "/7"

    run(check)


def test_a_large_body_is_read_no_faster_than_it_is_taken() -> None:
    async def check(setup: Setup) -> None:
        async def hold(request: HttpRequest) -> HttpResponse:
            setup.entered.set()
            await setup.go.wait()
            size = 0
            async for piece in request.body:
                size += len(piece)
            return HttpResponse(200, {}, str(size).encode())

        setup.routes["/"] = hold
        client = await setup.connect()
        total = 64_000_000
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % total)
        sending = asyncio.create_task(send_all(client, total))
        await setup.entered.wait()
        await asyncio.sleep(0.2)
        (connection,) = setup.listener.connections
        assert connection.buffered < LIMITS.high_water + 600_000
        assert not sending.done()
        setup.go.set()
        assert (await client.answer())[2] == b"%d" % total
        await sending

    run(check)


async def send_all(client: Client, total: int) -> None:
    for _ in range(total // 64_000):
        client.send(bytes(64_000))
        await client.writer.drain()


def test_a_large_answer_is_made_no_faster_than_it_is_taken() -> None:
    async def check(setup: Setup) -> None:
        made = 0

        async def flood(request: HttpRequest) -> HttpResponse:
            async def body() -> AsyncIterator[bytes]:
                nonlocal made
                for _ in range(1000):
                    made += 1
                    yield bytes(64_000)

            return HttpResponse(200, {"Content-Length": "64000000"}, body())

        setup.routes["/"] = flood
        client = await setup.connect(limit=1000)
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.head()
        await asyncio.sleep(0.2)
        assert made < 500
        assert len(await client.reader.readexactly(64_000_000)) == 64_000_000

    run(check)


def test_a_client_that_leaves_cancels_its_handler() -> None:
    async def check(setup: Setup) -> None:
        setup.routes["/"] = setup.wait
        client = await setup.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await setup.entered.wait()
        client.close()
        await asyncio.wait_for(setup.cancelled.wait(), 60)

    run(check, replace(LIMITS, half_close_time=0.05))


def test_a_client_that_ends_its_side_gets_its_answer() -> None:
    async def check(setup: Setup) -> None:
        client = await setup.connect()
        client.send(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        client.writer.write_eof()
        assert b"X-Path: /x" in await client.ended()

    run(check)


def test_a_body_that_breaks_off() -> None:
    async def check(setup: Setup) -> None:
        errors: list[AwsError] = []

        async def read(request: HttpRequest) -> HttpResponse:
            try:
                await read_content(request, 100)
            except AwsError as error:
                errors.append(error)
                raise
            return HttpResponse(200)

        setup.routes["/"] = read
        client = await setup.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\n\r\nabc")
        client.writer.write_eof()
        assert (await client.ended()).startswith(b"HTTP/1.1 400 ")
        client = await setup.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
        assert (await client.ended()).startswith(b"HTTP/1.1 400 ")
        assert [error.code for error in errors] == ["IncompleteBody", "IncompleteBody"]

    run(check)


def test_a_body_larger_than_the_handler_takes() -> None:
    async def check(setup: Setup) -> None:
        async def small(request: HttpRequest) -> HttpResponse:
            with pytest.raises(BodyTooLarge):
                await read_content(request, 10)
            return HttpResponse(413, {}, b"large")

        setup.routes["/"] = small
        for framing in (b"Content-Length: 100000000", b"Transfer-Encoding: chunked"):
            client = await setup.connect()
            client.send(b"PUT / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n\r\n20\r\n" + bytes(32) + b"\r\n")
            status, headers, body = await client.answer()
            assert (status, headers["Connection"], body) == (413, "close", b"large")
            client.close()

    run(check)


def test_a_small_body_nobody_read_leaves_the_connection_usable() -> None:
    async def check(setup: Setup) -> None:
        async def ignore(request: HttpRequest) -> HttpResponse:
            return HttpResponse(400, {}, b"bad")

        setup.routes["/"] = ignore
        client = await setup.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\nabc")
        status, headers, _ = await client.answer()
        assert (status, "Connection" in headers) == (400, False)
        client.send(bytes(199_997) + GET % 5)
        assert (await client.answer())[1]["X-Path"] == "/5"

    run(check)


def test_a_handler_that_breaks_answers_500_and_the_connection_lives(caplog: pytest.LogCaptureFixture) -> None:
    async def check(setup: Setup) -> None:
        async def broken(request: HttpRequest) -> HttpResponse:
            raise RuntimeError("secret detail")

        async def split(request: HttpRequest) -> HttpResponse:
            return HttpResponse(200, {"X-A": "b\r\nX-C: d"}, b"")

        setup.routes |= {"/broken": broken, "/split": split}
        client = await setup.connect()
        client.send(b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n" + GET % 1)
        status, _, body = await client.answer()
        assert (status, b"secret" in body) == (500, False)
        assert (await client.answer())[0] == 200
        client.send(b"GET /split HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await client.ended()
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"X-C" not in answer

    run(check)
    assert "secret detail" in caplog.text


def test_a_cancellation_from_within_is_a_failure_and_not_a_silence() -> None:
    async def check(setup: Setup) -> None:
        async def inner(request: HttpRequest) -> HttpResponse:
            gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            gone.cancel()
            await gone
            return HttpResponse(200)

        setup.routes["/"] = inner
        client = await setup.connect()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await client.answer())[0] == 500

    run(check)


def test_a_connection_that_broke_off_is_out_of_memory_without_a_collection() -> None:
    """Its answer's pieces are large, and a full collection may be far away."""

    async def check(setup: Setup) -> None:
        async def download(_: HttpRequest) -> HttpResponse:
            return HttpResponse(200, {}, pieces(*[bytes(1_000_000)] * 100))

        setup.routes["/0"] = download
        client = await setup.connect()
        client.send(GET % 0)
        await client.head()
        (connection,) = map(weakref.ref, setup.listener.connections)
        client.writer.transport.abort()
        while setup.listener.connections:
            setup.server.changed.clear()
            await setup.server.changed.wait()
        async with asyncio.timeout(60):
            while connection() is not None:  # noqa: ASYNC110  what is waited for tells nobody
                await asyncio.sleep(0.01)

    gc.disable()
    try:
        run(check)
    finally:
        gc.enable()

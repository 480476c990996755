"""The HTTP core with handlers that give an answer rather than something to wait for; test_server.py has both kinds."""

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from typing import Any

import pytest
from msgspec.structs import replace
from tests.gateway.harness import GET, LIMITS, Setup, run

from cumulet.gateway.connection import Answer
from cumulet.kernel.errors import AwsError
from cumulet.wire.http import HttpRequest, HttpResponse

NEXT = GET % 1


def test_they_keep_their_place_among_those_that_wait() -> None:
    async def check(setup: Setup) -> None:
        async def later(request: HttpRequest) -> HttpResponse:
            await asyncio.sleep(0)
            return HttpResponse(200, {"X-Path": request.path})

        setup.routes |= {f"/{number}": later for number in range(0, 300, 7)}
        client = await setup.connect()
        client.send(b"".join(GET % number for number in range(300)))
        for number in range(300):
            assert (await client.answer())[1]["X-Path"] == f"/{number}"

    run(check)


def test_many_on_one_connection_leave_the_loop_to_others() -> None:
    async def check(setup: Setup) -> None:
        turns: list[int] = []

        def first(_: HttpRequest) -> HttpResponse:
            asyncio.get_running_loop().call_soon(lambda: turns.append(len(setup.seen)))
            return HttpResponse(200)

        setup.routes["/0"] = first
        client = await setup.connect()
        client.send(GET % 0 + NEXT * 2000)
        for _ in range(2001):
            await client.answer()
        assert turns[0] < 100

    run(check)


def test_who_takes_the_loop_for_long_gives_it_back_after_each_answer() -> None:
    async def check(setup: Setup) -> None:
        turns: list[int] = []

        def slow(_: HttpRequest) -> HttpResponse:
            time.sleep(0.005)
            asyncio.get_running_loop().call_soon(lambda: turns.append(len(setup.seen)))
            return HttpResponse(200)

        setup.routes["/0"] = slow
        client = await setup.connect()
        client.send((GET % 0) * 10)
        for _ in range(10):
            await client.answer()
        assert turns[:9] == list(range(1, 10))

    run(check)


@pytest.mark.parametrize(
    "kind", [AwsError("not now", code="SlowDown", status=503), RuntimeError("a"), asyncio.CancelledError()]
)
def test_a_handler_that_raises_leaves_the_connection_usable(kind: BaseException) -> None:
    async def check(setup: Setup) -> None:
        def broken(_: HttpRequest) -> HttpResponse:
            raise kind

        setup.routes["/0"] = broken
        client = await setup.connect()
        client.send(GET % 0 + NEXT)
        assert (await client.answer())[0] == (503 if isinstance(kind, AwsError) else 500)
        assert (await client.answer())[0] == 200

    run(check)


def test_a_header_that_would_break_out_of_its_line_ends_the_connection() -> None:
    async def check(setup: Setup) -> None:
        setup.routes["/0"] = lambda _: HttpResponse(200, {"X-A": "b\r\nX-C: d"})
        client = await setup.connect()
        client.send(GET % 0 + NEXT)
        answer = await client.ended()
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert b"X-C" not in answer
        assert len(setup.seen) == 1

    run(check)


@pytest.mark.parametrize(("request_head", "closes"), [
    (b"PUT /0 HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n", False),
    (b"PUT /0 HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n", True),
    (b"PUT /0 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", True),
    (b"PUT /0 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n", True),
    (b"GET /0 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", True),
    (b"GET /0 HTTP/1.0\r\n\r\n", True),
])  # fmt: skip
def test_the_connection_lives_on_where_a_body_that_nobody_read_is_small(request_head: bytes, closes: bool) -> None:
    async def check(setup: Setup) -> None:
        setup.routes["/0"] = lambda _: HttpResponse(403, {}, b"no")
        client = await setup.connect()
        client.send(request_head)
        status, headers, body = await client.answer()
        assert (status, body, headers.get("Connection")) == (403, b"no", "close" if closes else None)
        if closes:
            assert await client.ended() == b""
        else:
            client.send(bytes(200_000) + NEXT)
            assert (await client.answer())[1]["X-Path"] == "/1"

    run(check)


def test_no_more_are_made_than_the_client_takes() -> None:
    async def check(setup: Setup) -> None:
        setup.routes["/0"] = lambda _: HttpResponse(200, {}, bytes(100_000))
        client = await setup.connect(limit=1000)
        client.send((GET % 0) * 2000)
        await client.head()
        await asyncio.sleep(0.2)
        assert len(setup.seen) < 500
        await client.reader.readexactly(100_000)
        for _ in range(1999):
            assert len((await client.answer())[2]) == 100_000

    run(check)


def test_a_client_that_takes_nothing_is_dropped() -> None:
    async def check(setup: Setup) -> None:
        setup.routes["/0"] = lambda _: HttpResponse(200, {}, bytes(30_000_000))
        client = await setup.connect(limit=1000)
        client.send((GET % 0) * 2)
        while not setup.seen or setup.listener.connections:
            setup.server.changed.clear()
            await setup.server.changed.wait()
        assert len(setup.seen) == 1

    run(check, replace(LIMITS, stall_time=0.05))


def test_a_body_larger_than_what_is_read_ahead_does_not_stop_the_reading() -> None:
    async def check(setup: Setup) -> None:
        client = await setup.connect()
        body = bytes(1000)
        for _ in range(3):
            client.send(b"PUT /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + body)
            assert (await client.answer())[2] == body

    run(check, replace(LIMITS, high_water=500, low_water=100))


def test_draining_answers_what_has_arrived() -> None:
    async def check(setup: Setup) -> None:
        def stop(_: HttpRequest) -> HttpResponse:
            setup.listener.stop()
            return HttpResponse(200, {}, b"last")

        setup.routes["/0"] = stop
        client = await setup.connect()
        client.send(GET % 0)
        _, headers, body = await client.answer()
        assert (headers["Connection"], body) == ("close", b"last")
        assert await client.ended() == b""

    run(check)


def test_what_nobody_waits_for_any_more_is_not_left_over() -> None:
    async def check(setup: Setup) -> None:
        ended = asyncio.Event()

        def leave(request: HttpRequest) -> Answer:
            for connection in setup.listener.connections:
                connection.abort()
            return outer(inner())

        async def outer(waiting: Coroutine[Any, Any, HttpResponse]) -> HttpResponse:
            return await waiting

        async def inner() -> HttpResponse:
            try:
                await asyncio.Event().wait()
                return HttpResponse(200)
            finally:
                ended.set()

        setup.routes["/0"] = leave
        client = await setup.connect()
        client.send(GET % 0)
        with contextlib.suppress(ConnectionResetError):
            assert await client.ended() == b""
        await asyncio.wait_for(ended.wait(), 60)

    run(check)

"""Bodies of all connections together: no more in memory than there is room for, and nobody waits for ever."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from tests.gateway.harness import Client, Setup, run

from cumulet.gateway.body import read_content
from cumulet.gateway.budget import Budget, Crowded
from cumulet.gateway.limits import Limits
from cumulet.kernel.errors import AwsError
from cumulet.wire.http import HttpRequest, HttpResponse

MB = 1_000_000
SMALL = Limits(bodies=2 * MB + 1000, bodies_time=0.3, high_water=100_000)
PATIENT = Limits(bodies=2 * MB + 1000, bodies_time=100, high_water=100_000)


def played(story: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def test() -> None:
        asyncio.run(story())

    return test


@played
async def test_who_comes_first_is_let_in_first() -> None:
    budget = Budget(10, 30.0)
    order: list[int] = []

    async def enter(size: int) -> None:
        await budget.reserve(size)
        order.append(size)

    budget.take(8)
    waiting = [asyncio.ensure_future(enter(size)) for size in (7, 1, 2)]
    await asyncio.sleep(0)
    assert order == []  # one byte would fit, but not before who waits for seven
    assert budget.tight
    budget.give(8)
    await asyncio.gather(*waiting)
    assert order == [7, 1, 2]
    assert budget.used == 10


@played
async def test_more_than_there_is_may_come_in_alone() -> None:
    budget = Budget(10, 30.0)
    await budget.reserve(50)
    second = asyncio.ensure_future(budget.reserve(50))
    await asyncio.sleep(0)
    assert not second.done()
    budget.give(50)
    await second
    assert budget.used == 50


@played
async def test_what_a_task_holds_is_given_back_when_it_is_done() -> None:
    budget = Budget(10, 30.0)
    ended = asyncio.Event()
    task = asyncio.ensure_future(ended.wait())
    budget.take(9)
    budget.give_after(task, 9)
    assert budget.used == 9
    ended.set()
    await task
    await asyncio.sleep(0)
    assert budget.used == 0
    for over in (task, None):  # nobody works on it any more
        budget.take(9)
        budget.give_after(over, 9)
        assert budget.used == 0


@played
async def test_who_waits_too_long_or_leaves_takes_nothing() -> None:
    budget = Budget(10, 0.01)
    budget.take(9)
    with pytest.raises(Crowded):
        await budget.reserve(5)
    assert budget.used == 9
    budget = Budget(10, 30.0)
    budget.take(9)
    leaving = asyncio.ensure_future(budget.reserve(5))
    await asyncio.sleep(0)
    behind = asyncio.ensure_future(budget.reserve(1))
    await asyncio.sleep(0)
    leaving.cancel()
    await behind
    assert budget.used == 10
    budget.give(10)
    assert not budget.tight


@played
async def test_who_leaves_as_its_turn_comes_gives_it_back() -> None:
    budget = Budget(10, 30.0)
    budget.take(10)
    leaving = asyncio.ensure_future(budget.reserve(10))
    await asyncio.sleep(0)
    budget.give(10)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    assert budget.used == 0


@played
async def test_what_runs_on_the_node_is_not_kept_out_by_those_who_wait_for_it() -> None:
    inside = Budget(12, 30.0)
    outside = Budget(10, 30.0, before=inside)
    await outside.reserve(10)
    waiting = asyncio.ensure_future(outside.reserve(1))
    await inside.reserve(2)
    more = asyncio.ensure_future(inside.reserve(2))
    await asyncio.sleep(0)
    assert (waiting.done(), more.done()) == (False, False)  # it has an end, too
    assert inside.tight
    inside.give(2)
    await more
    assert not waiting.done()
    inside.give(2)
    outside.give(10)
    await waiting
    assert (inside.used, outside.used) == (0, 1)


@played
async def test_what_runs_on_the_node_goes_first() -> None:
    inside = Budget(10, 30.0)
    outside = Budget(10, 30.0, before=inside)
    outside.take(9)
    inside.take(1)
    order: list[str] = []

    async def enter(budget: Budget, name: str) -> None:
        await budget.reserve(8)
        order.append(name)

    waiting = [asyncio.ensure_future(enter(budget, name)) for budget, name in ((outside, "outer"), (inside, "inner"))]
    await asyncio.sleep(0)
    outside.give(8)
    await waiting[1]
    assert order == ["inner"]
    inside.give(8)
    await waiting[0]
    assert order == ["inner", "outer"]


async def _hold(setup: Setup, request: HttpRequest) -> HttpResponse:
    """A handler that has the whole body in memory until it may answer."""
    try:
        content = await read_content(request, 10 * MB)
    except AwsError as error:
        return HttpResponse(error.status, {}, error.code.encode())
    await setup.go.wait()
    return HttpResponse(200, {}, str(len(content)).encode())


async def _senders(setup: Setup, head: bytes, body: bytes, count: int) -> list[Client]:
    setup.routes["/"] = lambda request: _hold(setup, request)
    clients = [await setup.connect() for _ in range(count)]
    for client in clients:
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n" + body)
    return clients


LENGTH = b"Content-Length: %d\r\n" % MB, bytes(MB)
CHUNKED = b"Transfer-Encoding: chunked\r\n", (b"%x\r\n%s\r\n" % (50_000, bytes(50_000))) * 20 + b"0\r\n\r\n"


def _whole(setup: Setup) -> int:
    """How many bodies handlers have in memory."""
    return sum(bool(request.content) for request in setup.seen)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not holds():  # noqa: ASYNC110  what is waited for tells nobody
            await asyncio.sleep(0.01)


async def _entered(setup: Setup, count: int) -> None:
    await _until(lambda: _whole(setup) >= count)


def test_bodies_wait_until_there_is_room() -> None:
    async def check(setup: Setup) -> None:
        clients = await _senders(setup, *LENGTH, 12)
        await _entered(setup, 2)
        await asyncio.sleep(0.1)
        assert _whole(setup) == 2
        assert setup.server.budget.used <= PATIENT.bodies
        waiting = [each.buffered for each in setup.listener.connections]
        assert sum(waiting) < 12 * 450_000  # what one read brings, not the bodies
        setup.go.set()
        for client in clients:
            assert (await client.answer())[2] == b"%d" % MB
        assert setup.server.budget.used == 0

    run(check, PATIENT)


def test_chunked_bodies_are_counted_as_they_grow() -> None:
    async def check(setup: Setup) -> None:
        clients = await _senders(setup, *CHUNKED, 1)
        await _entered(setup, 1)
        assert setup.server.budget.used >= MB
        setup.go.set()
        assert (await clients[0].answer())[2] == b"%d" % MB
        assert setup.server.budget.used == 0

    run(check, PATIENT)


@pytest.mark.parametrize("kind", [LENGTH, CHUNKED], ids=["length", "chunked"])
def test_who_waits_too_long_is_told_to_come_again(kind: tuple[bytes, bytes]) -> None:
    async def check(setup: Setup) -> None:
        first = await _senders(setup, *LENGTH, 2)
        await _entered(setup, 2)
        late = await _senders(setup, *kind, 1)
        assert (await late[0].answer())[::2] == (503, b"ServiceUnavailable")
        setup.go.set()
        for client in first:
            assert (await client.answer())[0] == 200
        again = await _senders(setup, *kind, 1)
        assert (await again[0].answer())[0] == 200
        assert setup.server.budget.used == 0

    run(check, SMALL)


def test_what_clients_held_that_left_is_given_back() -> None:
    async def check(setup: Setup) -> None:
        for client in await _senders(setup, *LENGTH, 5):
            client.close()
        await _until(lambda: not setup.listener.connections and not setup.server.budget.used)
        setup.go.set()
        (client,) = await _senders(setup, *LENGTH, 1)
        assert (await client.answer())[0] == 200

    run(check, PATIENT)


def test_bodies_that_came_whole_count_too() -> None:
    async def check(setup: Setup) -> None:
        (client,) = await _senders(setup, b"Content-Length: 50000\r\n", bytes(50_000), 1)
        await _entered(setup, 1)
        assert setup.server.budget.used == 50_000
        setup.go.set()
        assert (await client.answer())[0] == 200
        assert setup.server.budget.used == 0

    run(check, PATIENT)


def test_who_sends_next_to_nothing_keeps_no_room_from_others() -> None:
    async def check(setup: Setup) -> None:
        head, body = LENGTH
        slow = await _senders(setup, head, body[:50_000], 2)  # room for a whole one each
        await _until(lambda: setup.server.budget.used == 2 * MB)
        (client,) = await _senders(setup, head, body, 1)
        await _until(lambda: setup.server.budget.tight)
        async with asyncio.timeout(60):
            while not (drip := _whole(setup)):
                for each in slow:
                    each.send(b"x")  # it never stalls
                await asyncio.sleep(0.02)
        assert drip == 1
        setup.go.set()
        assert (await client.answer())[0] == 200
        assert [(await each.answer())[0] for each in slow] == [400, 400]

    run(check, Limits(bodies=2 * MB + 1000, bodies_time=100, stall_time=2.0, slowest=10 * MB))


async def _answer(request: HttpRequest) -> HttpResponse:
    """As its path says."""
    if request.path == "/late":
        await asyncio.sleep(0.01)
    if request.path != "/unread":
        await read_content(request, 2 * MB)
    if request.path == "/fails":
        raise RuntimeError
    return HttpResponse(200, {}, b"done")


def _any_request(chance: random.Random) -> bytes:
    size = chance.choice((10, 20_000, 90_000, 300_000, MB, 3 * MB))
    path = chance.choice((b"/", b"/late", b"/unread", b"/fails"))
    expect = chance.choice((b"", b"Expect: 100-continue\r\n"))
    if chance.random() < 0.5:
        framing, body = b"Content-Length: %d\r\n" % size, bytes(size)
    else:
        end = chance.choice((b"0\r\n\r\n", b"zz\r\n", b""))
        framing, body = b"Transfer-Encoding: chunked\r\n", b"%x\r\n%s\r\n%s" % (size, bytes(size), end)
    return b"POST %s HTTP/1.1\r\nHost: a\r\n%s%s\r\n" % (path, framing, expect) + body


@pytest.mark.parametrize("seed", [7, 8])
def test_nothing_is_kept_of_whatever_clients_did(seed: int) -> None:
    chance = random.Random(seed)

    async def visit(setup: Setup) -> None:
        client = await setup.connect()
        data = b"".join(_any_request(chance) for _ in range(chance.choice((1, 1, 2, 3))))
        client.send(data[: len(data) if chance.random() < 0.5 else chance.randrange(len(data))])
        await asyncio.sleep(chance.random() / 20)
        client.close()

    async def check(setup: Setup) -> None:
        setup.routes |= dict.fromkeys(("/", "/late", "/unread", "/fails"), _answer)
        for _ in range(4):
            await asyncio.gather(*(visit(setup) for _ in range(30)))
        await _until(lambda: not setup.listener.connections and not setup.server.budget.used)
        assert not setup.server.budget.tight

    run(check, SMALL)


def test_a_connection_goes_on_after_a_body_that_stopped_its_reading() -> None:
    async def check(setup: Setup) -> None:
        setup.routes["/unread"] = _answer
        (client,) = await _senders(setup, b"Content-Length: 1000000\r\n", bytes(MB), 1)
        await _entered(setup, 1)
        other = await setup.connect()
        setup.server.budget.take(2 * MB)  # little room is left: reading stops at less
        for _ in range(3):
            other.send(b"POST /unread HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + bytes(60_000))
            async with asyncio.timeout(60):
                assert (await other.answer())[2] == b"done"
        setup.server.budget.give(2 * MB)
        setup.go.set()
        await client.answer()

    run(check, SMALL)

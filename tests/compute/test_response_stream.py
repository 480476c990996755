"""A response between the function that writes it and whoever reads it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from cumulet.compute.response_stream import Collected, ResponseStream, StreamLimits

KB = 1024


class Writer:
    """An environment, as far as it is made to wait."""

    def __init__(self, stream: ResponseStream) -> None:
        self.waits = False
        self.moved = asyncio.Event()
        stream.attach(self._pause, self._resume)

    def _pause(self) -> None:
        self.waits = True

    def _resume(self) -> None:
        self.waits = False
        self.moved.set()


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(asyncio.wait_for(story(), 60))


def test_pieces_are_read_as_they_come() -> None:
    async def story() -> None:
        stream = ResponseStream()
        read: list[bytes] = []

        async def reader() -> None:
            await stream.started()
            assert stream.content_type == "text/plain"
            read.extend([piece async for piece in stream])

        reading = asyncio.create_task(reader())
        await asyncio.sleep(0)
        stream.begin("text/plain")
        stream.feed(b"a")
        await asyncio.sleep(0)
        stream.feed(b"b")
        assert stream.whole(b"") == b""
        stream.end()
        await reading
        assert read == [b"a", b"b"]

    run(story)


def test_the_writer_waits_for_a_slow_reader() -> None:
    async def story() -> None:
        stream = ResponseStream()
        writer = Writer(stream)
        fed = 0
        while not writer.waits:
            stream.feed(b"x" * 10 * KB)
            fed += 10 * KB
        assert fed < 300 * KB
        pieces = aiter(stream)
        while writer.waits:
            await anext(pieces)
        stream.feed(b"x")
        assert not writer.waits

    run(story)


def test_small_pieces_count_with_what_they_cost() -> None:
    async def story() -> None:
        stream = ResponseStream()
        writer = Writer(stream)
        fed = 0
        while not writer.waits:
            stream.feed(b"x")
            fed += 1
        assert fed < 10_000

    run(story)


def test_over_the_burst_the_writer_is_slowed_down() -> None:
    async def story() -> None:
        stream = ResponseStream(StreamLimits(burst=1000, rate=10_000))
        writer = Writer(stream)
        pieces = aiter(stream)
        stream.feed(b"x" * 1000)
        await anext(pieces)
        assert not writer.waits
        stream.feed(b"x" * 500)
        await anext(pieces)
        assert writer.waits
        await writer.moved.wait()

    run(story)


def test_nobody_listens() -> None:
    async def story() -> None:
        stream = ResponseStream(StreamLimits(burst=0, rate=1))
        writer = Writer(stream)
        stream.feed(b"x" * 500 * KB)
        assert writer.waits
        stream.abandon()
        assert not writer.waits
        stream.feed(b"x" * 500 * KB)
        assert not writer.waits
        stream.end()
        assert [piece async for piece in stream] == []

    run(story)


def test_a_writer_that_has_answered_waits_for_nobody() -> None:
    async def story() -> None:
        stream = ResponseStream()
        writer = Writer(stream)
        stream.feed(b"x" * 500 * KB)
        assert writer.waits
        stream.detach()
        assert not writer.waits
        stream.end()
        assert sum([len(piece) async for piece in stream]) == 500 * KB

    run(story)


@pytest.mark.parametrize("over", [b"x" * 10, None])
def test_more_than_the_limit_is_dropped(over: bytes | None) -> None:
    async def story() -> None:
        stream = ResponseStream(StreamLimits(total=100))
        stream.feed(b"x" * 95)
        stream.feed(over)
        stream.feed(b"x")
        assert stream.whole(b"") is None
        stream.end()
        assert [piece async for piece in stream] == [b"x" * 95]

    run(story)


def test_parts_for_who_wants_them_whole() -> None:
    parts = Collected(10)
    parts.begin("text/plain")
    parts.feed(b"12345")
    parts.feed(b"67890")
    assert parts.whole(b"") == b"1234567890"
    parts.feed(b"!")
    assert parts.whole(b"") is None
    assert Collected(10).whole(None) is None

"""Streams go no faster than their pace, and end where they say nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cumulet.services.apigateway.plane.pacing import Pace, TooSlow, paced


class Source:
    """Gives pieces, then ends or says nothing more; knows whether it was closed."""

    def __init__(self, *pieces: bytes, silent: bool = False) -> None:
        self.pieces = pieces
        self.silent = silent
        self.closed = False

    async def read(self) -> AsyncIterator[bytes]:
        try:
            for piece in self.pieces:
                yield piece
            if self.silent:
                await asyncio.Event().wait()
        finally:
            self.closed = True


def collect(source: Source, **pace: Any) -> list[bytes]:
    wanted = Pace(**({"burst": 1_000_000, "rate": 1_000_000, "life": 60.0, "idle": 60.0} | pace))

    async def read() -> list[bytes]:
        return [piece async for piece in paced(source.read(), wanted)]

    return asyncio.run(read())


def test_what_is_within_the_burst_passes() -> None:
    source = Source(b"one", b"two")
    assert collect(source, burst=6, rate=1) == [b"one", b"two"]
    assert source.closed


def test_what_is_over_it_takes_its_time() -> None:
    began = time.monotonic()
    assert collect(Source(*[b"x" * 50] * 6), burst=100, rate=1_000) == [b"x" * 50] * 6
    assert time.monotonic() - began >= 0.19


def test_a_silent_one_ends() -> None:
    for limits in ({"idle": 0.01}, {"life": 0.01}):
        source = Source(b"one", silent=True)
        with pytest.raises(TooSlow):
            collect(source, **limits)
        assert source.closed

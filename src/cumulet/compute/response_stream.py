"""A response on its way while the function still writes it: bounded, paced, and done with when nobody listens.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-response-streaming.html
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

import msgspec

_HIGH, _LOW = 256 * 1024, 64 * 1024
_PIECE_COST = 64
"""Bytes of memory that a piece takes beside its own."""


class StreamLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes; `rate` is in bytes a second and holds for what is over `burst`."""

    total: int = 200 * 1024 * 1024
    burst: int = 6 * 1024 * 1024
    rate: int = 2 * 1024 * 1024


def _nothing() -> None:
    return None


class ResponseStream:
    """Between an environment, which begins, feeds and ends it, and one reader. Used from one event loop.

    The environment is made to wait while 256 KB are unread, and while it is ahead of the limits' rate. `content_type` is
    known once the stream has begun; `error_type` is what the function gave for an error after that. `overflowed` says that
    more than `limit` bytes came, of which the rest was dropped.
    """

    def __init__(self, limits: StreamLimits | None = None) -> None:
        self.content_type = ""
        self.error_type = ""
        self.begun = False
        self.overflowed = False
        self._limits = limits or StreamLimits()
        self.limit = self._limits.total
        self._loop = asyncio.get_running_loop()
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._total = 0
        self._ahead_since = 0.0
        self._wait_until = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._pause: Callable[[], None] = _nothing
        self._resume: Callable[[], None] = _nothing
        self._paused = False
        self._abandoned = False
        self._ended = False
        self._waiter: asyncio.Future[None] | None = None

    @property
    def total(self) -> int:
        """Bytes that came so far, those over the limit included."""
        return self._total

    # The environment's end

    def attach(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        """How to make the writer wait, and go on."""
        self._pause, self._resume = pause, resume

    def begin(self, content_type: str) -> None:
        """The function has begun to answer."""
        if not self.begun:
            self.begun, self.content_type = True, content_type
            self._wake()

    def feed(self, piece: bytes | None) -> None:
        """More of the response; None for a piece larger than is taken."""
        self.begun = True
        size = len(piece) if piece is not None else self._limits.total
        self._total += size
        if self._total > self._limits.total:
            self.overflowed = True
        if piece and not self.overflowed and not self._abandoned:
            self._pieces.append(piece)
            self._held += size + _PIECE_COST
            self._pace()
            self._balance()
        self._wake()

    def detach(self) -> None:
        """The function has answered: its environment is not to be kept waiting any more."""
        self._pace_no_more()
        if self._paused:
            self._resume()
        self._pause = self._resume = _nothing
        self._paused = False

    def whole(self, payload: bytes | None) -> bytes | None:
        """The function has answered with `payload`, its whole response unless it wrote it in parts: what is left of that
        for the Outcome. None when it was larger than is taken.
        """
        if payload is None or self.overflowed:
            return None
        if payload:
            self.feed(payload)
        return b""

    def end(self) -> None:
        """Nothing more will come."""
        self._ended = True
        self._pace_no_more()
        self._wake()

    # The reader's end

    async def started(self) -> None:
        """Wait until the function has begun to answer, or the stream has ended."""
        while not (self.begun or self._ended):
            await self._wait()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._held -= len(piece) + _PIECE_COST
                if self._paused and self._held <= _LOW:
                    self._balance()
                yield piece
            if self._ended:
                return
            await self._wait()

    def abandon(self) -> None:
        """Nobody reads any more: what still comes is dropped as it comes, so that the function runs on to its end."""
        self._abandoned = True
        self._pieces.clear()
        self._held = 0
        self._pace_no_more()
        self._balance()

    async def _wait(self) -> None:
        self._waiter = self._loop.create_future()
        await self._waiter

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _pace(self) -> None:
        """Over the burst, pieces are let in no faster than at the rate."""
        over = self._total - self._limits.burst
        if over <= 0:
            return
        now = self._loop.time()
        self._ahead_since = self._ahead_since or now
        self._wait_until = self._ahead_since + over / self._limits.rate
        if self._wait_until > now and self._timer is None:
            self._timer = self._loop.call_at(self._wait_until, self._go_on)

    def _go_on(self) -> None:
        self._timer = None
        if self._wait_until > self._loop.time() + 0.001:
            self._timer = self._loop.call_at(self._wait_until, self._go_on)
        else:
            self._balance()

    def _pace_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _balance(self) -> None:
        waits = self._timer is not None or self._held > (_LOW if self._paused else _HIGH)
        if waits and not self._paused:
            self._paused = True
            self._pause()
        elif self._paused and not waits:
            self._paused = False
            self._resume()


class Collected:
    """In place of a stream, for who wants the response whole."""

    def __init__(self, limit: int) -> None:
        self.content_type = ""
        self.error_type = ""
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def begin(self, content_type: str) -> None:
        self.content_type = content_type

    def feed(self, piece: bytes | None) -> None:
        self._size += self._limit + 1 if piece is None else len(piece)
        if piece and self._size <= self._limit:
            self._pieces.append(piece)
        elif piece is None or self._size > self._limit:
            self._pieces.clear()

    def whole(self, payload: bytes | None) -> bytes | None:
        """The response; None when it was larger than is taken."""
        if payload is None or self._size > self._limit:
            return None
        return b"".join((*self._pieces, payload))

    def detach(self) -> None:
        """There is nobody to be kept waiting."""

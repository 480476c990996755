"""A request's body as it arrives."""

import asyncio
import math
from collections import deque
from typing import Protocol

from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import BytesStream, Stream, read_all
from cumulet.wire.http import HttpRequest

# What a body of unknown length asks for first; then for as much again as it has.
_STEP = 65_536
# What holding a piece costs beside its bytes: a body of one-byte chunks must not slip under the high-water mark.
PIECE_COST = 64


class IncompleteBody(AwsError):
    """The client stopped before the body was whole, or broke its framing."""

    code = "IncompleteBody"
    status = 400


class RequestTimeout(AwsError):
    """The client sent nothing for too long while its body was awaited."""

    code = "RequestTimeout"
    status = 400


class BodyTooLarge(AwsError):
    """More than the reader takes."""

    code = "RequestEntityTooLarge"
    status = 413


class Flow(Protocol):
    """The connection that a body comes from."""

    buffered: int

    def wanted(self, body: "RequestBody") -> None:
        """The reader waits for more."""

    def taken(self) -> None:
        """The reader took a piece; `buffered` has been lowered."""

    async def hold(self, size: int) -> float:
        """So many bytes will be in memory until the request is answered. Waits for room; raises Crowded.

        Gives the loop time at which they should have come.
        """


class RequestBody:
    """A stream of the pieces that the connection receives; read once. Waits make the connection read on.

    `length` is the content-length, None when the body is chunked. Raises IncompleteBody or RequestTimeout.
    """

    __slots__ = ("_error", "_flow", "_pieces", "_waiter", "complete", "due", "length", "received", "waiting_since")

    def __init__(self, flow: Flow, length: int | None) -> None:
        self._flow = flow
        self._pieces: deque[bytes] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._error: AwsError | None = None
        self.length = length
        self.received = 0
        self.complete = False
        self.waiting_since = 0.0  # loop time at which the reader began to wait; 0 when it does not
        self.due = math.inf  # loop time at which what room is held for should have come

    def __aiter__(self) -> "RequestBody":
        return self

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self._error is not None:
                raise self._error
            if self.complete:
                raise StopAsyncIteration
            await self._more()
        piece = self._pieces.popleft()
        self._flow.buffered -= len(piece) + PIECE_COST
        self._flow.taken()
        return piece

    async def _more(self) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        self.waiting_since = loop.time()
        self._flow.wanted(self)
        try:
            await self._waiter
        finally:
            self._waiter = None
            self.waiting_since = 0.0

    def feed(self, piece: bytes) -> None:
        """A piece has arrived."""
        self._pieces.append(piece)
        self.received += len(piece)
        self._flow.buffered += len(piece) + PIECE_COST
        if self._waiter is not None:
            self._wake()

    def finish(self) -> None:
        """The body is whole."""
        self.complete = True
        if self._waiter is not None:
            self._wake()

    def fail(self, error: AwsError) -> None:
        """The body will never be whole: the reader gets `error` after the pieces that came."""
        if self._error is None and not self.complete:
            self._error = error
            self._wake()

    async def hold(self, size: int) -> None:
        """Wait for room for `size` bytes of it in memory; raises Crowded."""
        self.due = await self._flow.hold(size)

    def drop(self) -> None:
        """Forget what was not read."""
        if not self._pieces:
            return
        self._flow.buffered -= sum(map(len, self._pieces)) + PIECE_COST * len(self._pieces)
        self._pieces.clear()

    def whole(self) -> bytes:
        """Everything, taken at once, of a complete body that nobody began to read."""
        pieces = self._pieces
        self._flow.buffered -= self.received + PIECE_COST * len(pieces)
        content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        return content

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def is_read(request: HttpRequest, limit: int) -> bool:
    """Whether `read_content` has nothing to do: the body came whole, within `limit`, or there is none."""
    return 0 < len(request.content) <= limit or (not request.content and request.body.length == 0)


async def read_content(request: HttpRequest, limit: int) -> bytes:
    """The whole body, put in `request.content` too; the body can be read again from there. At most `limit` bytes.

    Raises BodyTooLarge before reading a body that says it is larger, Crowded where the node has no room for it, and IncompleteBody
    or RequestTimeout.
    """
    body = request.body
    if request.content:
        if len(request.content) > limit:
            raise _too_large(limit)
        return request.content
    if body.length == 0:
        return b""
    if body.length is not None:
        if body.length > limit:
            raise _too_large(limit)
        if isinstance(body, RequestBody):
            await body.hold(body.length)
        content = await read_all(body)
    else:
        content = await _gathered(body, limit)
    request.content = content
    request.body = BytesStream(content)
    return content


async def _gathered(body: Stream, limit: int) -> bytes:
    pieces = []
    size = held = 0
    async for piece in body:
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        if size > held and isinstance(body, RequestBody):
            more = max(_STEP, held)
            await body.hold(more)
            held += more
        pieces.append(piece)
    return b"".join(pieces)


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"Request size exceeds the limit of {limit} bytes")

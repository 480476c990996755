"""HTTP/1.1 to a server inside an environment: one request at a time on a connection, bodies as they come, both ways.

What is inside is not trusted: heads are bounded, and a response that breaks the protocol ends its connection.
"""

import asyncio
import socket
from collections import deque
from collections.abc import AsyncIterable, Sequence
from typing import cast

import httptools

_MAX_HEAD = 256 * 1024
_HIGH, _LOW = 256 * 1024, 64 * 1024
"""Bytes of a response that wait for their reader: above the first the server has to wait, below the second it goes on."""
_INFORMATION = 200
_BODILESS = frozenset({204, 304})


class Broken(Exception):
    """No whole answer will come. `untouched`: nothing of one came on a connection that had been used before."""

    def __init__(self, why: str, *, untouched: bool = False) -> None:
        super().__init__(why)
        self.untouched = untouched


class Upstream(asyncio.Protocol):
    """A connection. After `ask`, `status` and `headers` are there, and iterating gives the body; `close` ends it at any time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = cast("asyncio.Transport", None)
        self._writable: asyncio.Future[None] | None = None
        self._sending: asyncio.Task[None] | None = None
        self._used = False
        self._socket: socket.socket | None = None
        self.idle_since = 0.0
        self.lost = False
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self._head_size = 0
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._head: asyncio.Future[None] = self._loop.create_future()
        self._more: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._bodiless = False
        self._framed = False
        self._told = False
        self._over = False
        self.complete = False
        self.keep = False

    # asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._socket = transport.get_extra_info("socket")

    def data_received(self, data: bytes) -> None:
        if self._head.done() and self.complete:
            self.close()  # nothing may come that was not asked for
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, ValueError):
            self.fail(Broken("the server's answer is no HTTP"))
            self.close()
            return
        if not self.complete and not self._told:
            self._tell()

    def _tell(self) -> None:
        """Have the server know at once that the head has come: one that sends the body apart (Nagle's algorithm) waits for
        that, and the kernel would wait 40 ms for more."""
        self._told = True
        if self._socket is not None and not self._transport.is_closing():
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.lost = True
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        if self.complete:
            return
        if self._head.done() and not self._framed and self._head.exception() is None and self._error is None:
            self._finish(keep=False)  # such a body ends with its connection
        else:
            untouched = self._used and not self._head.done() and not self._head_size
            self.fail(Broken("the server closed the connection", untouched=untouched))

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # the parser's

    def on_message_begin(self) -> None:
        if self.complete:  # a further answer, which nobody asked for
            self.keep, self._over = False, True

    def on_status(self, status: bytes) -> None:
        self._grow(len(status))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._grow(len(name) + len(value))
        if self._over:
            return
        text, held = name.decode("latin-1"), value.decode("latin-1")
        lower = text.lower()
        self._framed = self._framed or lower in {"content-length", "transfer-encoding"}
        self.headers.append((text, held))

    def on_headers_complete(self) -> None:
        if self._over:
            return
        self.status = self._parser.get_status_code()
        if self.status < _INFORMATION:
            self.headers, self._framed = [], False
            return
        self._framed = self._framed or self.status in _BODILESS
        if self._bodiless:
            self._finish(keep=False)  # the parser would wait for the body that the length is of
        if not self._head.done():
            self._head.set_result(None)

    def on_body(self, body: bytes) -> None:
        if self.complete:
            return
        self._pieces.append(body)
        self._size += len(body)
        if self._size > _HIGH and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        if self.status >= _INFORMATION and not self.complete:
            self._finish(keep=self._framed and self._parser.should_keep_alive())

    # using it

    async def ask(self, head: bytes, body: bytes | AsyncIterable[bytes], *, chunked: bool, bodiless: bool) -> None:
        """Send a request, and wait for the answer's head. Raises Broken, and whatever reading the body raises."""
        self._begin()
        self._bodiless = bodiless
        if self.lost:
            raise Broken("the server closed the connection", untouched=self._used)
        if isinstance(body, bytes):
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._sending = self._loop.create_task(self._send(body, chunked=chunked))
        await self._head

    def fail(self, error: Exception) -> None:
        """Whoever waits gets `error`, and nothing more comes."""
        if self.complete:
            return
        self._error = self._error or error
        if not self._head.done():
            self._head.set_exception(error)
            self._head.exception()  # it is not an error that nobody waits
        self._wake()

    def close(self) -> None:
        self._end_sending()
        self._transport.abort()

    @property
    def reusable(self) -> bool:
        """Whether another request may be sent."""
        sent = self._sending is None or self._sending.done()
        return self.complete and self.keep and sent and not self.lost and not self._transport.is_closing()

    @property
    def idle(self) -> bool:
        """Whether it still waits for a request, after `rest`."""
        return not self.lost and not self._transport.is_closing()

    def rest(self) -> None:
        """It waits for another request."""
        self._used, self.idle_since = True, self._loop.time()
        self._sending = None

    def take(self) -> bytes:
        """What has come and was not taken yet."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        self._shrink(len(taken))
        return taken

    async def next(self) -> bytes:
        """The next piece of the body; empty at its end. Raises Broken, and what `fail` was given."""
        while not self._pieces:
            if self.complete:
                return b""
            if self._error is not None:
                raise self._error
            self._more = self._loop.create_future()
            await self._more
        piece = self._pieces.popleft()
        self._shrink(len(piece))
        return piece

    def _shrink(self, size: int) -> None:
        self._size -= size
        if self._paused and self._size < _LOW:
            self._paused = False
            self._transport.resume_reading()

    async def _send(self, body: AsyncIterable[bytes], *, chunked: bool) -> None:
        try:
            async for piece in body:
                if self.lost:
                    return
                if piece:
                    self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                if self._writable is not None:
                    await self._writable
            if chunked:
                self._transport.write(b"0\r\n\r\n")
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001  the client broke off, or lied: its request cannot be completed
            self.fail(error)

    def _end_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()

    def _finish(self, *, keep: bool) -> None:
        self.complete, self.keep = True, keep
        self._wake()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def _grow(self, size: int) -> None:
        self._head_size += size
        if self._head_size > _MAX_HEAD:
            raise ValueError("the head of the answer is too large")


def request_head(method: str, target: str, lines: Sequence[tuple[str, str]]) -> bytes:
    """Raises ValueError where a line would break."""
    text = "".join([f"{method} {target} HTTP/1.1\r\n", *(f"{name}: {value}\r\n" for name, value in lines), "\r\n"])
    if text.count("\n") != len(lines) + 2 or text.count("\r") != len(lines) + 2:
        raise ValueError("a header holds a line break")
    return text.encode("latin-1", "replace")

"""One client's connection: requests in, answers out in their order."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterable, Awaitable, Callable
from time import perf_counter
from typing import Protocol, cast

from cumulet.gateway.answers import can_discard, end, header, is_bodiless, length_line
from cumulet.gateway.body import PIECE_COST, IncompleteBody, RequestBody, RequestTimeout
from cumulet.gateway.budget import Budget
from cumulet.gateway.failures import broken, tell
from cumulet.gateway.head import Dates, encode_head, more_lines
from cumulet.gateway.limits import Limits
from cumulet.gateway.peer import address_of
from cumulet.gateway.reader import Exchange, Refused, RequestReader
from cumulet.gateway.tls import shown_certificate
from cumulet.gateway.upgrade import SWITCHING, Upgrade
from cumulet.gateway.writer import Writer
from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import BytesStream
from cumulet.kernel.web import Tls
from cumulet.wire.http import HttpRequest, HttpResponse

log = logging.getLogger(__name__)

Answer = HttpResponse | Awaitable[HttpResponse]
Handler = Callable[[HttpRequest], Answer]
"""Answers a request: at once, or in a task of the request's own where there is something to wait for."""
Beside = Callable[[HttpRequest], Awaitable[HttpResponse] | None]
"""Answers requests that are for no service, by their host or path; None for all others."""

# So many requests are answered at once, one after the other, for so many seconds, before other connections get their turn.
_AT_ONCE = 16
_TURN = 0.002
_UNCOUNTED = 16_384  # smaller bodies are not counted: they are less than what a connection holds anyway
_TEXT = {"Content-Type": "text/plain; charset=utf-8"}


class Owner(Protocol):
    """The listener that a connection came in by."""

    limits: Limits
    budget: Budget
    handler: Handler
    dates: Dates
    draining: bool

    def opened(self, connection: "Connection") -> bool:
        """Whether there is room for another one."""

    def closed(self, connection: "Connection") -> None:
        """The connection is gone."""


class Connection(Writer):
    """The protocol object of one connection; `check` is called now and then to enforce the times of `limits`."""

    def __init__(self, owner: Owner) -> None:
        super().__init__(asyncio.get_running_loop())
        self._owner = owner
        self._limits = owner.limits
        self._reader: RequestReader = cast(RequestReader, None)
        self._queue: deque[Exchange] = deque()
        self._current: Exchange | None = None
        self._task: asyncio.Task[None] | None = None
        self._unawaited: Answer | None = None  # the handler's if it was called, until the task begins
        self._refusal: Refused | None = None
        self._rest = b""  # received, not yet parsed: the pipeline is full, or an upgrade is being answered
        self._reading = True
        self._closed = False  # no more answers are written
        self._ended = False  # the client has ended its side
        self._linger_until = 0.0
        self._head_since = 0.0
        self._idle_since = 0.0
        self._data_at = 0.0
        self.buffered = 0
        self.server_name = ""  # that the client asked for in its TLS greeting

    # --- asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(self._limits.write_buffer)
        tls = None
        if transport.get_extra_info("sslcontext"):
            agreed = transport.get_extra_info("ssl_object")
            cipher = (agreed.cipher() or ("",))[0]
            tls = Tls(self.server_name, shown_certificate(agreed), agreed.version() or "", cipher)
        self._reader = RequestReader(self._limits, self, tls, address_of(transport), self._queue)
        self._idle_since = self._loop.time()
        if not self._owner.opened(self):
            self._refuse(Refused(503, "too many connections"), linger=False)

    def data_received(self, data: bytes) -> None:
        if self._closed:
            return
        self._data_at = self._loop.time()
        if self._rest:
            self._rest += data
            return
        current = self._current
        if current is None and (exchange := self._reader.whole(data)) is not None:
            self._start(exchange, exchange.length or 0, at_once=True)
            return
        self._feed(data)
        if current is None:
            self._pump()
        elif current.discard:
            if self._refusal is not None:
                self._close(linger=True)
            elif current.complete:
                self._next()
                self._pump()

    def eof_received(self) -> bool:
        self._ended = self._reader.presence.gone = True
        if incoming := self._reader.incoming:
            self._fail_body(incoming, IncompleteBody("The request body terminated unexpectedly"))
        answering = self._queue or (self._current and not self._current.discard)
        if self._closed or not answering or self._transport.get_extra_info("sslcontext"):
            return False
        # A client that vanished looks the same as one that only ended its side: the answer gets a moment.
        self._loop.call_later(self._limits.half_close_time, self._abandon)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._queue.clear()
        self._rest = b""
        self._reader.presence.gone = True
        if incoming := self._reader.incoming:
            self._fail_body(incoming, IncompleteBody("The client closed the connection"))
        self._reader.close()
        task, self._task = self._task, None
        if task is not None and self._unawaited is None:
            task.cancel()
        elif task is not None:  # it begins first: a coroutine that never does leaves those behind that it was to await
            self._loop.call_soon(task.cancel)
        # Nothing may refer back to this, or the pieces of its last answer stay in memory until a full collection.
        self._current = None
        self._owner.closed(self)

    # --- reading

    def _feed(self, data: bytes) -> None:
        reader = self._reader
        try:
            self._rest = reader.feed(data)
        except Refused as refusal:
            self._refusal = refusal
        if reader.in_head:
            if not self._head_since:
                self._head_since = self._data_at
        else:
            self._head_since = 0.0
        if self._refusal or self._rest or self._is_full():
            self._pause_reading()

    def _is_full(self) -> bool:
        limits, buffered = self._limits, self.buffered
        return buffered > limits.high_water or (buffered > limits.crowded_water and self._owner.budget.tight)

    def _pause_reading(self) -> None:
        if self._reading and not self._ended:
            self._reading = False
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if not self._reading and not self._ended and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    def wanted(self, body: RequestBody) -> None:
        """A handler waits for more of its body."""
        current = self._current
        if current is not None and current.body is body and current.awaits_continue:
            current.awaits_continue = False
            if not body.received and not self._closed:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.taken()

    def taken(self) -> None:
        """A handler took a piece of its body."""
        if not self._reading and self.buffered <= self._limits.low_water and not (self._refusal or self._rest):
            self._resume_reading()

    async def hold(self, size: int) -> float:
        """A handler wants so much of a body in memory until its request is answered."""
        if size > _UNCOUNTED:
            task, budget = self._task, self._owner.budget
            await budget.reserve(size)
            budget.give_after(task, size)
        return self._loop.time() + self._limits.stall_time + size / self._limits.slowest

    def _fail_body(self, exchange: Exchange, error: AwsError) -> None:
        exchange.keep_alive = False
        if exchange.body is not None:
            exchange.body.fail(error)

    # --- answering

    def _pump(self, since: float = 0.0) -> None:
        """Answer what has arrived, until an answer has to be waited for. `since` is when this turn began, if not now."""
        since = since or perf_counter()
        answered = 0
        while self._current is None and not self._closed:
            if self._queue:
                exchange = self._queue.popleft()
                held = self._take_whole(exchange) if exchange.length != 0 and exchange.complete else 0
                self._start(exchange, held, at_once=answered < _AT_ONCE and perf_counter() - since < _TURN)
                answered += 1
            elif self._refusal is not None:
                self._refuse(self._refusal)
            elif self._rest:
                data, self._rest = self._rest, b""
                self._feed(data)
                self.taken()
            else:
                if self._owner.draining:  # the head of the last answer was sent before, and promised to go on
                    self._close()
                elif not self._reading:  # bodies that came whole, or were not read, may have stopped it
                    self.taken()
                return

    def _start(self, exchange: Exchange, held: int, *, at_once: bool) -> None:
        """Call the handler; what it has to wait for runs in a task, as does all of what is not answered `at_once`.

        `held` bytes of its content are in memory already, which are counted while the task runs.
        """
        self._current = exchange
        answer = self._call(exchange.request) if at_once else None
        if type(answer) is HttpResponse and type(answer.body) is bytes:
            self._answer_at_once(exchange, answer, answer.body)
        else:
            self._unawaited = answer
            self._task = self._loop.create_task(self._serve(exchange))
        if held > _UNCOUNTED and self._task is not None:
            self._owner.budget.take(held)
            self._owner.budget.give_after(self._task, held)

    def _call(self, request: HttpRequest) -> Answer:
        try:
            return self._owner.handler(request)
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 -- as in `_serve`
            return broken(error)

    def _take_whole(self, exchange: Exchange) -> int:
        """Its body has come before anybody asked for it: the request gets it as its content; of what size."""
        request, body = exchange.request, exchange.body
        if body is not None:
            request.content = body.whole()
            request.body = BytesStream(request.content)
        elif request.content:
            self.buffered -= len(request.content) + PIECE_COST
        return len(request.content)

    def _answer_at_once(self, exchange: Exchange, response: HttpResponse, body: bytes) -> None:
        try:
            self._answer_bytes(exchange, response, body)
        except Exception as error:  # noqa: BLE001 -- as in `_serve`
            self._break_off(exchange, error)
            return
        if self._writable is not None:
            self._task = self._loop.create_task(self._finish_written(exchange, response, self._writable))
        else:
            self._finish(exchange, response)

    async def _finish_written(self, exchange: Exchange, response: HttpResponse, written: asyncio.Future[None]) -> None:
        try:
            await written
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        self._finish(exchange, response)
        self._pump()

    async def _serve(self, exchange: Exchange) -> None:
        since, answer, self._unawaited = 0.0, self._unawaited, None
        if answer is None:  # others had their turn first
            since, answer = perf_counter(), self._call(exchange.request)
        try:
            response = answer if isinstance(answer, HttpResponse) else await answer
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if self._closed or (task is not None and task.cancelling()):
                self._transport.abort()
                raise
            response = broken(error)  # not ours: the handler awaited something that was cancelled
        except Exception as error:  # noqa: BLE001 -- nothing a handler does may end the connection's other requests
            response = broken(error)
        if self._closed:
            await end(response.body)
            return
        try:
            body = response.body
            if isinstance(body, (bytes, bytearray, memoryview)):  # a tuple: a union is checked in thrice the time
                self._answer_bytes(exchange, response, body)
            else:
                await self._answer_stream(exchange, response, body)
            if self._writable is not None:
                await self._writable
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        except Exception as error:  # noqa: BLE001 -- as above
            self._break_off(exchange, error)
            return
        self._finish(exchange, response)
        self._pump(since)

    def _break_off(self, exchange: Exchange, error: Exception) -> None:
        """The answer could not be sent, or not to its end."""
        tell(exchange.request, error)
        if exchange.answered:
            self._transport.abort()
        else:
            self._refuse(Refused(500, "InternalFailure"))

    def _answer_bytes(self, exchange: Exchange, response: HttpResponse, body: bytes | bytearray | memoryview) -> None:
        if not is_bodiless(exchange, response):
            self._write(self._head(exchange, response, f"Content-Length: {len(body)}\r\n"), body)
            return
        given = header(response, "content-length")
        if given is None and (body or response.status == 200):
            given = str(len(body))
        self._write(self._head(exchange, response, length_line(response, given)), b"")

    async def _answer_stream(self, exchange: Exchange, response: HttpResponse, body: AsyncIterable[bytes]) -> None:
        given = header(response, "content-length")
        if is_bodiless(exchange, response):
            self._write(self._head(exchange, response, length_line(response, given)), b"")
            await end(body)
            return
        chunked = given is None and not exchange.http10
        if given is not None:
            framing = f"Content-Length: {given}\r\n"
        elif chunked:
            framing = "Transfer-Encoding: chunked\r\n"
        else:
            framing = ""
            exchange.keep_alive = False
        head = self._head(exchange, response, framing)
        try:
            if given is None:
                self._transport.write(head)
                await self._send_pieces(body, chunked=chunked)
            else:
                await self._send_whole(head, body, int(given))
        finally:
            await end(body)

    def _head(self, exchange: Exchange, response: HttpResponse, framing: str) -> bytes:
        """The answer's head, which says whether the connection lives on after it where that takes a line."""
        asked = response.headers.get("Connection")
        if (
            asked == "close"
            or self._owner.draining
            or self._ended
            or (not exchange.complete and not can_discard(exchange, self._limits.drain_size))
        ):
            exchange.keep_alive = False
        if not exchange.keep_alive:
            framing += "Connection: close\r\n"
        elif exchange.http10 or asked == "keep-alive":
            framing += "Connection: keep-alive\r\n"
        if response.status == SWITCHING:
            framing = "Connection: Upgrade\r\n"
        if response.cookies:
            framing += more_lines([("Set-Cookie", cookie) for cookie in response.cookies])
        if response.more:
            framing += more_lines(response.more)
        head = encode_head(response.status, response.headers, framing, self._owner.dates.line())
        exchange.answered = True
        return head

    def _finish(self, exchange: Exchange, response: HttpResponse) -> None:
        self._task = None
        self._idle_since = self._loop.time()
        if exchange.body is not None:
            exchange.body.drop()
        if response.status == SWITCHING and isinstance(response, Upgrade):
            self._switch(response)
        elif self._closed:
            self._current = None
        elif not exchange.keep_alive:
            self._current = None
            self._close(linger=not exchange.complete)
        elif exchange.complete:
            self._next()
        else:
            exchange.discard = True
            self.taken()

    def _next(self) -> None:
        self._current = None
        self._reader.upgrading = False

    def _switch(self, response: Upgrade) -> None:
        rest, self._rest = self._rest, b""
        self._closed = True
        protocol = response.protocol()
        self._reader.close()
        self._owner.closed(self)
        self._transport.set_protocol(protocol)
        protocol.connection_made(self._transport)
        if rest:
            protocol.data_received(rest)
        self._resume_reading()

    def _refuse(self, refusal: Refused, *, linger: bool = True) -> None:
        text = f"{refusal.reason}\n".encode("latin-1", "replace")
        framing = f"Content-Length: {len(text)}\r\nConnection: close\r\n"
        self._transport.write(encode_head(refusal.status, _TEXT, framing, self._owner.dates.line()) + text)
        self._close(linger=linger)

    # --- ending

    def _close(self, *, linger: bool = False) -> None:
        """Write no more; with `linger`, first let the client read the answer while what it still sends is thrown away."""
        self._closed = True
        self._rest = b""
        if linger and not self._ended and self._transport.can_write_eof():
            self._linger_until = self._loop.time() + self._limits.linger_time
            self._transport.write_eof()
            self._resume_reading()
        else:
            self._transport.close()

    def _abandon(self) -> None:
        if self._task is not None and not self._closed:
            self._transport.abort()

    def drain(self) -> None:
        """Close now if nothing runs, else after the answers to what has arrived."""
        if self._current is None and not self._queue and not self._closed:
            self._close()

    def abort(self) -> None:
        """Close at once, whatever runs."""
        self._transport.abort()

    @property
    def task(self) -> asyncio.Task[None] | None:
        """What is answering the current request."""
        return self._task

    def check(self, now: float) -> None:
        """Enforce the times of the limits; `now` is the loop's time."""
        limits = self._limits
        if self._linger_until:
            if now > self._linger_until:
                self._transport.abort()
        elif self._blocked_since:
            if now - self._blocked_since > limits.stall_time:
                self._transport.abort()
        elif self._closed:
            return
        elif self._current is None:
            if self._head_since:
                if now - max(self._head_since, self._idle_since) > limits.header_time:
                    self._refuse(Refused(408, "the request's headers did not arrive in time"))
            elif now - self._idle_since > limits.idle_time:
                self._close()
        else:
            self._check_body(self._current, now)

    def _check_body(self, exchange: Exchange, now: float) -> None:
        body = exchange.body
        if body is None or exchange.complete:
            return
        since = self._idle_since if exchange.discard else body.waiting_since
        slow = now > body.due and self._owner.budget.tight
        if slow or (since and now - max(since, self._data_at) > self._limits.stall_time):
            if exchange.discard:
                self._close()
            else:
                self._fail_body(
                    exchange,
                    RequestTimeout(
                        "Your socket connection to the server was not read from or written to within the timeout"
                        " period. Idle connections will be closed."
                    ),
                )

"""WebSockets (RFC 6455): the handshake, frames, and the limits of both. What is said in them is the WebSocket APIs' part.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import io
import logging
import resource
import time
from collections.abc import Coroutine
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

import wsproto.connection as ws
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from cumulet.gateway.upgrade import Upgrade
from cumulet.kernel.web import Visit, WebAnswer
from cumulet.wire.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from cumulet.gateway.chain import Gateway
    from cumulet.gateway.execute_api import Address

log = logging.getLogger(__name__)

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_NORMAL, _GOING_AWAY, _NO_STATUS, _ABNORMAL, _TOO_BIG = 1000, 1001, 1005, 1006, 1009
_AT_ONCE = 16
"""Messages of one client that are worked on; while there are more, it is not read from."""
_FULL = 10.0
"""Seconds that a sender waits for a client whose buffer is full."""
_FAREWELL = 5.0
"""Seconds that a client has to answer a goodbye."""
_BUFFER = 262_144


class Limits(Protocol):
    """The numbers that count here, of API Gateway's profile."""

    @property
    def socket_message(self) -> int: ...
    @property
    def socket_frame(self) -> int: ...
    @property
    def socket_idle(self) -> float: ...
    @property
    def socket_life(self) -> float: ...


class Front(Protocol):
    """WebSocket APIs, as the gateway sees them."""

    limits: Any

    async def connect(self, visit: Visit, api_id: str, path: str, *, mapped: bool = False) -> Any:
        """A WebAnswer that refuses, an acceptance (`connection`, `subprotocol`), or None for no such API."""
        ...

    def opened(self, connection: Any, wire: Any) -> None: ...

    def message(self, connection: Any, data: str | bytes) -> Coroutine[Any, Any, None]: ...

    def closed(self, connection: Any, code: int, reason: str) -> None: ...


def is_handshake(request: HttpRequest) -> bool:
    """Whether a client asks for a WebSocket."""
    return request.headers.get("upgrade", "").lower() == "websocket" and request.method == "GET"


async def serve(gateway: Gateway, request: HttpRequest, visit: Visit, address: Address) -> HttpResponse | None:
    """The answer to a handshake; None when it is for no WebSocket API. Raises what the API's parts raise."""
    state: Any = (await gateway.dispatcher.service("apigatewayv2")).state
    front: Front = state.socket_front
    if await state.programs.protocol(address.api_id) != "WEBSOCKET":
        return None
    key = request.headers.get("sec-websocket-key", "")
    started = time.perf_counter()
    if request.headers.get("sec-websocket-version") != "13":
        return HttpResponse(426, {"Sec-WebSocket-Version": "13", "Content-Type": "text/plain"}, b"Upgrade Required")
    if not is_key(key):
        return HttpResponse(400, {"Content-Type": "text/plain"}, b"Bad Request: Sec-WebSocket-Key is none")
    answer = await front.connect(visit, address.api_id, address.path, mapped=address.mapped)
    if answer is None:
        return None
    if isinstance(answer, WebAnswer):
        response = HttpResponse(answer.status, {"x-amzn-RequestId": visit.request_id}, answer.body, (), answer.headers)
    else:
        response = accept(front, answer, key, request)
    gateway.recorder.add(
        "execute-api", "Connect", response.status, "", ("", "", "", visit.request_id), time.perf_counter() - started
    )
    return response


@cache
def _make_room() -> None:
    """As many open files as the machine grants: thousands of connections are more than the usual 1,024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def accept(front: Front, accepted: Any, key: str, request: HttpRequest) -> Upgrade:
    """The answer to a handshake with a key, after which `front` hears of `accepted.connection`."""
    _make_room()
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    headers = {"Upgrade": "websocket", "Sec-WebSocket-Accept": base64.b64encode(digest).decode()}
    offered = [name.strip() for name in request.headers.get("sec-websocket-protocol", "").split(",")]
    if accepted.subprotocol and accepted.subprotocol in offered:
        headers["Sec-WebSocket-Protocol"] = accepted.subprotocol
    upgrade = Upgrade(101, headers)
    upgrade.protocol = lambda: Socket(front, accepted.connection)
    return upgrade


def is_key(text: str) -> bool:
    """Whether a handshake's key is one."""
    try:
        return len(base64.b64decode(text, validate=True)) == 16
    except (binascii.Error, ValueError):
        return False


class Socket(asyncio.Protocol):
    """One open WebSocket. Thousands wait most of the time, so what only talking needs is made when there is talk."""

    __slots__ = (
        "_bytes",
        "_closing",
        "_code",
        "_connection",
        "_frame",
        "_front",
        "_last",
        "_loop",
        "_message",
        "_proto",
        "_reading",
        "_reason",
        "_running",
        "_since",
        "_size",
        "_text",
        "_transport",
        "_writable",
    )

    def __init__(self, front: Front, connection: Any) -> None:
        self._front = front
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._proto: ws.Connection | None = None
        self._text: io.StringIO | None = None
        self._bytes: bytearray | None = None
        self._size = self._frame = 0
        self._since = self._last = self._loop.time()
        self._running = 0
        self._reading = True
        self._writable: asyncio.Future[None] | None = None
        self._closing = 0.0
        self._code = _ABNORMAL
        self._reason = ""

    # --- asyncio's callbacks

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(_BUFFER)
        self._front.opened(self._connection, self)

    def data_received(self, data: bytes) -> None:
        self._last = self._loop.time()
        proto = self._protocol()
        if proto.state is ws.ConnectionState.CLOSED:
            return
        proto.receive_data(data)
        for event in proto.events():
            if not self._heard(proto, event):
                break

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.resume_writing()
        self._front.closed(self._connection, self._code, self._reason)

    def pause_writing(self) -> None:
        self._writable = self._loop.create_future()
        self._balance()

    def resume_writing(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)
        self._balance()

    # --- hearing

    def _protocol(self) -> ws.Connection:
        if self._proto is None:
            self._proto = ws.Connection(ws.ConnectionType.SERVER)
        return self._proto

    def _heard(self, proto: ws.Connection, event: Any) -> bool:
        """Act on an event; False when what follows does not count any more."""
        if isinstance(event, (TextMessage, BytesMessage)):
            return bool(self._closing) or self._piece(event)
        if isinstance(event, Ping):
            if not self._closing:
                self._transport.write(proto.send(event.response()))
        elif isinstance(event, CloseConnection):
            return self._goodbye(proto, event)
        else:
            assert isinstance(event, Pong)
        return True

    def _piece(self, event: TextMessage | BytesMessage) -> bool:
        """A part of a frame of a message."""
        data = event.data
        # A character may be four bytes; a frame counts as one at least, or empty ones would never end a message.
        length = len(data) if not isinstance(data, str) or data.isascii() else len(data.encode())
        self._frame += length
        self._size += length or int(event.frame_finished)
        limits: Limits = self._front.limits
        if self._frame > limits.socket_frame or self._size > limits.socket_message:
            self.close(_TOO_BIG, "Message too big")
            return False
        if event.frame_finished:
            self._frame = 0
        if isinstance(data, str):
            if self._text is None and event.message_finished:
                whole: str | bytes = data
            else:
                self._text = self._text or io.StringIO()
                self._text.write(data)
                whole = self._text.getvalue() if event.message_finished else ""
        else:
            self._bytes = self._bytes if self._bytes is not None else bytearray()
            self._bytes += data
            whole = bytes(self._bytes) if event.message_finished else b""
        if event.message_finished:
            self._text = self._bytes = None
            self._size = 0
            self._start(whole)
        return True

    def _start(self, whole: str | bytes) -> None:
        self._running += 1
        self._balance()
        task = self._loop.create_task(self._front.message(self._connection, whole))
        _running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        _running.discard(task)
        self._running -= 1
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a WebSocket's message failed", exc_info=error)
        self._balance()

    def _balance(self) -> None:
        """Read only while there is room: for messages to be worked on, and for what is to be sent."""
        wanted = self._running < _AT_ONCE and self._writable is None
        if wanted == self._reading or self._transport.is_closing():
            return
        self._reading = wanted
        if wanted:
            self._transport.resume_reading()
        else:
            self._transport.pause_reading()

    def _goodbye(self, proto: ws.Connection, event: CloseConnection) -> bool:
        """The client says goodbye, or answers ours, or broke the protocol."""
        if proto.state is ws.ConnectionState.REMOTE_CLOSING:
            self._code = int(event.code)
            self._reason = event.reason or ""
            code = _NORMAL if self._code == _NO_STATUS else self._code
            self._transport.write(proto.send(CloseConnection(code)))
            self._transport.close()
        elif proto.state is ws.ConnectionState.CLOSED:
            self._transport.close()
        else:
            self.close(int(event.code), str(event.reason or ""))
            self._transport.close()
        return False

    # --- what WebSocket APIs ask for

    async def send(self, data: bytes) -> bool:
        """Send one message, text where it is text; False when the client takes nothing. Raises ConnectionError when it is gone."""
        if self._writable is not None:
            try:
                async with asyncio.timeout(_FULL):
                    await asyncio.shield(self._writable)
            except TimeoutError:
                return False
        if self._closing or self._transport.is_closing():  # perhaps while it waited
            raise ConnectionError("the connection is closed")
        self._last = self._loop.time()
        proto = self._protocol()
        frame = self._front.limits.socket_frame
        try:
            content: str | bytes = data.decode()
        except UnicodeDecodeError:
            content = data
        if len(data) <= frame:
            self._transport.write(proto.send(_message(content, finished=True)))
            return True
        # Text is cut between characters: by a quarter, which is the most that one can take.
        step = frame if isinstance(content, bytes) or content.isascii() else frame // 4
        for start in range(0, len(content), step):
            finished = start + step >= len(content)
            self._transport.write(proto.send(_message(content[start : start + step], finished=finished)))
        return True

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; the client has five seconds to answer."""
        if self._closing or self._transport.is_closing():
            return
        self._closing = self._loop.time()
        self._code, self._reason = code, reason
        proto = self._protocol()
        self._transport.write(proto.send(CloseConnection(code, reason[:100])))
        self._loop.call_later(_FAREWELL, self._transport.abort)

    def check(self, now: float) -> None:
        """End the connection when it has been idle, or open, for too long."""
        limits: Limits = self._front.limits
        if now - self._last > limits.socket_idle or now - self._since > limits.socket_life:
            self.close(_GOING_AWAY, "Going away")


_running: set[asyncio.Task[None]] = set()


def _message(content: str | bytes, *, finished: bool) -> TextMessage | BytesMessage:
    if isinstance(content, str):
        return TextMessage(content, message_finished=finished)
    return BytesMessage(content, message_finished=finished)

"""The HTTP Runtime API of an environment that serves several invocations at once.

As many requests for the next event wait as the runtime likes; responses belong to invocations by their request id.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-execution-environment.html
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable

from cumulet.compute.channel import Frame
from cumulet.compute.extension_api import PREFIXES, ExtensionApi
from cumulet.compute.http_connection import Answer, Connection, Request
from cumulet.compute.model import MAX_RESPONSE, Invocation
from cumulet.compute.runtime_api import (
    ACCEPTED,
    NOT_FOUND,
    OF_INVOCATION,
    PREFIX,
    content_type,
    cut_off,
    ending_of,
    error,
    event_of,
    streams,
)
from cumulet.compute.runtimes.inside import frames

_SPARE_CONNECTIONS = 64
_WORKER = b"cumulet-worker"
"""Header of the built-in runtimes' requests: which of their workers asks. What it was given ends with it."""
_NONE_GIVEN = b""


class Delivery:
    """One invocation on its way through the API. `on_frame` gets what comes of it, of which the last is its answer."""

    __slots__ = ("connection", "invocation", "on_frame", "state", "worker")

    def __init__(self, invocation: Invocation, on_frame: Callable[[Frame], None]) -> None:
        self.invocation = invocation
        self.on_frame = on_frame
        self.state = "waiting"
        self.worker = _NONE_GIVEN
        self.connection: Connection | None = None


class ConcurrentApi:
    """The platform's end. `on_frame` gets READY once, or INIT_ERROR."""

    def __init__(
        self, limit: int, on_frame: Callable[[Frame], None], extensions: Callable[[], ExtensionApi | None]
    ) -> None:
        """`limit`: invocations at once. `extensions` gives what answers the requests of extensions."""
        self._limit = limit
        self._on_frame = on_frame
        self._extensions = extensions
        self._ready = False
        self._failed = False
        self._waiting: dict[Connection, bytes] = {}
        self._queue: deque[Delivery] = deque()
        self._streams = 0
        self._body_limit = MAX_RESPONSE
        self._given: dict[str, Delivery] = {}
        self._writers: dict[Connection, Delivery] = {}
        self._connections: set[Connection] = set()
        self._asking: dict[Connection, ExtensionApi] = {}
        self._server: asyncio.Server | None = None
        self._closed = False

    async def open(self, listener: socket.socket) -> None:
        """Serve on a listener that is open inside an environment; it is closed by `close`."""
        server = await asyncio.get_running_loop().create_server(lambda: Connection(self), sock=listener)
        if self._closed:
            server.close()
        self._server = server

    def close(self) -> None:
        self._closed = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()

    def submit(self, delivery: Delivery) -> None:
        """Give an invocation to a request that waits for one, or to the next."""
        if self._waiting:
            connection = next(iter(self._waiting))
            self._give(connection, self._waiting.pop(connection), delivery)
        else:
            self._queue.append(delivery)

    def withdraw(self, delivery: Delivery) -> bool:
        """Nobody waits for it any more. False when the runtime has it already, and goes on with it."""
        if delivery.state != "waiting":
            return False
        self._queue.remove(delivery)
        return True

    def worker_ended(self, worker: bytes) -> list[Delivery]:
        """The invocations that it had, which nobody will answer."""
        lost = [delivery for delivery in self._given.values() if delivery.worker == worker]
        for delivery in lost:
            self._forget(delivery)
        return lost

    # What connections ask

    def connected(self, connection: Connection) -> bool:
        """Whether it may stay: two for each invocation, one to ask and one to answer, and some."""
        if len(self._connections) >= 2 * self._limit + _SPARE_CONNECTIONS:
            return False
        self._connections.add(connection)
        return True

    def disconnected(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._waiting.pop(connection, None)
        if (extensions := self._asking.pop(connection, None)) is not None:
            extensions.disconnected(connection)
        if (delivery := self._writers.pop(connection, None)) is not None:
            self._forget(delivery)
            for frame in cut_off():
                delivery.on_frame(frame)

    @property
    def streaming(self) -> bool:
        """Whether a response is wanted as it comes."""
        return self._streams > 0

    @property
    def body_limit(self) -> int:
        """Bytes of a body that are kept; what is over is dropped as it comes."""
        return self._body_limit

    def taker(self, connection: Connection, request: Request) -> Callable[[bytes], None] | None:
        """What takes a response as it comes, where who invoked the function wants it so; None for other bodies."""
        matched = OF_INVOCATION.fullmatch(request.path.removeprefix(PREFIX))
        delivery = self._given.get(matched[1]) if matched is not None and matched[2] == "response" else None
        if (
            delivery is None
            or delivery.invocation.stream is None
            or delivery.state != "running"
            or not streams(request)
        ):
            return None
        delivery.state, delivery.connection = "sending", connection
        self._writers[connection] = delivery
        on_frame = delivery.on_frame
        on_frame((frames.BEGIN, content_type(request)))
        return lambda piece: on_frame((frames.PART, piece))

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request, now or, where it asks for an event, when there is one."""
        if request.path.startswith(PREFIXES) and (extensions := self._extensions()) is not None:
            extensions.handle(connection, request)
            self._asking[connection] = extensions
            return
        path = request.path.partition("?")[0]
        path = path[len(PREFIX) :] if path.startswith(PREFIX + "/") else ""
        matched = OF_INVOCATION.fullmatch(path)
        method = "GET" if path in {"/runtime/invocation/next", "/ping"} else "POST"
        if matched is None and path not in {"/runtime/invocation/next", "/ping", "/runtime/init/error"}:
            connection.answer(NOT_FOUND)
        elif request.method != method:
            connection.answer(Answer(405, b"", extra=b"Allow: " + method.encode() + b"\r\n"))
        elif matched is not None:
            self._end(connection, matched[1], matched[2], request)
        elif path == "/ping":
            connection.answer(Answer(200, b"pong", b"text/plain"))
        elif path == "/runtime/init/error":
            self._init_error(connection, request)
        else:
            self._next(connection, request.headers.get(_WORKER, _NONE_GIVEN))

    def _next(self, connection: Connection, worker: bytes) -> None:
        if self._queue:
            self._give(connection, worker, self._queue.popleft())
        else:
            self._waiting[connection] = worker
        if not self._ready:
            self._ready = True
            self._on_frame((frames.READY, b""))

    def _give(self, connection: Connection, worker: bytes, delivery: Delivery) -> None:
        delivery.state, delivery.worker = "running", worker
        self._given[delivery.invocation.request_id] = delivery
        self._streams += delivery.invocation.stream is not None
        self._body_limit = delivery.invocation.max_response
        connection.answer(event_of(delivery.invocation))

    def _end(self, connection: Connection, id_: str, kind: str, request: Request) -> None:
        delivery = self._given.get(id_)
        if delivery is None:
            connection.answer(error(400, "InvalidRequestID", "Invalid request ID"))
            return
        if delivery.state == "sending" and not request.streamed:
            message = (
                "Transition from RuntimeResponseStartedState failed for runtime. Error: State transition is not allowed"
            )
            connection.answer(error(403, "InvalidStateTransition", message))
            return
        self._forget(delivery)
        answer, told = ending_of(delivery.invocation, kind, request)
        connection.answer(answer)
        for frame in told:
            delivery.on_frame(frame)

    def _forget(self, delivery: Delivery) -> None:
        if self._given.pop(delivery.invocation.request_id, None) is not None:
            self._streams -= delivery.invocation.stream is not None
        if delivery.connection is not None:
            self._writers.pop(delivery.connection, None)
        delivery.state, delivery.connection = "sent", None

    def _init_error(self, connection: Connection, request: Request) -> None:
        if self._ready or self._failed:  # of one of several workers; the others go on
            connection.answer(error(403, "InvalidStateTransition", "The initialisation is over."))
            return
        self._failed = True
        connection.answer(ACCEPTED)
        self._on_frame((frames.INIT_ERROR, request.body or b""))

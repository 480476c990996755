"""The HTTP Runtime API, as one environment sees it: on the loop, strict, and bounded in what it takes.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import asyncio
import re
import socket
from collections.abc import Callable
from typing import Any

import msgspec

from cumulet.compute.channel import Frame
from cumulet.compute.http_connection import Answer, Connection, Request
from cumulet.compute.model import MAX_RESPONSE, Invocation
from cumulet.compute.runtimes.inside import frames

_MAX_CONNECTIONS = 64
_PREFIX = "/2018-06-01"
_OF_INVOCATION = re.compile(r"/runtime/invocation/([^/]{1,128})/(response|error)")
_BREAKS = re.compile(rb"[\r\n]+")
_ERROR_TYPE = b"lambda-runtime-function-error-type"
_RESPONSE_MODE = b"lambda-runtime-function-response-mode"
_WITH_CAUSE = b"application/vnd.aws.lambda.error.cause+json"
_SHOWN = ("errorMessage", "errorType", "stackTrace")

_ACCEPTED = Answer(202, b'{"status":"OK"}\n')
_NOT_FOUND = Answer(404, b"404 page not found\n", b"text/plain; charset=utf-8")
_STATES = {"started": "Started", "ready": "Ready", "running": "Running", "sent": "RuntimeResponseSentState"}


class RuntimeApi:
    """The platform's end, in place of a channel of frames: what a runtime asks and tells becomes frames.

    The first request for an event is READY; a response, an error and an error of the initialisation are RESPONSE, ERROR
    and INIT_ERROR.
    """

    def __init__(self, on_frame: Callable[[Frame], None]) -> None:
        self._on_frame = on_frame
        self._state = "started"
        self._invocation: Invocation | None = None
        self._given = False
        self._waiting: Connection | None = None
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

    @classmethod
    async def open(cls, listener: socket.socket, on_frame: Callable[[Frame], None]) -> "RuntimeApi":
        """Serve on a listener that is open inside an environment; it is closed by `close`."""
        api = cls(on_frame)
        loop = asyncio.get_running_loop()
        api._server = await loop.create_server(lambda: Connection(api), sock=listener)
        return api

    def invoke(self, invocation: Invocation) -> None:
        """Give an event to the request that waits for one, or to the next."""
        self._invocation, self._given = invocation, False
        if self._waiting is not None:
            self._give(self._waiting)

    def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()

    def connected(self, connection: Connection) -> bool:
        """Whether it may stay."""
        if len(self._connections) >= _MAX_CONNECTIONS:
            return False
        self._connections.add(connection)
        return True

    def disconnected(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if self._waiting is connection:
            self._waiting = None

    @property
    def body_limit(self) -> int:
        """Bytes of a body that are kept; what is over is dropped as it comes."""
        return self._invocation.max_response if self._invocation is not None else MAX_RESPONSE

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request, now or, where it asks for an event, when there is one."""
        path = request.path.partition("?")[0]
        path = path[len(_PREFIX) :] if path.startswith(_PREFIX + "/") else ""
        of_invocation = _OF_INVOCATION.fullmatch(path)
        action: Callable[[Connection, Request], None]
        if path == "/runtime/invocation/next":
            method, action = "GET", self._next
        elif path == "/runtime/init/error":
            method, action = "POST", self._init_error
        elif path == "/ping":
            method, action = "GET", lambda connection, _: connection.answer(Answer(200, b"pong", b"text/plain"))
        elif of_invocation is not None:
            method = "POST"
            id_, kind = of_invocation.groups()
            action = lambda connection, request: connection.answer(self._end(id_, kind, request))  # noqa: E731
        else:
            connection.answer(_NOT_FOUND)
            return
        if request.method == method:
            action(connection, request)
        else:
            connection.answer(Answer(405, b"", extra=b"Allow: " + method.encode() + b"\r\n"))

    def _next(self, connection: Connection, request: Request) -> None:
        del request
        if self._state == "running" and self._given:
            connection.answer(self._forbidden("Ready"))
            return
        if self._waiting is not None:
            self._waiting.close()  # the runtime asks again: it has given that request up
        self._waiting = connection
        first, self._state = self._state == "started", "ready"
        if first:
            self._on_frame((frames.READY, b""))
        elif self._invocation is not None and not self._given:
            self._give(connection)

    def _give(self, connection: Connection) -> None:
        invocation = self._invocation
        assert invocation is not None
        self._waiting, self._given, self._state = None, True, "running"
        headers = (
            (b"Lambda-Runtime-Aws-Request-Id", invocation.request_id.encode()),
            (b"Lambda-Runtime-Deadline-Ms", str(invocation.deadline_ms).encode()),
            (b"Lambda-Runtime-Invoked-Function-Arn", invocation.function_arn.encode()),
            (b"Lambda-Runtime-Trace-Id", invocation.trace.encode()),
            (b"Lambda-Runtime-Client-Context", invocation.client_context or b""),
            (b"Lambda-Runtime-Cognito-Identity", invocation.identity or b""),
            (b"Lambda-Runtime-Aws-Tenant-Id", invocation.tenant_id.encode()),
        )
        extra = b"".join(b"%b: %b\r\n" % (name, _BREAKS.sub(b" ", value)) for name, value in headers if value)
        connection.answer(Answer(200, invocation.payload, extra=extra))

    def _end(self, id_: str, kind: str, request: Request) -> Answer:
        invocation = self._invocation
        if invocation is None or invocation.request_id != id_:
            return _error(400, "InvalidRequestID", "Invalid request ID")
        if self._state != "running":
            return self._forbidden("InvocationResponse" if kind == "response" else "InvocationErrorResponse")
        self._state = "sent"
        self._invocation = msgspec.structs.replace(invocation, payload=b"")
        if request.body is None:
            self._on_frame((frames.RESPONSE, None))
            message = f"Exceeded maximum allowed payload size ({invocation.max_response} bytes)."
            return _error(413, "RequestEntityTooLarge", message)
        mode = request.headers.get(_RESPONSE_MODE, b"")
        if mode not in {b"", b"streaming"}:
            self._on_frame((frames.ERROR, b""))
            return _error(400, "InvalidFunctionResponseMode", "Invalid function response mode")
        if kind == "error" or (mode and _ERROR_TYPE in request.headers):
            self._on_frame((frames.ERROR, _error_body(request)))
        else:
            self._on_frame((frames.RESPONSE, request.body))
        return _ACCEPTED

    def _init_error(self, connection: Connection, request: Request) -> None:
        if self._state != "started":
            connection.answer(self._forbidden("InitError"))
            return
        self._state = "sent"
        connection.answer(_ACCEPTED)
        self._on_frame((frames.INIT_ERROR, request.body or b""))

    def _forbidden(self, wanted: str) -> Answer:
        message = f"Transition from {_STATES[self._state]} to {wanted} failed for runtime. Error: State transition is not allowed"
        return _error(403, "InvalidStateTransition", message)


def _error_body(request: Request) -> bytes:
    """The error document; one that carries its cause for X-Ray as well is cut down to what a caller sees."""
    body = request.body or b""
    if request.headers.get(b"content-type") != _WITH_CAUSE:
        return body
    try:
        document: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except msgspec.DecodeError:
        return b'"Invalid error body"'
    return msgspec.json.encode({name: document[name] for name in _SHOWN if name in document})


def _error(status: int, kind: str, message: str) -> Answer:
    return Answer(status, msgspec.json.encode({"errorMessage": message, "errorType": kind}))

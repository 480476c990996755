"""The HTTP Runtime API, as one environment sees it: on the loop, strict, and bounded in what it takes.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import asyncio
import base64
import binascii
import re
import socket
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from cumulet.compute.channel import Frame
from cumulet.compute.extension_api import PREFIXES, ExtensionApi, Served
from cumulet.compute.http_connection import Answer, Api, Connection, Request
from cumulet.compute.model import MAX_RESPONSE, Invocation
from cumulet.compute.runtimes.inside import frames

PREFIX = "/2018-06-01"
OF_INVOCATION = re.compile(r"/runtime/invocation/([^/]{1,128})/(response|error)")
_BREAKS = re.compile(rb"[\r\n]+")
_ERROR_TYPE = b"lambda-runtime-function-error-type"
_ERROR_BODY = b"lambda-runtime-function-error-body"
_LAST = b"x-cumulet-last"
"""Says that the runtime ends after this error; runtimes of ours alone send it."""
_RESPONSE_MODE = b"lambda-runtime-function-response-mode"
_BYTES = b"application/octet-stream"
_WITH_METADATA = b"application/vnd.awslambda.http-integration-response"
_TRUNCATED = b"Runtime.TruncatedResponse"
_WITH_CAUSE = b"application/vnd.aws.lambda.error.cause+json"
_SHOWN = ("errorMessage", "errorType", "stackTrace")

ACCEPTED = Answer(202, b'{"status":"OK"}\n')
NOT_FOUND = Answer(404, b"404 page not found\n", b"text/plain; charset=utf-8")
_STATES = {
    "started": "Started",
    "ready": "Ready",
    "restoring": "Restoring",
    "running": "Running",
    "sending": "RuntimeResponseStartedState",
    "sent": "RuntimeResponseSentState",
}


class RuntimeApi(Served):
    """The platform's end, in place of a channel of frames: what a runtime asks and tells becomes frames.

    The first request for an event is READY; a response, an error and an error of the initialisation are RESPONSE, ERROR
    and INIT_ERROR. One that waits as a snapshot asks to be restored first, which is READY, and then for an event, which is
    RESTORED, or says RESTORE_ERROR.
    """

    def __init__(self, on_frame: Callable[[Frame], None], extensions: Callable[[], ExtensionApi | None]) -> None:
        """`extensions` gives what answers the requests of extensions, as soon as there is a function."""
        super().__init__()
        self._on_frame = on_frame
        self._state = "started"
        self._invocation: Invocation | None = None
        self._given = False
        self._waiting: Connection | None = None
        self._writer: Connection | None = None
        self._asking: dict[Connection, ExtensionApi] = {}
        self._extensions = extensions
        self.successor: Api | None = None
        """Who answers connections made from now on: an environment is to serve several invocations at once."""

    @classmethod
    async def open(
        cls, listener: socket.socket, on_frame: Callable[[Frame], None], extensions: Callable[[], ExtensionApi | None]
    ) -> "RuntimeApi":
        """Serve on a listener that is open inside an environment; it is closed by `close`."""
        api = cls(on_frame, extensions)
        loop = asyncio.get_running_loop()
        api._server = await loop.create_server(lambda: Connection(api.successor or api), sock=listener)
        return api

    def invoke(self, invocation: Invocation) -> None:
        """Give an event to the request that waits for one, or to the next."""
        self._invocation, self._given = invocation, False
        if self._waiting is not None:
            self._give(self._waiting)

    def restore(self, variables: Mapping[str, str]) -> None:
        """Have a runtime go on that asked to be restored; any other is ready for events as it is. There is no way to give
        it variables."""
        del variables
        if self._state == "restoring" and self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            waiting.answer(Answer(200, b""))
        else:
            self._on_frame((frames.RESTORED, b""))

    def pause(self) -> None:
        """Take no more of a response that is written in parts for now."""
        if self._writer is not None:
            self._writer.pause()

    def resume(self) -> None:
        if self._writer is not None:
            self._writer.resume()

    def disconnected(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if (extensions := self._asking.pop(connection, None)) is not None:
            extensions.disconnected(connection)
        if self._waiting is connection:
            self._waiting = None
        if self._writer is connection:
            self._writer, self._state = None, "sent"
            for frame in cut_off():
                self._on_frame(frame)

    def taker(self, connection: Connection, request: Request) -> Callable[[bytes], None] | None:
        """What takes a response as it comes, where who invoked the function wants it so; None for other bodies.

        See `streams`.
        """
        invocation, path = self._invocation, request.path.removeprefix(PREFIX)
        if (
            invocation is None
            or invocation.stream is None
            or self._state != "running"
            or path != f"/runtime/invocation/{invocation.request_id}/response"
            or not streams(request)
        ):
            return None
        self._writer, self._state = connection, "sending"
        self._on_frame((frames.BEGIN, content_type(request)))
        return lambda piece: self._on_frame((frames.PART, piece))

    @property
    def streaming(self) -> bool:
        """Whether a response is wanted as it comes."""
        return self._invocation is not None and self._invocation.stream is not None

    @property
    def body_limit(self) -> int:
        """Bytes of a body that are kept; what is over is dropped as it comes."""
        return self._invocation.max_response if self._invocation is not None else MAX_RESPONSE

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request, now or, where it asks for an event, when there is one."""
        if request.path.startswith(PREFIXES) and (extensions := self._extensions()) is not None:
            extensions.handle(connection, request)
            self._asking[connection] = extensions
            return
        path = request.path.partition("?")[0]
        path = path[len(PREFIX) :] if path.startswith(PREFIX + "/") else ""
        of_invocation = OF_INVOCATION.fullmatch(path)
        action: Callable[[Connection, Request], None]
        if path == "/runtime/invocation/next":
            method, action = "GET", self._next
        elif path == "/runtime/init/error":
            method, action = "POST", self._init_error
        elif path == "/runtime/restore/next":
            method, action = "GET", self._restore_next
        elif path == "/runtime/restore/error":
            method, action = "POST", self._restore_error
        elif path == "/ping":
            method, action = "GET", lambda connection, _: connection.answer(Answer(200, b"pong", b"text/plain"))
        elif of_invocation is not None:
            method = "POST"
            id_, kind = of_invocation.groups()
            action = lambda connection, request: connection.answer(self._end(id_, kind, request))  # noqa: E731
        else:
            connection.answer(NOT_FOUND)
            return
        if request.method == method:
            action(connection, request)
        else:
            connection.answer(Answer(405, b"", extra=b"Allow: " + method.encode() + b"\r\n"))

    def _next(self, connection: Connection, request: Request) -> None:
        del request
        if self._state in {"running", "sending"} and self._given:
            connection.answer(self._forbidden("Ready"))
            return
        if self._waiting is not None:
            self._waiting.close()  # the runtime asks again: it has given that request up
        self._waiting = connection
        before, self._state = self._state, "ready"
        if before == "started":
            self._on_frame((frames.READY, b""))
        elif before == "restoring":
            self._on_frame((frames.RESTORED, b""))
        elif self._invocation is not None and not self._given:
            self._give(connection)

    def _give(self, connection: Connection) -> None:
        invocation = self._invocation
        assert invocation is not None
        self._waiting, self._given, self._state = None, True, "running"
        connection.answer(event_of(invocation))

    def _end(self, id_: str, kind: str, request: Request) -> Answer:
        invocation = self._invocation
        if invocation is None or invocation.request_id != id_:
            return error(400, "InvalidRequestID", "Invalid request ID")
        if self._state != ("sending" if request.streamed else "running"):
            return self._forbidden("InvocationResponse" if kind == "response" else "InvocationErrorResponse")
        self._state, self._writer = "sent", None
        self._invocation = msgspec.structs.replace(invocation, payload=b"", stream=None)
        answer, told = ending_of(invocation, kind, request)
        for frame in told:
            self._on_frame(frame)
        return answer

    def _init_error(self, connection: Connection, request: Request) -> None:
        if self._state != "started":
            connection.answer(self._forbidden("InitError"))
            return
        self._state = "sent"
        connection.answer(ACCEPTED)
        self._on_frame((frames.INIT_ERROR, request.body or b""))

    def _restore_next(self, connection: Connection, request: Request) -> None:
        del request
        if self._state != "started":
            connection.answer(self._forbidden("Restoring"))
            return
        self._waiting, self._state = connection, "restoring"
        self._on_frame((frames.READY, b""))

    def _restore_error(self, connection: Connection, request: Request) -> None:
        if self._state != "restoring":
            connection.answer(self._forbidden("RestoreError"))
            return
        self._state = "sent"
        connection.answer(ACCEPTED)
        self._on_frame((frames.RESTORE_ERROR, request.body or b""))

    def _forbidden(self, wanted: str) -> Answer:
        message = f"Transition from {_STATES[self._state]} to {wanted} failed for runtime. Error: State transition is not allowed"
        return error(403, "InvalidStateTransition", message)


def event_of(invocation: Invocation) -> Answer:
    """The answer to who asked for the next event."""
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
    return Answer(200, invocation.payload, extra=extra)


def ending_of(invocation: Invocation, kind: str, request: Request) -> tuple[Answer, list[Frame]]:
    """What a runtime that ends an invocation is answered, and what that means as frames; `kind` is response or error."""
    if request.body is None:
        message = f"Exceeded maximum allowed payload size ({invocation.max_response} bytes)."
        return error(413, "RequestEntityTooLarge", message), [(frames.RESPONSE, None)]
    mode = request.headers.get(_RESPONSE_MODE, b"")
    if mode not in {b"", b"streaming"}:
        wrong = error(400, "InvalidFunctionResponseMode", "Invalid function response mode")
        return wrong, [(frames.ERROR, b"")]
    if kind == "error":
        answer = frames.LAST_ERROR if _LAST in request.headers else frames.ERROR
        return ACCEPTED, [(answer, _error_body(request))]
    if _ERROR_TYPE in request.headers:  # a trailer
        fault = request.headers[_ERROR_TYPE]
        return ACCEPTED, [(frames.FAULT, fault), (frames.ERROR, _trailing_error(request.headers))]
    told: list[Frame] = [(frames.RESPONSE, request.body)]
    type_ = request.headers.get(b"content-type", _BYTES)
    if (mode or type_ == _WITH_METADATA) and not request.streamed:
        told.insert(0, (frames.BEGIN, type_))
    return ACCEPTED, told


def streams(request: Request) -> bool:
    """Whether a response may be taken as it comes; that the runtime says so is not asked: the official Go client does not."""
    return request.headers.get(_RESPONSE_MODE, b"streaming") == b"streaming"


def content_type(request: Request) -> bytes:
    return request.headers.get(b"content-type", _BYTES)


def cut_off() -> list[Frame]:
    """A response whose connection ended within it."""
    document = b'{"errorType":"%b","errorMessage":"The response was cut off."}' % _TRUNCATED
    return [(frames.FAULT, _TRUNCATED), (frames.ERROR, document)]


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


def _trailing_error(headers: dict[bytes, bytes]) -> bytes:
    """The error document that came after a response that broke off."""
    try:
        return base64.b64decode(headers.get(_ERROR_BODY, b""), validate=True) or _untold(headers)
    except binascii.Error:
        return _untold(headers)


def _untold(headers: dict[bytes, bytes]) -> bytes:
    return msgspec.json.encode({"errorType": headers[_ERROR_TYPE].decode("utf-8", "replace"), "errorMessage": ""})


def error(status: int, kind: str, message: str) -> Answer:
    return Answer(status, msgspec.json.encode({"errorMessage": message, "errorType": kind}))

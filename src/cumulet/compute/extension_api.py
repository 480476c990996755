"""The HTTP side of extensions: the Extensions, Telemetry and Logs API as one environment sees them.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

import asyncio
import socket
import uuid
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from cumulet.compute.extensions import Extension, Extensions, Refusal
from cumulet.compute.http_connection import Answer, Connection, Request
from cumulet.compute.model import FunctionSpec
from cumulet.compute.subscriptions import LOGS_SCHEMAS, TELEMETRY_SCHEMAS, Invalid, Subscription, parse
from cumulet.kernel.ids import new_id

PREFIXES = ("/2020-01-01/extension/", "/2022-07-01/telemetry", "/2020-08-15/logs")
_EXTENSION, _TELEMETRY, _LOGS = PREFIXES
_MAX_CONNECTIONS = 64
_MAX_BODY = 1 << 20
_NAME = b"lambda-extension-name"
_ID = b"lambda-extension-identifier"
_FEATURES = b"lambda-extension-accept-feature"
_ERROR_TYPE = b"lambda-extension-function-error-type"
_ACCEPTED = Answer(202, b'{"status":"OK"}\n')
_SUBSCRIBED = Answer(200, b'"OK"', b"text/plain; charset=utf-8")
NOT_FOUND = Answer(404, b"404 page not found\n", b"text/plain; charset=utf-8")


class Host(Protocol):
    """The environment that extensions are in. `extensions` is there from the first request on."""

    spec: FunctionSpec

    def host_extensions(self) -> Extensions: ...

    def subscribe(self, extension: Extension, subscription: Subscription, what: str) -> bool:
        """`what` is telemetry or logs; False when it is too late."""
        ...


class _Asked:
    """A request for the next event."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def event(self, extension: Extension, body: bytes) -> None:
        extra = b"Lambda-Extension-Event-Identifier: %b\r\nLambda-Extension-Identifier: %b\r\n" % (
            new_id().encode(),
            extension.id.encode(),
        )
        self.connection.answer(Answer(200, body, extra=extra))


class ExtensionApi:
    """Answers the requests of one environment's extensions."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._waiting: dict[Connection, _Asked] = {}

    def handle(self, connection: Connection, request: Request) -> None:
        """Answer a request whose path begins with one of PREFIXES."""
        path = request.path.partition("?")[0].rstrip("/")
        action: Callable[[Connection, Request], Answer | None]
        if path == _EXTENSION + "register":
            method, action = "POST", self._register
        elif path == _EXTENSION + "event/next":
            method, action = "GET", self._next
        elif path in {_EXTENSION + "init/error", _EXTENSION + "exit/error"}:
            method, action = "POST", self._failed
        elif path in {_TELEMETRY, _LOGS}:
            method, action = "PUT", self._subscribe
        else:
            connection.answer(NOT_FOUND)
            return
        if request.method != method:
            connection.answer(Answer(405, b"", extra=b"Allow: " + method.encode() + b"\r\n"))
            return
        try:
            answer = action(connection, request)
        except Refusal as refusal:
            answer = _error(403, refusal.kind, refusal.message)
        if answer is not None:
            connection.answer(answer)

    def disconnected(self, connection: Connection) -> None:
        asked = self._waiting.pop(connection, None)
        if asked is not None:
            self._host.host_extensions().gone(asked)

    def _register(self, connection: Connection, request: Request) -> Answer:
        del connection
        name = request.headers.get(_NAME, b"").decode("utf-8", "replace")
        if not name:
            raise Refusal("Extension.InvalidExtensionName", "Empty extension name")
        events = _events(request.body)
        extension = self._host.host_extensions().register(name, events)
        spec = self._host.spec
        document = {
            "functionName": spec.environment.get("AWS_LAMBDA_FUNCTION_NAME", ""),
            "functionVersion": spec.environment.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
            "handler": spec.handler,
        }
        features = {one.strip() for one in request.headers.get(_FEATURES, b"").split(b",")}
        if b"accountId" in features and spec.account:
            document["accountId"] = spec.account
        extra = b"Lambda-Extension-Identifier: %b\r\n" % extension.id.encode()
        return Answer(200, msgspec.json.encode(document), extra=extra)

    def _next(self, connection: Connection, request: Request) -> None:
        extension = self._of(request)
        asked = self._waiting[connection] = _Asked(connection)
        self._host.host_extensions().next(extension, asked)

    def _failed(self, connection: Connection, request: Request) -> Answer:
        del connection
        extension = self._of(request)
        error_type = request.headers.get(_ERROR_TYPE, b"").decode("utf-8", "replace")
        if not error_type:
            raise Refusal("Extension.MissingHeader", "Lambda-Extension-Function-Error-Type not found")
        phase = "InitError" if "/init/error" in request.path else "ExitError"
        self._host.host_extensions().failed(extension, phase, error_type)
        return _ACCEPTED

    def _subscribe(self, connection: Connection, request: Request) -> Answer:
        del connection
        extension = self._of(request)
        what = "telemetry" if request.path.startswith(_TELEMETRY) else "logs"
        try:
            subscription = parse(request.body or b"", TELEMETRY_SCHEMAS if what == "telemetry" else LOGS_SCHEMAS)
        except Invalid as error:
            return _error(400, "ValidationError", str(error))
        if not self._host.subscribe(extension, subscription, what):
            title = "Telemetry" if what == "telemetry" else "Logs"
            raise Refusal(f"{title}.SubscriptionClosed", f"{title} API subscription is closed already")
        return _SUBSCRIBED

    def _of(self, request: Request) -> Extension:
        text = request.headers.get(_ID, b"").decode("ascii", "replace")
        if not text:
            raise Refusal("Extension.MissingExtensionIdentifier", "Missing Lambda-Extension-Identifier header")
        try:
            id_ = str(uuid.UUID(text))
        except ValueError:
            raise Refusal("Extension.InvalidExtensionIdentifier", "Invalid Lambda-Extension-Identifier") from None
        extension = self._host.host_extensions().find(id_)
        if extension is None:
            raise Refusal("Extension.UnknownExtensionIdentifier", f"Unknown extension {id_}")
        return extension


class Served:
    """What is served on a listener inside an environment: a bounded number of connections, closed together."""

    def __init__(self) -> None:
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None

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


class InsideApi(Served):
    """What listens in environments whose runtime speaks frames: for extensions alone."""

    body_limit = _MAX_BODY
    streaming = False

    def __init__(self, extensions: Callable[[], ExtensionApi | None]) -> None:
        """`extensions` gives what answers, as soon as there is a function."""
        super().__init__()
        self._extensions = extensions
        self._closed = False

    async def open(self, listener: socket.socket) -> None:
        """Serve on a listener that is open inside an environment; it is closed by `close`."""
        server = await asyncio.get_running_loop().create_server(lambda: Connection(self), sock=listener)
        if self._closed:
            server.close()
        self._server = server

    def close(self) -> None:
        self._closed = True
        super().close()

    def disconnected(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if (extensions := self._extensions()) is not None:
            extensions.disconnected(connection)

    def taker(self, connection: Connection, request: Request) -> None:
        """Every body is wanted whole."""

    def handle(self, connection: Connection, request: Request) -> None:
        extensions = self._extensions() if request.path.startswith(PREFIXES) else None
        if extensions is not None:
            extensions.handle(connection, request)
        else:
            connection.answer(NOT_FOUND)


def _events(body: bytes | None) -> list[str]:
    """What an extension wants to be told of. Raises Refusal."""
    try:
        request: Any = msgspec.json.decode(body or b"")
        events = request.get("events") or []
        keys = request.get("configurationKeys")
    except (msgspec.DecodeError, AttributeError) as error:
        raise Refusal("InvalidRequestFormat", f"The request is no JSON object: {error}") from None
    if keys:
        message = "configurationKeys are deprecated; use environment variables instead"
        raise Refusal("InvalidRequestFormat", message)
    if not isinstance(events, list) or not all(isinstance(one, str) for one in events):
        raise Refusal("InvalidRequestFormat", "events must be an array of strings")
    return events


def _error(status: int, kind: str, message: str) -> Answer:
    return Answer(status, msgspec.json.encode({"errorMessage": message, "errorType": kind}))

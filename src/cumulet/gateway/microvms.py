"""MicroVMs at addresses of their own, `<id>.lambda-microvm.<region>...` hosts: HTTP, WebSockets and shells around what the service
says through its `front`. And, inside of MicroVMs, where they find their credentials.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from cumulet.compute import Switching, Tunnel
from cumulet.gateway.connection import Beside
from cumulet.gateway.forwarding import body_of, http_response, web_request
from cumulet.gateway.upgrade import SWITCHING, Upgrade
from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import WebAnswer, WebRequest
from cumulet.wire.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from cumulet.gateway.chain import Gateway

log = logging.getLogger(__name__)

MARK = ".lambda-microvm."
_HOST = re.compile(r"([0-9a-f-]{36})\.lambda-microvm\.([a-z0-9-]+)\.", re.IGNORECASE)
_SHELL = "/shell"

Credentials = Callable[[str], Awaitable[Mapping[str, str] | None]]
"""Takes what a MicroVM proves itself with; None where that is nobody's."""


async def serve(gateway: "Gateway", request: HttpRequest, request_id: str) -> HttpResponse:
    """The answer at a MicroVM's endpoint: never raises but when the client goes away."""
    started = time.perf_counter()
    error = ""
    try:
        response = await _answer(gateway, request)
    except AwsError as refused:
        response, error = _refusal(refused.status, refused.message), refused.code
    except Exception:
        log.exception("request %s to a MicroVM failed", request_id)
        response, error = _refusal(500, "Internal Server Error"), "InternalFailure"
    seconds = time.perf_counter() - started
    gateway.recorder.add("lambda-microvms", "ConnectMicrovm", response.status, error, ("", "", "", request_id), seconds)
    return response


def credentials_at(path: str, find: Credentials) -> Beside:
    """What answers SDKs that ask at `path` for credentials.

    https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
    """

    async def credentials(request: HttpRequest) -> HttpResponse:
        found = await find(request.headers.get("authorization", "")) if request.method == "GET" else None
        if found is None:
            return HttpResponse(403, {"Content-Type": "application/json"}, b'{"message":"Forbidden"}')
        return HttpResponse(200, {"Content-Type": "application/json"}, msgspec.json.encode(found))

    return lambda request: credentials(request) if request.path == path else None


async def _answer(gateway: "Gateway", request: HttpRequest) -> HttpResponse:
    service: Any = await gateway.dispatcher.service("lambda-microvms")
    front = service.state.front
    named = _HOST.match(request.headers.get("host", ""))
    host, region = (named[1].lower(), named[2].lower()) if named is not None else ("", "")
    asked = web_request(request)
    admitted = await front.admit(host, region, asked)
    if request.method == "GET" and "upgrade" in request.headers.get("connection", "").lower():
        return await (_open_shell if admitted.grant.terminal else _switch)(front, admitted, request, asked)
    return http_response(await front.answer(admitted, asked, *body_of(request)))


async def _switch(front: Any, admitted: Any, request: HttpRequest, asked: WebRequest) -> HttpResponse:
    answer: WebAnswer | tuple[Switching, list[tuple[str, str]]] = await front.switch(admitted, asked)
    if isinstance(answer, WebAnswer):
        return http_response(answer)
    inside, headers = answer
    life = admitted.life
    tunnel = Tunnel(inside, traffic=life.touch)
    tunnel.over = life.hold(tunnel.close)
    upgrade = Upgrade(SWITCHING, {"Upgrade": request.headers.get("upgrade", "websocket")}, b"", (), headers)
    upgrade.protocol = lambda: tunnel
    return upgrade


async def _open_shell(front: Any, admitted: Any, request: HttpRequest, asked: WebRequest) -> HttpResponse:
    from cumulet.gateway import websockets  # noqa: PLC0415  wsproto is loaded with the first handshake

    key = request.headers.get("sec-websocket-key", "")
    if asked.path != _SHELL or not websockets.is_handshake(request) or not websockets.is_key(key):
        return _refusal(400, "Shell access is by WebSocket, at /shell.")
    try:
        session = await front.shells.start(admitted.life)
    except (OSError, TimeoutError):
        session = None
    if session is None:
        return _refusal(502, "")
    session.subprotocol = "lambda-microvms" if admitted.named else ""
    return websockets.accept(front.shells, session, key, request)


def _refusal(status: int, message: str) -> HttpResponse:
    return HttpResponse(status, {"Content-Type": "text/plain"} if message else {}, message.encode())

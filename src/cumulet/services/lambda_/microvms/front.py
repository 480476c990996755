"""Requests to MicroVMs' endpoints: who may ask, at which port, and what comes back.

https://docs.aws.amazon.com/lambda/latest/dg/microvms-networking.html
"""

import asyncio
from collections.abc import AsyncIterable
from typing import NamedTuple

from cumulet.compute import BootedMachine, Broken, Switching, Upstream, request_head
from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import WebAnswer, WebRequest
from cumulet.services.lambda_.forwarding import AGAIN, HOPS, Body, framing
from cumulet.services.lambda_.microvms.life import Life, NotAwake
from cumulet.services.lambda_.microvms.shell import Shells
from cumulet.services.lambda_.microvms.state import Microvms
from cumulet.services.lambda_.microvms.tokens import BadToken, Grant

SHELL_PORT, USUAL_PORT = 8022, 8080
_PROTOCOL = "lambda-microvms"
_AUTHENTICATION, _PORT = "lambda-microvms.authentication.", "lambda-microvms.port."
_OWN = "x-aws-proxy-"
_FORWARDED = frozenset({"x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"})
_WORDS = {400: "BadRequest", 403: "Forbidden", 429: "TooManyRequests", 501: "NotImplemented", 502: "BadGateway"}
_MOST_REFUSED = 1 << 20
"""Bytes of an answer to a handshake that is not taken: it is held as a whole."""


class Refusal(AwsError):
    """The answer is the platform's own: its message as plain text, which may be empty."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message, code=_WORDS[status], status=status)


def _missing() -> Refusal:
    return Refusal(403, "Request missing authentication")


def _failed() -> Refusal:
    return Refusal(403, "Token authentication failed")


class Admitted(NamedTuple):
    """A request that may be passed on: to which port of which MicroVM, with which subprotocols of its own."""

    life: Life
    port: int
    grant: Grant
    protocols: list[str]
    named: bool
    """Whether it offered the platform's subprotocol."""


class MicrovmFront:
    """The data plane."""

    def __init__(self, service: Microvms) -> None:
        self._service = service
        self._hosts: dict[str, Life] = {}
        self.shells = Shells(service)

    def know(self, life: Life) -> None:
        """It has an endpoint."""
        self._hosts[life.vm.host] = life

    def forget(self, host: str) -> None:
        """It has ended."""
        self._hosts.pop(host, None)

    async def admit(self, host: str, region: str, request: WebRequest) -> Admitted:
        """Raises Refusal. What a request lacks is told before whether there is somebody to ask."""
        offered = [one.strip() for one in request.headers.get("sec-websocket-protocol", "").split(",") if one.strip()]
        text = request.headers.get("x-aws-proxy-auth", "") or next(
            (one.removeprefix(_AUTHENTICATION) for one in offered if one.startswith(_AUTHENTICATION)), ""
        )
        if not text:
            raise _missing()
        try:
            grant = self._service.tokens.read(text)
        except BadToken:
            raise _missing() from None
        port = _port_of(request, offered)
        life = self._hosts.get(host)
        if life is None:
            ended = await self._service.store.microvm(grant.microvm)
            raise Refusal(502) if ended is not None and (ended.host, ended.region) == (host, region) else _failed()
        good = grant.microvm == life.vm.id and life.vm.region == region and self._service.clock.now() < grant.expires
        if not good or not grant.allows(port) or not (life.takes_shells if grant.terminal else life.takes_http):
            raise _failed()
        own = [one for one in offered if one != _PROTOCOL and not one.startswith((_AUTHENTICATION, _PORT))]
        return Admitted(life, port, grant, own, _PROTOCOL in offered)

    async def answer(
        self, admitted: Admitted, request: WebRequest, body: bytes | AsyncIterable[bytes], length: int | None
    ) -> WebAnswer:
        """The application's answer. Raises Refusal. `length` is None for a body of unknown length."""
        if admitted.grant.terminal:
            raise Refusal(400, "Shell access is by WebSocket, at /shell.")
        if request.headers.get("x-aws-proxy-force-h2", "").lower() == "true":
            raise Refusal(501, "HTTP/2 to applications is not implemented in Cumulet.")
        return await _Exchange(self._service, admitted, request).run(body, length)

    async def switch(
        self, admitted: Admitted, request: WebRequest
    ) -> "tuple[Switching, list[tuple[str, str]]] | WebAnswer":
        """A handshake, passed on: a connection that speaks another protocol now, with the headers of the answer; or another
        answer. Raises Refusal."""
        life = admitted.life
        if life.open >= self._service.limits.connections:
            raise Refusal(429, "Too many connections.")
        life.open += 1
        try:
            return await self._shake_hands(admitted, request)
        finally:
            life.open -= 1

    async def _shake_hands(
        self, admitted: Admitted, request: WebRequest
    ) -> "tuple[Switching, list[tuple[str, str]]] | WebAnswer":
        life = admitted.life
        machine = await _awake(life)
        lines = [pair for pair in _lines(request) if pair[0].lower() != "sec-websocket-protocol"]
        lines += [("Connection", "Upgrade"), ("Upgrade", request.headers.get("upgrade", "websocket"))]
        if admitted.protocols:
            lines.append(("Sec-WebSocket-Protocol", ", ".join(admitted.protocols)))
        life.enter()
        try:
            connection = await _switching(machine, admitted.port)
            try:
                async with asyncio.timeout(self._service.limits.answer_seconds):
                    await connection.ask(_head(request, lines), b"", chunked=False, bodiless=False)
                    if not connection.switched:
                        return WebAnswer(
                            status=connection.status, headers=_shown(connection), body=await _whole(connection)
                        )
            except BaseException:
                connection.close()
                raise
        except (Broken, OSError, TimeoutError):
            raise Refusal(502) from None
        finally:
            life.leave()
        headers = [pair for pair in connection.headers if pair[0].lower() not in {"connection", "upgrade"}]
        if admitted.named and not any(name.lower() == "sec-websocket-protocol" for name, _ in headers):
            headers.append(("Sec-WebSocket-Protocol", _PROTOCOL))
        return connection, headers


async def _awake(life: Life) -> BootedMachine:
    try:
        return await life.awake()
    except NotAwake:
        raise Refusal(502) from None


async def _switching(machine: BootedMachine, port: int) -> Switching:
    inside = await machine.connect(port)
    _, connection = await asyncio.get_running_loop().create_connection(Switching, sock=inside)
    return connection


async def _whole(connection: Upstream) -> bytes:
    """Raises Broken, also where it is larger than anybody needs."""
    whole = bytearray()
    while piece := await connection.next():
        whole += piece
        if len(whole) > _MOST_REFUSED:
            raise Broken("the answer to the handshake is too large")
    connection.close()
    return bytes(whole)


def _port_of(request: WebRequest, offered: list[str]) -> int:
    text = request.headers.get("x-aws-proxy-port", "")
    if not text:
        text = next((one.removeprefix(_PORT) for one in offered if one.startswith(_PORT)), str(USUAL_PORT))
    if not text.isascii() or not text.isdigit() or len(text) > 5 or not 0 < int(text) < 1 << 16:
        raise Refusal(400, "Invalid port")
    return int(text)


def _lines(request: WebRequest) -> list[tuple[str, str]]:
    """The request's headers as the application gets them, but for those of its body."""
    named = {name.strip().lower() for name in request.headers.get("connection", "").split(",")}
    removed = HOPS | _FORWARDED | named
    lines = [pair for pair in request.lines if (lower := pair[0].lower()) not in removed and not lower.startswith(_OWN)]
    before = request.headers.get("x-forwarded-for", "")
    host = request.headers.get("host", "")
    port = host.rpartition(":")[2] if ":" in host else "443" if request.scheme == "https" else "80"
    return [
        *lines,
        ("X-Forwarded-For", f"{before}, {request.peer}" if before else request.peer),
        ("X-Forwarded-Port", port),
        ("X-Forwarded-Proto", request.scheme),
    ]


def _head(request: WebRequest, lines: list[tuple[str, str]]) -> bytes:
    target = f"{request.path}?{request.query}" if request.query else request.path
    try:
        return request_head(request.method, target, lines)
    except ValueError as error:
        raise Refusal(400, str(error)) from error


def _shown(connection: Upstream) -> list[tuple[str, str]]:
    headers = [pair for pair in connection.headers if pair[0].lower() not in HOPS]
    return headers + [(name, value) for name, value in connection.headers if name.lower() == "content-length"]


class _Exchange:
    """One request and its answer."""

    def __init__(self, service: Microvms, admitted: Admitted, request: WebRequest) -> None:
        self._service = service
        self._life = admitted.life
        self._port = admitted.port
        self._request = request
        self._connection: Upstream | None = None
        self._entered = False

    async def run(self, body: bytes | AsyncIterable[bytes], length: int | None) -> WebAnswer:
        """Raises Refusal. What it holds is given back when the answer's body ends, or at once where there is none to come."""
        if self._life.open >= self._service.limits.connections:
            raise Refusal(429, "Too many requests.")
        self._life.open += 1
        self._life.enter()
        self._entered = True
        try:
            machine = await _awake(self._life)
            connection = await self._ask(machine, body, length)
        except BaseException:
            self.end()
            raise
        headers = _shown(connection)
        if connection.complete:
            whole = connection.take()
            self.end()
            return WebAnswer(status=connection.status, headers=headers, body=whole)
        return WebAnswer(status=connection.status, headers=headers, body=Body(connection, self.end))

    def end(self) -> None:
        """Give back the connection; calls after the first do nothing."""
        if not self._entered:
            return
        self._entered = False
        connection, self._connection = self._connection, None
        if connection is not None:
            self._life.give_back(self._port, connection)
        self._life.open -= 1
        self._life.leave()

    async def _ask(self, machine: BootedMachine, body: bytes | AsyncIterable[bytes], length: int | None) -> Upstream:
        request = self._request
        head = _head(request, [*_lines(request), *framing(request.headers, body, length)])
        try:
            async with asyncio.timeout(self._service.limits.answer_seconds):
                try:
                    return await self._send(machine, head, body, length, fresh=False)
                except Broken as broken:
                    if not broken.untouched or request.method not in AGAIN or not isinstance(body, bytes):
                        raise
                    return await self._send(machine, head, body, length, fresh=True)
        except (Broken, OSError, TimeoutError):
            raise Refusal(502) from None

    async def _send(
        self,
        machine: BootedMachine,
        head: bytes,
        body: bytes | AsyncIterable[bytes],
        length: int | None,
        *,
        fresh: bool,
    ) -> Upstream:
        if self._connection is not None:
            self._connection.close()
        connection = self._connection = await self._life.connection(machine, self._port, fresh=fresh)
        chunked = length is None and not isinstance(body, bytes)
        await connection.ask(head, body, chunked=chunked, bodiless=self._request.method == "HEAD")
        return connection

"""WebSocket APIs, from the handshake to the last word: what the gateway asks of them."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.kernel.clock import Clock
from cumulet.kernel.ids import digits
from cumulet.kernel.tasks import Tasks
from cumulet.kernel.web import Visit, WebAnswer
from cumulet.services.apigateway.http.running import Programs, Running, domain_of
from cumulet.services.apigateway.limits import Limits
from cumulet.services.apigateway.plane.context import LogFormat
from cumulet.services.apigateway.plane.logs import LogWriter
from cumulet.services.apigateway.plane.throttle import Buckets
from cumulet.services.apigateway.rest.pipeline.schema import InvalidSchema
from cumulet.services.apigateway.sockets.admission import Admission, Denied
from cumulet.services.apigateway.sockets.events import Moment, connect_event, context, new_request_id
from cumulet.services.apigateway.sockets.exchange import finder
from cumulet.services.apigateway.sockets.hub import GOING_AWAY, Connection, Sockets, Wire, new_connection_id
from cumulet.services.apigateway.sockets.integrating import Failed, Said, SocketIntegrator
from cumulet.services.apigateway.sockets.log import begin, tell_end, tell_start
from cumulet.services.apigateway.sockets.program import (
    CONNECT,
    DEFAULT,
    DISCONNECT,
    SocketProgram,
    SocketRoute,
    program_of,
)

log = logging.getLogger(__name__)

_REASONS = {
    1000: "Connection Closed Normally",
    1001: "Going away",
    1005: "Client-side close frame status not set",
    1006: "Connection Closed Abnormally",
    1009: "Message too big",
}
_FAREWELL = 2.0


class Accepted(Struct):
    """A handshake that is let through: `subprotocol` is the one agreed on, if any."""

    connection: Connection
    subprotocol: str = ""


class SocketFront:
    """What the gateway needs of WebSocket APIs."""

    def __init__(  # noqa: PLR0913  what the parts of a data plane are
        self,
        programs: Programs,
        sockets: Sockets,
        integrator: SocketIntegrator,
        admission: Admission,
        buckets: Buckets,
        logs: LogWriter,
        clock: Clock,
        tasks: Tasks,
        limits: Limits,
    ) -> None:
        self.limits = limits
        self._programs = programs
        self._sockets = sockets
        self._integrator = integrator
        self._admission = admission
        self._buckets = buckets
        self._logs = logs
        self._clock = clock
        self._tasks = tasks
        self._sweeping: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[Any]] = set()

    async def connect(
        self, visit: Visit, api_id: str, path: str, *, mapped: bool = False
    ) -> Accepted | WebAnswer | None:
        """Decide on a handshake. None when there is no WebSocket API with that id.

        `path` begins with the stage. `mapped`: a domain name led here.
        """
        stage = path.removeprefix("/").partition("/")[0]
        running = await self._programs.running(api_id, stage)
        if running is None or running.api.protocol_type != "WEBSOCKET":
            there = running is None and await self._programs.protocol(api_id) == "WEBSOCKET"
            return _answer(403, "Forbidden") if there else None
        if running.api.disable_execute_api_endpoint and not mapped:
            return _answer(403, "Forbidden")
        rate = self.limits.sockets_rate
        if not self._buckets.take(("sockets", running.account, running.region), rate, rate):
            return _answer(429, "Too Many Requests")
        if len(self._sockets) >= self.limits.sockets:
            return _answer(503, "Service Unavailable")
        return await self._connect(visit, running, stage, domain_of(visit.request, running, mapped=mapped))

    async def _connect(self, visit: Visit, running: Running, stage: str, domain: str) -> Accepted | WebAnswer:
        request, now, api_id = visit.request, self._clock.now(), running.id
        connection = Connection(
            id=new_connection_id(),
            api_id=api_id,
            stage=stage,
            account=running.account,
            region=running.region,
            source_ip=request.peer,
            user_agent=request.headers.get("user-agent", ""),
            domain=domain,
            connected=now,
            active=now,
            endpoint=visit.endpoint,
            host=request.headers.get("host", ""),
        )
        program = program_of(running)
        moment = Moment(connection=connection, kind="CONNECT", key=CONNECT, now=now, id=new_request_id())
        route = program.routes.get(CONNECT)
        if (logging := route.logging if route is not None else program.logging) is not None:
            begin(moment, logging)
        if route is None:
            if moment.log is not None:
                tell_start(moment.log, moment)
            if not program.key_source.startswith("$context.authorizer"):
                connection.api_key = request.headers.get("x-api-key", "")
            self._note(program, moment, 200)
            return Accepted(connection)
        try:
            said = await self._greet(visit, program, route, moment)
        except Denied as denied:
            moment.error = str(denied)
            self._note(program, moment, denied.status)
            return _answer(denied.status, denied.message, moment)
        except Failed as failed:
            moment.error = str(failed)
            log.info("$connect of the API %s failed: %s", api_id, failed)
            status = max(failed.status, 500)
            self._note(program, moment, status)
            return _answer(status, failed.message, moment)
        self._note(program, moment, said.status)
        if not 200 <= said.status < 300:
            headers = [("content-type", said.headers.get("content-type", "application/json"))]
            return WebAnswer(status=max(said.status, 200), headers=headers, body=said.body or b"")
        return Accepted(connection, said.headers.get("sec-websocket-protocol", ""))

    async def _greet(self, visit: Visit, program: SocketProgram, route: SocketRoute, moment: Moment) -> Said:
        """Who connects, and what $connect's integration says to that. Raises Denied and Failed."""
        request, connection = visit.request, moment.connection
        if not self._buckets.take((connection.api_id, connection.stage, CONNECT), route.rate, route.burst):
            raise Denied(429, "Too Many Requests")
        trace = request.headers.get("x-amzn-trace-id") or f"Root=1-{int(moment.now):08x}-{digits(24)}"
        handshake = connect_event(moment, request, trace)
        find = finder(moment, program.variables, handshake)
        await self._admission.admit(visit, program, route, moment, handshake, find)
        if moment.log is not None:
            tell_start(moment.log, moment)
        if route.integration is not None:
            return await self._integrator.run(program, route, moment, handshake)
        if route.route.target:
            raise Failed("the route's integration is gone")
        return Said(200)

    def opened(self, connection: Connection, wire: Wire) -> None:
        """The client is told that it is connected."""
        connection.wire = wire
        self._sockets.add(connection)
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = self._tasks.start("websocket times", self._sweep())

    async def message(self, connection: Connection, data: str | bytes) -> None:
        """Something that a client said: run its route, and answer where the route answers."""
        connection.active = now = self._clock.now()
        running = await self._programs.running(connection.api_id, connection.stage)
        if running is None:
            if connection.wire is not None:
                connection.wire.close(GOING_AWAY, _REASONS[GOING_AWAY])
            return
        program = program_of(running)
        encoded = isinstance(data, bytes)
        body = data if isinstance(data, str) else base64.b64encode(data).decode()
        id = new_request_id()
        moment = Moment(
            connection=connection, kind="MESSAGE", key="", now=now, id=id, body=body, encoded=encoded, message_id=id
        )
        route = self._select(program, moment)
        if (logging := route.logging if route is not None else program.logging) is not None:
            begin(moment, logging)
        reply, status = await self._run(program, route, moment)
        self._note(program, moment, status)
        if reply and connection.wire is not None:
            with contextlib.suppress(ConnectionError):  # it went while its message was worked on
                await connection.wire.send(reply)

    def _select(self, program: SocketProgram, moment: Moment) -> SocketRoute | None:
        selected = None
        if not moment.encoded:
            selected = program.selection.evaluate(finder(moment, program.variables))
        route = program.routes.get(selected) if selected and selected not in (CONNECT, DISCONNECT) else None
        route = route or program.routes.get(DEFAULT)
        moment.key = route.key if route is not None else selected or DEFAULT
        return route

    async def _run(self, program: SocketProgram, route: SocketRoute | None, moment: Moment) -> tuple[bytes | None, int]:
        """What the client gets, if anything, and the status for the log."""
        if route is None:
            return _refused(403, "Forbidden", moment)
        connection = moment.connection
        rate = (connection.api_id, connection.stage, route.key)
        account = (connection.account, connection.region)
        if not self._buckets.take(rate, route.rate, route.burst) or not self._buckets.take(
            account, self.limits.account_rate, self.limits.account_burst
        ):
            return _refused(429, "Too Many Requests", moment)
        try:
            if route.route.api_key_required or moment.log is not None:
                await self._admission.check_key(moment, route)
            if moment.log is not None:
                tell_start(moment.log, moment)
            _check(program, route, moment)
            said = await self._integrator.run(program, route, moment, None)
        except Denied as denied:
            moment.error = str(denied)
            return _error(denied.message, moment), denied.status
        except Failed as failed:
            moment.error = str(failed)
            log.info("the route %s of the API %s failed: %s", route.key, connection.api_id, failed)
            return _error(failed.message, moment), failed.status
        except Exception as error:
            moment.error = str(error)
            log.exception("the route %s of the API %s failed", route.key, connection.api_id)
            return _error("Internal server error", moment), 500
        return (said.body if route.answers else None), said.status

    def closed(self, connection: Connection, code: int, reason: str) -> None:
        """The connection is gone: run $disconnect, for which nobody waits. `code` 1005 is none, 1006 without a word."""
        connection.wire = None
        if self._sockets.remove(connection):
            task = self._tasks.start("websocket $disconnect", self._disconnect(connection, code, reason))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _disconnect(self, connection: Connection, code: int, reason: str) -> None:
        running = await self._programs.running(connection.api_id, connection.stage)
        if running is None:
            return
        program = program_of(running)
        moment = Moment(
            connection=connection,
            kind="DISCONNECT",
            key=DISCONNECT,
            now=self._clock.now(),
            id=new_request_id(),
            code=code,
            reason=reason or _REASONS.get(code, ""),
        )
        status = 200
        route = program.routes.get(DISCONNECT)
        if (logging := route.logging if route is not None else program.logging) is not None:
            begin(moment, logging)
            assert moment.log is not None
            tell_start(moment.log, moment)
        if route is not None and route.integration is not None:
            try:
                status = (await self._integrator.run(program, route, moment, None)).status
            except Failed as failed:
                moment.error, status = str(failed), failed.status
                log.info("$disconnect of the API %s failed: %s", connection.api_id, failed)
        self._note(program, moment, status)

    async def stop(self) -> None:
        """The node ends: tell clients (1001), and run $disconnect for them as far as there is time."""
        for connection in self._sockets.all():
            if connection.wire is not None:
                connection.wire.close(GOING_AWAY, _REASONS[GOING_AWAY])
                self.closed(connection, GOING_AWAY, _REASONS[GOING_AWAY])
        if self._ending:
            await asyncio.wait(self._ending, timeout=_FAREWELL)

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        pause = min(5.0, max(0.05, min(self.limits.socket_idle, self.limits.socket_life) / 4))
        while len(self._sockets):
            await asyncio.sleep(pause)
            self._sockets.check(loop.time())

    def _note(self, program: SocketProgram, moment: Moment, status: int) -> None:
        connection = moment.connection
        if (told := moment.log) is not None:
            tell_end(told, moment, status)
            if told.wanted:
                group = f"/aws/apigateway/{connection.api_id}/{connection.stage}"
                place = self._logs.place(connection.account, connection.region, group, makes_group=True)
                self._logs.add(place, *told.events())
        if program.log is None:
            return
        tree: dict[str, Any] = context(moment) | {
            "status": status,
            "error": {
                "message": moment.error or "-",
                "messageString": f'"{moment.error}"' if moment.error else "-",
                "validationErrorString": f"[{moment.invalid}]" if moment.invalid else "-",
            },
            "integrationErrorMessage": moment.error,
        }
        format: LogFormat = program.log
        place = self._logs.place(connection.account, connection.region, program.log_group)
        self._logs.add(place, format.render(tree))


def _check(program: SocketProgram, route: SocketRoute, moment: Moment) -> None:
    """Whether a message fits its model. Raises Denied and Failed."""
    if route.check is None:
        return
    try:
        moment.invalid = route.check.problem(moment, finder(moment, program.variables))
    except InvalidSchema as error:
        raise Failed(f"Execution failed due to configuration error: Unable to use the model: {error}") from error
    if moment.invalid:
        raise Denied(400, "Invalid request body")


def _refused(status: int, message: str, moment: Moment) -> tuple[bytes, int]:
    """What the client reads, and the status, where nothing was run."""
    if moment.log is not None:
        moment.log.fail(message)
    return _error(message, moment), status


def _error(message: str, moment: Moment) -> bytes:
    """What a client reads when its message came to nothing."""
    return msgspec.json.encode({"message": message, "connectionId": moment.connection.id, "requestId": moment.id})


def _answer(status: int, message: str, moment: Moment | None = None) -> WebAnswer:
    body: dict[str, str] = {"message": message}
    if moment is not None:
        body |= {"connectionId": moment.connection.id, "requestId": moment.id}
    return WebAnswer(status=status, headers=[("content-type", "application/json")], body=msgspec.json.encode(body))

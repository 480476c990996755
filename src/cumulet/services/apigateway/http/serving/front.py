"""Requests to HTTP APIs, from the address that was called to the answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from cumulet.kernel.ids import digits
from cumulet.kernel.web import Visit, WebAnswer
from cumulet.services.apigateway.http.running import Programs, Running, domain_of
from cumulet.services.apigateway.http.serving.authorizing import Gatekeeper
from cumulet.services.apigateway.http.serving.exchange import Exchange, Refused, new_request_id, parts_of
from cumulet.services.apigateway.http.serving.integrating import Integrator, apply_response
from cumulet.services.apigateway.http.serving.program import Program, RouteProgram, program_of
from cumulet.services.apigateway.plane import cors
from cumulet.services.apigateway.plane.logs import LogWriter
from cumulet.services.apigateway.plane.throttle import Buckets

log = logging.getLogger(__name__)

ROOT = "$default"
_LARGEST = 10 * 1024 * 1024
_RATE, _BURST = 10_000.0, 5_000.0


class HttpFront:
    """Answers requests to HTTP APIs. `now` is the clock's time, `elapsed` seconds that only grow."""

    def __init__(
        self,
        programs: Programs,
        gatekeeper: Gatekeeper,
        integrator: Integrator,
        buckets: Buckets,
        logs: LogWriter,
        now: Callable[[], float],
        elapsed: Callable[[], float],
    ) -> None:
        self.programs = programs
        self._gatekeeper = gatekeeper
        self._integrator = integrator
        self._buckets = buckets
        self._logs = logs
        self._now = now
        self._elapsed = elapsed
        programs.on_reset(gatekeeper.cache.forget)

    async def answer(self, visit: Visit, api_id: str, path: str, *, mapped: bool = False) -> WebAnswer | None:
        """The answer of an API; None when there is no HTTP or WebSocket API with that id.

        `path` is what follows the host, beginning with the stage where that is no `$default`. `mapped`: a domain name led here,
        so it counts that the API's own address is closed no more.
        """
        running, rest = await self._stage(api_id, path)
        if running is None:
            protocol = await self.programs.protocol(api_id)
            if protocol is None:
                return None
            return _refusal(404, "Not Found") if protocol == "HTTP" else _no_upgrade()
        if running.api.protocol_type == "WEBSOCKET":
            return _no_upgrade()
        if running.api.disable_execute_api_endpoint and not mapped:
            return _refusal(404, "Not Found")
        return await self._serve(visit, program_of(running), rest, domain_of(visit.request, running, mapped=mapped))

    async def _stage(self, api_id: str, path: str) -> tuple[Running | None, str]:
        """The stage that a path names, and what follows it as sent; the one at the root where it names none."""
        first, slash, rest = path.removeprefix("/").partition("/")
        if first and (found := await self.programs.running(api_id, first)) is not None:
            return found, slash + rest or "/"
        return await self.programs.running(api_id, ROOT), path or "/"

    async def _serve(self, visit: Visit, program: Program, rest: str, domain: str) -> WebAnswer:
        started = self._elapsed()
        now = self._now()
        trace = visit.request.headers.get("x-amzn-trace-id") or f"Root=1-{int(now):08x}-{digits(24)}"
        exchange = Exchange(visit, program, domain, now, trace)
        try:
            parts = parts_of(rest)
            stage = exchange.stage
            joined = "/".join(parts)
            exchange.path = f"/{joined}" if stage == ROOT else f"/{stage}/{joined}" if joined else f"/{stage}/"
            answer = await self._routed(exchange, parts)
        except Refused as refused:
            exchange.error = refused.why
            answer = _refusal(refused.status, refused.message, refused.challenge)
        except Exception as error:
            log.exception("a request to the API %s failed", exchange.api_id)
            exchange.error = str(error)
            answer = _refusal(500, "Internal Server Error")
        self._finish(exchange, answer)
        if program.log is not None:
            self._note(exchange, answer, started)
        return answer

    async def _routed(self, exchange: Exchange, parts: list[str]) -> WebAnswer:
        request, program = exchange.request, exchange.program
        if program.cors is not None and cors.is_preflight(request.method, request.headers):
            return WebAnswer(status=204, headers=cors.preflight(program.cors, request.headers))
        found = program.routes.find(request.method, parts)
        if found is None:
            raise Refused(404, "Not Found", "No route matched")
        route, exchange.path_parameters = found
        exchange.route = route
        self._throttle(exchange, route)
        if request.too_large or len(request.content) > _LARGEST:
            raise Refused(413, "Request Entity Too Large")
        await self._gatekeeper.admit(exchange, route)
        target = route.target
        if target is None:
            raise Refused(500, "Internal Server Error", "the route has no integration")
        began = self._elapsed()
        try:
            answer = await self._integrator.run(exchange, target)
        finally:
            exchange.integration["latency"] = int((self._elapsed() - began) * 1000)
        exchange.integration["status"] = answer.status
        if target.responses and (changes := target.responses.get(str(answer.status))):
            apply_response(exchange, changes, answer)
        return answer

    def _throttle(self, exchange: Exchange, route: RouteProgram) -> None:
        """The limits of the route, and those of the account. Raises Refused."""
        key = (exchange.api_id, exchange.stage, route.key)
        if not self._buckets.take(key, route.rate, route.burst):
            raise Refused(429, "Too Many Requests", "the route's limit")
        if not self._buckets.take((exchange.account, exchange.region), _RATE, _BURST):
            raise Refused(429, "Too Many Requests", "the account's limit")

    def _finish(self, exchange: Exchange, answer: WebAnswer) -> None:
        """What every answer has: the request's id, and what browsers may do with it."""
        configuration, request = exchange.program.cors, exchange.request
        if configuration is not None and not cors.is_preflight(request.method, request.headers):
            origin = request.headers.get("origin", "")
            kept = [line for line in answer.headers if line[0].lower() not in cors.HEADERS]
            answer.headers = kept + (cors.shared(configuration, origin) if origin else [])
        answer.headers.append(("apigw-requestid", exchange.id))

    def _note(self, exchange: Exchange, answer: WebAnswer, started: float) -> None:
        program = exchange.program
        assert program.log is not None
        length = len(answer.body) if isinstance(answer.body, bytes) else 0
        tree: dict[str, Any] = {
            **exchange.context,
            "status": answer.status,
            "responseLength": length,
            "responseLatency": int((self._elapsed() - started) * 1000),
            "dataProcessed": length + len(exchange.request.content),
        }
        place = self._logs.place(exchange.account, exchange.region, program.log_group)
        self._logs.add(place, program.log.render(tree))


def _refusal(status: int, message: str, challenge: str = "") -> WebAnswer:
    headers = [("content-type", "application/json")]
    if challenge:
        headers.append(("www-authenticate", challenge))
    return WebAnswer(status=status, headers=headers, body=msgspec.json.encode({"message": message}))


def _no_upgrade() -> WebAnswer:
    """A WebSocket API was called as if it were none."""
    headers = [("content-type", "application/json"), ("apigw-requestid", new_request_id())]
    return WebAnswer(status=403, headers=headers, body=b'{"message":"Forbidden"}')

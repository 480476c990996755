"""Requests to endpoints, passed to servers: which revision answers, in which environment, and what comes back."""

import asyncio
import base64
import logging
import random
from collections.abc import AsyncIterable
from time import perf_counter

from msgspec import Struct, json

from cumulet.compute import (
    Broken,
    ComputeUnavailable,
    NoRoom,
    NotServing,
    Place,
    RuntimeUnavailable,
    Upstream,
    request_head,
)
from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import WebAnswer, WebRequest
from cumulet.services.lambda_.forwarding import AGAIN, HOPS, Body, framing
from cumulet.services.lambda_.web.model import ACTIVE, HOME, IAM, Endpoint
from cumulet.services.lambda_.web.names import WebKey
from cumulet.services.lambda_.web.running import Runner, fresh, why
from cumulet.services.lambda_.web.state import Web
from cumulet.services.lambda_.web.throttle import Throttle

log = logging.getLogger(__name__)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "DELETE"})
_REMOVED = HOPS | {
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-real-ip",
}
_PREFIX = "lambda-web-"
_KEPT = 10_000
_WHOLE = 100
_ATTEMPTS = 3
_NOTICED = 20.0
"""Seconds in which a program's end is noticed, however busy the machine is."""


class Site(Struct, frozen=True):
    """What answers at one host: an endpoint in one region, and its revisions with their weights."""

    key: WebKey
    endpoint: Endpoint
    region: str
    runners: list[tuple[int, Runner]]

    @property
    def arn(self) -> str:
        return self.key.endpoint(self.endpoint.name)

    @property
    def signed(self) -> bool:
        """Whether requests must be signed, and are allowed by policies."""
        return self.endpoint.auth == IAM

    def close(self) -> None:
        """It is forgotten: what it has under way ends well, and nothing of it is kept."""
        for _, runner in self.runners:
            runner.close()

    def choose(self) -> Runner:
        """By weight."""
        runners = self.runners
        if len(runners) == 1 or random.randrange(_WHOLE) < runners[0][0]:  # noqa: S311  nothing secret
            return runners[0][1]
        return runners[1][1]


class Refusal(Exception):
    """The answer is the platform's own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class WebFront:
    """The data plane. A warm request reads no database."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._sites: dict[tuple[str, str], Site] = {}
        self._changes = 0
        self._throttle = Throttle(perf_counter)

    def forget(self, key: WebKey) -> None:
        """Something of a function changed. Runners that stay the same are made anew: their environments stay."""
        self._changes += 1
        for place, site in list(self._sites.items()):
            if site.key == key:
                del self._sites[place]
                site.close()

    @property
    def signed_body(self) -> int:
        """Bytes that a body may have whose signature is checked."""
        return self._web.limits.signed_body

    async def find(self, id: str, region: str) -> Site | None:
        """What answers at the host of an endpoint's id, in a region (`global`); None where nobody does."""
        found = self._sites.get((id, region))
        return found if found is not None else await self._load(id, region)

    async def _load(self, id: str, region: str) -> Site | None:
        web, changes = self._web, self._changes
        there = await web.store.endpoint_by_id(id)
        if there is None:
            return None
        key, endpoint = there
        home = endpoint.regions[0]
        if region != "global" and region not in endpoint.regions:
            return None
        if region == "global" and endpoint.kind == HOME:
            return None
        at = home if region == "global" else region
        revisions = {revision.id: revision for revision in await web.store.revisions(key)}
        runners = [
            (weight.weight, Runner(web, key, endpoint, revisions[weight.revision_id], at))
            for weight in endpoint.weights
            if weight.revision_id in revisions
        ]
        site = Site(key, endpoint, at, runners)
        if changes == self._changes:
            if len(self._sites) >= _KEPT:
                self._sites.pop(next(iter(self._sites))).close()
            self._sites[id, region] = site
        else:
            site.close()  # good for this once
        return site

    async def answer(
        self, site: Site, request: WebRequest, body: bytes | AsyncIterable[bytes], length: int | None
    ) -> WebAnswer:
        """The server's answer, or one of the platform's that says what is wrong. `length` is None for a body of unknown length."""
        request_id = base64.b32encode(random.randbytes(16)).decode().rstrip("=")  # noqa: S311  unique is enough
        own = [("lambda-web-request-id", request_id)]
        try:
            self._admit(site, request)
            exchange = _Exchange(site, site.choose(), request, request_id)
            return await exchange.run(self._web, body, length)
        except Refusal as refused:
            headers = [("Content-Type", "application/json"), *own]
            return WebAnswer(status=refused.status, headers=headers, body=json.encode({"message": refused.message}))

    def _admit(self, site: Site, request: WebRequest) -> None:
        if request.method not in METHODS:
            raise Refusal(400, f"The method {request.method} is not supported.")
        endpoint = site.endpoint
        if endpoint.state != ACTIVE or not site.runners:
            raise Refusal(503, f"The endpoint is {endpoint.state}: {endpoint.reason}")
        limit = self._web.limits.endpoint_rate
        if endpoint.throttle is not None and endpoint.throttle.rate_limit is not None:
            limit = min(limit, endpoint.throttle.rate_limit)
        if not self._throttle.takes(endpoint.id, limit):
            raise Refusal(429, "The endpoint gets more requests a second than it takes.")


class _Exchange:
    """One request and its answer."""

    def __init__(self, site: Site, runner: Runner, request: WebRequest, request_id: str) -> None:
        self._site = site
        self._runner = runner
        self._request = request
        self._id = request_id
        self._started = perf_counter()
        self._place: Place | None = None
        self._connection: Upstream | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def run(self, web: Web, body: bytes | AsyncIterable[bytes], length: int | None) -> WebAnswer:
        """Raises Refusal. What it holds is given back when the answer's body ends, or at once where there is none to come."""
        try:
            self._place, first = await self._connect(web)
            self._connection = first
            self._timer = asyncio.get_running_loop().call_later(self._runner.timeout, self._time_out)
            connection = await self._ask(first, body, length)
        except BaseException:
            self.end()
            raise
        headers = [pair for pair in connection.headers if pair[0].lower() not in HOPS]
        headers += [(name, value) for name, value in connection.headers if name.lower() == "content-length"]
        headers.append(("lambda-web-request-id", self._id))
        if stream := self._runner.stream_name(self._place):
            headers.append(("lambda-web-logstream", stream))
        if connection.complete:
            whole = connection.take()
            self.end()
            return WebAnswer(status=connection.status, headers=headers, body=whole)
        return WebAnswer(status=connection.status, headers=headers, body=Body(connection, self.end))

    def end(self) -> None:
        """Give back the connection and the place; calls after the first do nothing."""
        if self._timer is not None:
            self._timer.cancel()
        place, self._place = self._place, None
        connection, self._connection = self._connection, None
        if place is None:
            return
        if connection is not None:
            if self._runner.style.debug:
                self._tell(place, connection.status)
            self._runner.give_back(place, connection)
        place.leave()

    async def _take_place(self, web: Web) -> Place:
        try:
            return await self._runner.place()
        except NotServing as failed:
            raise Refusal(502, f"{why(failed, web.limits)} The log tells more.") from failed
        except NoRoom:
            raise Refusal(429, "All environments that the endpoint may have are in use.") from None
        except (RuntimeUnavailable, ComputeUnavailable) as error:
            raise Refusal(503, str(error)) from error
        except AwsError as error:
            raise Refusal(502, f"The execution role cannot be assumed: {error.message}") from error

    async def _connect(self, web: Web) -> tuple[Place, Upstream]:
        """To a server that listens: an environment may have ended, and nobody have noticed yet."""
        for attempt in range(_ATTEMPTS):
            place = await self._take_place(web)
            try:
                return place, await self._runner.connection(place)
            except OSError as error:
                if attempt == _ATTEMPTS - 1 or not await place.ends(_NOTICED):
                    place.leave()
                    raise Refusal(502, f"The server takes no connections: {error}.") from error
                place.leave()
            except BaseException:
                place.leave()
                raise
        raise AssertionError

    async def _ask(self, connection: Upstream, body: bytes | AsyncIterable[bytes], length: int | None) -> Upstream:
        assert self._place is not None
        request = self._request
        target = f"{request.path}?{request.query}" if request.query else request.path
        try:
            head = request_head(request.method, target, self._lines(body, length))
        except ValueError as error:
            raise Refusal(400, str(error)) from error
        chunked = length is None and not isinstance(body, bytes)
        try:
            try:
                await connection.ask(head, body, chunked=chunked, bodiless=request.method == "HEAD")
            except Broken as broken:
                if not broken.untouched or request.method not in AGAIN or not isinstance(body, bytes):
                    raise
                connection.close()
                connection = self._connection = await fresh(self._place)
                await connection.ask(head, body, chunked=chunked, bodiless=request.method == "HEAD")
        except TimeoutError as error:
            raise Refusal(504, f"The server did not answer within {self._runner.timeout:g} seconds.") from error
        except (Broken, OSError) as error:
            raise Refusal(502, f"The server did not answer: {error}.") from error
        return connection

    def _lines(self, body: bytes | AsyncIterable[bytes], length: int | None) -> list[tuple[str, str]]:
        """The request's headers as the server gets them."""
        request = self._request
        named = {name.strip().lower() for name in request.headers.get("connection", "").split(",")}
        removed = _REMOVED | named
        lines = [
            pair
            for pair in request.lines
            if (lower := pair[0].lower()) not in removed and not lower.startswith(_PREFIX)
        ]
        before = request.headers.get("x-forwarded-for", "")
        host = request.headers.get("host", "")
        port = host.rpartition(":")[2] if ":" in host else "443" if request.scheme == "https" else "80"
        lines += [
            ("X-Forwarded-For", f"{before}, {request.peer}" if before else request.peer),
            ("X-Forwarded-Port", port),
            ("X-Forwarded-Proto", request.scheme),
            ("lambda-web-request-id", self._id),
            ("lambda-web-endpoint-name", self._site.endpoint.name),
            *framing(request.headers, body, length),
        ]
        return lines

    def _time_out(self) -> None:
        connection = self._connection
        if connection is not None:
            connection.fail(TimeoutError())
            connection.close()

    def _tell(self, place: Place, status: int) -> None:
        record = {
            "requestId": self._id,
            "method": self._request.method,
            "path": self._request.path,
            "statusCode": status,
            "metrics": {"durationMs": round((perf_counter() - self._started) * 1000, 3)},
        }
        self._runner.tell(place.info, "DEBUG", "platform.requestComplete", record)

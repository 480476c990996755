"""The node's own pages under `/_cumulet/`: health, status, recent calls, and the clock.

They are served on the node's own listeners alone, never inside a sandbox, and not to web pages of other sites.
"""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qs

import msgspec
from msgspec import Struct

from cumulet.gateway import execute_api, function_urls, websites
from cumulet.gateway.dispatch import Dispatcher
from cumulet.gateway.record import Recorder
from cumulet.gateway.strangers import is_of_another_site
from cumulet.kernel.clock import MovableClock
from cumulet.kernel.errors import AwsError
from cumulet.kernel.streams import read_all
from cumulet.wire.http import HttpRequest, HttpResponse

T = TypeVar("T")
Page = Callable[[HttpRequest], Awaitable[Any]]
"""Gives the JSON value of its answer; raises BadRequest."""

_PREFIXES = ("/_cumulet/", "/_localstack/")
_LARGEST_BODY = 4_096
_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class BadRequest(Exception):
    """A page was asked for something it cannot do; the text says what it takes."""


class Workbench(NamedTuple):
    """What developers do with a function, by its ARN.

    `warm` has it loaded before it is called, and tells whether it could be; `debug` opens a port (any that is free for 0)
    to debuggers and keeps it open, `debugged` closes it.
    """

    warm: Callable[[str], Awaitable[bool]]
    debug: Callable[[str, int | None], Awaitable[dict[str, Any]]]
    debugged: Callable[[str], Awaitable[None]]


class Admin:
    """Answers `/_cumulet/...`.

    `status` describes the node (compute level, runtimes, environments, endpoint), `denied` lists calls that no policy
    allows, `moved` is called after the clock was moved, `usage` gives what functions used from a day on (all, or one's),
    `bench` is for who works at a function.
    """

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        recorder: Recorder,
        clock: MovableClock,
        status: Callable[[], Awaitable[dict[str, Any]]],
        denied: Callable[[], list[Any]],
        moved: Callable[[], None],
        usage: Callable[[str, str], Awaitable[list[Any]]],
        bench: Workbench,
    ) -> None:
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._clock = clock
        self._status = status
        self._denied = denied
        self._moved = moved
        self._usage = usage
        self._bench = bench
        self._pages: dict[tuple[str, str], Page] = {
            ("GET", "/_cumulet/health"): self._health,
            ("GET", "/_localstack/health"): self._health,
            ("GET", "/_cumulet/status"): self._node,
            ("GET", "/_cumulet/calls"): self._calls,
            ("GET", "/_cumulet/denied"): self._denials,
            ("GET", "/_cumulet/usage"): self._used,
            ("GET", "/_cumulet/clock"): self._time,
            ("POST", "/_cumulet/clock"): self._move,
            ("POST", "/_cumulet/warm"): self._warm_up,
            ("POST", "/_cumulet/debug"): self._begin_debugging,
            ("POST", "/_cumulet/debugged"): self._end_debugging,
        }

    def add(self, pages: Mapping[tuple[str, str], Page]) -> None:
        """Have further pages, by method and path."""
        self._pages.update(pages)

    def answer(self, request: HttpRequest) -> Awaitable[HttpResponse] | None:
        """The answer for one of the node's own pages."""
        if request.path.startswith(_PREFIXES) and not _is_elsewhere(request):
            return self._answer(request)
        return None

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        # A page of another site that a developer has open must not be able to move this node's clock.
        site = request.headers.get("sec-fetch-site", "none")
        if site not in ("none", "same-origin") or is_of_another_site(request):
            return _json(403, {"message": "This page is not for other sites."})
        method = "GET" if request.method == "HEAD" else request.method
        page = self._pages.get((method, request.path))
        if page is None:
            known = ", ".join(sorted({path for _, path in self._pages}))
            return _json(404, {"message": f"No such page. There are: {known}."})
        try:
            return _json(200, await page(request))
        except BadRequest as error:
            return _json(400, {"message": str(error)})

    async def _health(self, _: HttpRequest) -> dict[str, Any]:
        running = self._dispatcher.running
        names = self._dispatcher.names
        return {
            "services": {name: "running" if name in running else "available" for name in names},
            "edition": "cumulet",
        }

    async def _node(self, _: HttpRequest) -> dict[str, Any]:
        counts = [
            {"service": service, "operation": operation, "status": status, "count": count}
            for (service, operation, status), count in sorted(self._recorder.counts.items())
        ]
        return await self._status() | {"calls": counts, "now": self._clock.now()}

    async def _calls(self, request: HttpRequest) -> list[Any]:
        wanted = parse_qs(request.query).get("last", ["100"])[0]
        if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 10):
            raise BadRequest("last takes a number of calls, such as ?last=20.")
        return self._recorder.last(int(wanted))

    async def _denials(self, _: HttpRequest) -> list[Any]:
        return self._denied()

    async def _used(self, request: HttpRequest) -> list[Any]:
        query = parse_qs(request.query)
        since = query.get("since", [""])[0]
        if since and not _DAY.fullmatch(since):
            raise BadRequest("since takes a day, such as ?since=2026-01-31.")
        return await self._usage(since, query.get("function", [""])[0])

    async def _time(self, _: HttpRequest) -> dict[str, float]:
        return {"now": self._clock.now(), "offset": self._clock.offset}

    async def _move(self, request: HttpRequest) -> dict[str, float]:
        seconds = (await read_body(request, _Advance, 'The clock takes {"advance": seconds}.')).advance
        if not 0 <= seconds <= 3_200_000_000:
            raise BadRequest("The clock moves forward only, by at most a century.")
        await self._clock.advance(seconds)
        self._moved()
        return await self._time(request)

    async def _warm_up(self, request: HttpRequest) -> dict[str, bool]:
        asked = await read_body(request, _OfFunction, 'This takes {"function": ARN}.')
        try:
            return {"ready": await self._bench.warm(asked.function)}
        except AwsError as error:
            raise BadRequest(error.message) from error

    async def _begin_debugging(self, request: HttpRequest) -> dict[str, Any]:
        asked = await read_body(request, _OfFunction, 'This takes {"function": ARN, "port": number}.')
        try:
            return await self._bench.debug(asked.function, asked.port)
        except AwsError as error:
            raise BadRequest(error.message) from error

    async def _end_debugging(self, request: HttpRequest) -> dict[str, Any]:
        asked = await read_body(request, _OfFunction, 'This takes {"function": ARN}.')
        await self._bench.debugged(asked.function)
        return {}


def _is_elsewhere(request: HttpRequest) -> bool:
    """Whether it is for a host whose pages are a function's, a bucket's or an API's, which must not reach the node by their own name."""
    host = request.headers.get("host", "").lower()
    return function_urls.MARK in host or websites.MARK in host or execute_api.MARK in host


class _Advance(Struct):
    advance: float


class _OfFunction(Struct):
    function: str
    port: int | None = None


async def read_body(request: HttpRequest, kind: type[T], usage: str, largest: int = _LARGEST_BODY) -> T:
    """A JSON body of at most `largest` bytes; raises BadRequest with `usage`."""
    length = request.body.length
    if length is None or length > largest:
        raise BadRequest(usage)
    try:
        return msgspec.json.decode(await read_all(request.body), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadRequest(usage) from None


def _json(status: int, value: Any) -> HttpResponse:
    return HttpResponse(status, {"Content-Type": "application/json"}, msgspec.json.encode(value))

"""The life of a request between its bytes and its operation: the steps, in order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from functools import lru_cache
from time import perf_counter
from types import CoroutineType
from typing import Any, Final

from msgspec import Struct

from cumulet.gateway import browsers, execute_api, function_urls, microvms, registry, web_functions, websites
from cumulet.gateway.authenticate import Authenticator
from cumulet.gateway.body import BodyTooLarge, is_read, read_content
from cumulet.gateway.connection import Answer, Beside
from cumulet.gateway.dispatch import Dispatcher
from cumulet.gateway.record import Recorder
from cumulet.kernel.call import Call
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError, InternalFailure
from cumulet.kernel.ids import new_id
from cumulet.storage.database import StorageError
from cumulet.wire import route, sigv4
from cumulet.wire.http import HttpRequest, HttpResponse
from cumulet.wire.route import Route

log = logging.getLogger(__name__)

MEBIBYTE: Final = 1_048_576
# Bodies that are read whole; streamed ones (objects) have no limit here. No service has a smaller one than the default.
CONTENT_LIMITS: Final = {"kinesis": 16 * MEBIBYTE, "lambda": 70_167_211, "s3": 16 * MEBIBYTE}
DEFAULT_CONTENT_LIMIT: Final = 12 * MEBIBYTE
LARGE_XML: Final = 65_536


_LATER: Final[Any] = None  # what no step has found yet


class Exchange(Struct, eq=False):
    """One request on its way through the steps, and what each step found out."""

    request: HttpRequest
    request_id: str
    started: float
    route: Route = _LATER
    style: sigv4.Style = _LATER
    signed: sigv4.Signed | None = None
    credential: Credential = _LATER
    call: Call = _LATER
    struct: Struct = _LATER
    result: Any = None
    response: HttpResponse = _LATER
    error: str = ""


_MARKS = (".lambda-", registry.MARK, websites.MARK, execute_api.PORTAL)
_PATHS = ("/_", *execute_api.PATHS)  # the node's own begin with an underscore, as no bucket's name does


@lru_cache(256)
def _is_plain(host: str) -> bool:
    """Whether nothing but services has a host of that name."""
    host = host.lower()
    return not execute_api.may_be_custom(host) and not any(mark in host for mark in _MARKS)


# What it gives back has to be awaited; most steps have nothing to wait for.
Step = Callable[["Gateway", Exchange], Awaitable[object] | None]


class Gateway:
    """Answers AWS requests. `sandboxed` is the same gateway for the inside of sandboxes."""

    def __init__(self, dispatcher: Dispatcher, authenticator: Authenticator, recorder: Recorder, region: str) -> None:
        self.dispatcher = dispatcher
        self.authenticator = authenticator
        self.recorder = recorder
        self.region = region
        self.beside: tuple[Beside, ...] = ()
        """What else answers here, and is asked first."""

    def handle(self, request: HttpRequest) -> Answer:
        """The whole life of a request: its answer where no step had to wait, else what waits for it.

        Never raises, and what it gives does only when the client goes away.
        """
        request_id = new_id()
        if _is_plain(request.headers.get("host", "")) and not request.path.startswith(_PATHS):
            return self.serve(request, request_id)
        return self._answer_beside(request, request_id) or self.serve(request, request_id)

    def serve(self, request: HttpRequest, request_id: str) -> Answer:
        """The answer to a request in AWS's protocols."""
        exchange = Exchange(request, request_id, perf_counter())
        steps = iter(STEPS)
        try:
            for step in steps:
                if (waiting := step(self, exchange)) is not None:
                    return self._go_on(exchange, waiting, steps)
        except Exception as error:  # noqa: BLE001  it is told and answered
            self._explain(exchange, error)
        if "origin" in request.headers and _is_of_s3(exchange):
            return self._share(exchange)
        return self._finish(exchange)

    async def _go_on(self, exchange: Exchange, waiting: Awaitable[object], steps: Iterator[Step]) -> HttpResponse:
        """As `serve`, from the first step that has to wait."""
        try:
            await waiting
            for step in steps:
                if (again := step(self, exchange)) is not None:
                    await again
        except Exception as error:  # noqa: BLE001  as above
            self._explain(exchange, error)
        if "origin" in exchange.request.headers and _is_of_s3(exchange):
            return await self._share(exchange)
        return self._finish(exchange)

    def _explain(self, exchange: Exchange, error: Exception) -> None:
        """The answer that tells the client of what ended the steps."""
        if isinstance(error, Answered):
            exchange.response = error.response
            return
        if isinstance(error, route.RouteError):
            exchange.response = error.answer(exchange.request_id)
            exchange.error = error.error.code
            return
        if isinstance(error, AwsError):
            exchange.response = exchange.route.codec.encode_error(error, exchange.request_id)
            exchange.error = error.code
            return
        if isinstance(error, StorageError):
            log.error("request %s could not be stored: %s", exchange.request_id, error)
            message = "The change could not be stored; nothing was kept. Is the disk full?"
        else:
            log.error("request %s failed", exchange.request_id, exc_info=error)
            message = "We encountered an internal error. The node's log has the details."
        exchange.response = _failure(exchange, message)
        exchange.error = "InternalFailure"

    async def _share(self, exchange: Exchange) -> HttpResponse:
        """As `_finish`, with what a bucket lets pages of other sites read."""
        await browsers.share(self.dispatcher, exchange.request, exchange.response)
        return self._finish(exchange)

    def _finish(self, exchange: Exchange) -> HttpResponse:
        found, call, response = exchange.route, exchange.call, exchange.response
        if call is not None:
            caller = (call.account, call.region, call.principal.arn, exchange.request_id)
        else:
            caller = ("", "", "", exchange.request_id)
        if found is not None:
            service, operation = found.service, found.operation
        else:
            service = operation = ""
        seconds = perf_counter() - exchange.started
        self.recorder.add(service, operation, response.status, exchange.error, caller, seconds)
        return response

    def _answer_beside(self, request: HttpRequest, request_id: str) -> Awaitable[HttpResponse] | None:
        """The answer of what has hosts or paths of its own, which is not of AWS's protocols."""
        for answer in self.beside:
            if (given := answer(request)) is not None:
                return given
        host = request.headers.get("host", "").lower()
        if ".lambda-" in host:
            if function_urls.MARK in host:
                return function_urls.serve(self, request, request_id)
            if web_functions.MARK in host:
                return web_functions.serve(self, request, request_id)
            if microvms.MARK in host:
                return microvms.serve(self, request, request_id)
        if websites.MARK in host:
            return websites.serve(self.dispatcher, self.authenticator.account, self.region, request, request_id)
        return execute_api.find(self, request, request_id, host)


class Answered(Exception):
    """A request that means no operation, and has its answer all the same."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__("answered")
        self.response = response


def _is_of_s3(exchange: Exchange) -> bool:
    return exchange.style == "s3"


def find_operation(gateway: Gateway, exchange: Exchange) -> Awaitable[None] | None:
    """Which service and operation is meant, and in which protocol; with the body in memory, unless it is to be a stream."""
    if is_read(exchange.request, DEFAULT_CONTENT_LIMIT):
        return _resolve(gateway, exchange)
    if route.needs_content(exchange.request):
        return _find_in_body(gateway, exchange)
    return _resolve(gateway, exchange) or _read_body(exchange)


async def _find_in_body(gateway: Gateway, exchange: Exchange) -> None:
    try:
        await read_content(exchange.request, DEFAULT_CONTENT_LIMIT)
    except AwsError as error:
        raise route.unread(exchange.request, error) from None
    waiting = _resolve(gateway, exchange)
    if waiting is not None:
        await waiting


def _resolve(gateway: Gateway, exchange: Exchange) -> Awaitable[None] | None:
    try:
        found = exchange.route = route.resolve(exchange.request)
    except route.RouteError as refused:
        if refused.service == "s3":
            return _ask_as_browser(gateway, exchange, refused)
        raise
    exchange.style = found.codec.style
    return None


async def _ask_as_browser(gateway: Gateway, exchange: Exchange, refused: route.RouteError) -> None:
    """What browsers ask of S3 is no operation of its: raises what it is answered with."""
    answer = await browsers.instead(
        gateway.dispatcher, gateway.authenticator, gateway.region, exchange.request, exchange.request_id
    )
    raise refused if answer is None else Answered(answer)


def _read_body(exchange: Exchange) -> Awaitable[Any] | None:
    """Bodies are read whole, within the service's limit, but for S3's streams: other services' signatures cover the body."""
    limit = CONTENT_LIMITS.get(exchange.route.service, DEFAULT_CONTENT_LIMIT)
    if (exchange.route.codec.streaming and exchange.style == "s3") or is_read(exchange.request, limit):
        return None
    if exchange.route.service == "lambda":
        return _read_for_lambda(exchange, limit)
    return read_content(exchange.request, limit)


async def _read_for_lambda(exchange: Exchange, limit: int) -> None:
    """Lambda has words of its own for requests that are too large, as packages can be."""
    try:
        await read_content(exchange.request, limit)
    except BodyTooLarge as error:
        raise AwsError(
            f"Request must be smaller than {limit} bytes for the {exchange.route.operation} operation",
            code="RequestEntityTooLargeException",
            status=413,
        ) from error


def authenticate(gateway: Gateway, exchange: Exchange) -> Awaitable[None] | None:
    """Who signed it, and in which account and region it acts."""
    signed = exchange.signed = sigv4.parse(exchange.request, exchange.style)
    credential = gateway.authenticator.known(exchange.request, signed, exchange.style)
    if credential is None:
        return _identify(gateway, exchange)
    _admit(gateway, exchange, credential)
    return None


async def _identify(gateway: Gateway, exchange: Exchange) -> None:
    credential = await gateway.authenticator.identify(exchange.request, exchange.signed, exchange.style)
    _admit(gateway, exchange, credential)


def _admit(gateway: Gateway, exchange: Exchange, credential: Credential) -> None:
    request, signed, principal = exchange.request, exchange.signed, credential.principal
    exchange.credential = credential
    endpoint = f"{request.scheme}://{request.headers.get('host', 'localhost')}"
    if exchange.route.service == "apigatewaymanagementapi":
        endpoint += request.path.partition(route.CONNECTIONS)[0]  # the stage of a WebSocket API
    exchange.call = Call(
        account=principal.account or gateway.authenticator.account,
        region=(signed.region if signed is not None else "") or gateway.region,
        principal=principal,
        request_id=exchange.request_id,
        endpoint=endpoint,
        source_ip=request.peer,
        trace=request.headers.get("x-amzn-trace-id", ""),
        access_key=credential.access_key,
        presence=request.presence,
    )


def unwrap(_: Gateway, exchange: Exchange) -> Awaitable[None] | None:
    """A body of S3's becomes the bytes that were meant: out of `aws-chunked` framing, and checked as they are read."""
    if exchange.style != "s3":
        return None
    if exchange.route.codec.streaming:
        exchange.request.body = sigv4.payload(exchange.request, exchange.signed, exchange.credential.secret)
        return None
    # S3 signs the hash that a header gives: that the body has it is still to be seen.
    return sigv4.check_content(exchange.request, exchange.signed, exchange.credential.secret)


def decode(_: Gateway, exchange: Exchange) -> Awaitable[None] | None:
    """The operation's struct, valid by the service's model."""
    if exchange.style == "s3" and len(exchange.request.content) > LARGE_XML:
        return _decode_aside(exchange)
    found = exchange.route
    exchange.struct = found.codec.decode(exchange.request, found.match)
    return None


async def _decode_aside(exchange: Exchange) -> None:
    """On a thread: 10,000 parts take 0.3 s, in which the loop still gets its turns."""
    decoding = asyncio.get_running_loop().run_in_executor(None, exchange.route.decode, exchange.request)
    exchange.struct = await decoding


def run(gateway: Gateway, exchange: Exchange) -> Awaitable[None] | None:
    """Authorise and run the operation."""
    found = exchange.route
    given = gateway.dispatcher.begin(
        exchange.call, found.service, found.operation, exchange.struct, exchange.credential
    )
    if isinstance(given, CoroutineType):
        return _run(exchange, given)
    exchange.result = given
    return None


async def _run(exchange: Exchange, running: Awaitable[Any]) -> None:
    exchange.result = await running


def encode(_: Gateway, exchange: Exchange) -> Awaitable[None] | None:
    """The result in the protocol the client spoke."""
    found = exchange.route
    if found.hal:
        return _encode_aside(exchange)
    exchange.response = found.codec.encode(exchange.result, exchange.request_id)
    return None


async def _encode_aside(exchange: Exchange) -> None:
    """On a thread: links and names of 500 resources with their methods take 0.3 s."""
    encoding = asyncio.get_running_loop().run_in_executor(
        None, exchange.route.encode, exchange.result, exchange.request_id
    )
    exchange.response = await encoding


STEPS: Final[tuple[Step, ...]] = (find_operation, authenticate, unwrap, decode, run, encode)


def _failure(exchange: Exchange, message: str) -> HttpResponse:
    if exchange.route is None:
        return HttpResponse(500, {"Content-Type": "text/plain"}, message.encode())
    return exchange.route.codec.encode_error(InternalFailure(message), exchange.request_id)

"""Where APIs are called: `<id>.execute-api.*` hosts, custom domain names, and paths for clients that resolve neither.

What an API answers, the services of API Gateway say through their `front`.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import msgspec
from msgspec import Struct

from cumulet.gateway.authenticate import ANYBODY
from cumulet.gateway.body import read_content
from cumulet.kernel.call import Call
from cumulet.kernel.credentials import Credential
from cumulet.kernel.errors import AwsError
from cumulet.kernel.web import Asked, Judgement, Visit, WebAnswer, WebRequest
from cumulet.wire import sigv4
from cumulet.wire.http import HttpRequest, HttpResponse

if TYPE_CHECKING:
    from cumulet.gateway.chain import Gateway

log = logging.getLogger(__name__)

MARK = ".execute-api."
_ENDPOINT = "vpce-"
_AWS_PATH = "/_aws/execute-api/"
_USER_PATH = re.compile(r"/restapis/([^/]+)/([^/]+)/_user_request_(/.*)?", re.DOTALL)
PORTAL = ".apigw-portal."
_PORTAL_PATH = "/_aws/portals/"
_MANAGEMENT = "/@connections/"
PATHS = ("/_aws/", "/restapis/")
"""What paths begin with that may lead to an API, whatever the host is."""
_BODY_LIMIT = 10 * 1024 * 1024
_HEAD_LIMIT = 10_240
"""Bytes of a request's line and the values of its headers, as AWS counts them."""
_TRICKS = re.compile(r"[\x00-\x1f\x7f]|(?:^|[/\\])\.\.?(?:[/\\]|$)")
"""What nobody's path has in good faith: control characters, and parts that lead elsewhere."""
_STYLE: sigv4.Style = "rest-json"
_VISITS = ("GET", "HEAD")
_OURS = (".amazonaws.com", ".localhost", ".lambda-url.")


class Address(Struct, frozen=True):
    """Which API is meant, and the path beginning with its stage. `base_path` is what a custom domain took off before it.

    `vpc_endpoint` is in addresses of private APIs: there are no VPCs here, so whoever uses such an address comes by that endpoint.
    `domain` is the custom domain that led here, where that has a policy of its own.
    """

    api_id: str
    path: str
    mapped: bool = False
    base_path: str = ""
    vpc_endpoint: str = ""
    domain: Any = None


def address_of(request: HttpRequest, host: str) -> Address | None:
    """The API that a request's host or path names; None for every other request. `host` is in small letters."""
    path = request.path
    if MARK in host:
        label = host.partition(MARK)[0].rpartition(".")[2]
        return _private(request, label) if _ENDPOINT in label else Address(label, path)
    if path.startswith("/_aws/e") and path.startswith(_AWS_PATH):
        api_id, slash, rest = path[len(_AWS_PATH) :].partition("/")
        return Address(api_id, slash + rest)
    if path.startswith("/restapis/") and (found := _USER_PATH.fullmatch(path)) is not None:
        return Address(found[1], f"/{found[2]}{found[3] or '/'}")
    return None


def _private(request: HttpRequest, label: str) -> Address:
    """`<api>-vpce-<endpoint>`, or `vpce-<endpoint>-<zone>` with the API in a header.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-private-api-test-invoke-url.html
    """
    if label.startswith(_ENDPOINT):
        endpoint = label.removeprefix(_ENDPOINT).partition("-")[0]
        return Address(request.headers.get("x-apigw-api-id", ""), request.path, vpc_endpoint=_ENDPOINT + endpoint)
    api_id, _, endpoint = label.partition(f"-{_ENDPOINT}")
    return Address(api_id, request.path, vpc_endpoint=_ENDPOINT + endpoint)


def find(gateway: "Gateway", request: HttpRequest, request_id: str, host: str) -> Awaitable[HttpResponse] | None:
    """The answer of an API, when the request is for one."""
    if _MANAGEMENT in request.path:
        return None  # a backend that sends to a WebSocket's client: an operation as any other
    if (portal := _portal_of(request.path, host)) is not None:
        return _show_portal(gateway, request_id, *portal)
    address = address_of(request, host)
    if address is not None:
        return serve(gateway, request, request_id, address)
    return _by_domain(gateway, request, request_id, host) if may_be_custom(host) else None


async def address_for(gateway: "Gateway", request: HttpRequest, host: str) -> Address | None:
    """The API that a request is for, which may have a domain name of its own."""
    address = address_of(request, host)
    if address is not None or not may_be_custom(host):
        return address
    from cumulet.services.apigateway.domains import routing  # noqa: PLC0415  imported when first needed, as services are

    state: Any = (await gateway.dispatcher.service("apigateway")).state
    name = host.partition(":")[0]
    domain = await state.domains.host(name)
    if domain is None:
        return None
    if not domain.admits(name, request.tls):
        log.info("a request for %s was refused: it needs TLS (--tls) with that name, and a certificate if mutual", name)
        return Address("", request.path, mapped=True)
    endpoint, guarded = "", None
    if domain.private:
        endpoint = request.headers.get("x-amzn-vpce-id", "")
        domain = guarded = await state.domains.private(domain, endpoint)
    led = routing.lead(domain, request.path, request.headers) if domain is not None else None
    if led is None:
        return Address("", request.path, mapped=True)
    path = f"/{led.stage}{led.path}" if led.stage else led.path
    return Address(led.api_id, path, True, led.base_path, endpoint, guarded)


def may_be_custom(host: str) -> bool:
    """Whether a name may have an owner, as domains and APIs have. The cheap question first: nearly all names are nobody's own."""
    if MARK in host:
        return True
    if not host or host[0] == "[" or host.startswith(("localhost", "127.")):
        return False
    name = host.partition(":")[0]
    return "." in name and not name.endswith(_OURS) and not name[-1].isdigit()


async def _by_domain(gateway: "Gateway", request: HttpRequest, request_id: str, host: str) -> HttpResponse:
    """The answer of the API that a custom domain leads to; where there is no such domain, that of the service that is meant."""
    address = await address_for(gateway, request, host)
    if address is None:
        # A visitor has a browser. What is signed is a client's, who may know the node itself by a name that a portal has taken.
        visited = request.method in _VISITS and "authorization" not in request.headers
        state: Any = (await gateway.dispatcher.service("apigatewayv2")).state
        portal = await state.publications.by_domain(host.partition(":")[0]) if visited else ""
        if portal:
            return await _show_portal(gateway, request_id, portal, request.path, "/")
        given = gateway.serve(request, request_id)
        return given if isinstance(given, HttpResponse) else await given
    return await serve(gateway, request, request_id, address)


def _portal_of(path: str, host: str) -> tuple[str, str, str] | None:
    """The name of the portal (or preview) that a host or path is for, the path of the page, and where the site begins."""
    if PORTAL in host:
        label = host.partition(PORTAL)[0].rpartition(".")[2]
        return (label.removeprefix("p-"), path, "/") if label.startswith("p-") else None
    if path.startswith(_PORTAL_PATH):
        name, _, rest = path[len(_PORTAL_PATH) :].partition("/")
        return name, rest, f"{_PORTAL_PATH}{name}/"
    return None


async def _show_portal(gateway: "Gateway", request_id: str, name: str, path: str, base: str) -> HttpResponse:
    """A page of what is published; of what has a domain name of its own at that name alone."""
    from cumulet.services.apigateway.http.portals import site  # noqa: PLC0415  most nodes have no portal

    state: Any = (await gateway.dispatcher.service("apigatewayv2")).state
    found = await state.publications.find(name, state.clock.now())
    if found is None:
        return _refusal(404, request_id, "There is no such portal.", "NotFoundException")
    answer = site.answer(found, path, base)
    assert isinstance(answer.body, bytes)
    return HttpResponse(answer.status, {"x-amzn-RequestId": request_id}, answer.body, (), answer.headers)


async def serve(
    gateway: "Gateway",
    request: HttpRequest,
    request_id: str,
    address: Address,
    identify: Callable[[], Awaitable[Credential]] | None = None,
) -> HttpResponse:
    """The answer of an API: never raises but when the client goes away. `identify` is for requests that have no signature."""
    started = time.perf_counter()
    error = ""
    try:
        _check_head(request)
        visit = await _visit(gateway, request, request_id)
        visit.identify = identify or visit.identify
        visit.vpc_endpoint = address.vpc_endpoint
        if address.domain is not None and not await _admitted(address.domain, visit):
            address = Address("", address.path, mapped=True)
        if "upgrade" in request.headers and (upgraded := await _upgrade(gateway, request, visit, address)) is not None:
            return upgraded
        answer = await _answer(gateway, visit, address)
        if answer is not None:
            response = HttpResponse(answer.status, {"Connection": "keep-alive"}, answer.body, (), answer.headers)
        else:
            response = _refusal(403, request_id, "Forbidden", "ForbiddenException")
    except AwsError as refused:
        error = refused.code
        response = _refusal(refused.status, request_id, refused.message, error)
    except Exception:
        log.exception("request %s to an API failed", request_id)
        error = "InternalServerErrorException"
        response = _refusal(500, request_id, "Internal server error", error)
    gateway.recorder.add(
        "execute-api", "Invoke", response.status, error, ("", "", "", request_id), time.perf_counter() - started
    )
    return response


async def _admitted(domain: Any, visit: Visit) -> bool:
    """Whether the policy of a private domain lets a request through."""
    from cumulet.services.apigateway.domains import private  # noqa: PLC0415  as in `address_for`

    return await private.admits(domain, visit)


async def _upgrade(gateway: "Gateway", request: HttpRequest, visit: Visit, address: Address) -> HttpResponse | None:
    """The answer of a WebSocket API to a handshake; None for other requests and APIs."""
    from cumulet.gateway import websockets  # noqa: PLC0415  most nodes have no WebSocket

    if not websockets.is_handshake(request):
        return None
    return await websockets.serve(gateway, request, visit, address)


async def _answer(gateway: "Gateway", visit: Visit, address: Address) -> WebAnswer | None:
    """None when nobody has such an API."""
    other: Any = (await gateway.dispatcher.service("apigatewayv2")).state
    if other.programs.knows(address.api_id):
        quick: WebAnswer | None = await other.front.answer(visit, address.api_id, address.path, mapped=address.mapped)
        return quick
    state: Any = (await gateway.dispatcher.service("apigateway")).state
    if await state.rest.knows(address.api_id):
        answer: WebAnswer = await state.front.answer(
            visit, address.api_id, address.path, mapped=address.mapped, base_path=address.base_path
        )
        return answer
    found: WebAnswer | None = await other.front.answer(visit, address.api_id, address.path, mapped=address.mapped)
    return found


def _check_head(request: HttpRequest) -> None:
    """Refuse what is too large for AWS, and paths that servers behind an API could read as others. Raises AwsError."""
    size = len(request.path) + len(request.query) + sum([len(value) for _, value in request.lines])
    if size > _HEAD_LIMIT:
        raise AwsError(f"HTTP header is larger than {_HEAD_LIMIT} bytes.", code="BadRequestException", status=431)
    path = request.path
    if "/." not in path and "%" not in path:
        return
    once = unquote(path)
    if _TRICKS.search(once) or _TRICKS.search(unquote(once)):
        raise AwsError("Bad Request", code="BadRequestException", status=400)


async def _visit(gateway: "Gateway", request: HttpRequest, request_id: str) -> Visit:
    try:
        await read_content(request, _BODY_LIMIT)
        content = request.content
        large = False
    except AwsError as error:
        if error.status != 413:
            raise
        content, large = b"", True
    web = WebRequest(
        method=request.method,
        path=request.path,
        query=request.query,
        headers=request.headers,
        lines=[(name.decode("latin-1"), _text(value)) for name, value in request.lines],
        content=content,
        scheme=request.scheme,
        peer=request.peer,
        too_large=large,
    )
    return GatewayVisit(gateway, request, web, request_id).visit


class GatewayVisit:
    """What only the gateway can tell of a request to an API."""

    __slots__ = ("_gateway", "_request", "visit")

    def __init__(self, gateway: "Gateway", request: HttpRequest, web: WebRequest, request_id: str) -> None:
        self._gateway = gateway
        self._request = request
        self.visit = Visit(
            request=web,
            request_id=request_id,
            endpoint=f"{request.scheme}://{request.headers.get('host', 'localhost')}",
            identify=self._identify,
            authorize=self._authorize,
            judge=self._judge,
            certificate=request.tls.certificate if request.tls is not None else None,
            tls=request.tls,
        )

    async def _identify(self) -> Credential:
        signed = sigv4.parse(self._request, _STYLE)
        if signed is None:
            return ANYBODY
        return await self._gateway.authenticator.identify(self._request, signed, _STYLE)

    async def _authorize(self, call: Call, credential: Credential, service: str, operation: str, request: Any) -> None:
        authorizer = self._gateway.dispatcher.authorizer
        if authorizer is not None and authorizer.needs_check(call, credential):
            await authorizer.check(call, credential, service, operation, request)

    async def _judge(self, call: Call, credential: Credential, asked: Asked) -> Judgement:
        authorizer: Any = self._gateway.dispatcher.authorizer
        if authorizer is None:
            return Judgement(allowed=True)
        judgement: Judgement = await authorizer.judge(call, credential, asked)
        return judgement


def _text(value: bytes) -> str:
    return value.decode("latin-1").strip(" \t")


def _refusal(status: int, request_id: str, message: str, kind: str) -> HttpResponse:
    headers = {"Content-Type": "application/json", "x-amzn-RequestId": request_id, "x-amzn-ErrorType": kind}
    return HttpResponse(status, headers, msgspec.json.encode({"message": message}))

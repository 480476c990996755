"""HTTP as the data planes of services see it: an address called from outside, and calls that the platform makes itself."""

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any, Protocol

from msgspec import Struct

from cumulet.kernel.call import Call
from cumulet.kernel.credentials import Credential


class WebRequest(Struct, kw_only=True):
    """A request to an address. `path` and `query` are as sent (percent-encoded, without the `?`).

    `headers` has lower-case names, values sent twice joined by a comma; `lines` holds names and values as they were sent, in
    order. `content` is the body, whole; it is empty and `too_large` set where it was larger than any address takes.
    """

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = {}
    lines: list[tuple[str, str]] = []
    content: bytes = b""
    scheme: str = "http"
    peer: str = "127.0.0.1"
    too_large: bool = False


class ClientCertificate(Struct, frozen=True):
    """Who a client of a TLS connection has shown to be: verified. `subject` and `issuer` are names, from their general to their
    special parts, each as its OpenSSL name and value. Times are as OpenSSL prints them, `serial` is in hexadecimal digits.
    """

    pem: str
    subject: tuple[tuple[str, str], ...]
    issuer: tuple[tuple[str, str], ...]
    serial: str
    not_before: str
    not_after: str


class Tls(Struct, frozen=True):
    """Of a connection: the name that the client asked for (in small letters, empty for none), who it has shown to be, and what was
    agreed on: `TLSv1.3`, and OpenSSL's name of the cipher suite.
    """

    server_name: str = ""
    certificate: ClientCertificate | None = None
    version: str = ""
    cipher: str = ""


class WebAnswer(Struct, kw_only=True):
    """What an address answers: headers in order, one twice where it is sent twice; a body whole or in pieces."""

    status: int
    headers: list[tuple[str, str]] = []
    body: bytes | AsyncIterable[bytes] = b""


class Asked(Struct, kw_only=True):
    """An action on a resource, with the policy that the resource has itself (its text; None when it has none).

    `keys` are condition keys of the request, by lower-case names. `identity` tells whether the caller's own policies are looked
    at: not where an authorizer has spoken for it, or nobody asks who it is.
    """

    action: str
    resource: str
    policy: str | None = None
    identity: bool = True
    keys: dict[str, tuple[str, ...]] = {}


class Judgement(Struct, frozen=True):
    """`explicit`: a statement denies it, rather than none allowing it; then `by` is the kind of policy."""

    allowed: bool
    explicit: bool = False
    by: str = ""


class Visit(Struct, kw_only=True):
    """A request that came from outside, with what only the gateway can tell about it.

    `identify` verifies its signature and gives whose it is: ANONYMOUS when it has none; raises AwsError when it is wrong.
    `authorize(call, credential, service, operation, request)` raises AwsError when permissions, if they count, forbid it.
    `judge(call, credential, asked)` decides on an action by the caller's policies, if they count, and the resource's own.
    `certificate` is the client's, where the address asks for one; `vpc_endpoint` the endpoint that the address names;
    `tls` is there where the connection has TLS.
    """

    request: WebRequest
    request_id: str
    endpoint: str
    identify: Callable[[], Awaitable[Credential]]
    authorize: Callable[[Call, Credential, str, str, Any], Awaitable[None]]
    judge: Callable[[Call, Credential, Asked], Awaitable[Judgement]]
    certificate: ClientCertificate | None = None
    vpc_endpoint: str = ""
    tls: Tls | None = None


class Client(Protocol):
    """Calls addresses elsewhere by HTTP."""

    async def send(
        self,
        url: str,
        request: WebRequest,
        *,
        seconds: float,
        stream: bool = False,
        verify: bool = True,
        certificate: str = "",
        server_name: str = "",
    ) -> WebAnswer:
        """The answer to `request` (its method, `lines` and content; `url` has path and query). Follows no redirects.

        `seconds` is the time there is, until the answer's head with `stream`, else to its end. `certificate` is what to show to
        a server that asks for one (PEM, its key in the same text). `server_name` is what its certificate must be for, when that is
        not the URL's host. Raises TimeoutError, ConnectionError when nothing answers
        or what answers is not trusted, and ValueError for a URL that is none.
        """
        ...


class Inner(Protocol):
    """Requests to services of this node in their own protocols, without a socket, a signature or a host."""

    async def send(self, call: Call, credential: Credential | None, service: str, request: WebRequest) -> WebAnswer:
        """The answer of `service` (botocore's name), as its wire gives it, errors too: never raises AwsError.

        `call` says account, region and principal; with `credential` permissions are evaluated as for a signed request.
        """
        ...


class Apis(Protocol):
    """APIs of this node, called without a socket or a signature."""

    async def send(self, host: str, request: WebRequest, credential: Credential | None) -> WebAnswer | None:
        """The answer of the API that `host`, or the path of the request, names; None where there is no such API.

        With `credential` the request counts as signed by it. Never raises AwsError.
        """
        ...

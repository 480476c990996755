"""One request to an HTTP API on its way, and what has been found out about it."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from cumulet.delivery.proxied import parameters
from cumulet.kernel.call import Call
from cumulet.kernel.credentials import Credential
from cumulet.kernel.once import once
from cumulet.kernel.web import Visit, WebRequest
from cumulet.services.apigateway.http.expressions import in_body
from cumulet.services.apigateway.http.serving.program import Program, RouteProgram
from cumulet.services.apigateway.plane import client_certificates
from cumulet.services.apigateway.plane.context import look_up, request_time

_MOST_BODY = 100 * 1024
"""Bytes of a body that mapping expressions look into."""
HOPS = frozenset({"connection", "keep-alive", "transfer-encoding", "te", "upgrade", "expect", "proxy-connection"})


class Refused(Exception):
    """The API answers by itself, with this status and message. `challenge` is a header www-authenticate; `why` is for logs."""

    def __init__(self, status: int, message: str, why: str = "", challenge: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.why = why or message
        self.challenge = challenge


class Exchange:
    """A request, the route it is for, and `$context`. `path` is as the event has it, decoded; `now` in seconds since 1970.

    `domain` is the name that functions are told: one they find the API by, too.
    """

    def __init__(self, visit: Visit, program: Program, domain: str, now: float, trace: str) -> None:
        self.visit = visit
        self.request: WebRequest = visit.request
        self.program = program
        self.path = ""
        self.domain = domain
        self.now = now
        self.trace = trace
        self.id = new_request_id()
        self.route: RouteProgram | None = None
        self.path_parameters: dict[str, str] = {}
        self.authorizer: dict[str, Any] = {}
        self.caller: Call | None = None
        self.credential: Credential | None = None
        self.integration: dict[str, Any] = {}
        self.error = ""
        running = program.running
        self.account, self.region = running.account, running.region
        self.api_id, self.stage = running.id, running.stage.stage_name

    @property
    def key(self) -> str:
        return self.route.key if self.route is not None else ""

    @once
    def query(self) -> dict[str, str]:
        return parameters(self.request.query) if self.request.query else {}

    @once
    def headers(self) -> dict[str, str]:
        """What integrations see: no headers of the connection, and what AWS adds."""
        request = self.request
        headers = {name: value for name, value in request.headers.items() if name not in HOPS}
        through = headers.get("x-forwarded-for")
        headers["x-forwarded-for"] = f"{through}, {request.peer}" if through else request.peer
        headers["x-forwarded-port"] = _port(request)
        headers["x-forwarded-proto"] = request.scheme
        headers["x-amzn-trace-id"] = self.trace
        if "content-length" not in headers:
            headers["content-length"] = str(len(request.content))
        return headers

    @property
    def client_cert(self) -> dict[str, Any] | None:
        """The client's certificate, where its domain asks for one."""
        certificate = self.visit.certificate
        return None if certificate is None else client_certificates.shown(certificate)

    def arn(self, what: str) -> str:
        """An ARN of the API's: a method with its path, or an authorizer."""
        return f"arn:aws:execute-api:{self.region}:{self.account}:{self.api_id}/{what}"

    @property
    def invoke_arn(self) -> str:
        """What a permission to call the route names."""
        return self.arn(f"{self.stage}/{self.request.method}{self.path_of_stage}")

    @property
    def path_of_stage(self) -> str:
        """The path behind the stage."""
        return self.path.removeprefix(f"/{self.stage}") if self.stage != "$default" else self.path

    def call(self, source_arn: str) -> Call:
        """What integrations and authorizers are called with."""
        return Call(
            account=self.account,
            region=self.region,
            principal=self.program.itself,
            request_id=self.visit.request_id,
            endpoint=self.visit.endpoint,
            source_ip=self.request.peer,
            source_arn=source_arn,
            trace=self.trace,
        )

    def find(self, path: tuple[str, ...]) -> Any:
        """The value of a mapping expression's path."""
        match path:
            case ("request", "header", name):
                return self.request.headers.get(name.lower())
            case ("request", "querystring", name):
                return self.query.get(name)
            case ("request", "path"):
                return self.path
            case ("request", "path", name):
                return self.path_parameters.get(name)
            case ("request", "body"):
                return self.request.content.decode(errors="replace")
            case ("request", "body", name):
                return in_body(self.request.content[:_MOST_BODY], name)
            case ("stageVariables", name):
                return self.program.variables.get(name)
            case ("context", *rest):
                return look_up(self.context, tuple(rest))
        return None

    @property
    def context(self) -> Mapping[str, Any]:
        """`$context`, as it is now."""
        request = self.request
        caller = self.caller
        return {
            "accountId": self.account,
            "apiId": self.api_id,
            "authorizer": self.authorizer,
            "domainName": self.domain,
            "domainPrefix": self.domain.partition(".")[0],
            "error": {
                "message": self.error,
                "messageString": f'"{self.error}"' if self.error else "",
                "responseType": self.integration.get("type", ""),
            },
            "extendedRequestId": self.id,
            "httpMethod": request.method,
            "identity": {
                "sourceIp": request.peer,
                "userAgent": request.headers.get("user-agent", ""),
                "accountId": caller.account if caller else "",
                "accessKey": caller.access_key if caller else "",
                "caller": caller.principal.id if caller else "",
                "user": caller.principal.id if caller else "",
                "userArn": caller.principal.arn if caller else "",
                "clientCert": self.client_cert,
            },
            "integration": self.integration,
            "integrationErrorMessage": self.integration.get("error", ""),
            "integrationLatency": self.integration.get("latency", ""),
            "integrationStatus": self.integration.get("integrationStatus", ""),
            "path": self.path,
            "protocol": "HTTP/1.1",
            "requestId": self.id,
            "requestTime": request_time(self.now),
            "requestTimeEpoch": int(self.now * 1000),
            "routeKey": self.key,
            "stage": self.stage,
        }


def parts_of(path: str) -> list[str]:
    """The decoded parts of a path as sent. Raises Refused for one that has no place in an address."""
    parts = [unquote(part, errors="replace") for part in path.removeprefix("/").split("/")]
    for part in parts:
        if "\0" in part:
            raise Refused(400, "Bad Request", "a path with a NUL")
    return parts


def new_request_id() -> str:
    """`$context.requestId`, as API Gateway makes them: `JKJaXmPLvHcESHA=`."""
    return base64.b64encode(os.urandom(11)).decode()


def _port(request: WebRequest) -> str:
    port = request.headers.get("host", "").rpartition(":")[2]
    return port if port.isdigit() else ("443" if request.scheme == "https" else "80")

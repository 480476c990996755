"""HTTP APIs to test with: routes to functions and addresses, called as a stranger would."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urlsplit

import pytest
from tests.services.lambda_.conftest import ECHO, RUNTIME, package

Client = Callable[..., Any]


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    there: SplitResult,
    host: str,
    method: str,
    target: str,
    body: bytes | str | None = None,
    headers: list[tuple[str, str]] | dict[str, str] | None = None,
) -> Answer:
    """The node's answer as it is, for a host that this machine need not resolve."""
    connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
    content = body.encode() if isinstance(body, str) else body
    try:
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", host)
        for name, value in headers.items() if isinstance(headers, dict) else headers or []:
            connection.putheader(name, value)
        if content is not None:
            connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()


class Api:
    """One HTTP API. Calls go to its host, whether or not this machine resolves it."""

    def __init__(self, client: Client, endpoint: str, account: str, **settings: Any) -> None:
        self.v2 = client("apigatewayv2")
        self.lambda_ = client("lambda")
        self.account = account
        made = self.v2.create_api(**({"Name": "shop", "ProtocolType": "HTTP"} | settings))
        self.id: str = made["ApiId"]
        self.host = urlsplit(made["ApiEndpoint"]).netloc
        self._there = urlsplit(endpoint)

    def function(self, name: str, source: str = ECHO, *, allowed: bool = True) -> str:
        """A function's ARN, which the API may call."""
        arn: str = self.lambda_.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Handler="index.handler",
            Role=f"arn:aws:iam::{self.account}:role/functions",
            Code={"ZipFile": package(source)},
            Timeout=30,
        )["FunctionArn"]
        if allowed:
            self.lambda_.add_permission(
                FunctionName=name,
                StatementId="api",
                Action="lambda:InvokeFunction",
                Principal="apigateway.amazonaws.com",
                SourceArn=f"arn:aws:execute-api:us-east-1:{self.account}:{self.id}/*",
            )
        return arn

    def proxy(self, arn: str, version: str = "2.0", **settings: Any) -> str:
        """The target of an integration with a function."""
        made = self.v2.create_integration(
            ApiId=self.id, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion=version, **settings
        )
        return f"integrations/{made['IntegrationId']}"

    def forward(self, url: str, method: str = "ANY", **settings: Any) -> str:
        """The target of an integration with an address."""
        made = self.v2.create_integration(
            ApiId=self.id, IntegrationType="HTTP_PROXY", IntegrationUri=url, IntegrationMethod=method, **settings
        )
        return f"integrations/{made['IntegrationId']}"

    def route(self, key: str, target: str | None = None, **settings: Any) -> str:
        if target is not None:
            settings["Target"] = target
        return str(self.v2.create_route(ApiId=self.id, RouteKey=key, **settings)["RouteId"])

    def stage(self, name: str = "$default", **settings: Any) -> None:
        self.v2.create_stage(ApiId=self.id, StageName=name, AutoDeploy=True, **settings)

    def call(
        self,
        method: str,
        path: str,
        body: bytes | str | None = None,
        headers: list[tuple[str, str]] | dict[str, str] | None = None,
        host: str = "",
    ) -> Answer:
        return ask(self._there, host or self.host, method, path, body, headers)


@pytest.fixture
def shop(client: Client, endpoint: str, account: str) -> Api:
    """An API without routes."""
    return Api(client, endpoint, account)


@pytest.fixture
def make_api(client: Client, endpoint: str, account: str) -> Callable[..., Api]:
    return lambda **settings: Api(client, endpoint, account, **settings)


class Backend(ThreadingHTTPServer):
    """An address that tells what it was asked; `answers` by path are (status, headers, body) or a function of the handler."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        server = self.server
        assert isinstance(server, Backend)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        server.asked.append(self.path)
        told = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": body.decode("latin-1"),
        }
        status, headers, content = server.answers.get(
            self.path.partition("?")[0], (200, {"content-type": "application/json"}, json.dumps(told).encode())
        )
        if callable(content):
            content = content()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = _answer  # noqa: N815  the library's names

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def backend() -> Iterator[Backend]:
    server = Backend()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()

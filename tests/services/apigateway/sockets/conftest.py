"""WebSocket APIs to test with: routes to functions, mocks and addresses; clients as strangers have them."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.services.lambda_.conftest import RUNTIME, package
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

Client = Callable[..., Any]


class Chat:
    """One WebSocket API. Clients connect to its host, whether or not this machine resolves it."""

    def __init__(self, client: Client, endpoint: str, account: str, **settings: Any) -> None:
        self.v2 = client("apigatewayv2")
        self.lambda_ = client("lambda")
        self._client = client
        self.endpoint = endpoint
        self.account = account
        made = self.v2.create_api(
            **(
                {"Name": "chat", "ProtocolType": "WEBSOCKET", "RouteSelectionExpression": "$request.body.action"}
                | settings
            )
        )
        self.id: str = made["ApiId"]
        self.host = urlsplit(made["ApiEndpoint"]).netloc
        self.there = urlsplit(endpoint)

    def function(self, name: str, source: str, **settings: Any) -> str:
        """A function's ARN, which the API may call."""
        arn: str = self.lambda_.create_function(
            FunctionName=name,
            Runtime=RUNTIME,
            Handler="index.handler",
            Role=f"arn:aws:iam::{self.account}:role/functions",
            Code={"ZipFile": package(source)},
            **({"Timeout": 30} | settings),
        )["FunctionArn"]
        self.lambda_.add_permission(
            FunctionName=name,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:{self.account}:{self.id}/*",
        )
        return arn

    def proxy(self, arn: str, **settings: Any) -> str:
        """The target of an integration with a function."""
        uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
        made = self.v2.create_integration(
            ApiId=self.id, IntegrationType="AWS_PROXY", IntegrationUri=uri, IntegrationMethod="POST", **settings
        )
        return f"integrations/{made['IntegrationId']}"

    def integrate(self, kind: str, answer: str | None = None, **settings: Any) -> str:
        """The target of another integration; `answer` is the template of its response."""
        made = self.v2.create_integration(ApiId=self.id, IntegrationType=kind, **settings)
        if answer is not None:
            self.v2.create_integration_response(
                ApiId=self.id,
                IntegrationId=made["IntegrationId"],
                IntegrationResponseKey="$default",
                ResponseTemplates={"$default": answer},
            )
        return f"integrations/{made['IntegrationId']}"

    def route(self, key: str, target: str | None = None, *, answers: bool = False, **settings: Any) -> str:
        if target is not None:
            settings["Target"] = target
        if answers:
            settings["RouteResponseSelectionExpression"] = "$default"
        id = str(self.v2.create_route(ApiId=self.id, RouteKey=key, **settings)["RouteId"])
        if answers:
            self.v2.create_route_response(ApiId=self.id, RouteId=id, RouteResponseKey="$default")
        return id

    def echo(self, key: str = "$default") -> None:
        """A route that tells its client what its function was told."""
        name = f"echo-{len(key)}-{self.id}"
        arn = self.function(
            name,
            "import json\ndef handler(event, context):\n    return {'statusCode': 200, 'body': json.dumps(event)}\n",
        )
        self.route(key, self.proxy(arn), answers=True)

    def stage(self, name: str = "dev", **settings: Any) -> None:
        deployment = self.v2.create_deployment(ApiId=self.id)["DeploymentId"]
        self.v2.create_stage(ApiId=self.id, StageName=name, DeploymentId=deployment, **settings)

    def connect(self, path: str = "/dev", host: str = "", **options: Any) -> ClientConnection:
        """A client of the API."""
        options = {
            "compression": None,
            "proxy": None,
            "open_timeout": 60,
            "close_timeout": 60,
            "legacy": True,
        } | options
        sock = self.socket()
        return connect(f"ws://{host or self.host}{path}", sock=sock, **options)

    def refused(self, status: int, **options: Any) -> dict[str, Any]:
        """What a client reads that may not connect."""
        with pytest.raises(InvalidStatus) as caught:
            self.connect(**options)
        assert caught.value.response.status_code == status
        found: dict[str, Any] = json.loads(caught.value.response.body or b"{}")
        return found

    def socket(self) -> Any:
        import socket

        return socket.create_connection((self.there.hostname or "", self.there.port or 0), timeout=60)

    def management(self, *, by_host: bool = False, account: str = "") -> Any:
        """The client of a backend that sends to the API's clients."""
        url = f"{self.endpoint}/_aws/execute-api/{self.id}/dev"
        if by_host:
            url = f"http://{self.host}/dev"
        return self._client("apigatewaymanagementapi", endpoint_url=url, **({"account": account} if account else {}))


@pytest.fixture
def chat(client: Client, endpoint: str, account: str) -> Chat:
    """An API without routes."""
    return Chat(client, endpoint, account)


@pytest.fixture
def make_chat(client: Client, endpoint: str, account: str) -> Callable[..., Chat]:
    return lambda **settings: Chat(client, endpoint, account, **settings)

"""REST APIs to test with: methods with integrations, called as a stranger would."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.services.apigateway.http.conftest import Answer, Backend, ask, backend
from tests.services.lambda_.conftest import ECHO, RUNTIME, package

__all__ = ["Answer", "Backend", "backend"]

Client = Callable[..., Any]
OK = {"application/json": '{"statusCode": 200}'}


class Api:
    """One REST API, and its stage `dev` once it is deployed."""

    def __init__(self, client: Client, endpoint: str, account: str, **settings: Any) -> None:
        self.rest = client("apigateway")
        self.lambda_ = client("lambda")
        self.account = account
        made = self.rest.create_rest_api(
            **({"name": "pets", "endpointConfiguration": {"types": ["REGIONAL"]}} | settings)
        )
        self.id: str = made["id"]
        self._resources: dict[str, str] = {"/": made["rootResourceId"]}
        self._there = urlsplit(endpoint)
        self.host = f"{self.id}.execute-api.us-east-1.localhost:{self._there.port}"

    def resource(self, path: str) -> str:
        """The id of a resource, made with those above it."""
        if path not in self._resources:
            parent, _, part = path.rpartition("/")
            made = self.rest.create_resource(restApiId=self.id, parentId=self.resource(parent or "/"), pathPart=part)
            self._resources[path] = str(made["id"])
        return self._resources[path]

    def at(self, verb: str, path: str) -> dict[str, str]:
        return {"restApiId": self.id, "resourceId": self.resource(path), "httpMethod": verb}

    def method(self, verb: str, path: str, *, statuses: tuple[str, ...] = ("200",), **settings: Any) -> dict[str, str]:
        at = self.at(verb, path)
        self.rest.put_method(**at, **({"authorizationType": "NONE"} | settings))
        for status in statuses:
            self.rest.put_method_response(**at, statusCode=status)
        return at

    def mock(
        self, verb: str, path: str, answer: str = "{}", template: str = OK["application/json"], **settings: Any
    ) -> None:
        """A method that answers by itself."""
        at = self.method(verb, path, **settings)
        self.rest.put_integration(**at, type="MOCK", requestTemplates={"application/json": template})
        self.rest.put_integration_response(**at, statusCode="200", responseTemplates={"application/json": answer})

    def function(self, name: str, source: str = ECHO, **settings: Any) -> str:
        """A function's ARN, which the API may call."""
        members: dict[str, Any] = {
            "Runtime": RUNTIME,
            "Handler": "index.handler",
            "Role": f"arn:aws:iam::{self.account}:role/functions",
            "Code": {"ZipFile": package(source)},
            "Timeout": 30,
        }
        arn: str = self.lambda_.create_function(FunctionName=name, **(members | settings))["FunctionArn"]
        self.lambda_.add_permission(
            FunctionName=name,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:aws:execute-api:us-east-1:{self.account}:{self.id}/*",
        )
        return arn

    def uri(self, arn: str) -> str:
        return f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"

    def proxy(self, verb: str, path: str, arn: str, **settings: Any) -> None:
        """A method that a function answers."""
        at = self.method(verb, path, **settings)
        self.rest.put_integration(**at, type="AWS_PROXY", integrationHttpMethod="POST", uri=self.uri(arn))

    def deploy(self, stage: str = "dev", **settings: Any) -> None:
        self.rest.create_deployment(restApiId=self.id, stageName=stage, **settings)

    def set(self, *changes: tuple[str, str], stage: str = "dev") -> None:
        """Change settings of the stage, by path."""
        operations = [{"op": "replace", "path": path, "value": value} for path, value in changes]
        self.rest.update_stage(restApiId=self.id, stageName=stage, patchOperations=operations)

    def call(
        self,
        verb: str,
        path: str,
        body: bytes | str | None = None,
        headers: list[tuple[str, str]] | dict[str, str] | None = None,
        *,
        stage: str = "dev",
        host: str = "",
    ) -> Answer:
        return ask(self._there, host or self.host, verb, f"/{stage}{path}" if stage else path, body, headers)


@pytest.fixture
def api(client: Client, endpoint: str, account: str) -> Api:
    """An API without methods."""
    return Api(client, endpoint, account)


@pytest.fixture
def make_api(client: Client, endpoint: str, account: str) -> Callable[..., Api]:
    return lambda **settings: Api(client, endpoint, account, **settings)


@pytest.fixture
def echo(api: Api) -> Api:
    """An API all of whose paths a function answers with its event."""
    source = "import json\ndef handler(event, context):\n    return {'statusCode': 200, 'body': json.dumps(event)}\n"
    arn = api.function("echo", source)
    api.proxy("ANY", "/", arn)
    api.proxy("ANY", "/{proxy+}", arn)
    api.deploy()
    return api


def proxied(answer: Any) -> str:
    """The source of a function that answers so."""
    return f"import json\ndef handler(event, context):\n    return json.loads({json.dumps(answer)!r})\n"

"""HTTP tasks, of a server of this test, with connections of EventBridge."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.config import Config
from tests.services.events.conftest import Elsewhere, elsewhere
from tests.services.stepfunctions.engine.conftest import Workflows

__all__ = ["elsewhere"]
ROLE = "arn:aws:iam::111122223333:role/workflow"
HTTP = "http:invoke"
KEY = {"ApiKeyAuthParameters": {"ApiKeyName": "X-Key", "ApiKeyValue": "k1"}}

Connect = Callable[..., str]
Task = Callable[..., dict[str, Any]]


@pytest.fixture
def connect(client: Callable[..., Any]) -> Connect:
    """`connect(name, type, parameters, **invocation)` makes a connection and gives its ARN."""
    events = client("events")

    def make(name: str = "shop", type: str = "API_KEY", parameters: Any = None, **invocation: Any) -> str:
        given = dict(parameters or KEY)
        if invocation:
            given["InvocationHttpParameters"] = {
                f"{kind}Parameters": [
                    {"Key": key, "Value": value, "IsValueSecret": True} for key, value in items.items()
                ]
                for kind, items in invocation.items()
            }
        made = events.create_connection(Name=name, AuthorizationType=type, AuthParameters=given)
        deadline = time.monotonic() + 200
        while events.describe_connection(Name=name)["ConnectionState"] == "AUTHORIZING":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return str(made["ConnectionArn"])

    return make


def parameters(url: str, connection: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {"ApiEndpoint": url, "Method": method, "InvocationConfig": {"ConnectionArn": connection}, **more}


def test_what_is_sent_and_what_comes_of_it(
    workflows: Workflows, task: Task, elsewhere: Elsewhere, connect: Connect
) -> None:
    elsewhere.answer("/things", 201, {"id": 7})
    given = {
        "ApiEndpoint": f"{elsewhere.url}/things",
        "Method": "POST",
        "Authentication": {"ConnectionArn": connect()},
        "Headers": {"X-One": "1", "X-Several": ["a", "b"]},
        "QueryParameters": {"q": "a b&c", "n": [1, True]},
        "RequestBody": {"name": "é"},
    }
    ended = workflows.run(task(HTTP, given))
    assert ended["status"] == "SUCCEEDED", ended
    output = json.loads(ended["output"])
    assert (output["StatusCode"], output["StatusText"], output["ResponseBody"]) == (201, "Created", {"id": 7})
    assert output["Headers"]["content-type"] == ["application/json"]
    [(method, path, headers, body)] = elsewhere.asked
    assert (method, path, json.loads(body)) == ("POST", "/things?q=a%20b%26c&n=1&n=true", {"name": "é"})
    assert headers["x-key"] == "k1"
    assert headers["x-one"] == "1"
    assert headers["user-agent"] == "Amazon|StepFunctions|HttpInvoke|us-east-1"
    assert headers["range"] == "bytes=0-262144"
    assert headers["content-type"] == "application/json; charset=UTF-8"


def test_what_a_connection_adds_takes_precedence(
    workflows: Workflows, task: Task, elsewhere: Elsewhere, connect: Connect
) -> None:
    elsewhere.answer("/path", 200, "fine", "text/plain")
    connection = connect(
        Header={"Header-Param": "connection"}, QueryString={"query": "connection"}, Body={"BodyParam": "connection"}
    )
    more = {
        "Headers": {"header-param": "machine", "Request-Id": "mine"},
        "QueryParameters": {"query": "machine", "other": "o"},
        "RequestBody": {"Job": "Engineer", "BodyParam": "machine"},
    }
    ended = workflows.run(task(HTTP, parameters(f"{elsewhere.url}/path", connection, "POST", **more)))
    assert json.loads(ended["output"])["ResponseBody"] == '"fine"'
    [(_, path, headers, body)] = elsewhere.asked
    assert path == "/path?other=o&query=connection"
    assert (headers["header-param"], headers["request-id"]) == ("connection", "mine")
    assert json.loads(body) == {"Job": "Engineer", "BodyParam": "connection"}
    refused = workflows.run(task(HTTP, parameters(f"{elsewhere.url}/path", connection, "POST", RequestBody="text")))
    assert refused["error"] == "States.Runtime"
    assert len(elsewhere.asked) == 1


def test_bodies_as_forms(workflows: Workflows, task: Task, elsewhere: Elsewhere, connect: Connect) -> None:
    elsewhere.answer("/form", 200, {})
    more = {
        "Headers": {"Content-Type": "application/x-www-form-urlencoded"},
        "RequestBody": {"description": "a b", "metadata": {"order": 1}, "array": ["x", "y"]},
        "Transform": {"RequestBodyEncoding": "URL_ENCODED"},
    }
    ended = workflows.run(task(HTTP, parameters(f"{elsewhere.url}/form", connect(), "POST", **more)))
    assert ended["status"] == "SUCCEEDED"
    [(_, _, headers, body)] = elsewhere.asked
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert body == "description=a%20b&metadata%5Border%5D=1&array%5B0%5D=x&array%5B1%5D=y"


def test_statuses_fail_the_task_by_their_number(
    workflows: Workflows, task: Task, elsewhere: Elsewhere, connect: Connect
) -> None:
    elsewhere.answer("/busy", 429, {"slow": "down"})
    url = f"{elsewhere.url}/busy"
    ended = workflows.run(task(HTTP, parameters(url, connect())))
    assert (ended["error"], ended["cause"]) == ("States.Http.StatusCode.429", "Too Many Requests")
    retry = [{"ErrorEquals": ["States.Http.StatusCode.429"], "MaxAttempts": 2, "IntervalSeconds": 1}]
    catch = [{"ErrorEquals": ["States.TaskFailed"], "Next": "Caught"}]
    states = task(HTTP, parameters(url, connect("other")), Retry=retry, Catch=catch)
    states["Caught"] = {"Type": "Pass", "Result": "caught", "End": True}
    assert workflows.run(states, jump=2)["output"] == '"caught"'
    assert len(elsewhere.asked) == 4


@pytest.mark.parametrize(
    ("kind", "content", "error"),
    [
        ("image/png", b"12", "States.Runtime"),
        ("text/plain", b"\xff\xfe", "States.Runtime"),
        ("text/plain", b"x" * 300_000, "States.DataLimitExceeded"),
    ],
)
def test_answers_that_are_no_text_or_too_large(
    workflows: Workflows, task: Task, elsewhere: Elsewhere, connect: Connect, kind: str, content: bytes, error: str
) -> None:
    elsewhere.answer("/it", 200, content, kind)
    assert workflows.run(task(HTTP, parameters(f"{elsewhere.url}/it", connect())))["error"] == error


def test_nobody_there(workflows: Workflows, task: Task, connect: Connect) -> None:
    ended = workflows.run(task(HTTP, parameters("http://127.0.0.1:9/", connect())))
    assert ended["error"] == "States.Http.Socket"


@pytest.mark.parametrize(
    "change",
    [
        {"Headers": {"Authorization": "mine"}},
        {"Headers": {"X-Amz-Thing": "1"}},
        {"Headers": {"a b": "1"}},
        {"Headers": {"X-One": "1\r\nX-Two: 2"}},
        {"ApiEndpoint": "http://example.com/"},
        {"ApiEndpoint": "https://user:word@example.com/"},
        {"Method": "TRACE"},
        {"InvocationConfig": None},
        {"Authentication": {"ConnectionArn": "arn:aws:events:us-east-1:111122223333:connection/a/b"}},
        {"Transform": {"RequestBodyEncoding": "OTHER"}},
        {"Other": 1},
    ],
)
def test_parameters_that_cannot_be_used(
    workflows: Workflows, task: Task, elsewhere: Elsewhere, change: dict[str, Any]
) -> None:
    connection = "arn:aws:events:us-east-1:111122223333:connection/a/11111111-2222-4333-8444-555555555555"
    given = parameters(f"{elsewhere.url}/", connection) | change
    # Made of the input: what is written in a definition is checked when the machine is made.
    states = {"Do": task(HTTP)["Do"] | {"QueryLanguage": "JSONata", "Arguments": "{% $states.input %}"}}
    ended = workflows.run(states, given)
    assert ended["error"] == "States.Runtime", ended
    assert not elsewhere.asked


def test_connections_that_cannot_be_used(
    workflows: Workflows, task: Task, client: Callable[..., Any], elsewhere: Elsewhere, connect: Connect
) -> None:
    arn = connect()
    client("events").deauthorize_connection(Name="shop")
    ended = workflows.run(task(HTTP, parameters(elsewhere.url, arn)))
    assert ended["error"] == "Events.ConnectionResource.InvalidConnectionState"
    gone = workflows.run(task(HTTP, parameters(elsewhere.url, arn[:-1] + ("0" if arn[-1] != "0" else "1"))))
    assert gone["error"] == "Events.ConnectionResource.ResourceNotFound"
    assert not elsewhere.asked


def test_tokens_are_renewed_when_they_are_refused_or_old(
    workflows: Workflows, task: Task, elsewhere: Elsewhere, connect: Connect, advance: Callable[[float], None]
) -> None:
    made: list[str] = []

    def token(_: dict[str, str]) -> Any:
        made.append(f"t{len(made) + 1}")
        return (
            200,
            {"Content-Type": "application/json"},
            json.dumps({"access_token": made[-1], "expires_in": 600}).encode(),
        )

    good = {"Bearer t1"}
    elsewhere.answers["/token"] = token
    elsewhere.answers["/it"] = lambda headers: (200 if headers["authorization"] in good else 401, {}, b"{}")
    oauth = {
        "OAuthParameters": {
            "ClientParameters": {"ClientID": "me", "ClientSecret": "s"},
            "AuthorizationEndpoint": f"{elsewhere.url}/token",
            "HttpMethod": "POST",
        }
    }
    states = task(HTTP, parameters(f"{elsewhere.url}/it", connect("o", "OAUTH_CLIENT_CREDENTIALS", oauth)))
    machine = workflows.machine(states)
    assert workflows.ended(workflows.start(machine))["status"] == "SUCCEEDED"
    assert made == ["t1"]
    good.clear()
    good.add("Bearer t2")
    assert workflows.ended(workflows.start(machine))["status"] == "SUCCEEDED"
    assert made == ["t1", "t2"]
    advance(595)
    good.add("Bearer t3")
    assert workflows.ended(workflows.start(machine))["status"] == "SUCCEEDED"
    assert made == ["t1", "t2", "t3"]
    good.clear()
    assert workflows.ended(workflows.start(machine))["error"] == "States.Http.StatusCode.401"


def test_trials_show_what_was_sent(
    client: Callable[..., Any], task: Task, elsewhere: Elsewhere, connect: Connect
) -> None:
    elsewhere.answer("/get", 200, {"fine": True})
    more: dict[str, Any] = {
        "Headers": {"definitionHeader": "h1"},
        "QueryParameters": {"queryParam": "q1"},
        "RequestBody": {"a": 1},
    }
    connection = connect(QueryString={"hidden": "x"}, Body={"b": "2"})
    state = task(HTTP, parameters(f"{elsewhere.url}/get", connection, **more))["Do"]

    states = client("stepfunctions", config=Config(inject_host_prefix=False))

    def tried(**options: Any) -> dict[str, Any]:
        found: dict[str, Any] = states.test_state(
            definition=json.dumps(state), roleArn=ROLE, inspectionLevel="TRACE", **options
        )
        return found

    plain = tried()
    assert plain["status"] == "SUCCEEDED"
    data = plain["inspectionData"]
    assert data["request"] == {
        "protocol": "http",
        "method": "GET",
        "url": f"{elsewhere.url}/get?queryParam=q1",
        "headers": "[definitionHeader: h1, Content-Type: application/json; charset=UTF-8, "
        "User-Agent: Amazon|StepFunctions|HttpInvoke|us-east-1, Range: bytes=0-262144]",
        "body": '{"a":1}',
    }
    assert (data["response"]["statusCode"], data["response"]["body"]) == ("200", '{"fine": true}')
    request = tried(revealSecrets=True)["inspectionData"]["request"]
    assert request["url"].endswith("?queryParam=q1&hidden=x")
    assert request["headers"].startswith("[definitionHeader: h1, X-Key: k1, ")
    assert request["body"] == '{"a":1,"b":"2"}'
    elsewhere.answer("/get", 500, {"bad": True})
    failed = tried()
    assert (failed["status"], failed["error"]) == ("FAILED", "States.Http.StatusCode.500")
    assert failed["inspectionData"]["response"]["body"] == '{"bad": true}'


@pytest.mark.parametrize(
    ("target", "operation"),
    [("AWSEvents", "RetrieveConnectionCredentials"), ("AWSStepFunctions", "InvokeHTTPEndpoint")],
)
def test_what_is_for_the_platform_alone_cannot_be_sent(
    endpoint: str, account: str, target: str, operation: str
) -> None:
    service = {"AWSEvents": "events", "AWSStepFunctions": "states"}[target]
    signed = f"AWS4-HMAC-SHA256 Credential={account}/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    headers = {
        "X-Amz-Target": f"{target}.{operation}",
        "Content-Type": "application/x-amz-json-1.1",
        "Authorization": signed,
    }
    asked = urllib.request.Request(endpoint, b'{"connection_arn":"a"}', headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked)
    assert b"UnknownOperationException" in refused.value.read()

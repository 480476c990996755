"""Function URLs through the node: their configurations over boto3, the URLs themselves over HTTP."""

import http.client
import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from tests.services.lambda_.conftest import ECHO, package

STREAMING = """
    exports.handler = awslambda.streamifyResponse(async (event, stream) => {
        const asked = event.rawPath;
        if (asked === '/plain') { stream.setContentType('text/plain'); stream.write('a'); stream.end('b'); return; }
        stream = awslambda.HttpResponseStream.from(stream, {
            statusCode: 203, headers: {'Content-Type': 'text/event-stream'}, cookies: ['a=1', 'b=2'],
        });
        if (asked === '/early') throw new Error('before the first byte');
        stream.write('data: 1\\n\\n');
        await new Promise((resolve) => setTimeout(resolve, 50));
        if (asked === '/midway') throw new Error('midway');
        stream.end('data: 2\\n\\n');
    });
"""


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes


Ask = Callable[..., Answer]


@pytest.fixture
def ask(endpoint: str) -> Ask:
    """`ask(url, method, path, body, headers)`; the host's name is sent, whether or not this machine resolves it."""

    def request(url: str, method: str = "GET", path: str = "/", body: bytes | None = None, **headers: str) -> Answer:
        there = urlsplit(endpoint)
        connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, {"Host": urlsplit(url).netloc, **named})
        response = connection.getresponse()
        try:
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    return request


@pytest.fixture
def url(functions: Any, make: Callable[..., Any]) -> Callable[..., str]:
    """`url(source, **members)` makes a function with a URL of AuthType NONE, and gives it."""

    def create(source: str = ECHO, name: str = "f", function: dict[str, Any] | None = None, **members: Any) -> str:
        make(name, source, **(function or {}))
        settings = {"AuthType": "NONE", **members}
        found: str = functions.create_function_url_config(FunctionName=name, **settings)["FunctionUrl"]
        return found

    return create


@pytest.fixture(scope="module")
def node_runtime() -> dict[str, Any]:
    binary = shutil.which("node", path="/usr/local/bin:/usr/bin:/bin")
    if binary is None:
        pytest.skip("no Node.js on this machine")
    version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    return {"Runtime": f"nodejs{version[1:].split('.')[0]}.x", "Code": {"ZipFile": package(STREAMING, "index.js")}}


def test_the_life_of_a_configuration(functions: Any, make: Callable[..., Any], endpoint: str) -> None:
    arn = make("f")["FunctionArn"]
    cors = {"AllowOrigins": ["https://a.test"], "MaxAge": 5}
    made = functions.create_function_url_config(FunctionName="f", AuthType="NONE", Cors=cors)
    parts = urlsplit(made["FunctionUrl"])
    id_, kind, region, host = (parts.hostname or "").split(".")
    assert (len(id_), kind, region, host) == (32, "lambda-url", "us-east-1", "localhost")
    assert parts.port == urlsplit(endpoint).port
    assert (made["FunctionArn"], made["AuthType"], made["Cors"]) == (arn, "NONE", cors)
    assert "InvokeMode" not in made
    found = functions.get_function_url_config(FunctionName="f")
    assert found["InvokeMode"] == "BUFFERED"
    assert found["CreationTime"] == found["LastModifiedTime"] == made["CreationTime"]
    changed = functions.update_function_url_config(FunctionName="f", AuthType="AWS_IAM", InvokeMode="RESPONSE_STREAM")
    assert (changed["AuthType"], changed["InvokeMode"], changed["Cors"]) == ("AWS_IAM", "RESPONSE_STREAM", cors)
    with pytest.raises(functions.exceptions.ResourceConflictException, match="FunctionUrlConfig exists"):
        functions.create_function_url_config(FunctionName="f", AuthType="NONE")
    functions.delete_function_url_config(FunctionName="f")
    with pytest.raises(functions.exceptions.ResourceNotFoundException):
        functions.get_function_url_config(FunctionName="f")
    again = functions.create_function_url_config(FunctionName="f", AuthType="NONE")
    assert again["FunctionUrl"] == made["FunctionUrl"]


def test_aliases_have_urls_of_their_own(functions: Any, url: Callable[..., str], ask: Ask) -> None:
    main = url("def handler(event, context):\n    return context.invoked_function_arn")
    functions.publish_version(FunctionName="f")
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    live = functions.create_function_url_config(FunctionName="f", Qualifier="live", AuthType="NONE")["FunctionUrl"]
    assert ask(live).body.endswith(b":f:live")
    first = functions.list_function_url_configs(FunctionName="f", MaxItems=1)
    second = functions.list_function_url_configs(FunctionName="f", Marker=first["NextMarker"])
    assert [one["FunctionUrl"] for one in first["FunctionUrlConfigs"] + second["FunctionUrlConfigs"]] == [main, live]
    functions.delete_alias(FunctionName="f", Name="live")
    assert ask(live).status == 403
    assert ask(main).body.endswith(b":f")
    functions.delete_function(FunctionName="f")
    gone = ask(main)
    assert (gone.status, gone.body) == (403, b'{"Message":null}')
    assert gone.headers["x-amzn-ErrorType"] == "AccessDeniedException"


def test_versions_have_none(functions: Any, make: Callable[..., Any]) -> None:
    make("f", Publish=True)
    for request in ({"FunctionName": "f", "Qualifier": "1"}, {"FunctionName": "f:1"}):
        with pytest.raises(ClientError, match="failed to satisfy constraint") as refused:
            functions.create_function_url_config(AuthType="NONE", **request)
        assert refused.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(functions.exceptions.ResourceNotFoundException, match="Function does not exist"):
        functions.create_function_url_config(FunctionName="f", Qualifier="nobody", AuthType="NONE")


def test_a_name_of_choice(functions: Any, url: Callable[..., str], make: Callable[..., Any], account: str) -> None:
    tags = {"Tags": {"_custom_id_": f"shop-{account}"}}
    assert f"//shop-{account}.lambda-url." in url(function=tags)
    make("other", **tags)
    with pytest.raises(functions.exceptions.ResourceConflictException, match="Another function has the URL"):
        functions.create_function_url_config(FunctionName="other", AuthType="NONE")
    make("bad", Tags={"_custom_id_": "a.b"})
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="letters, digits and hyphens"):
        functions.create_function_url_config(FunctionName="bad", AuthType="NONE")


def test_a_request_becomes_an_event(url: Callable[..., str], ask: Ask) -> None:
    here = url()
    answer = ask(here, "POST", "/a%20b?x=1&x=2", b"hello", Content_Type="text/plain", Cookie="a=1; b=2")
    event = json.loads(answer.body)
    assert (event["rawPath"], event["body"], event["cookies"]) == ("/a%20b", "hello", ["a=1", "b=2"])
    assert event["requestContext"]["http"]["method"] == "POST"
    assert event["requestContext"]["requestId"] == answer.headers["x-amzn-RequestId"]
    assert event["headers"]["x-amzn-trace-id"] in answer.headers["X-Amzn-Trace-Id"]
    assert answer.headers["Content-Type"] == "application/json"


def test_hosts_of_aws_lead_to_the_function_too(url: Callable[..., str], ask: Ask) -> None:
    id_ = (urlsplit(url()).hostname or "").partition(".")[0]
    assert ask(f"https://{id_.upper()}.lambda-url.us-east-1.on.aws/").status == 200
    assert ask(f"https://{id_}.Lambda-URL.us-east-1.on.aws/").status == 200
    assert ask(f"https://{id_}.lambda-url.eu-west-1.on.aws/").status == 403


def test_an_answer_with_status_headers_and_cookies(url: Callable[..., str], ask: Ask) -> None:
    here = url(
        "def handler(event, context):\n"
        "    return {'statusCode': 302, 'headers': {'Location': '/x'}, 'cookies': ['a=1', 'b=2; Secure']}"
    )
    answer = ask(here)
    assert (answer.status, answer.headers["Location"], answer.body) == (302, "/x", b"")
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2; Secure"]


@pytest.mark.parametrize(
    "source",
    ["raise ValueError", "return {'statusCode': 'x'}", "return {'statusCode': 200, 'headers': {'a': 'b\\nc'}}"],
)
def test_a_function_that_fails(url: Callable[..., str], ask: Ask, source: str) -> None:
    answer = ask(url(f"def handler(event, context):\n    {source}"))
    assert (answer.status, answer.body) == (502, b"Internal Server Error")


def test_a_function_that_takes_too_long(url: Callable[..., str], ask: Ask) -> None:
    answer = ask(url("import time\ndef handler(event, context):\n    time.sleep(60)", function={"Timeout": 1}))
    assert (answer.status, answer.body) == (502, b"Internal Server Error")


def test_no_room(functions: Any, url: Callable[..., str], ask: Ask) -> None:
    here = url()
    functions.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=0)
    answer = ask(here)
    assert answer.status == 429
    assert json.loads(answer.body)["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded"
    assert answer.headers["x-amzn-ErrorType"] == "TooManyRequestsException"


def test_too_much(url: Callable[..., str], ask: Ask) -> None:
    here = url("def handler(event, context):\n    return len(event['body'])")
    assert ask(here, "POST", "/", b"x" * (6 << 20), Content_Type="text/plain").body == str(6 << 20).encode()
    answer = ask(here, "POST", "/", b"x" * ((6 << 20) + 1), Content_Type="text/plain")
    assert answer.status == 413
    assert b"must be smaller than 6291456 bytes" in answer.body
    assert ask(here, "POST", "/", b"\0" * (5 << 20)).status == 413  # base64 makes it larger than the function may get


def test_a_browser_of_another_site(url: Callable[..., str], ask: Ask) -> None:
    source = (
        "def handler(event, context):\n    return {'statusCode': 200, 'headers': {'access-control-allow-origin': 'x'}}"
    )
    here = url(source, Cors={"AllowOrigins": ["https://a.test"], "AllowMethods": ["GET"]})
    asked = ask(here, "OPTIONS", Origin="https://a.test", Access_Control_Request_Method="GET")
    assert (asked.status, asked.headers["Access-Control-Allow-Methods"]) == (200, "GET")
    assert ask(here, Origin="https://a.test").headers.get_all("Access-Control-Allow-Origin") == ["https://a.test"]
    assert ask(here, Origin="https://b.test").headers["Access-Control-Allow-Origin"] is None
    assert ask(here).headers["Access-Control-Allow-Origin"] == "x"


def test_a_streamed_answer(functions: Any, url: Callable[..., str], ask: Ask, node_runtime: dict[str, Any]) -> None:
    here = url(function=node_runtime, InvokeMode="RESPONSE_STREAM")
    answer = ask(here)
    assert (answer.status, answer.headers["Content-Type"]) == (203, "text/event-stream")
    assert answer.headers["Transfer-Encoding"] == "chunked"
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert answer.body == b"data: 1\n\ndata: 2\n\n"
    plain = ask(here, path="/plain")
    assert (plain.status, plain.headers["Content-Type"], plain.body) == (200, "text/plain", b"ab")
    early = ask(here, path="/early")
    assert (early.status, early.body) == (502, b"Internal Server Error")
    with pytest.raises(http.client.IncompleteRead) as broken:
        ask(here, path="/midway")
    assert broken.value.partial == b"data: 1\n\n"
    functions.update_function_url_config(FunctionName="f", InvokeMode="BUFFERED")
    whole = ask(here)
    assert (whole.status, whole.headers["Content-Length"], whole.body) == (203, "18", b"data: 1\n\ndata: 2\n\n")


def test_streaming_what_a_function_returned(url: Callable[..., str], ask: Ask) -> None:
    here = url(
        "def handler(event, context):\n    return {'statusCode': 201, 'body': 'x'}", InvokeMode="RESPONSE_STREAM"
    )
    answer = ask(here)
    assert (answer.status, json.loads(answer.body)) == (200, {"statusCode": 201, "body": "x"})


def test_signed_requests(url: Callable[..., str], ask: Ask, account: str) -> None:
    here = url(AuthType="AWS_IAM")
    unsigned = ask(here)
    assert unsigned.status == 403
    assert json.loads(unsigned.body)["Message"].startswith("Forbidden")
    headers = signature(here, account)
    answer = ask(here, "POST", "/p?q=1", b"{}", **headers)
    who = json.loads(answer.body)["requestContext"]["authorizer"]["iam"]
    assert (who["accountId"], who["userArn"]) == (account, f"arn:aws:iam::{account}:root")
    headers["Authorization"] = headers["Authorization"].replace("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 broken")
    assert ask(here, "POST", "/p?q=1", b"{}", **headers).status == 403


def signature(url: str, access_key: str, secret: str = "any") -> dict[str, str]:
    request = AWSRequest("POST", f"{url}p?q=1", data=b"{}")
    SigV4Auth(Credentials(access_key, secret), "lambda", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def test_public_urls_need_both_permissions(start_node: Callable[..., Any]) -> None:
    node = start_node("--iam", "enforce")
    account = "123412341234"
    iam, functions = node.client("iam", account), node.client("lambda", account)
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
    role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    functions.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Handler="index.handler",
        Role=role,
        Timeout=30,
        Code={"ZipFile": package(ECHO)},
    )
    here = functions.create_function_url_config(FunctionName="f", AuthType="NONE")["FunctionUrl"]
    there = urlsplit(node.endpoint)

    def status(**headers: str) -> int:
        connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
        connection.request("POST", "/p?q=1", b"{}", {"Host": urlsplit(here).netloc, **headers})
        found = connection.getresponse().status
        connection.close()
        return found

    assert status() == 403
    public = {"FunctionName": "f", "Principal": "*"}
    functions.add_permission(StatementId="url", Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE", **public)
    assert status() == 403
    functions.add_permission(StatementId="invoke", Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True, **public)
    assert status() == 200
    # The second statement is for URLs alone.
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    functions.update_function_url_config(FunctionName="f", AuthType="AWS_IAM")
    signed = signature(here, key["AccessKeyId"], key["SecretAccessKey"])
    assert status(**signed) == 403
    grant = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "lambda:InvokeFunctionUrl", "Resource": "*"}],
    }
    iam.put_user_policy(UserName="ann", PolicyName="p", PolicyDocument=json.dumps(grant))
    assert status(**signed) == 200
    assert status() == 403

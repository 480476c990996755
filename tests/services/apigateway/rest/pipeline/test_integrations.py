"""Integrations that are no Lambda proxy: mocks, functions with templates, servers, other services."""

import base64
import gzip
import json
import shutil
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.apigateway.rest.pipeline.conftest import Api, Backend
from tests.services.lambda_.conftest import package

FAILED = {"message": "Internal server error"}


def test_a_mock(api: Api) -> None:
    at = api.method("GET", "/{id}", statuses=("200", "404"))
    api.rest.update_method_response(
        **at,
        statusCode="404",
        patchOperations=[{"op": "add", "path": "/responseParameters/method.response.header.X-Id", "value": "false"}],
    )
    choose = '{"statusCode": #if($input.params("id") == "none")404#{else}200#end}'
    api.rest.put_integration(**at, type="MOCK", requestTemplates={"application/json": choose})
    api.rest.put_integration_response(
        **at,
        statusCode="200",
        responseTemplates={"application/json": '{"id": "$input.params(\'id\')", "q": "$input.params("q")"}'},
    )
    api.rest.put_integration_response(
        **at,
        statusCode="404",
        selectionPattern="4..",
        responseParameters={"method.response.header.X-Id": "context.requestId"},
        responseTemplates={"text/plain": "no"},
    )
    api.deploy()
    answer = api.call("GET", "/a%20b?q=1")
    assert (answer.status, answer.json) == (200, {"id": "a b", "q": "1"})
    assert "X-Amzn-Trace-Id" not in answer.headers
    answer = api.call("GET", "/none")
    assert (answer.status, answer.body, answer.headers["Content-Type"]) == (404, b"no", "text/plain")
    assert answer.headers["X-Id"] == answer.headers["x-amzn-RequestId"]


@pytest.mark.parametrize("template", ["", "{}", '{"statusCode": "x"}', "#if(", '{"statusCode": 404}'])
def test_a_mock_without_an_answer(api: Api, template: str) -> None:
    at = api.method("GET", "/")
    api.rest.put_integration(**at, type="MOCK", requestTemplates={"application/json": template})
    api.rest.put_integration_response(**at, statusCode="200", selectionPattern="200")
    api.deploy()
    answer = api.call("GET", "")
    assert (answer.status, answer.json) == (500, FAILED)


def test_the_most_special_resource_serves(api: Api) -> None:
    for verb, path in (
        ("GET", "/a"),
        ("ANY", "/a/{x}"),
        ("GET", "/a/{x}/b"),
        ("POST", "/a/c"),
        ("GET", "/{all+}"),
        ("DELETE", "/a/{x}"),
    ):
        api.mock(verb, path, f"{verb} {path}")
    api.deploy()
    found = {
        ("GET", "/a"): "GET /a",
        ("GET", "/a/"): "GET /a",
        ("GET", "/a/1"): "ANY /a/{x}",
        ("DELETE", "/a/1"): "DELETE /a/{x}",
        ("POST", "/a/c"): "POST /a/c",
        ("GET", "/a/c"): "ANY /a/{x}",
        ("GET", "/a/c/b"): "GET /a/{x}/b",
        ("GET", "/a/c/d"): "GET /{all+}",
        ("GET", "/q/w/e"): "GET /{all+}",
    }
    assert {key: api.call(*key).body.decode() for key in found} == found
    for verb, path in (("POST", "/a"), ("GET", ""), ("POST", "/a/c/b")):
        answer = api.call(verb, path)
        assert (answer.status, answer.json) == (403, {"message": "Missing Authentication Token"})
        assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"


def test_a_function_with_templates(api: Api) -> None:
    at = api.method("POST", "/", statuses=("200", "400"))
    source = "def handler(event, context):\n    if event['n'] > 9:\n        raise Exception('too many: %d' % event['n'])\n    return event\n"
    api.rest.put_integration(
        **at,
        type="AWS",
        integrationHttpMethod="POST",
        uri=api.uri(api.function("counts", source)),
        requestTemplates={"application/json": '{"n": $input.json("$.count"), "verb": "$context.httpMethod"}'},
        passthroughBehavior="NEVER",
    )
    api.rest.put_integration_response(**at, statusCode="200")
    api.rest.put_integration_response(
        **at,
        statusCode="400",
        selectionPattern="too many.*",
        responseTemplates={"application/json": '{"why": "$input.path(\'$.errorMessage\')"}'},
    )
    api.deploy()
    answer = api.call("POST", "", '{"count": 3}', {"Content-Type": "application/json; charset=utf-8"})
    assert (answer.status, answer.json) == (200, {"n": 3, "verb": "POST"})
    answer = api.call("POST", "", '{"count": 30}')
    assert (answer.status, answer.json) == (400, {"why": "too many: 30"})
    answer = api.call("POST", "", "<x/>", {"Content-Type": "text/xml"})
    assert (answer.status, answer.json) == (415, {"message": "Unsupported Media Type"})
    assert answer.headers["x-amzn-ErrorType"] == "UnsupportedMediaTypeException"


def web(api: Api, kind: str, verb: str, path: str, url: str, **settings: Any) -> dict[str, str]:
    names = settings.pop("declared", ())
    at = api.method(verb, path, requestParameters=dict.fromkeys(names, False))
    api.rest.put_integration(**at, type=kind, integrationHttpMethod=settings.pop("as_", "ANY"), uri=url, **settings)
    return at


def test_a_server_behind_a_proxy(api: Api, backend: Backend) -> None:
    backend.answers["/tea/pot"] = (418, {"X-One": "1", "content-type": "text/x"}, b"short")
    web(
        api,
        "HTTP_PROXY",
        "ANY",
        "/{proxy+}",
        f"{backend.url}/{{proxy}}?a=1",
        declared=["method.request.path.proxy", "method.request.header.X-In"],
        requestParameters={
            "integration.request.path.proxy": "method.request.path.proxy",
            "integration.request.header.X-Out": "method.request.header.X-In",
            "integration.request.querystring.v": "stageVariables.v",
        },
    )
    api.deploy(variables={"v": "x y"})
    told = api.call("PUT", "/some/%2Fpath?b=2&b=3", "body", {"X-In": "in", "Content-Type": "text/x"}).json
    assert told["method"] == "PUT"
    assert told["path"] == "/some/%2Fpath?a=1&b=2&b=3&v=x+y"
    assert told["body"] == "body"
    assert told["headers"]["x-out"] == "in"
    assert told["headers"]["x-in"] == "in"
    assert told["headers"]["host"] == backend.url[7:]
    assert told["headers"]["x-forwarded-for"] == "127.0.0.1"
    answer = api.call("GET", "/tea/pot")
    assert (answer.status, answer.body) == (418, b"short")
    assert answer.headers["X-One"] == "1"
    assert answer.headers["content-type"] == "text/x"
    assert answer.headers["x-amzn-Remapped-Server"].startswith("BaseHTTP")


def test_a_server_with_templates(api: Api, backend: Backend) -> None:
    backend.answers["/no"] = (404, {"X-Why": "gone"}, b'{"a": [1, 2]}')
    at = web(
        api,
        "HTTP",
        "POST",
        "/",
        f"{backend.url}/yes",
        as_="GET",
        requestTemplates={"application/json": "$input.json('$.x')"},
    )
    api.rest.put_integration_response(
        **at, statusCode="200", responseTemplates={"application/json": "$input.json('$.method')"}
    )
    at = web(api, "HTTP", "GET", "/no", f"{backend.url}/no", as_="GET")
    api.rest.put_method_response(**at, statusCode="410", responseParameters={"method.response.header.Why": False})
    api.rest.put_integration_response(
        **at,
        statusCode="410",
        selectionPattern="4\\d{2}",
        responseParameters={"method.response.header.Why": "integration.response.header.X-Why"},
        responseTemplates={"application/json": "$input.json('$.a[1]')"},
    )
    api.rest.put_integration_response(**at, statusCode="200")
    api.deploy()
    assert api.call("POST", "", '{"x": 1}').json == "GET"
    answer = api.call("GET", "/no")
    assert (answer.status, answer.body, answer.headers["Why"]) == (410, b"2", "gone")


def test_servers_that_do_not_answer(api: Api) -> None:
    web(api, "HTTP_PROXY", "GET", "/closed", "http://127.0.0.1:9/")
    web(api, "HTTP_PROXY", "GET", "/none", "http://${stageVariables.none}/")
    api.deploy()
    for path in ("/closed", "/none"):
        answer = api.call("GET", path)
        assert (answer.status, answer.json) == (500, FAILED)


def test_a_queue(api: Api, client: Callable[..., Any]) -> None:
    sqs = client("sqs")
    queue = sqs.create_queue(QueueName="q")["QueueUrl"]
    role = f"arn:aws:iam::{api.account}:role/api"
    at = api.method("POST", "/form")
    api.rest.put_integration(
        **at,
        type="AWS",
        integrationHttpMethod="POST",
        credentials=role,
        uri=f"arn:aws:apigateway:us-east-1:sqs:path/{api.account}/q",
        requestParameters={"integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"},
        requestTemplates={"application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"},
    )
    api.rest.put_integration_response(
        **at,
        statusCode="200",
        responseTemplates={"application/json": "$input.json('$.SendMessageResponse.SendMessageResult.MessageId')"},
    )
    at = api.method("POST", "/json")
    api.rest.put_integration(
        **at,
        type="AWS",
        integrationHttpMethod="POST",
        credentials=role,
        uri=f"arn:aws:apigateway:us-east-1:sqs:path/{api.account}/q",
        requestParameters={
            "integration.request.header.Content-Type": "'application/x-amz-json-1.0'",
            "integration.request.header.X-Amz-Target": "'AmazonSQS.SendMessage'",
        },
        requestTemplates={
            "application/json": f'{{"QueueUrl": "{queue}", "MessageBody": "$util.escapeJavaScript($input.body)"}}'
        },
    )
    api.rest.put_integration_response(**at, statusCode="200")
    api.deploy()
    answer = api.call("POST", "/form", '{"a": "b&c=d"}')
    message = sqs.receive_message(QueueUrl=queue)["Messages"][0]
    assert (message["Body"], message["MessageId"]) == ('{"a": "b&c=d"}', answer.json)
    answer = api.call("POST", "/json", '{"a": 2}')
    message = sqs.receive_message(QueueUrl=queue)["Messages"][0]
    assert (message["Body"], message["MessageId"]) == ('{"a": 2}', answer.json["MessageId"])


def test_a_table(api: Api, client: Callable[..., Any]) -> None:
    client("dynamodb").create_table(
        TableName="things",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for verb, action, template in (
        (
            "PUT",
            "PutItem",
            '{"TableName": "things", "Item": {"id": {"S": "$input.params(\'id\')"}, "n": {"N": "$input.path(\'$.n\')"}}}',
        ),
        ("GET", "GetItem", '{"TableName": "things", "Key": {"id": {"S": "$input.params(\'id\')"}}}'),
    ):
        at = api.method(verb, "/{id}")
        api.rest.put_integration(
            **at,
            type="AWS",
            integrationHttpMethod="POST",
            credentials=f"arn:aws:iam::{api.account}:role/api",
            uri=f"arn:aws:apigateway:us-east-1:dynamodb:action/{action}",
            requestTemplates={"application/json": template},
        )
        api.rest.put_integration_response(**at, statusCode="200")
    api.deploy()
    assert api.call("PUT", "/x%20y", '{"n": 3}').json == {}
    assert api.call("GET", "/x%20y").json == {"Item": {"id": {"S": "x y"}, "n": {"N": "3"}}}


def test_compression(make_api: Callable[..., Api]) -> None:
    api = make_api(minimumCompressionSize=100)
    api.mock("GET", "/large", "x" * 200_000)
    api.mock("GET", "/long", "x" * 100)
    api.mock("GET", "/short", "x" * 99)
    api.proxy(
        "POST",
        "/",
        api.function(
            "back",
            "import json\ndef handler(event, context):\n    coding = {name.lower(): value for name, value in event['headers'].items()}.get('content-encoding')\n    return {'body': event['body'], 'headers': {'x-coding': str(coding)}}\n",
        ),
    )
    api.deploy()
    answer = api.call("GET", "/long", headers={"Accept-Encoding": "br;q=1, gzip;q=0.5"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.body) == b"x" * 100
    assert api.call("GET", "/long").body == b"x" * 100
    assert api.call("GET", "/long", headers={"Accept-Encoding": "gzip;q=0"}).body == b"x" * 100
    assert api.call("GET", "/long", headers={"Accept-Encoding": "*"}).body == b"x" * 100
    assert api.call("GET", "/short", headers={"Accept-Encoding": "gzip"}).body == b"x" * 99
    large = api.call("GET", "/large", headers={"Accept-Encoding": "gzip"})
    assert gzip.decompress(large.body) == b"x" * 200_000
    answer = api.call("POST", "", gzip.compress(b"hello"), {"Content-Encoding": "gzip"})
    assert (answer.body, answer.headers["x-coding"]) == (b"hello", "None")
    for coding, body in (("gzip", b"no gzip"), ("gzip", gzip.compress(b"hello")[:-9]), ("br", b"hello")):
        refused = api.call("POST", "", body, {"Content-Encoding": coding})
        assert (refused.status, refused.json) == (415, {"message": "Unsupported Media Type"})
    bomb = gzip.compress(b"\0" * (11 * 1024 * 1024))
    assert api.call("POST", "", bomb, {"Content-Encoding": "gzip"}).status == 413


def test_conversions(make_api: Callable[..., Api], backend: Backend) -> None:
    api = make_api(binaryMediaTypes=["image/png"])
    backend.answers["/png"] = (200, {"content-type": "image/png"}, b"\x89\xff")
    for path, handling in (("/as", None), ("/text", "CONVERT_TO_TEXT"), ("/binary", "CONVERT_TO_BINARY")):
        at = web(api, "HTTP", "GET", path, f"{backend.url}/png", as_="GET")
        extra = {} if handling is None else {"contentHandling": handling}
        api.rest.put_integration_response(**at, statusCode="200", **extra)
    api.deploy()
    encoded = base64.b64encode(b"\x89\xff")
    png = {"Accept": "image/png"}
    assert api.call("GET", "/as", headers=png).body == b"\x89\xff"
    assert api.call("GET", "/as").body == encoded
    assert api.call("GET", "/text", headers=png).body == encoded
    assert api.call("GET", "/binary").body == b"\x89\xff"


def test_a_stream(api: Api) -> None:
    source = """
exports.handler = awslambda.streamifyResponse(async (event, out) => {
  out = awslambda.HttpResponseStream.from(out, {statusCode: 201, headers: {'X-A': event.httpMethod}});
  out.write('one ');
  await new Promise(r => setTimeout(r, 50));
  out.write('two');
  out.end();
});
"""
    binary = shutil.which("node", path="/usr/local/bin:/usr/bin:/bin")
    if binary is None:
        pytest.skip("no Node.js here")
    version = subprocess.run([binary, "--version"], check=True, capture_output=True, text=True).stdout
    arn = api.function(
        "streams", Runtime=f"nodejs{version[1:].split('.')[0]}.x", Code={"ZipFile": package(source, "index.js")}
    )
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2021-11-15/functions/{arn}/response-streaming-invocations"
    at = api.method("GET", "/")
    api.rest.put_integration(
        **at, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri, responseTransferMode="STREAM"
    )
    api.deploy()
    answer = api.call("GET", "")
    assert (answer.status, answer.body, answer.headers["X-A"]) == (201, b"one two", "GET")
    assert answer.headers["Transfer-Encoding"] == "chunked"


def test_trying_a_method(api: Api) -> None:
    at = api.method("GET", "/{id}")
    api.rest.put_integration(
        **at,
        type="AWS",
        integrationHttpMethod="POST",
        uri=api.uri(api.function("echo")),
        requestTemplates={"application/json": '{"v": "$stageVariables.v"}'},
    )
    api.rest.put_integration_response(**at, statusCode="200")
    tried = api.rest.test_invoke_method(
        **at, pathWithQueryString="/7?q=1", headers={"Authorization": "secret-token"}, stageVariables={"v": "x"}
    )
    assert tried["status"] == 200
    assert json.loads(tried["body"]) == {"v": "x"}
    lines = [line.partition(" UTC ")[2][7:] for line in tried["log"].splitlines()[1:]]
    assert lines[1] == "HTTP Method: GET, Resource Path: /7"
    assert lines[2] == "Method request path: {id=7}"
    assert lines[3] == "Method request query string: {q=1}"
    assert lines[4] == "Method request headers: {Authorization=******-token}"
    assert lines[-2:] == ["Successfully completed execution", "Method completed with status: 200"]
    assert "secret" not in tried["log"]


def test_headers_cannot_be_injected(api: Api, backend: Backend) -> None:
    at = api.method("POST", "/in")
    api.rest.put_method_response(
        restApiId=api.id,
        resourceId=at["resourceId"],
        httpMethod="POST",
        statusCode="201",
        responseParameters={"method.response.header.X-A": False},
    )
    api.rest.put_integration(
        **at,
        type="MOCK",
        requestTemplates={
            "application/json": '{"statusCode": 201}\n#set($context.responseOverride.header.X-B = $input.path("$.b"))'
        },
    )
    api.rest.put_integration_response(
        **at, statusCode="201", responseParameters={"method.response.header.X-A": "context.requestId"}
    )
    web(
        api,
        "HTTP_PROXY",
        "POST",
        "/out",
        backend.url,
        requestParameters={
            "integration.request.header.X-Out": "method.request.body.a",
            "integration.request.querystring.q": "method.request.body.a",
        },
    )
    api.deploy()
    bad = json.dumps({"a": "x\r\nInjected: yes", "b": "y\r\nInjected: yes"})
    answer = api.call("POST", "/in", bad)
    assert answer.status == 201, answer.body
    assert "Injected" not in answer.headers
    assert "X-A" in answer.headers
    told = api.call("POST", "/out", bad).json
    assert "injected" not in told["headers"]
    assert told["path"] == "/?q=x%0D%0AInjected%3A+yes"


def test_trying_what_has_no_address(api: Api) -> None:
    """As recorded from AWS: nothing is sent, and the answer has no type."""
    at = api.method("GET", "/")
    api.rest.put_integration(
        **at, type="HTTP_PROXY", integrationHttpMethod="ANY", uri="https://${stageVariables.nowhere}"
    )
    tried = api.rest.test_invoke_method(**at)
    assert (tried["status"], tried["headers"]) == (500, {"x-amzn-ErrorType": "InternalServerErrorException"})
    lines = [line.partition(" UTC ")[2][7:] for line in tried["log"].splitlines()]
    assert lines[-2:] == [
        "Execution failed due to configuration error: Invalid endpoint address",
        "Method completed with status: 500",
    ]

"""Functions behind AWS_PROXY, and what is made of their answers."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.apigateway.rest.pipeline.conftest import Api

MALFORMED = {"message": "Internal server error"}
ANSWERS = "import json\ndef handler(event, context):\n    return json.loads(event['body'])\n"


@pytest.fixture
def said(api: Api) -> Callable[..., Any]:
    """`said(value)` is the API's answer when its function returns that."""
    api.proxy("POST", "/", api.function("says", ANSWERS))
    api.deploy()
    return lambda value, headers=None: api.call("POST", "", json.dumps(value), headers)


def test_the_event(echo: Api) -> None:
    answer = echo.call(
        "POST",
        "/a/b%2Fc/?x=1&x=2&y=%20",
        '{"n": 1}',
        [
            ("X-One", "1"),
            ("x-oNe", "2"),
            ("authorization", "me"),
            ("Expect", "100-continue"),
            ("Content-Type", "text/x"),
        ],
    )
    assert answer.status == 200
    event = answer.json
    assert event["resource"] == "/{proxy+}"
    assert event["path"] == "/a/b%2Fc/"
    assert event["pathParameters"] == {"proxy": "a/b%2Fc"}
    assert event["queryStringParameters"] == {"x": "2", "y": " "}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [" "]}
    assert event["headers"]["X-One"] == "2"
    assert event["multiValueHeaders"]["X-One"] == ["1", "2"]
    assert event["headers"]["Authorization"] == "me"
    assert "Expect" not in event["headers"]
    assert "Content-Length" not in event["headers"]
    assert event["headers"]["X-Forwarded-Proto"] == "http"
    assert event["body"] == '{"n": 1}'
    assert event["isBase64Encoded"] is False
    assert event["stageVariables"] is None
    context = event["requestContext"]
    assert context["apiId"] == echo.id
    assert context["accountId"] == echo.account
    assert context["stage"] == "dev"
    assert context["path"] == "/dev/a/b%2Fc/"
    assert context["httpMethod"] == "POST"
    assert context["identity"]["sourceIp"] == "127.0.0.1"
    assert context["domainName"] == echo.host
    named = echo.call("GET", f"/_aws/execute-api/{echo.id}/dev/a", stage="", host="localhost").json["requestContext"]
    assert named["domainName"] == f"{echo.id}.execute-api.us-east-1.amazonaws.com"
    assert named["domainPrefix"] == echo.id
    assert context["extendedRequestId"] == answer.headers["x-amz-apigw-id"]
    assert context["requestId"] == answer.headers["x-amzn-RequestId"]
    assert answer.headers["X-Amzn-Trace-Id"].startswith("Root=1-")


def test_every_address(echo: Api) -> None:
    assert echo.call("GET", "/x", host="localhost", stage=f"_aws/execute-api/{echo.id}/dev").json["path"] == "/x"
    assert echo.call("GET", "/x", host="localhost", stage=f"restapis/{echo.id}/dev/_user_request_").json["path"] == "/x"
    assert echo.call("GET", "/x", host=f"{echo.id}.execute-api.us-east-1.amazonaws.com").json["path"] == "/x"
    assert echo.call("GET", "", host="localhost", stage=f"_aws/execute-api/{echo.id}/dev").json["path"] == "/"
    assert echo.call("GET", "/x", host="localhost", stage=f"_aws/execute-api/{echo.id}/none").status == 403
    assert echo.call("GET", "/x", host="localhost", stage="_aws/execute-api/nobodys/dev").status == 403


def test_strange_paths_are_passed_as_they_came(echo: Api) -> None:
    for path in ("/a..b", "/...", "/.a", "/%252ex", "/100%25", "/a//b", "/%F0%9F%98%80"):
        assert echo.call("GET", path).json["path"] == path
    assert echo.call("GET", "//a").json["path"] == "/a"


def test_headers_and_cookies(said: Callable[..., Any]) -> None:
    answer = said(
        {
            "statusCode": "201",
            "headers": {"X-True": True, "X-Both": "three", "Date": "never", "Connection": "close"},
            "multiValueHeaders": {"Set-Cookie": ["a=1", "b=2"], "x-both": ["one", "two"]},
            "body": "hi",
        }
    )
    assert answer.status == 201
    assert answer.body == b"hi"
    assert answer.headers["X-True"] == "true"
    assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2"]
    assert answer.headers.get_all("x-both") == ["one", "two", "three"]
    assert answer.headers["x-amzn-Remapped-Date"] == "never"
    assert answer.headers["x-amzn-Remapped-Connection"] == "close"
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "value",
    [
        "text",
        [1],
        None,
        {"statusCode": "abc"},
        {"statusCode": 99},
        {"statusCode": 10**30},
        {"statusCode": True},
        {"statusCode": 200, "more": 1},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "headers": {"a": {"b": "c"}}},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"a": "b\r\nSet-Cookie: c=d"}},
        {"statusCode": 200, "headers": {"a\r\nb": "c"}},
        {"statusCode": 200, "multiValueHeaders": {"a": "b"}},
        {"statusCode": 200, "body": {"a": 1}},
    ],
)
def test_malformed_answers(said: Callable[..., Any], value: Any) -> None:
    answer = said(value)
    assert (answer.status, answer.json) == (502, MALFORMED)
    assert answer.headers["x-amzn-ErrorType"] == "InternalServerErrorException"


def test_a_function_that_fails(api: Api) -> None:
    api.proxy("GET", "/", api.function("fails", "def handler(event, context):\n    raise Exception('secret')\n"))
    api.deploy()
    answer = api.call("GET", "")
    assert (answer.status, answer.json) == (502, MALFORMED)


def test_a_function_that_is_not_there(api: Api) -> None:
    api.proxy("GET", "/", f"arn:aws:lambda:us-east-1:{api.account}:function:gone")
    api.deploy()
    answer = api.call("GET", "")
    assert (answer.status, answer.json) == (500, MALFORMED)


def test_time_runs_out(api: Api) -> None:
    at = api.method("GET", "/")
    arn = api.function("sleeps", "import time\ndef handler(event, context):\n    time.sleep(3)\n", Timeout=10)
    api.rest.put_integration(
        **at, type="AWS_PROXY", integrationHttpMethod="POST", uri=api.uri(arn), timeoutInMillis=100
    )
    api.deploy()
    answer = api.call("GET", "")
    assert (answer.status, answer.json) == (504, {"message": "Endpoint request timed out"})


def test_binary_bodies(make_api: Callable[..., Api]) -> None:
    api = make_api(binaryMediaTypes=["image/png", "application/*"])
    source = "def handler(event, context):\n    return {'body': event['body'], 'isBase64Encoded': event['isBase64Encoded']}\n"
    api.proxy("POST", "/", api.function("back", source))
    api.deploy()
    sent = bytes(range(256))
    both = {"Content-Type": "image/png", "Accept": "image/png,*/*"}
    assert api.call("POST", "", sent, both).body == sent
    assert api.call("POST", "", sent, both | {"Accept": "*/*"}).body == base64.b64encode(sent)
    assert api.call("POST", "", sent, {"Content-Type": "application/x-any", "Accept": "application/y"}).body == sent
    text = {"Content-Type": "text/plain", "Accept": "image/png"}
    assert api.call("POST", "", b"\xff", text).body == "\ufffd".encode()


def test_stage_variables_name_the_function(api: Api) -> None:
    api.function("one", "def handler(event, context):\n    return {'body': event['stageVariables']['fn']}\n")
    at = api.method("GET", "/")
    uri = api.uri(f"arn:aws:lambda:us-east-1:{api.account}:function:${{stageVariables.fn}}")
    api.rest.put_integration(**at, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    api.deploy(variables={"fn": "one"})
    assert api.call("GET", "").body == b"one"
    api.set(("/variables/fn", "none"))
    assert api.call("GET", "").status == 500


def test_a_deployment_is_what_it_was(api: Api) -> None:
    api.mock("GET", "/", '{"v": 1}')
    api.deploy()
    assert api.call("GET", "").json == {"v": 1}
    at = api.at("GET", "/")
    api.rest.put_integration_response(**at, statusCode="200", responseTemplates={"application/json": '{"v": 2}'})
    assert api.call("GET", "").json == {"v": 1}
    api.deploy()
    assert api.call("GET", "").json == {"v": 2}


def test_too_large(echo: Api) -> None:
    answer = echo.call("POST", "", b"x" * (10 * 1024 * 1024 + 1))
    assert (answer.status, answer.json) == (413, {"message": "Request Too Long"})

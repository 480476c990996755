"""What stages add: caches, logs, canaries, validation, gateway responses, domains."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.apigateway.rest.pipeline.conftest import Api

ANEW = """
import uuid
def handler(event, context):
    name = str(uuid.uuid4())
    status = int((event['queryStringParameters'] or {}).get('status', 200))
    return {'statusCode': status, 'headers': {'X-Name': name}, 'body': name}
"""


@pytest.fixture
def cached(api: Api) -> Api:
    """GET / is kept by ?page and Accept-Language, POST / is not."""
    arn = api.function("anew", ANEW)
    keys = ("method.request.querystring.page", "method.request.header.Accept-Language")
    at = api.method("GET", "/", requestParameters=dict.fromkeys(keys, False))
    api.rest.put_integration(
        **at, type="AWS_PROXY", integrationHttpMethod="POST", uri=api.uri(arn), cacheKeyParameters=list(keys)
    )
    api.proxy("POST", "/", arn)
    api.deploy(cacheClusterEnabled=True, cacheClusterSize="0.5")
    api.set(("/*/*/caching/enabled", "true"), ("/*/*/caching/ttlInSeconds", "3600"))
    return api


def test_a_cache(cached: Api, advance: Callable[[float], None]) -> None:
    def get(path: str = "", headers: dict[str, str] | None = None) -> Any:
        return cached.call("GET", path, headers=headers)

    first = get()
    assert (first.status, first.headers["X-Name"]) == (200, first.body.decode())
    assert get("?other=1").body == first.body
    assert get().headers["X-Name"] == first.headers["X-Name"]
    second = get("?page=2").body
    seen = {first.body, second, get("?page=2", {"accept-language": "de"}).body}
    assert get("?page=2").body == second
    seen |= {cached.call("POST", "").body for _ in range(2)}
    seen |= {get("?page=9&status=500").body for _ in range(2)}
    assert len(seen) == 7
    advance(3_601)
    later = get().body
    assert later not in seen
    assert get().body == later
    cached.rest.flush_stage_cache(restApiId=cached.id, stageName="dev")
    assert get().body not in seen | {later}


def test_asking_for_what_is_new(cached: Api) -> None:
    fresh = {"Cache-Control": "max-age=0"}
    first = cached.call("GET", "").body
    answer = cached.call("GET", "", headers=fresh)
    assert answer.body == first
    assert answer.headers["Warning"].startswith("199")
    cached.set(("/*/*/caching/unauthorizedCacheControlHeaderStrategy", "FAIL_WITH_403"))
    assert cached.call("GET", "", headers=fresh).status == 403
    cached.set(("/*/*/caching/requireAuthorizationForCacheControl", "false"))
    second = cached.call("GET", "", headers=fresh).body
    assert second != first
    assert cached.call("GET", "").body == second


def test_what_was_kept_for_a_stage_that_is_deleted(cached: Api) -> None:
    first = cached.call("GET", "").body
    assert cached.call("GET", "").body == first
    deployment = cached.rest.get_stage(restApiId=cached.id, stageName="dev")["deploymentId"]
    cached.rest.delete_stage(restApiId=cached.id, stageName="dev")
    settings = {"cacheClusterEnabled": True, "cacheClusterSize": "0.5"}
    cached.rest.create_stage(restApiId=cached.id, stageName="dev", deploymentId=deployment, **settings)
    cached.set(("/*/*/caching/enabled", "true"), ("/*/*/caching/ttlInSeconds", "3600"))
    second = cached.call("GET", "").body
    assert second != first
    assert cached.call("GET", "").body == second


def logged(client: Callable[..., Any], group: str, wanted: int) -> list[str]:
    """The events of a group, once there are so many."""
    logs = client("logs")
    found: list[str] = []
    until = time.monotonic() + 200
    while time.monotonic() < until:
        try:
            found = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
        except logs.exceptions.ResourceNotFoundException:
            found = []
        if len(found) >= wanted:
            return found
        time.sleep(0.1)
    raise AssertionError(f"{group} has {found}")


def test_access_logs(api: Api, client: Callable[..., Any]) -> None:
    client("logs").create_log_group(logGroupName="access")
    names = ["requestId", "status", "httpMethod", "resourcePath", "responseLength"]
    names += ["identity.userAgent", "error.message", "none"]
    api.mock("GET", "/{x}", "hello")
    api.deploy()
    api.set(
        ("/accessLogSettings/destinationArn", f"arn:aws:logs:us-east-1:{api.account}:log-group:access"),
        ("/accessLogSettings/format", " ".join(f"$context.{name}" for name in names)),
    )
    answer = api.call("GET", "/a", headers=[("User-Agent", "me")])
    other = api.call("PUT", "/a")
    lines = logged(client, "access", 2)
    assert lines == [
        f"{answer.headers['x-amzn-RequestId']} 200 GET /{{x}} 5 me - -",
        f"{other.headers['x-amzn-RequestId']} 403 PUT - 42 - Missing Authentication Token -",
    ]


def test_execution_logs(api: Api, client: Callable[..., Any]) -> None:
    api.rest.update_account(
        patchOperations=[
            {"op": "replace", "path": "/cloudwatchRoleArn", "value": f"arn:aws:iam::{api.account}:role/logs"}
        ]
    )
    api.proxy("GET", "/", f"arn:aws:lambda:us-east-1:{api.account}:function:gone")
    api.mock("GET", "/ok", "fine")
    api.deploy()
    api.set(("/*/*/logging/loglevel", "INFO"), ("/*/*/logging/dataTrace", "true"))
    id = api.call("GET", "/ok").headers["x-amzn-RequestId"]
    failed = api.call("GET", "").headers["x-amzn-RequestId"]
    group = f"API-Gateway-Execution-Logs_{api.id}/dev"
    lines = logged(client, group, 15)
    mine = [line.partition(") ")[2] for line in lines if line.startswith(f"({id})")]
    assert mine[0] == f"Starting execution for request: {id}"
    assert mine[1] == "HTTP Method: GET, Resource Path: /ok"
    assert "Method response body after transformations: fine" in mine
    assert mine[-1] == "Method completed with status: 200"
    why = [line for line in lines if line.startswith(f"({failed})") and "configuration error" in line]
    assert len(why) == 1
    assert "status: 404" in why[0]


def test_a_canary(api: Api) -> None:
    api.mock("GET", "/", "old $stageVariables.v $context.isCanaryRequest")
    api.deploy(variables={"v": "1"})
    at = api.at("GET", "/")
    answer = {"application/json": "new $stageVariables.v $context.isCanaryRequest"}
    api.rest.put_integration_response(**at, statusCode="200", responseTemplates=answer)
    canary = {"percentTraffic": 100.0, "stageVariableOverrides": {"v": "2"}}
    api.rest.create_deployment(restApiId=api.id, stageName="dev", canarySettings=canary)
    assert api.call("GET", "").body == b"new 2 true"
    api.set(("/canarySettings/percentTraffic", "0.0"))
    assert api.call("GET", "").body == b"old 1 false"
    api.set(("/canarySettings/percentTraffic", "50.0"))
    assert {api.call("GET", "").body for _ in range(40)} == {b"new 2 true", b"old 1 false"}


def test_validation(api: Api) -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "type": "object",
        "required": ["n"],
        "properties": {"n": {"type": "integer", "maximum": 9}},
    }
    api.rest.create_model(restApiId=api.id, name="Thing", contentType="application/json", schema=json.dumps(schema))
    validator = api.rest.create_request_validator(
        restApiId=api.id, name="all", validateRequestBody=True, validateRequestParameters=True
    )["id"]
    api.mock(
        "POST",
        "/",
        "fine",
        requestValidatorId=validator,
        requestModels={"application/json": "Thing"},
        requestParameters={
            "method.request.header.X-A": True,
            "method.request.querystring.b": True,
            "method.request.querystring.c": False,
        },
    )
    api.rest.put_gateway_response(
        restApiId=api.id,
        responseType="BAD_REQUEST_BODY",
        responseTemplates={
            "application/json": '{"m": $context.error.messageString, "why": "$context.error.validationErrorString"}'
        },
    )
    api.deploy()
    assert api.call("POST", "?b=1", '{"n": 1}', {"X-A": "1"}).body == b"fine"
    answer = api.call("POST", "", '{"n": 1}')
    assert (answer.status, answer.json) == (400, {"message": "Missing required request parameters: [X-A, b]"})
    assert answer.headers["x-amzn-ErrorType"] == "BadRequestException"
    for bad in ('{"n": "1"}', '{"n": 10}', "[]", "", "{", '{"n": 1'):
        answer = api.call("POST", "?b=1", bad, {"X-A": "1"})
        assert answer.status == 400
        assert answer.body.startswith(b'{"m": "Invalid request body"')
    assert api.call("POST", "?b=1", "<x/>", {"X-A": "1", "Content-Type": "text/xml"}).status != 400


def test_gateway_responses(api: Api) -> None:
    api.mock("GET", "/", "hello", apiKeyRequired=True)
    api.rest.put_gateway_response(
        restApiId=api.id,
        responseType="INVALID_API_KEY",
        statusCode="418",
        responseParameters={
            "gatewayresponse.header.Access-Control-Allow-Origin": "'*'",
            "gatewayresponse.header.X-Came": "method.request.header.X-Sent",
        },
        responseTemplates={
            "application/json": '{"type": "$context.error.responseType", "message": $context.error.messageString}',
            "text/plain": "$context.error.message: $context.httpMethod $stageVariables.v",
        },
    )
    api.rest.put_gateway_response(
        restApiId=api.id,
        responseType="DEFAULT_4XX",
        responseParameters={"gatewayresponse.header.X-All": "context.apiId"},
    )
    api.deploy(variables={"v": "1"})
    answer = api.call("GET", "", headers={"X-Sent": "a", "Accept": "application/json"})
    assert (answer.status, answer.json) == (418, {"type": "INVALID_API_KEY", "message": "Forbidden"})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Came"] == "a"
    answer = api.call("GET", "", headers={"Accept": "text/plain"})
    assert (answer.body, answer.headers["Content-Type"]) == (b"Forbidden: GET 1", "text/plain")
    answer = api.call("PUT", "")
    assert (answer.status, answer.json) == (403, {"message": "Missing Authentication Token"})
    assert answer.headers["X-All"] == api.id


def test_a_domain(echo: Api, account: str) -> None:
    name = f"pets-{account}.example.com"
    echo.rest.create_domain_name(
        domainName=name,
        regionalCertificateArn=f"arn:aws:acm:us-east-1:{account}:certificate/x",
        endpointConfiguration={"types": ["REGIONAL"]},
    )
    assert echo.call("GET", "/x", stage="", host=name).status == 403
    echo.rest.create_base_path_mapping(domainName=name, basePath="shop", restApiId=echo.id, stage="dev")
    event = echo.call("GET", "/shop/x", stage="", host=f"{name}:80").json
    assert event["path"] == "/shop/x"
    assert event["pathParameters"] == {"proxy": "x"}
    assert event["requestContext"]["domainPrefix"] == name.partition(".")[0]
    assert echo.call("GET", "/other", stage="", host=name).status == 403
    echo.rest.create_base_path_mapping(domainName=name, basePath="(none)", restApiId=echo.id)
    assert echo.call("GET", "/dev/y", stage="", host=name).json["path"] == "/y"
    echo.rest.update_rest_api(
        restApiId=echo.id, patchOperations=[{"op": "replace", "path": "/disableExecuteApiEndpoint", "value": "true"}]
    )
    echo.deploy()
    assert echo.call("GET", "/x").status == 403
    assert echo.call("GET", "/shop/x", stage="", host=name).status == 200


def test_access_logs_go_nowhere_else(api: Api, client: Callable[..., Any]) -> None:
    stream = f"arn:aws:firehose:us-east-1:{api.account}:deliverystream/amazon-apigateway-logs"
    api.mock("GET", "/")
    api.deploy()
    with pytest.raises(ClientError, match="Firehose") as refusal:
        api.set(("/accessLogSettings/destinationArn", stream))
    assert refusal.value.response["Error"]["Code"] == "NotImplemented"
    v2 = client("apigatewayv2")
    id = v2.create_api(Name="a", ProtocolType="HTTP")["ApiId"]
    with pytest.raises(ClientError, match="NotImplemented"):
        v2.create_stage(
            ApiId=id, StageName="s", AccessLogSettings={"DestinationArn": stream, "Format": "$context.requestId"}
        )

"""HTTP APIs as clients call them: routes, events, answers, CORS, limits, logs."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.apigateway.http.conftest import Api, Backend

SAYS = "def handler(event, context):\n    return {value}\n"


def test_quick_create_answers_at_the_root(make_api: Callable[..., Api], shop: Api, account: str) -> None:
    arn = shop.function("echo", allowed=False)
    api = make_api(Target=arn)
    shop.lambda_.add_permission(
        FunctionName="echo",
        StatementId="any",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:{account}:{api.id}/*",
    )
    answer = api.call("GET", "/some/where?a=1")
    assert answer.status == 200
    assert answer.json["routeKey"] == "$default"
    assert answer.json["rawPath"] == "/some/where"
    assert api.call("GET", f"/_aws/execute-api/{api.id}/$default/x", host="localhost").json["rawPath"] == "/x"


def test_an_event_in_format_2_0(shop: Api, account: str) -> None:
    shop.route("POST /pets/{id}", shop.proxy(shop.function("echo")))
    shop.stage("dev", StageVariables={"color": "blue"})
    answer = shop.call(
        "POST",
        "/dev/pets/a%20b?x=1&x=2&y=%C3%A4&z",
        '{"n":1}',
        [
            ("Content-Type", "application/json"),
            ("Cookie", "a=1; b=2"),
            ("X-Two", "1"),
            ("X-Two", "2"),
            ("User-Agent", "me"),
        ],
    )
    event = answer.json
    assert event["version"] == "2.0"
    assert event["routeKey"] == "POST /pets/{id}"
    assert event["rawPath"] == "/dev/pets/a b"
    assert event["rawQueryString"] == "x=1&x=2&y=%C3%A4&z"
    assert event["queryStringParameters"] == {"x": "1,2", "y": "ä", "z": ""}
    assert event["cookies"] == ["a=1", "b=2"]
    assert event["headers"]["x-two"] == "1,2"
    assert "cookie" not in event["headers"]
    assert event["pathParameters"] == {"id": "a b"}
    assert event["stageVariables"] == {"color": "blue"}
    assert event["body"] == '{"n":1}'
    assert event["isBase64Encoded"] is False
    context = event["requestContext"]
    assert context["accountId"] == account
    assert context["apiId"] == shop.id
    assert context["stage"] == "dev"
    assert context["domainPrefix"] == shop.id
    assert context["http"] == {
        "method": "POST",
        "path": "/dev/pets/a b",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "me",
    }
    assert answer.headers["apigw-requestid"] == context["requestId"]
    assert "authorizer" not in context


def test_an_event_in_format_1_0(shop: Api) -> None:
    shop.route("GET /pets/{id}", shop.proxy(shop.function("echo", _FIRST), "1.0"))
    shop.stage()
    event = shop.call("GET", "/pets/7?x=1&x=2", headers=[("X-Two", "1"), ("X-Two", "2")]).json
    assert event["version"] == "1.0"
    assert event["resource"] == "/pets/{id}"
    assert event["path"] == "/pets/7"
    assert event["httpMethod"] == "GET"
    assert event["multiValueHeaders"]["X-Two"] == ["1", "2"]
    assert event["headers"]["X-Two"] == "2"
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert event["pathParameters"] == {"id": "7"}
    assert event["stageVariables"] is None
    assert event["body"] is None
    assert event["requestContext"]["resourcePath"] == "/pets/{id}"
    assert event["requestContext"]["identity"]["sourceIp"] == "127.0.0.1"


def _late() -> bytes:
    time.sleep(0.5)
    return b"late"


_FIRST = 'import json\ndef handler(event, context):\n    return {"statusCode": 200, "body": json.dumps(event)}\n'


def test_the_most_specific_route_wins(shop: Api) -> None:
    target = shop.proxy(shop.function("key", SAYS.format(value="event['routeKey']")))
    for key in (
        "GET /pets/dog/1",
        "GET /pets/dog/{id}",
        "GET /pets/{proxy+}",
        "ANY /{proxy+}",
        "$default",
        "ANY /pets/cat",
    ):
        shop.route(key, target)
    shop.stage()
    for method, path, key in (
        ("GET", "/pets/dog/1", "GET /pets/dog/1"),
        ("GET", "/pets/dog/2", "GET /pets/dog/{id}"),
        ("GET", "/pets/dog/2/x", "GET /pets/{proxy+}"),
        ("GET", "/pets/cat", "ANY /pets/cat"),
        ("POST", "/pets/dog/1", "ANY /{proxy+}"),
        ("GET", "/", "$default"),
    ):
        assert shop.call(method, path).body.decode() == key, path


@pytest.mark.parametrize(
    ("value", "status", "body", "kind"),
    [
        ("{'a': 1}", 200, b'{"a":1}', "application/json"),
        ("'text'", 200, b"text", "application/json"),
        ("{'statusCode': 201, 'body': 'x', 'headers': {'Content-Type': 'text/plain'}}", 201, b"x", "text/plain"),
        ("{'statusCode': 200, 'body': 'AAE=', 'isBase64Encoded': True}", 200, b"\x00\x01", "application/json"),
        ("{'statusCode': 'often'}", 500, b'{"message":"Internal Server Error"}', "application/json"),
        (
            "{'statusCode': 200, 'headers': {'a': 'x\\r\\nb: c'}}",
            500,
            b'{"message":"Internal Server Error"}',
            "application/json",
        ),
        ("1 / 0", 500, b'{"message":"Internal Server Error"}', "application/json"),
    ],
)
def test_what_functions_return(shop: Api, value: str, status: int, body: bytes, kind: str) -> None:
    shop.route("GET /", shop.proxy(shop.function("says", SAYS.format(value=value))))
    shop.stage()
    answer = shop.call("GET", "/")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (status, body, kind)


def test_cookies_and_repeated_headers(shop: Api) -> None:
    two = "{'statusCode': 200, 'cookies': ['a=1; Secure', 'b=2'], 'headers': {'x-a': '1'}}"
    one = (
        "{'statusCode': 200, 'multiValueHeaders': {'Set-Cookie': ['a=1', 'b=2']}, 'headers': {'x-a': '1'}, 'body': 'x'}"
    )
    shop.route("GET /two", shop.proxy(shop.function("two", SAYS.format(value=two))))
    shop.route("GET /one", shop.proxy(shop.function("one", SAYS.format(value=one)), "1.0"))
    shop.stage()
    assert shop.call("GET", "/two").headers.get_all("set-cookie") == ["a=1; Secure", "b=2"]
    answer = shop.call("GET", "/one")
    assert answer.headers.get_all("set-cookie") == ["a=1", "b=2"]
    assert answer.headers["x-a"] == "1"


def test_bytes_go_to_functions_as_base64(shop: Api) -> None:
    shop.route("POST /", shop.proxy(shop.function("echo")))
    shop.stage()
    event = shop.call("POST", "/", b"\xff\x00", {"Content-Type": "image/png"}).json
    assert event["isBase64Encoded"] is True
    assert base64.b64decode(event["body"]) == b"\xff\x00"


def test_what_no_route_is_for(shop: Api, endpoint: str) -> None:
    shop.route("GET /a", shop.proxy(shop.function("echo")))
    assert shop.call("GET", "/a").status == 404  # no stage yet
    shop.stage()
    for method, path in (("GET", "/b"), ("POST", "/a"), ("GET", "/a/"), ("GET", "/a/b"), ("GET", "/")):
        answer = shop.call(method, path)
        assert (answer.status, answer.json) == (404, {"message": "Not Found"}), path
    assert shop.call("GET", "/a", host=shop.host.replace(shop.id, "nosuchapi0")).status == 403
    assert shop.call("GET", "/a%00").status == 400


def test_a_function_that_the_api_may_not_call(make_api: Callable[..., Api], shop: Api) -> None:
    shop.route("GET /", "integrations/" + shop.proxy("arn:aws:lambda:us-east-1:1:function:none").partition("/")[2])
    shop.route("GET /nothing")
    shop.stage()
    assert (shop.call("GET", "/").status, shop.call("GET", "/nothing").status) == (500, 500)


def test_an_address_behind_a_route(shop: Api, backend: Backend) -> None:
    mapped = {
        "append:header.x-added": "$context.routeKey",
        "overwrite:querystring.page": "${request.querystring.p}-${stageVariables.v}",
        "remove:querystring.p": "''",
        "overwrite:header.x-id": "$request.body.user.id",
    }
    shop.route("ANY /pets/{proxy+}", shop.forward(backend.url + "/inner/{proxy}"))
    shop.route("POST /mapped", shop.forward(backend.url + "/x", RequestParameters=mapped))
    path = shop.forward(backend.url + "/x", "POST", RequestParameters={"overwrite:path": "/there/$request.path.id"})
    shop.route("GET /moved/{id}", path)
    shop.stage(StageVariables={"v": "1"})
    asked = shop.call("PUT", "/pets/a%20b/c?x=1", "body", {"X-A": "1", "Connection": "close"}).json
    assert (asked["method"], asked["path"], asked["body"]) == ("PUT", "/inner/a%20b/c?x=1", "body")
    assert asked["headers"]["x-a"] == "1"
    assert asked["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert asked["headers"]["forwarded"] == f"for=127.0.0.1;host={shop.host};proto=http"
    assert asked["headers"]["via"] == "HTTP/1.1 AmazonAPIGateway"
    asked = shop.call("POST", "/mapped?p=2", '{"user": {"id": 7}}', {"content-type": "application/json"}).json
    assert asked["path"] == "/x?page=2-1"
    assert asked["headers"]["x-added"] == "POST /mapped"
    assert asked["headers"]["x-id"] == "7"
    asked = shop.call("GET", "/moved/9").json
    assert (asked["method"], asked["path"]) == ("POST", "/there/9")


def test_an_address_is_never_left_by_dots(shop: Api, backend: Backend) -> None:
    shop.route("ANY /pets/{proxy+}", shop.forward(backend.url + "/inner/{proxy}"))
    shop.stage()
    for path in ("/pets/../secret", "/pets/%2e%2e/secret", "/pets/a/..%2f..%2fsecret"):
        assert shop.call("GET", path).status in (400, 404), path
    assert all(asked.startswith("/inner/") and ".." not in asked for asked in backend.asked)


def test_answers_are_mapped(shop: Api, backend: Backend) -> None:
    backend.answers["/x"] = (404, {"x-old": "1", "x-gone": "1", "content-type": "application/json"}, b'{"why":"no"}')
    mapping = {
        "404": {
            "overwrite:statuscode": "410",
            "append:header.x-why": "$response.body.why",
            "overwrite:header.x-old": "new-${response.header.x-old}",
            "remove:header.x-gone": "''",
        }
    }
    shop.route("GET /", shop.forward(backend.url + "/x", ResponseParameters=mapping))
    shop.stage()
    answer = shop.call("GET", "/")
    assert answer.status == 410
    assert (answer.headers["x-why"], answer.headers["x-old"], answer.headers["x-gone"]) == ("no", "new-1", None)


def test_an_integration_that_is_late_or_gone(shop: Api, backend: Backend) -> None:
    backend.answers["/slow"] = (200, {}, _late)
    shop.route("GET /slow", shop.forward(backend.url + "/slow", TimeoutInMillis=100))
    shop.route("GET /gone", shop.forward("http://127.0.0.1:1/"))
    slow = shop.function("slow", "import time\ndef handler(event, context):\n    time.sleep(1)\n")
    shop.route("GET /function", shop.proxy(slow, TimeoutInMillis=100))
    shop.stage()
    for path in ("/slow", "/gone", "/function"):
        answer = shop.call("GET", path)
        assert (answer.status, answer.json) == (503, {"message": "Service Unavailable"}), path


def test_cors_is_answered_by_the_api(make_api: Callable[..., Api]) -> None:
    cors = {
        "AllowOrigins": ["https://a.example"],
        "AllowMethods": ["GET"],
        "AllowHeaders": ["X-A"],
        "ExposeHeaders": ["x-b"],
        "MaxAge": 60,
        "AllowCredentials": True,
    }
    api = make_api(CorsConfiguration=cors)
    own = "{'statusCode': 200, 'headers': {'access-control-allow-origin': 'https://own'}}"
    api.route("GET /", api.proxy(api.function("own", SAYS.format(value=own))))
    api.stage()
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    preflight = api.call("OPTIONS", "/", headers=asked)
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "https://a.example"
    assert preflight.headers["access-control-allow-methods"] == "GET"
    assert preflight.headers["access-control-allow-headers"] == "x-a"
    assert preflight.headers["access-control-max-age"] == "60"
    answer = api.call("GET", "/", headers={"Origin": "https://a.example"})
    assert answer.headers.get_all("access-control-allow-origin") == ["https://a.example"]
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-expose-headers"] == "x-b"
    stranger = api.call("GET", "/", headers={"Origin": "https://b.example"})
    assert stranger.headers["access-control-allow-origin"] is None
    assert (
        api.call("OPTIONS", "/", headers=asked | {"Origin": "https://b.example"}).headers["access-control-allow-origin"]
        is None
    )


def test_a_route_has_limits(shop: Api, backend: Backend) -> None:
    shop.route("GET /few", shop.forward(backend.url))
    shop.route("GET /many", shop.forward(backend.url))
    shop.stage(RouteSettings={"GET /few": {"ThrottlingBurstLimit": 2, "ThrottlingRateLimit": 0.001}})
    answers = [shop.call("GET", "/few") for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert answers[-1].json == {"message": "Too Many Requests"}
    assert shop.call("GET", "/many").status == 200


def test_more_than_ten_megabytes_are_refused(shop: Api, backend: Backend) -> None:
    shop.route("POST /", shop.forward(backend.url))
    shop.stage()
    answer = shop.call("POST", "/", b"x" * (10 * 1024 * 1024 + 1))
    assert (answer.status, answer.json) == (413, {"message": "Request Entity Too Large"})


def test_an_address_that_is_closed(make_api: Callable[..., Api], backend: Backend) -> None:
    api = make_api(DisableExecuteApiEndpoint=True)
    api.route("GET /", api.forward(backend.url))
    api.stage()
    assert api.call("GET", "/").status == 404
    api.v2.update_api(ApiId=api.id, DisableExecuteApiEndpoint=False)
    assert api.call("GET", "/").status == 200


def test_what_is_deployed_stays_until_it_is_deployed_again(shop: Api, backend: Backend) -> None:
    shop.route("GET /a", shop.forward(backend.url))
    deployment = shop.v2.create_deployment(ApiId=shop.id)["DeploymentId"]
    shop.v2.create_stage(ApiId=shop.id, StageName="fixed", DeploymentId=deployment)
    shop.stage("moving")
    shop.route("GET /b", shop.forward(backend.url))
    assert (shop.call("GET", "/fixed/b").status, shop.call("GET", "/moving/b").status) == (404, 200)
    shop.v2.create_deployment(ApiId=shop.id, StageName="fixed")
    assert shop.call("GET", "/fixed/b").status == 200
    shop.v2.delete_stage(ApiId=shop.id, StageName="fixed")
    assert shop.call("GET", "/fixed/b").status == 404
    shop.v2.delete_api(ApiId=shop.id)
    assert shop.call("GET", "/moving/b").status == 403


def test_access_logs(shop: Api, client: Callable[..., Any], account: str, backend: Backend) -> None:
    logs = client("logs")
    logs.create_log_group(logGroupName="access")
    shop.route("GET /a", shop.forward(backend.url))
    text = '{"id":"$context.requestId","key":"$context.routeKey","status":"$context.status","up":"$context.integrationStatus"}'
    shop.stage(
        AccessLogSettings={"DestinationArn": f"arn:aws:logs:us-east-1:{account}:log-group:access", "Format": text}
    )
    id = shop.call("GET", "/a").headers["apigw-requestid"]
    shop.call("GET", "/none")
    lines: list[Any] = []
    for _ in range(600):
        events = logs.filter_log_events(logGroupName="access")["events"]
        lines = [json.loads(event["message"]) for event in events]
        if len(lines) == 2:
            break
        time.sleep(0.1)
    assert lines[0] == {"id": id, "key": "GET /a", "status": "200", "up": "200"}
    assert (lines[1]["key"], lines[1]["status"]) == ("-", "404")


def test_messages_go_to_a_queue_without_a_function(shop: Api, client: Callable[..., Any], account: str) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName="orders")["QueueUrl"]
    made = shop.v2.create_integration(
        ApiId=shop.id,
        IntegrationType="AWS_PROXY",
        IntegrationSubtype="SQS-SendMessage",
        PayloadFormatVersion="1.0",
        CredentialsArn=f"arn:aws:iam::{account}:role/api",
        RequestParameters={
            "QueueUrl": url,
            "MessageBody": "$request.body.order",
            "MessageAttributes": '{"who":{"DataType":"String","StringValue":"${request.header.x-who}"}}',
        },
    )
    shop.route("POST /orders", f"integrations/{made['IntegrationId']}")
    shop.stage()
    answer = shop.call("POST", "/orders", '{"order": "tea"}', {"X-Who": "ann"})
    assert answer.status == 200, answer.body
    assert b"<MessageId>" in answer.body
    message = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"][0]
    assert message["Body"] == "tea"
    assert message["MessageAttributes"]["who"]["StringValue"] == "ann"
    assert shop.call("POST", "/orders", "{}").status == 400


def test_a_service_that_is_not_here_says_so(shop: Api, account: str) -> None:
    made = shop.v2.create_integration(
        ApiId=shop.id,
        IntegrationType="AWS_PROXY",
        IntegrationSubtype="EventBridge-PutEvents",
        PayloadFormatVersion="1.0",
        CredentialsArn=f"arn:aws:iam::{account}:role/api",
        RequestParameters={"Detail": "$request.body", "DetailType": "order", "Source": "shop"},
    )
    shop.route("POST /", f"integrations/{made['IntegrationId']}")
    shop.stage()
    answer = shop.call("POST", "/", "{}")
    assert answer.status in (200, 501)


def test_a_workflow_is_started_and_waited_for(shop: Api, client: Callable[..., Any], account: str) -> None:
    states = client("stepfunctions")
    made = states.create_state_machine(
        name="double",
        type="EXPRESS",
        roleArn=f"arn:aws:iam::{account}:role/states",
        definition=json.dumps(
            {"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"got.$": "$.n"}, "End": True}}}
        ),
    )
    integration = shop.v2.create_integration(
        ApiId=shop.id,
        IntegrationType="AWS_PROXY",
        IntegrationSubtype="StepFunctions-StartSyncExecution",
        PayloadFormatVersion="1.0",
        CredentialsArn=f"arn:aws:iam::{account}:role/api",
        RequestParameters={"StateMachineArn": made["stateMachineArn"], "Input": "$request.body"},
    )
    shop.route("POST /run", f"integrations/{integration['IntegrationId']}")
    shop.stage()
    answer = shop.call("POST", "/run", '{"n": 7}')
    assert answer.status == 200, answer.body
    assert (answer.json["status"], json.loads(answer.json["output"])) == ("SUCCEEDED", {"got": 7})

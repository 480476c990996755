"""Who may call a method: authorizers, signatures, policies of APIs, keys and their plans, rates."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.services.apigateway.rest.pipeline.conftest import Api

AUTHORIZER = """
import json
def handler(event, context):
    token = event.get('authorizationToken') or event['headers'].get('X-Who') or event['queryStringParameters'].get('who')
    if token == 'nobody':
        raise Exception('Unauthorized')
    if token == 'broken':
        raise Exception('something else')
    if token == 'strange':
        return {'no': 'policy'}
    effect = {'allow': 'Allow', 'deny': 'Deny'}.get(token)
    statement = {'Action': 'execute-api:Invoke', 'Effect': effect or 'Allow', 'Resource': event['methodArn'] if effect else 'arn:aws:none'}
    return {
        'principalId': 'ann', 'policyDocument': {'Version': '2012-10-17', 'Statement': [statement]},
        'context': {'n': 1, 'b': True, 's': 'x', 'event': json.dumps(event)}, 'usageIdentifierKey': 'a-key-of-twenty-letters',
    }
"""


def authorize(api: Api, kind: str, source: str, **settings: Any) -> str:
    arn = api.function("who", AUTHORIZER)
    made = api.rest.create_authorizer(
        restApiId=api.id, name="who", type=kind, authorizerUri=api.uri(arn), identitySource=source, **settings
    )
    return str(made["id"])


@pytest.fixture
def guarded(api: Api) -> Api:
    """GET / of a function that says its authorizer's context; the token is in X-Who."""
    id = authorize(api, "TOKEN", "method.request.header.X-Who", identityValidationExpression="[a-z]+")
    source = "import json\ndef handler(event, context):\n    return {'body': json.dumps(event['requestContext']['authorizer'])}\n"
    api.proxy("GET", "/", api.function("says", source), authorizationType="CUSTOM", authorizerId=id)
    api.deploy()
    return api


def test_token_authorizer(guarded: Api) -> None:
    answer = guarded.call("GET", "", headers={"X-Who": "allow"})
    assert answer.status == 200, answer.body
    said = answer.json
    assert said["principalId"] == "ann"
    assert (said["n"], said["b"], said["s"]) == ("1", "true", "x")
    event = json.loads(said["event"])
    arn = f"arn:aws:execute-api:us-east-1:{guarded.account}:{guarded.id}/dev/GET/"
    assert event == {"type": "TOKEN", "methodArn": arn, "authorizationToken": "allow"}


@pytest.mark.parametrize(
    ("token", "status", "body", "kind"),
    [
        (None, 401, {"message": "Unauthorized"}, "UnauthorizedException"),
        ("", 401, {"message": "Unauthorized"}, "UnauthorizedException"),
        ("ALLOW", 401, {"message": "Unauthorized"}, "UnauthorizedException"),
        ("nobody", 401, {"message": "Unauthorized"}, "UnauthorizedException"),
        (
            "deny",
            403,
            {"Message": "User is not authorized to access this resource with an explicit deny"},
            "AccessDeniedException",
        ),
        ("other", 403, {"Message": "User is not authorized to access this resource"}, "AccessDeniedException"),
        ("broken", 500, {"message": None}, "AuthorizerFailureException"),
        ("strange", 500, {"message": None}, "AuthorizerConfigurationException"),
    ],
)
def test_refusals_of_an_authorizer(guarded: Api, token: str | None, status: int, body: Any, kind: str) -> None:
    answer = guarded.call("GET", "", headers={} if token is None else {"X-Who": token})
    assert (answer.status, answer.json) == (status, body)
    assert answer.headers["x-amzn-ErrorType"] == kind


def test_answers_of_an_authorizer_are_kept(api: Api, advance: Callable[[float], None]) -> None:
    source = (
        "import uuid\ndef handler(event, context):\n"
        "    return {'principalId': str(uuid.uuid4()), 'policyDocument': {'Version': '2012-10-17', 'Statement': "
        "[{'Action': '*', 'Effect': 'Allow', 'Resource': '*'}]}}\n"
    )
    made = api.rest.create_authorizer(
        restApiId=api.id,
        name="names",
        type="REQUEST",
        authorizerUri=api.uri(api.function("names", source)),
        identitySource="method.request.header.A,method.request.querystring.b",
        authorizerResultTtlInSeconds=3_600,
    )
    mine = "def handler(event, context):\n    return {'body': event['requestContext']['authorizer']['principalId']}\n"
    api.proxy("GET", "/", api.function("says", mine), authorizationType="CUSTOM", authorizerId=made["id"])
    api.deploy()
    first = api.call("GET", "?b=1", headers={"A": "1"}).body
    assert len(first) == 36
    assert api.call("GET", "?b=1&c=2", headers={"a": "1"}).body == first
    assert api.call("GET", "?b=2", headers={"A": "1"}).body != first
    assert api.call("GET", "?b=1", headers={"A": "1"}).body == first
    assert api.call("GET", "", headers={"A": "1"}).status == 401
    advance(3_601)
    later = api.call("GET", "?b=1", headers={"A": "1"}).body
    assert later != first
    assert api.call("GET", "?b=1", headers={"A": "1"}).body == later
    api.rest.flush_stage_authorizers_cache(restApiId=api.id, stageName="dev")
    assert api.call("GET", "?b=1", headers={"A": "1"}).body != later


def signed(api: Api, key: str, secret: str, path: str = "/dev/") -> dict[str, str]:
    request = AWSRequest("GET", f"http://{api.host}{path}", headers={"Host": api.host})
    SigV4Auth(Credentials(key, secret), "execute-api", "us-east-1").add_auth(request)
    return {name: value for name, value in request.headers.items() if name != "Host"}


def test_signatures(api: Api, client: Callable[..., Any]) -> None:
    source = "import json\ndef handler(event, context):\n    return {'body': json.dumps(event['requestContext']['identity'])}\n"
    api.proxy("GET", "/", api.function("says", source), authorizationType="AWS_IAM")
    api.deploy()
    answer = api.call("GET", "/")
    assert (answer.status, answer.json) == (403, {"message": "Missing Authentication Token"})
    iam = client("iam")
    user = iam.create_user(UserName="ann")["User"]
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    answer = api.call("GET", "/", headers=signed(api, key["AccessKeyId"], key["SecretAccessKey"]))
    assert answer.status == 200, answer.body
    assert answer.json["userArn"] == user["Arn"]
    assert answer.json["accessKey"] == key["AccessKeyId"]
    answer = api.call("GET", "/", headers=signed(api, key["AccessKeyId"], "wrong" * 8))
    assert answer.status == 403
    assert answer.headers["x-amzn-ErrorType"] == "InvalidSignatureException"
    assert api.call("GET", "/", headers=signed(api, "AKIA0000000000000000", "x")).status == 403


def policy(effect: str, condition: dict[str, Any] | None = None, principal: Any = "*") -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": effect,
        "Principal": principal,
        "Action": "execute-api:Invoke",
        "Resource": "execute-api:/dev/GET/*",
    }
    return statement | ({"Condition": condition} if condition else {})


@pytest.mark.parametrize(
    ("statements", "status"),
    [
        ([policy("Allow")], 200),
        ([policy("Allow"), policy("Deny", {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}})], 403),
        ([policy("Allow"), policy("Deny", {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}})], 200),
        ([policy("Allow", {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})], 403),
    ],
)
def test_policies_of_apis(make_api: Callable[..., Api], statements: list[Any], status: int) -> None:
    api = make_api(policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    api.mock("GET", "/", "hello")
    api.deploy()
    answer = api.call("GET", "/")
    assert answer.status == status, answer.body
    if status == 403:
        assert answer.json["Message"].startswith(
            "User: anonymous is not authorized to perform: execute-api:Invoke on resource: "
        )
        assert f"********{api.account[-4:]}:{api.id}/dev/GET/" in answer.json["Message"]


def plan(api: Api, value: str, **settings: Any) -> None:
    key = api.rest.create_api_key(name="k", value=value, enabled=True)
    made = api.rest.create_usage_plan(name="p", apiStages=[{"apiId": api.id, "stage": "dev"}], **settings)
    api.rest.create_usage_plan_key(usagePlanId=made["id"], keyId=key["id"], keyType="API_KEY")


def test_keys_and_quotas(api: Api, advance: Callable[[float], None]) -> None:
    api.mock("GET", "/", "hello", apiKeyRequired=True)
    api.deploy()
    answer = api.call("GET", "/")
    assert (answer.status, answer.json) == (403, {"message": "Forbidden"})
    plan(api, "a-key-of-twenty-letters", quota={"limit": 2, "period": "DAY"})
    good = {"x-api-key": "a-key-of-twenty-letters"}
    assert api.call("GET", "/", headers={"x-api-key": "another-of-twenty-letters"}).status == 403
    assert [api.call("GET", "/", headers=good).status for _ in range(2)] == [200, 200]
    answer = api.call("GET", "/", headers=good)
    assert (answer.status, answer.json) == (429, {"message": "Limit Exceeded"})
    assert answer.headers["x-amzn-ErrorType"] == "LimitExceededException"
    advance(86_400)
    assert api.call("GET", "/", headers=good).status == 200


def test_rates_of_plans(api: Api, advance: Callable[[float], None]) -> None:
    api.mock("GET", "/", "hello", apiKeyRequired=True)
    api.deploy()
    plan(api, "a-key-of-twenty-letters", throttle={"rateLimit": 0.001, "burstLimit": 2})
    good = {"x-api-key": "a-key-of-twenty-letters"}
    assert [api.call("GET", "/", headers=good).status for _ in range(3)] == [200, 200, 429]
    advance(1_000)
    assert [api.call("GET", "/", headers=good).status for _ in range(2)] == [200, 429]


def test_a_key_from_the_authorizer(make_api: Callable[..., Api]) -> None:
    api = make_api(apiKeySource="AUTHORIZER")
    id = authorize(api, "TOKEN", "method.request.header.X-Who")
    api.mock("GET", "/", "hello", apiKeyRequired=True, authorizationType="CUSTOM", authorizerId=id)
    api.deploy()
    assert api.call("GET", "/", headers={"X-Who": "allow"}).status == 403
    plan(api, "a-key-of-twenty-letters")
    assert api.call("GET", "/", headers={"X-Who": "allow"}).status == 200


def test_rates_of_stages_and_methods(api: Api, advance: Callable[[float], None]) -> None:
    api.mock("GET", "/slow", "hello")
    api.mock("GET", "/", "hello")
    api.deploy()
    api.set(("/~1slow/GET/throttling/rateLimit", "0.001"), ("/~1slow/GET/throttling/burstLimit", "1"))
    assert [api.call("GET", "/slow").status for _ in range(2)] == [200, 429]
    assert [api.call("GET", "/").status for _ in range(3)] == [200] * 3
    answer = api.call("GET", "/slow")
    assert answer.json == {"message": "Too Many Requests"}
    assert answer.headers["x-amzn-ErrorType"] == "TooManyRequestsException"
    advance(1_000)
    assert api.call("GET", "/slow").status == 200


def test_tokens(api: Api, backend: Any) -> None:
    jwt = pytest.importorskip("jwt")
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())) | {"kid": "one", "alg": "RS256"}
    documents = {
        "/.well-known/openid-configuration": {"issuer": backend.url, "jwks_uri": f"{backend.url}/keys"},
        "/keys": {"keys": [public]},
        "/.well-known/jwks.json": {"keys": [public]},
    }
    for path, document in documents.items():
        backend.answers[path] = (200, {"content-type": "application/json"}, json.dumps(document).encode())
    made = api.rest.create_authorizer(
        restApiId=api.id,
        name="tokens",
        type="JWT",
        identitySource="method.request.header.Authorization",
        jwtConfiguration={"issuers": [{"issuer": backend.url, "audiences": ["me"]}], "defaultAlgorithms": ["RS256"]},
    )
    source = "import json\ndef handler(event, context):\n    return {'body': json.dumps(event['requestContext']['authorizer'])}\n"
    api.proxy("GET", "/", api.function("says", source), authorizationType="JWT", authorizerId=made["id"])
    api.deploy()

    def token(**claims: Any) -> dict[str, str]:
        claims = {"iss": backend.url, "aud": "me", "exp": int(time.time()) + 3_600, "sub": "ann"} | claims
        return {"Authorization": "Bearer " + jwt.encode(claims, key, algorithm="RS256", headers={"kid": "one"})}

    answer = api.call("GET", "/", headers=token())
    assert answer.status == 200, answer.body
    assert answer.json["claims"]["sub"] == "ann"
    for bad in ({}, {"Authorization": "Bearer x.y.z"}, token(exp=1), token(aud="you"), token(iss="http://other")):
        answer = api.call("GET", "/", headers=bad)
        assert (answer.status, answer.json) == (401, {"message": "Unauthorized"})


@pytest.mark.parametrize("path", ["/admin/x", "//admin/x", "/admin/x/", "///admin/x/", "/%61dmin/x", "/admin%2Fx"])
def test_a_policy_denies_however_the_path_is_written(make_api: Callable[..., Api], path: str) -> None:
    statements = [policy("Allow"), policy("Deny") | {"Resource": "execute-api:/dev/GET/admin/x*"}]
    api = make_api(policy=json.dumps({"Version": "2012-10-17", "Statement": statements}))
    api.mock("GET", "/{proxy+}", "hello")
    api.deploy()
    assert api.call("GET", "/other").status == 200
    assert api.call("GET", path).status == 403


@pytest.mark.parametrize("path", ["/admin/x", "//admin/x", "/admin/x/", "/%61dmin/x"])
def test_an_authorizer_denies_however_the_path_is_written(api: Api, path: str) -> None:
    source = """
def handler(event, context):
    head = event['methodArn'].split('/GET/')[0]
    statements = [{'Action': '*', 'Effect': 'Allow', 'Resource': '*'}, {'Action': '*', 'Effect': 'Deny', 'Resource': head + '/GET/admin/*'}]
    return {'principalId': 'ann', 'policyDocument': {'Version': '2012-10-17', 'Statement': statements}}
"""
    made = api.rest.create_authorizer(
        restApiId=api.id,
        name="who",
        type="TOKEN",
        authorizerUri=api.uri(api.function("who", source)),
        identitySource="method.request.header.X-Who",
    )
    api.mock("GET", "/{proxy+}", "hello", authorizationType="CUSTOM", authorizerId=made["id"])
    api.deploy()
    assert api.call("GET", "/other", headers={"X-Who": "ann"}).status == 200
    assert api.call("GET", path, headers={"X-Who": "ann"}).status == 403


def test_a_private_api_asks_by_which_endpoint_a_request_comes(make_api: Callable[..., Api]) -> None:
    only = policy("Deny", {"StringNotEquals": {"aws:SourceVpce": "vpce-0a1"}})
    api = make_api(
        endpointConfiguration={"types": ["PRIVATE"]},
        policy=json.dumps({"Version": "2012-10-17", "Statement": [policy("Allow"), only]}),
    )
    api.mock("GET", "/", '"$context.identity.vpceId"')
    api.deploy()
    assert api.call("GET", "/").status == 403
    for endpoint, status in [("vpce-0a1", 200), ("vpce-0a2", 403)]:
        host = f"{api.id}-{endpoint}.execute-api.us-east-1.localhost"
        assert api.call("GET", "/", host=host).status == status
    host, headers = "vpce-0a1-x.execute-api.us-east-1.vpce.amazonaws.com", {"x-apigw-api-id": api.id}
    assert api.call("GET", "/", host=host, headers=headers).json == "vpce-0a1"

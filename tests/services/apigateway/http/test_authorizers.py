"""Who may call a route of an HTTP API: tokens of an issuer, functions that decide, signatures."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.services.apigateway.http.conftest import Api, Backend

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _number(value: int) -> str:
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8)).rstrip(b"=").decode()


@pytest.fixture
def issuer(backend: Backend) -> str:
    """An address that publishes KEY as an OpenID Connect issuer does."""
    numbers = KEY.public_key().public_numbers()
    key = {"kty": "RSA", "kid": "k1", "use": "sig", "alg": "RS256", "n": _number(numbers.n), "e": _number(numbers.e)}
    kind = {"content-type": "application/json"}
    about = {"issuer": backend.url, "jwks_uri": f"{backend.url}/keys"}
    backend.answers["/.well-known/openid-configuration"] = (200, kind, json.dumps(about).encode())
    backend.answers["/keys"] = (200, kind, json.dumps({"keys": [key]}).encode())
    return backend.url


def _token(issuer: str, key: Any = KEY, algorithm: str = "RS256", kid: str = "k1", **claims: Any) -> str:
    now = int(time.time())
    said = {
        "iss": issuer,
        "aud": "me",
        "sub": "ann",
        "iat": now - 1,
        "exp": now + 3_600,
        "scope": "read write",
    } | claims
    return jwt.encode({name: one for name, one in said.items() if one is not None}, key, algorithm, {"kid": kid})


@pytest.fixture
def guarded(shop: Api, issuer: str) -> Api:
    """An API with `GET /` for whoever has a token, `GET /read` and `GET /admin` for those scopes."""
    made = shop.v2.create_authorizer(
        ApiId=shop.id,
        Name="jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer, "Audience": ["me", "you"]},
    )
    target = shop.proxy(shop.function("echo"))
    settings = {"AuthorizationType": "JWT", "AuthorizerId": made["AuthorizerId"]}
    shop.route("GET /", target, **settings)
    shop.route("GET /read", target, AuthorizationScopes=["read", "all"], **settings)
    shop.route("GET /admin", target, AuthorizationScopes=["admin"], **settings)
    shop.stage()
    return shop


def test_a_good_token_is_let_in_and_its_claims_are_told(guarded: Api, issuer: str) -> None:
    answer = guarded.call("GET", "/", headers={"Authorization": f"Bearer {_token(issuer, groups=['a', 'b'])}"})
    assert answer.status == 200, answer.headers
    told = answer.json["requestContext"]["authorizer"]["jwt"]
    assert told["claims"]["sub"] == "ann"
    assert told["claims"]["groups"] == "[a b]"
    assert told["scopes"] is None
    read = guarded.call("GET", "/read", headers={"Authorization": _token(issuer)})
    assert read.json["requestContext"]["authorizer"]["jwt"]["scopes"] == ["read"]


def test_a_token_without_the_scope_is_forbidden(guarded: Api, issuer: str) -> None:
    answer = guarded.call("GET", "/admin", headers={"Authorization": _token(issuer)})
    assert (answer.status, answer.json) == (403, {"message": "Forbidden"})
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]


def test_tokens_that_are_not_good(guarded: Api, issuer: str) -> None:
    now = int(time.time())
    wrong = {
        "the token is malformed": "nonsense",
        "the token has an invalid signature": _token(issuer, OTHER),
        "the token's kid is not one of the issuer's keys": _token(issuer, kid="k2"),
        "the token does not have a valid issuer": _token("https://elsewhere.example"),
        "the token does not have a valid audience": _token(issuer, aud="them"),
        "the token has expired": _token(issuer, exp=now - 1),
        "the token is not valid yet": _token(issuer, nbf=now + 3_600),
        "claim iat is after current time": _token(issuer, iat=now + 3_600),
        "claim iat is no number": _token(issuer, iat="soon"),
    }
    for why, token in wrong.items():
        answer = guarded.call("GET", "/", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status, answer.json) == (401, {"message": "Unauthorized"}), why
        assert answer.headers["www-authenticate"] == f'Bearer scope="" error="invalid_token" error_description="{why}"'
    answer = guarded.call("GET", "/")
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_an_access_token_has_a_client_id_in_place_of_an_audience(guarded: Api, issuer: str) -> None:
    token = _token(issuer, aud=None, client_id="you")
    assert guarded.call("GET", "/", headers={"Authorization": token}).status == 200


def test_keys_are_fetched_once(guarded: Api, issuer: str, backend: Backend) -> None:
    for number in range(5):
        assert guarded.call("GET", "/", headers={"Authorization": _token(issuer, sub=str(number))}).status == 200
    assert backend.asked.count("/keys") == 1


def test_an_issuer_that_does_not_answer(shop: Api) -> None:
    made = shop.v2.create_authorizer(
        ApiId=shop.id,
        Name="jwt",
        AuthorizerType="JWT",
        IdentitySource=["$request.querystring.token"],
        JwtConfiguration={"Issuer": "http://127.0.0.1:1", "Audience": ["me"]},
    )
    shop.route("GET /", AuthorizationType="JWT", AuthorizerId=made["AuthorizerId"])
    shop.stage()
    answer = shop.call("GET", f"/?token={_token('http://127.0.0.1:1')}")
    assert (answer.status, answer.json) == (401, {"message": "Unauthorized"})


def _decided(shop: Api, source: str, version: str = "2.0", **settings: Any) -> None:
    """`GET /a` and `GET /b`, which a function decides on."""
    made = shop.v2.create_authorizer(
        ApiId=shop.id,
        Name="decides",
        AuthorizerType="REQUEST",
        AuthorizerUri="arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/"
        + shop.function("decides", source)
        + "/invocations",
        AuthorizerPayloadFormatVersion=version,
        **({"IdentitySource": ["$request.header.who"]} | settings),
    )
    target = shop.proxy(shop.function("echo"))
    for key in ("GET /a", "GET /b"):
        shop.route(key, target, AuthorizationType="CUSTOM", AuthorizerId=made["AuthorizerId"])
    shop.stage("s")


def test_a_function_decides_simply(shop: Api) -> None:
    source = (
        "def handler(event, context):\n"
        "    assert event['version'] == '2.0' and event['type'] == 'REQUEST'\n"
        "    return {'isAuthorized': event['identitySource'] == ['ann'], 'context': {'arn': event['routeArn'], 'n': 1}}\n"
    )
    _decided(shop, source, EnableSimpleResponses=True)
    told = shop.call("GET", "/s/a", headers={"Who": "ann"}).json["requestContext"]["authorizer"]["lambda"]
    assert told["n"] == 1
    assert told["arn"] == f"arn:aws:execute-api:us-east-1:{shop.account}:{shop.id}/s/GET/a"
    denied = shop.call("GET", "/s/a", headers={"Who": "bob"})
    assert (denied.status, denied.json) == (403, {"message": "Forbidden"})
    missing = shop.call("GET", "/s/a")
    assert (missing.status, missing.json) == (401, {"message": "Unauthorized"})


def test_a_function_decides_by_a_policy_that_is_kept(shop: Api) -> None:
    source = (
        "import uuid\n"
        "def handler(event, context):\n"
        "    if event['authorizationToken'] == 'nobody': raise Exception('Unauthorized')\n"
        "    if event['authorizationToken'] == 'broken': raise Exception('oh')\n"
        "    arn = event['methodArn'].rsplit('/', 2)[0]\n"
        "    return {'principalId': 'me', 'context': {'call': str(uuid.uuid4())}, 'policyDocument': {'Version': '2012-10-17', 'Statement': [\n"
        "        {'Effect': 'Allow', 'Action': 'execute-api:Invoke', 'Resource': arn + '/GET/a'}]}}\n"
    )
    _decided(shop, source, "1.0")
    told = [shop.call("GET", "/s/a", headers={"Who": "ann"}).json["requestContext"]["authorizer"] for _ in range(3)]
    (call,) = {one["lambda"]["call"] for one in told}
    assert shop.call("GET", "/s/b", headers={"Who": "ann"}).status == 403
    shop.v2.reset_authorizers_cache(ApiId=shop.id, StageName="s")
    again = shop.call("GET", "/s/a", headers={"Who": "ann"}).json["requestContext"]["authorizer"]
    assert again["lambda"]["call"] != call
    assert shop.call("GET", "/s/a", headers={"Who": "nobody"}).status == 401
    broken = shop.call("GET", "/s/a", headers={"Who": "broken"})
    assert (broken.status, broken.json) == (500, {"message": "Internal Server Error"})


def test_signatures(shop: Api, account: str, client: Callable[..., Any]) -> None:
    shop.route("GET /", shop.proxy(shop.function("echo")), AuthorizationType="AWS_IAM")
    shop.stage()
    unsigned = shop.call("GET", "/")
    assert (unsigned.status, unsigned.json) == (403, {"message": "Forbidden"})
    request = AWSRequest("GET", f"http://{shop.host}/?x=1")
    SigV4Auth(Credentials(account, "test"), "execute-api", "us-east-1").add_auth(request)
    signed = shop.call("GET", "/?x=1", headers=dict(request.headers.items()))
    assert signed.status == 200, signed.body
    assert signed.json["requestContext"]["authorizer"]["iam"]["userArn"] == f"arn:aws:iam::{account}:root"
    iam = client("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    for secret, status in ((key["SecretAccessKey"], 200), ("x" * 40, 403)):
        users = AWSRequest("GET", f"http://{shop.host}/")
        SigV4Auth(Credentials(key["AccessKeyId"], secret), "execute-api", "us-east-1").add_auth(users)
        assert shop.call("GET", "/", headers=dict(users.headers.items())).status == status

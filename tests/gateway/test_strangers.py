"""What a web page of another site, or of a function, can have a developer's browser do to a node: nothing."""

import http.client
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

EVIL = {"Origin": "https://evil.test"}
IMAGE = {"Sec-Fetch-Site": "cross-site"}
HERE = {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Send = Callable[..., int]


@pytest.fixture
def send(endpoint: str) -> Send:
    """The status of the answer to a request with these headers."""

    def ask(method: str, url: str, body: str, headers: dict[str, str]) -> int:
        there, asked = urlsplit(endpoint), urlsplit(url)
        connection = http.client.HTTPConnection(there.hostname or "", there.port, timeout=60)
        connection.request(method, f"{asked.path}?{asked.query}", body, headers)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status

    return ask


@pytest.mark.parametrize(
    ("page", "status"), [(EVIL, 403), (IMAGE, 403), ({"Origin": "null"}, 403), (HERE, 200), ({}, 200)]
)
def test_simple_requests(send: Send, page: dict[str, str], status: int) -> None:
    asked = urlencode({"Action": "ListUsers", "Version": "2010-05-08"})
    assert send("POST", "/", asked, FORM | page) == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example.com", 403),
        ("evil.example.com:4566", 403),
        ("localhost:4566", 200),
        ("127.0.0.1:4566", 200),
        ("[::1]:4566", 200),
        ("iam.amazonaws.com", 200),
        ("cumulet:4566", 200),
        ("iam.localhost.localstack.cloud:4566", 200),
    ],
)
def test_names_that_were_made_to_lead_here(send: Send, client: Callable[..., Any], host: str, status: int) -> None:
    asked = "/?Action=ListUsers&Version=2010-05-08"
    browser = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Host": host}
    assert send("GET", asked, "", browser) == status
    assert send("GET", asked, "", {"Host": host, "User-Agent": "curl/8"}) == 200


@pytest.mark.parametrize(("page", "status"), [(EVIL, 403), (IMAGE, 403), ({}, 200)])
def test_addresses_signed_with_a_development_key(
    send: Send, client: Callable[..., Any], page: dict[str, str], status: int
) -> None:
    url = client("iam").generate_presigned_url("list_users", HttpMethod="GET")
    assert send("GET", url, "", page) == status


def test_whoever_has_credentials_may(send: Send, client: Callable[..., Any]) -> None:
    client("iam").create_user(UserName="ann")
    key = client("iam").create_access_key(UserName="ann")["AccessKey"]
    own = client("sts", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    assert send("GET", own.generate_presigned_url("get_caller_identity", HttpMethod="GET"), "", EVIL) == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "abc.lambda-url.us-east-1.localhost", "Sec-Fetch-Site": "same-origin"},
        {"Host": "bucket.s3-website.us-east-1.localhost", "Sec-Fetch-Site": "same-origin"},
        {"Host": "abc.execute-api.us-east-1.localhost", "Sec-Fetch-Site": "same-origin"},
        {"Host": "evil.test:4566", "Origin": "http://evil.test:4566"},
    ],
    ids=["a function's page", "a bucket's page", "an API's page", "a name that leads here"],
)
def test_the_nodes_own_pages(send: Send, headers: dict[str, str]) -> None:
    assert send("POST", "/_cumulet/clock", '{"advance": 0}', headers) in {403, 404, 405}
    assert send("POST", "/_cumulet/clock", '{"advance": 0}', {}) == 200


def test_the_registry(send: Send, account: str) -> None:
    host = {"Host": f"{account}.dkr.ecr.us-east-1.localhost"}
    assert send("POST", "/v2/a/blobs/uploads/", "", host | EVIL) == 403
    assert send("POST", "/v2/a/blobs/uploads/", "", host) == 202

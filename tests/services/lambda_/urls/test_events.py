"""Payload format 2.0."""

import base64
import json
from typing import Any

import pytest

from cumulet.kernel.call import ANONYMOUS, Call, Principal
from cumulet.services.lambda_.urls.events import UrlRequest, make_event

HOST = "abc.lambda-url.eu-west-1.localhost:4566"


def event(principal: Principal = ANONYMOUS, body: bytes = b"", query: str = "", **headers: str) -> Any:
    call = Call(
        account="111122223333",
        region="eu-west-1",
        principal=principal,
        request_id="r-1",
        source_ip="10.0.0.7",
        access_key="AK",
    )
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = UrlRequest(
        method="PUT",
        path="/pa2%Fth/1",
        query=query,
        headers={"host": HOST, "connection": "keep-alive", "user-agent": "test/1", **named},
        body=body,
        scheme="http",
        port="4566",
    )
    return json.loads(make_event(call, "abc", request, 1_700_000_000.25, "Root=1-2-3"))


def test_the_whole_event() -> None:
    assert event(query="x=1&x=%2Fbar&y=a+b&z") == {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": "/pa2%Fth/1",
        "rawQueryString": "x=1&x=%2Fbar&y=a+b&z",
        "headers": {
            "host": HOST,
            "user-agent": "test/1",
            "x-forwarded-for": "10.0.0.7",
            "x-forwarded-port": "4566",
            "x-forwarded-proto": "http",
            "x-amzn-trace-id": "Root=1-2-3",
        },
        "queryStringParameters": {"x": "1,/bar", "y": "a b", "z": ""},
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "abc",
            "domainName": "abc.lambda-url.eu-west-1.localhost",
            "domainPrefix": "abc",
            "http": {
                "method": "PUT",
                "path": "/pa2%Fth/1",
                "protocol": "HTTP/1.1",
                "sourceIp": "10.0.0.7",
                "userAgent": "test/1",
            },
            "requestId": "r-1",
            "routeKey": "$default",
            "stage": "$default",
            "time": "14/Nov/2023:22:13:20 +0000",
            "timeEpoch": 1_700_000_000_250,
        },
        "isBase64Encoded": False,
    }


def test_who_signed_the_request() -> None:
    ann = Principal("user", "arn:aws:iam::444455556666:user/ann", "AIDA1", "444455556666")
    found = event(ann, authorization="AWS4-HMAC-SHA256 ...")
    assert "authorization" not in found["headers"]
    assert found["requestContext"]["accountId"] == "444455556666"
    assert found["requestContext"]["authorizer"]["iam"] == {
        "accessKey": "AK",
        "accountId": "444455556666",
        "callerId": "AIDA1",
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": "arn:aws:iam::444455556666:user/ann",
        "userId": "AIDA1",
    }


def test_cookies_come_apart_and_stay_in_the_headers() -> None:
    found = event(cookie="a=1; b=2")
    assert found["cookies"] == ["a=1", "b=2"]
    assert found["headers"]["cookie"] == "a=1; b=2"


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/json; charset=utf-8", "application/xml", "application/ld+json", "TEXT/HTML"]
)
def test_text_goes_as_it_is(kind: str) -> None:
    found = event(body="é".encode(), content_type=kind)
    assert (found["body"], found["isBase64Encoded"]) == ("é", False)


@pytest.mark.parametrize(
    "kind", ["", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "image/png"]
)
def test_the_rest_goes_as_base64(kind: str) -> None:
    found = event(body=b"a=b", content_type=kind)
    assert (base64.b64decode(found["body"]), found["isBase64Encoded"]) == (b"a=b", True)


def test_text_that_is_none_goes_as_base64() -> None:
    assert event(body=b"\xff", content_type="text/plain")["isBase64Encoded"]

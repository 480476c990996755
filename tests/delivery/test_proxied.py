"""What a function returns, as an HTTP answer."""

import base64
import json
from typing import Any

import pytest

from cumulet.delivery.proxied import BETWEEN, WITH_METADATA, BadAnswer, ProxyAnswer, whole


def answer(value: Any) -> ProxyAnswer:
    return whole(json.dumps(value).encode(), "")


@pytest.mark.parametrize(
    ("value", "body"),
    [
        ({"hello": "world"}, b'{"hello":"world"}'),
        (["hello", 3, True], b'["hello",3,true]'),
        ("hello", b"hello"),
        (3.1, b"3.1"),
        (True, b"true"),
        (None, b"null"),
    ],
)
def test_values_without_a_status_are_the_body(value: Any, body: bytes) -> None:
    assert answer(value) == ProxyAnswer(status=200, headers={"Content-Type": "application/json"}, body=body)


def test_a_structured_answer() -> None:
    found = answer(
        {
            "statusCode": "418",
            "headers": {"X-Count": 3, "content-type": "text/plain", "Date": "never"},
            "cookies": ["a=1; Path=/", "b=2"],
            "body": base64.b64encode(b"\0\1").decode(),
            "isBase64Encoded": True,
        }
    )
    assert found.status == 418
    assert found.headers == {"X-Count": "3", "content-type": "text/plain", "x-amzn-remapped-date": "never"}
    assert found.cookies == ("a=1; Path=/", "b=2")
    assert found.body == b"\0\1"
    assert answer({"statusCode": 204}).body == b""


@pytest.mark.parametrize(
    "value",
    [
        {"statusCode": "abc"},
        {"statusCode": 99},
        {"statusCode": 600},
        {"statusCode": True},
        {"statusCode": "9" * 10_000},
        {"statusCode": 200, "headers": []},
        {"statusCode": 200, "headers": {"a": ["b"]}},
        {"statusCode": 200, "headers": {"a b": "c"}},
        {"statusCode": 200, "headers": {"a": "b\r\nSet-Cookie: c"}},
        {"statusCode": 200, "cookies": "a=1"},
        {"statusCode": 200, "cookies": ["a=1\nb"]},
        {"statusCode": 200, "body": "?", "isBase64Encoded": True},
    ],
)
def test_what_is_no_answer(value: Any) -> None:
    with pytest.raises(BadAnswer):
        answer(value)


def test_a_response_with_metadata() -> None:
    payload = b'{"statusCode":203,"headers":{"X-A":"b"},"cookies":["c=d"]}' + BETWEEN + b"\0body"
    found = whole(payload, WITH_METADATA)
    assert (found.status, found.cookies, found.body) == (203, ("c=d",), b"\0body")
    assert found.headers == {"X-A": "b", "Content-Type": "application/octet-stream"}
    for broken in (b"{}", b"[]" + BETWEEN, b"{" + BETWEEN):
        with pytest.raises(BadAnswer):
            whole(broken, WITH_METADATA)

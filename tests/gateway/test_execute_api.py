"""Which requests are for APIs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cumulet.gateway.execute_api import Address, address_of
from cumulet.kernel.streams import BytesStream
from cumulet.wire.http import HttpRequest


def asked(path: str, host: str = "localhost:4566") -> Address | None:
    return address_of(HttpRequest("GET", path, "", {"host": host}, BytesStream(b"")), host)


@pytest.mark.parametrize(
    ("path", "host", "api_id", "rest"),
    [
        ("/dev/a", "abc.execute-api.localhost:4566", "abc", "/dev/a"),
        ("/dev/a", "abc.execute-api.us-east-1.amazonaws.com", "abc", "/dev/a"),
        ("/", "abc.execute-api.localhost", "abc", "/"),
        ("/_aws/execute-api/abc/dev/a/b", "localhost", "abc", "/dev/a/b"),
        ("/_aws/execute-api/abc/dev", "localhost", "abc", "/dev"),
        ("/_aws/execute-api/abc", "localhost", "abc", ""),
        ("/restapis/abc/dev/_user_request_/a/b", "localhost", "abc", "/dev/a/b"),
        ("/restapis/abc/dev/_user_request_", "localhost", "abc", "/dev/"),
    ],
)
def test_addresses(path: str, host: str, api_id: str, rest: str) -> None:
    assert asked(path, host) == Address(api_id, rest)


@pytest.mark.parametrize(
    ("host", "api_id", "endpoint"),
    [
        ("abc-vpce-01.execute-api.us-east-1.localhost", "abc", "vpce-01"),
        ("my-own-vpce-01.execute-api.us-east-1.amazonaws.com", "my-own", "vpce-01"),
        ("vpce-01-xy.execute-api.us-east-1.vpce.amazonaws.com", "given", "vpce-01"),
        ("vpce-01-xy-us-east-1a.execute-api.us-east-1.vpce.amazonaws.com", "given", "vpce-01"),
    ],
)
def test_addresses_of_private_apis(host: str, api_id: str, endpoint: str) -> None:
    headers = {"host": host, "x-apigw-api-id": "given"}
    request = HttpRequest("GET", "/dev", "", headers, BytesStream(b""))
    assert address_of(request, host) == Address(api_id, "/dev", vpc_endpoint=endpoint)


@pytest.mark.parametrize(
    "path", ["/", "/restapis", "/restapis/abc", "/restapis/abc/stages/_user_request", "/_aws/execute", "/b/k"]
)
def test_other_requests(path: str) -> None:
    assert asked(path) is None


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_request(path: str, host: str) -> None:
    asked("/" + path, host)
    asked("/restapis/" + path, host)
    asked("/_aws/execute-api/" + path, host)

"""What nobody sends in good faith is refused before any integration hears of it: functions, servers and services alike."""

import contextlib
import itertools
import socket
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.services.apigateway.http.conftest import Api as HttpApi
from tests.services.apigateway.http.conftest import Backend, backend
from tests.services.apigateway.rest.pipeline.conftest import Api as RestApi

__all__ = ["backend"]

COUNTS = (
    "n = 0\ndef handler(event, context):\n    global n\n    n += 1\n    return {'statusCode': 200, 'body': str(n)}\n"
)
GREEDY = "method.request.path.proxy"
TRICKS = (
    "../x",
    "a/../../x",
    "a/./x",
    "..",
    "a/..",
    "%2e%2e/x",
    "a/%2E%2e%2fx",
    "%252e%252e/x",
    "a%252f..%252fx",
    "..%5cx",
    "..%255cx",
    "a%00b",
    "a%2500b",
    "a%0d%0aX-A:%20b",
    "a%250d%250ax",
    "a%7f",
)
LINES = (
    b"X-A: a\nX-B: b\r\n X: c",
    b"X-A: a\0b",
    b"X-A: a\rX-B: b",
    b"X A: b",
    b"X-A : b",
    b": b",
    b"X-A",
    b"Content-Length: 3",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: xchunked",
    b"Host: other",
)


class Door:
    """The paths of APIs whose integrations note what they are asked, and raw requests to them."""

    def __init__(self, client: Callable[..., Any], endpoint: str, account: str, backend: Backend) -> None:
        self._there = urlsplit(endpoint)
        self._backend = backend
        self._s3 = client("s3")
        self._s3.create_bucket(Bucket=f"notes-{account}")
        self._s3.create_bucket(Bucket=f"others-{account}")
        self._account = account
        rest, http = RestApi(client, endpoint, account), HttpApi(client, endpoint, account)
        self._rest, self._http = rest, http
        rest.proxy("ANY", "/function/{proxy+}", rest.function("counts", COUNTS))
        at = rest.method("ANY", "/server/{proxy+}", requestParameters={GREEDY: True})
        path = {"integration.request.path.proxy": GREEDY}
        rest.rest.put_integration(
            **at,
            type="HTTP_PROXY",
            integrationHttpMethod="ANY",
            uri=f"{backend.url}/below/{{proxy}}",
            requestParameters=path,
        )
        at = rest.method("PUT", "/service/{proxy+}", requestParameters={GREEDY: True})
        rest.rest.put_integration(
            **at,
            type="AWS",
            integrationHttpMethod="PUT",
            uri=f"arn:aws:apigateway:us-east-1:s3:path/notes-{account}/{{proxy}}",
            credentials=f"arn:aws:iam::{account}:role/writes",
            requestParameters=path,
        )
        rest.rest.put_integration_response(**at, statusCode="200")
        given = "method.request.querystring.q"
        at = rest.method("GET", "/mapped", requestParameters={given: True})
        rest.rest.put_integration(
            **at,
            type="HTTP",
            integrationHttpMethod="GET",
            uri=f"{backend.url}/below/{{q}}",
            requestParameters={"integration.request.path.q": given},
        )
        rest.rest.put_integration_response(**at, statusCode="200")
        rest.deploy()
        http.route("ANY /function/{proxy+}", http.proxy(http.function("counts-too", COUNTS)))
        http.route("ANY /server/{proxy+}", http.forward(f"{backend.url}/below/{{proxy}}"))
        http.stage("dev")

    @property
    def places(self) -> list[tuple[str, str, str]]:
        """Verb, host and path of each."""
        rest, http = self._rest.host, self._http.host
        found = [("GET", host, f"/dev/{kind}") for host in (rest, http) for kind in ("function", "server")]
        return [*found, ("PUT", rest, "/dev/service")]

    def open(self) -> socket.socket:
        return socket.create_connection((self._there.hostname or "", self._there.port or 0), timeout=60)

    def ask(self, verb: str, host: str, path: str, *headers: bytes) -> tuple[int, bytes]:
        """The status of an answer to a request as it is written here, and all of it; 0 where there is none."""
        with contextlib.closing(self.open()) as raw:
            lines = [f"{verb} {path} HTTP/1.1".encode("latin-1"), f"Host: {host}".encode(), b"Connection: close"]
            raw.sendall(b"\r\n".join([*lines, b"Content-Length: 0", *headers, b"", b""]))
            return self.read(raw)

    @staticmethod
    def read(raw: socket.socket) -> tuple[int, bytes]:
        found = b""
        with contextlib.suppress(ConnectionError):
            while piece := raw.recv(65_536):
                found += piece
        return (int(found.split(b" ", 2)[1]) if found else 0), found

    def heard(self) -> tuple[int, list[str], list[str]]:
        """How often functions ran (this once more in each), what the server was asked, what is in the buckets."""
        runs = 0
        for host in (self._rest.host, self._http.host):
            status, answer = self.ask("GET", host, "/dev/function/heard")
            assert status == 200
            runs += int(answer.rpartition(b"\r\n\r\n")[2])
        keys = [
            f"{bucket}/{each['Key']}"
            for bucket in (f"notes-{self._account}", f"others-{self._account}")
            for each in self._s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        ]
        return runs, list(self._backend.asked), keys


@pytest.fixture
def door(client: Callable[..., Any], endpoint: str, account: str, backend: Backend) -> Iterator[Door]:
    """What is refused leaves no trace behind the APIs."""
    made = Door(client, endpoint, account, backend)
    for verb, host, path in made.places:
        assert made.ask(verb, host, f"{path}/well")[0] == 200
    runs, asked, keys = made.heard()
    yield made
    later, *others = made.heard()
    assert (later, others) == (runs + 2, [asked, keys])


def test_tricks_in_paths(door: Door) -> None:
    for (verb, host, path), trick in itertools.product(door.places, TRICKS):
        status, answer = door.ask(verb, host, f"{path}/{trick}")
        assert (status, answer.rpartition(b"\r\n\r\n")[2]) == (400, b'{"message":"Bad Request"}'), (path, trick)


def test_tricks_in_what_is_mapped_into_a_path(door: Door) -> None:
    host = door.places[0][1]
    for trick in ("../x", "..", "a/../../x", "..%5cx"):
        assert door.ask("GET", host, f"/dev/mapped?q={trick}")[0] == 400


def test_headers_that_are_none(door: Door) -> None:
    for (verb, host, path), line in itertools.product(door.places, LINES):
        status, _ = door.ask(verb, host, f"{path}/x", line)
        assert status in (0, 400, 501), (path, line)


def test_paths_that_are_none(door: Door) -> None:
    for verb, host, path in door.places:
        for end in ("/a b", "/a\0b", "/a\tb"):
            assert door.ask(verb, host, f"{path}{end}")[0] in (0, 400)


def test_headers_and_addresses_that_are_large(door: Door) -> None:
    said = b'{"message":"HTTP header is larger than 10240 bytes."}'
    for verb, host, path in door.places:
        for status, answer in (
            door.ask(verb, host, f"{path}/x", b"X-A: " + b"a" * 10_240),
            door.ask(verb, host, f"{path}/x", *[b"X-%d: " % number + b"a" * 1_000 for number in range(11)]),
            door.ask(verb, host, f"{path}/{'x' * 10_240}"),
        ):
            assert (status, answer.rpartition(b"\r\n\r\n")[2]) == (431, said)
        assert door.ask(verb, host, f"{path}/x", b"X-A: " + b"a" * 100_000)[0] in (0, 431)


def test_requests_that_do_not_end(door: Door) -> None:
    """Whoever goes away in the middle of a head or a body has asked nothing."""
    for verb, host, path in door.places:
        head = f"{verb} {path}/x HTTP/1.1\r\nHost: {host}\r\n".encode()
        bodies = (
            b"",
            b"X-A: b",
            b"Content-Length: 10\r\n\r\nabc",
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
        )
        for body in bodies:
            with contextlib.closing(door.open()) as raw:
                raw.sendall(head + body)
                raw.shutdown(socket.SHUT_WR)
                assert door.read(raw)[0] in (0, 400), body

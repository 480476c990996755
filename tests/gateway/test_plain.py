"""A request is the same however its bytes come: in one piece, when it may be read without the parser, or in two, when it is not."""

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cumulet.gateway import header_names
from cumulet.gateway.body import RequestBody
from cumulet.gateway.limits import Limits
from cumulet.gateway.plain import plain_request
from cumulet.gateway.reader import Exchange, Refused, RequestReader

USUAL = (
    b"POST / HTTP/1.1\r\nHost: a\r\nX-Amz-Target: DynamoDB_20120810.GetItem\r\n"
    b"Content-Type: application/x-amz-json-1.0\r\nContent-Length: 2\r\n\r\n{}"
)


@dataclass
class Bytes:
    """What the reader counts of bodies."""

    buffered: int = 0
    queue: deque[Exchange] = field(default_factory=deque)

    def wanted(self, body: RequestBody) -> None:
        raise AssertionError

    def taken(self) -> None:
        raise AssertionError

    async def hold(self, size: int) -> float:
        raise AssertionError


def read(*pieces: bytes, host: bytes = b"a") -> tuple[Any, ...]:
    """What the reader makes of them: the requests, what it refuses, and whether more may come. It saw `host` before."""
    flow, refused = Bytes(), 0
    reader = RequestReader(Limits(head=4096), flow, None, "192.0.2.1", flow.queue)
    reader.feed(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host)
    flow.queue.clear()
    exchanges: list[Exchange] = []
    try:
        for piece in pieces:
            if (exchange := reader.whole(piece)) is not None:
                exchanges.append(exchange)
            else:
                assert reader.feed(piece) == b"" or reader.upgrading
                exchanges += flow.queue
                flow.queue.clear()  # they are answered
    except Refused as refusal:
        refused = refusal.status
        exchanges += flow.queue
    return [told(each) for each in exchanges], refused, reader.in_head, reader.last, reader.incoming is None


def told(exchange: Exchange) -> tuple[Any, ...]:
    request = exchange.request
    content = request.content
    if exchange.body is not None and exchange.complete:
        content = exchange.body.whole()
    what = (request.method, request.path, request.query, request.headers, request.scheme, request.peer, request.tls)
    lines = [(name, value.rstrip(b" \t")) for name, value in request.lines]
    return *what, lines, content, exchange.length, exchange.keep_alive, exchange.http10, exchange.complete


def same(data: bytes, cut: int = 1, before: bytes = b"", after: bytes = b"") -> None:
    """In one piece as in two. A refused request may have been let through before what it is refused for came."""
    whole, apart = read(before, data, after), read(before, data[:cut], data[cut:], after)
    assert whole[1:] == apart[1:], data
    if not whole[1]:
        assert whole == apart, data


TARGETS = (
    "/",
    "/a/b%20c",
    "/?x=1",
    "/a?b?c",
    "/a#b",
    "*",
    "http://a/b",
    "//",
    "/\\^`{|}<>\"'",
    "",
    "/\xe9",
    "a",
    "/a b",
)
METHODS = ("POST", "GET", "PUT", "HEAD", "DELETE", "PATCH", "OPTIONS", "CONNECT", "TRACE", "get", "PROPFIND")
VERSIONS = ("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "http/1.1", "HTTP/1.1 ")
NAMES = ("Host", "Content-Length", "Content-Type", "Connection", "Proxy-Connection", "Expect", "Upgrade", "Transfer-Encoding",
         "X-Amz-Date", "x-a", "", "a b", "a\t", "a:b", "\xe9", "x_y", "X(Y)")  # fmt: skip
VALUES = ("a", "", "0", "3", "03", "+3", "3 ", "3, 3", "close", "keep-alive", "Keep-Alive", "keep-alive, x", "100-continue",
          "chunked", "a: b", " a", "\ta", "a\t", "a\tb", "caf\xe9", "\x7f", "\x00", "a\nb", "a\rb", "\x85", "\xa0", "a\x0b")  # fmt: skip
ENDS = ("\r\n", "\n", "\r", "\r\n ", "\r\n\t")

COLONS = (": ", ":", ":  ", " : ", ":\t", "")
CONTENTS = (b"", b"abc", b"abcd", b"\r\n", b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")


def head(*lines: str, first: str = "POST / HTTP/1.1") -> bytes:
    return "".join([first, "\r\n", *lines, "\r\n"]).encode("latin-1")


def test_first_lines() -> None:
    for method, target, version in itertools.product(METHODS, TARGETS, VERSIONS):
        same(head("Host: a\r\n", first=f"{method} {target} {version}"))


def test_odd_lines() -> None:
    for name, colon, value, end in itertools.product(NAMES, COLONS, VALUES, ENDS):
        odd = name + colon + value + end
        same(head("Host: a\r\n", odd, "x-b: c\r\n"))
        same(head(odd, "Host: a\r\n"))


def test_lengths_and_contents() -> None:
    names = ("Content-Length", "Connection", "Host", "x-a")
    for content, name, value in itertools.product(CONTENTS, names, VALUES):
        same(head("Host: a\r\n", f"{name}: {value}\r\n") + content)
        same(head("Host: a\r\n", "Content-Length: 3\r\n", f"{name}: {value}\r\n") + content)


GET = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
BEFORE = (b"", b"\r\n", b"\r", GET[:9], GET, GET.replace(b"1.1", b"1.0"), head("Host: a\r\n", "Connection: close\r\n"),
          head("Host: a\r\n", "Content-Length: 500\r\n"), head("Host: a\r\n", "Transfer-Encoding: chunked\r\n") + b"0\r\n",
          head("Host: a\r\n", "Transfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
          head("Host: a\r\n", "Connection: upgrade\r\n", "Upgrade: h2c\r\n"),
          head("Host: a\r\n", "Connection: upgrade\r\n", "Upgrade: h2c\r\n", "Content-Length: 2\r\n"),
          head("Host: a\r\n", "Connection: upgrade\r\n", "Upgrade: websocket\r\n"))  # fmt: skip


@given(st.integers(0, len(USUAL)), st.binary(max_size=3), st.integers(0, 3), st.integers(1, len(USUAL)))
def test_with_a_few_bytes_changed(at: int, put: bytes, taken: int, cut: int) -> None:
    same(USUAL[:at] + put + USUAL[at + taken :], cut)


def test_between_others_and_cut_anywhere() -> None:
    for before, after in itertools.product(BEFORE, (b"", GET)):
        for cut in range(1, len(USUAL), 1 if before == GET else 20):
            same(USUAL, cut, before, after)


def test_a_value_that_follows_its_colon_without_a_blank_is_not_remembered_as_a_name() -> None:
    data = head("Host: a\r\n", "Authorization:secret\r\n")
    before = header_names._known.cache_info()
    assert plain_request(data) is None
    assert header_names._known.cache_info() == before
    assert read(data)[0][0][3]["authorization"] == "secret"


def test_what_clients_send_needs_no_parser() -> None:
    request = plain_request(USUAL)
    assert request is not None
    assert (request.method, request.path, request.query, request.content) == ("POST", "/", "", b"{}")
    assert request.headers["x-amz-target"] == "DynamoDB_20120810.GetItem"
    read_twice = read(USUAL, USUAL)
    assert read_twice == read(USUAL + USUAL)
    assert len(read_twice[0]) == 2
    # In the midst of another request, its bytes are that one's.
    begun = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n"
    assert [told[-1] for told in read(begun, USUAL)[0]] == [False]

"""Requests that a proxy in front may read otherwise than the node: each is refused, or read as RFC 9112 says, and what follows it
on the connection is never taken for a part of it, nor a part of it for what follows.
"""

import asyncio
import re

import pytest
import uvloop

from cumulet.gateway.body import read_content
from cumulet.gateway.limits import Limits
from cumulet.gateway.server import Server
from cumulet.wire.http import HttpRequest, HttpResponse

LIMITS = Limits(head=4096, half_close_time=30, linger_time=30)
POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
BODY = b"3\r\nabc\r\n0\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: next\r\n\r\n"
Seen = list[tuple[str, str, bytes]]


def sent(*conversations: bytes) -> list[tuple[list[int], Seen]]:
    """For each, with another request right behind it: the answers' codes; path, host and body of what was handled."""
    seen: Seen = []

    async def handle(request: HttpRequest) -> HttpResponse:
        content = await read_content(request, 100_000)
        seen.append((request.path, request.headers.get("host", ""), content))
        return HttpResponse(200, {}, b"fine")

    async def answered(request: HttpRequest) -> HttpResponse:
        try:
            return await handle(request)
        except Exception:  # noqa: BLE001  whatever: the body was none
            return HttpResponse(400)

    async def one(port: int, data: bytes) -> tuple[list[int], Seen]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data + NEXT)
        writer.write_eof()
        text = await asyncio.wait_for(reader.read(), 60)
        writer.transport.abort()
        found = [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", text)], list(seen)
        seen.clear()
        return found

    async def whole() -> list[tuple[list[int], Seen]]:
        server = Server(answered, LIMITS)
        listener = await server.listen_tcp("127.0.0.1", 0)
        try:
            return [await one(listener.address[1], data) for data in conversations]
        finally:
            await server.close()

    return uvloop.run(whole())


def refused(*conversations: bytes) -> None:
    for data, (codes, seen) in zip(conversations, sent(*conversations), strict=True):
        assert len(codes) == 1, data
        assert 400 <= codes[0] < 600, data
        assert codes[0] != 500, data
        assert seen == [], data


def read_as(data: bytes, host: str = "a", path: str = "/", content: bytes = b"abc") -> None:
    assert sent(data) == [([200, 200], [(path, host, content), ("/next", "next", b"")])]


def test_lengths() -> None:
    refused(*(POST + b"Content-Length:" + value + b"\r\n\r\nabc" for value in LENGTHS))
    refused(POST + b"Content-Length: 3\r\nContent-Length: 0\r\n\r\nabc")
    refused(POST + b"Content-Length: 3\r\ncontent-length: 3\r\n\r\nabc")
    refused(POST + b"Content-Length : 3\r\n\r\nabc", POST + b"Content-Length\t: 3\r\n\r\nabc")
    refused(POST + b"Content-Length: 3\r\n 0\r\n\r\nabc")


LENGTHS = (
    *(
        b" 0x3",
        b" 3;",
        b" 3,3",
        b" 3, 3",
        b" 3 3",
        b" +3",
        b" -3",
        b" 3.0",
        b" 3e0",
        b" \xb3",
        b" 1_0",
        b" 3\x0b",
        b"\x0b3",
    ),
    *(b" three", b"", b" 3\0", b" 99999999999999999999"),
)


@pytest.mark.parametrize("value", [b" 3", b"3", b"\t3 ", b" 03"])
def test_lengths_that_are_some(value: bytes) -> None:
    read_as(POST + b"Content-Length:" + value + b"\r\n\r\nabc")


def test_codings() -> None:
    refused(*(POST + b"Transfer-Encoding:" + value + b"\r\n\r\n" + BODY for value in CODINGS))
    refused(*(POST + name + b": chunked\r\n\r\n" + BODY for name in CODING_NAMES))


CODINGS = (
    *(
        b" xchunked",
        b" chunked;q=1",
        b" identity",
        b"",
        b" chunked, identity",
        b" identity, chunked",
        b" chunked,",
        b" ,chunked",
    ),
    *(b' "chunked"', b" chunked\x0b", b"\x0bchunked", b" chunked\0", b" chunked\x7f", b" chunk ed", b" chunked\xa0"),
    *(b"\r\n chunked", b" chunked\r\n ,identity", b" chunked \t", b" chunked, chunked", b" gzip", b" c\0hunked"),
)
CODING_NAMES = (
    *(
        b"Transfer-Encoding ",
        b"Transfer-Encoding\t",
        b" Transfer-Encoding",
        b"Transfer\0-Encoding",
        b"Transfer Encoding",
    ),
    *(b"X: y\nTransfer-Encoding", b"X: y\rTransfer-Encoding", b"\x0bTransfer-Encoding", b"Transfer-Encoding\xa0"),
)


@pytest.mark.parametrize("value", [b" chunked", b"chunked", b"\tchunked", b" Chunked", b" CHUNKED"])
def test_chunked_is_the_only_coding(value: bytes) -> None:
    read_as(POST + b"Transfer-Encoding:" + value + b"\r\n\r\n" + BODY)


def test_a_name_that_only_looks_alike_is_another() -> None:
    read_as(POST + b"Transfer_Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc")


@pytest.mark.parametrize("coding", [b"chunked", b"identity", b"gzip, chunked", b""])
def test_a_length_and_a_coding(coding: bytes) -> None:
    length, framing = b"Content-Length: 3\r\n", b"Transfer-Encoding: " + coding + b"\r\n"
    refused(POST + length + framing + b"\r\n" + BODY, POST + framing + length + b"\r\n" + BODY)


def test_chunks() -> None:
    head = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    refused(*(head + body for body in BROKEN))


BROKEN = (
    *(b"3\nabc\n0\n\n", b"3\r\nabc\n0\r\n\r\n", b"3\r\nabc\r\n0\n\r\n", b"3\r\nabc\r\n0\r\n\n", b"3\rabc\r\n0\r\n\r\n"),
    *(b"3\r\nabcX\r\n0\r\n\r\n", b"3\r\nabc0\r\n\r\n", b"+3\r\nabc\r\n0\r\n\r\n", b"3_0\r\nabc\r\n0\r\n\r\n"),
    *(
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"\r\nabc\r\n0\r\n\r\n",
        b";x\r\nabc\r\n0\r\n\r\n",
        b"10000000000000003\r\nabc\r\n0\r\n\r\n",
    ),
    # extensions
    *(b"3;x\nabc\r\n0\r\n\r\n", b"3;x\rabc\r\n0\r\n\r\n", b"3;\0\r\nabc\r\n0\r\n\r\n", b"3;x\x0b\r\nabc\r\n0\r\n\r\n"),
    *(
        b'3;x="\r\n"\r\nabc\r\n0\r\n\r\n',
        b"3;x=y\n\r\nabc\r\n0\r\n\r\n",
        b"3 ;x\r\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
    ),
    # trailers
    *(
        BODY[:-2] + line + b"\r\n\r\n"
        for line in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X : y", b"X: a\nY: b")
    ),
)


@pytest.mark.parametrize("body", [b"3;x", b"3;x=y", b'3;x="y;z"', b"03", b"00000003"])
def test_extensions_are_not_part_of_the_body(body: bytes) -> None:
    read_as(POST + b"Transfer-Encoding: chunked\r\n\r\n" + body + b"\r\nabc\r\n0\r\n\r\n")


def test_trailers_change_no_header() -> None:
    read_as(POST + b"Transfer-Encoding: chunked\r\n\r\n" + BODY[:-2] + b"Host: evil\r\nX-Path: /evil\r\n\r\n")


def test_control_characters() -> None:
    controls = [bytes([code]) for code in (*range(9), *range(10, 32), 127)]
    refused(*(POST + b"X: a" + each + b"b\r\n\r\n" for each in controls))
    refused(*(POST + b"X" + each + b"b: c\r\n\r\n" for each in (*controls, b"\t", b" ", b"\x80", *NO_NAME)))
    refused(*(b"GET /a" + each + b"b HTTP/1.1\r\nHost: a\r\n\r\n" for each in (*controls, b"\t", b" ", b"\x80")))
    refused(*(b"GET / HTTP/1.1\r\nHost: a" + each + b"b\r\n\r\n" for each in (*controls, b"\t", b" ", b"\x80")))


NO_NAME = tuple(bytes([code]) for code in b'"(),/;<=>?@[\\]{}')


def test_lines() -> None:
    host = b"Host: a\r\n\r\n"
    starts = (
        *(
            b"GET\t/\tHTTP/1.1\r\n",
            b"GET / HTTP/1.1 \r\n",
            b"get / HTTP/1.1\r\n",
            b"GET / http/1.1\r\n",
            b"GET / HTTP/1.10\r\n",
        ),
        *(
            b"GET /\r\n",
            b"GET / HTTP/01.1\r\n",
            b"GET / HTTP/1.1\r",
            b"GET / HTTP/1.1\r\r\n",
            b"GET / HTTP/1.1\n",
            b" GET / HTTP/1.1\r\n",
        ),
    )
    refused(*(start + host for start in starts))
    get = b"GET / HTTP/1.1\r\n"
    refused(get + b"Host: a\r\n\n", get + b"Host: a\n\r\n", get + b"Host: a\r\n\r\r\n", get + b" Host: a\r\n\r\n")
    refused(get + b"Host: a\r\n: b\r\n\r\n", get + b"Host: a\r\nX\r\n\r\n", get + b"Host: a\r\nX: a\r\n b\r\n\r\n")
    read_as(b"\r\n" + get + host, content=b"")


def test_hosts() -> None:
    get = b"GET / HTTP/1.1\r\n"
    bad = (
        b"",
        b"a b",
        b"a@b",
        b"a,b",
        b"a/b",
        b"a#b",
        b"a?b",
        b"a:x",
        b"a\\b",
        b"a:1:2",
        b"[::1",
        b"[x]",
        b"a|b",
        b"<a>",
    )
    refused(*(get + b"Host: " + each + b"\r\n\r\n" for each in bad))
    refused(
        get + b"Host: a\r\nhOST: b\r\n\r\n",
        get + b"Host: a\r\nHost: a\r\n\r\n",
        get + b"Host : a\r\n\r\n",
        get + b"\r\n",
    )
    refused(
        get + b"Host:\r\n a\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: a b\r\n\r\n",
    )


@pytest.mark.parametrize(
    "host", ["a", "a:1", "[::1]:80", "[fe80::1]", "bucket.s3.localhost:4566", "A_b.example", "127.0.0.1:"]
)
def test_hosts_that_are_some(host: str) -> None:
    read_as(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), host=host, content=b"")


def test_targets() -> None:
    targets = (
        b"*",
        b"a",
        b"a:80",
        b"http:///x",
        b"http://u@a/x",
        b"ftp://a/x",
        b"http://a/x#y",
        b"/x#y",
        b"http://b/x",
        b"http://a,b/",
        b"?x",
    )
    refused(*(b"GET " + each + b" HTTP/1.1\r\nHost: a\r\n\r\n" for each in targets))
    refused(b"GET http://a/x HTTP/1.1\r\n\r\n", b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n")
    read_as(b"GET http://a/x?y HTTP/1.1\r\nHost: A\r\n\r\n", host="A", path="/x", content=b"")
    read_as(b"GET http://a HTTP/1.1\r\nHost: a\r\n\r\n", content=b"")
    read_as(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", path="*", content=b"")
    read_as(b"GET //b/x HTTP/1.1\r\nHost: a\r\n\r\n", path="//b/x", content=b"")


def test_a_whole_url_says_the_host_where_no_header_does() -> None:
    ((codes, seen),) = sent(b"GET http://b/x HTTP/1.0\r\n\r\n")
    assert (codes, seen) == ([200], [("/x", "b", b"")])


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"DELETE", b"OPTIONS"])
def test_bodies_of_methods_that_need_none(method: bytes) -> None:
    head = method + b" / HTTP/1.1\r\nHost: a\r\n"
    for framing in (b"Content-Length: 3\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n" + BODY):
        read_as(head + framing)


def test_what_changes_the_protocol_changes_no_framing() -> None:
    read_as(POST + b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc")
    read_as(POST + b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n" + BODY)
    read_as(POST + b"Connection: Content-Length, Host\r\nContent-Length: 3\r\n\r\nabc")
    read_as(POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc")

"""What is not HTTP, or could be read in two ways, is refused; the server serves the next client."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from cumulet.gateway.body import read_content
from cumulet.gateway.limits import Limits
from cumulet.gateway.server import Server
from cumulet.kernel.errors import AwsError
from cumulet.wire.http import HttpRequest, HttpResponse

LIMITS = Limits(head=4096, half_close_time=30, linger_time=30)
STEADY = settings(derandomize=True, max_examples=150, deadline=None)
START = b"POST / HTTP/1.1\r\nHost: a\r\n"
Talk = Callable[[list[bytes]], Awaitable[bytes]]


async def echo(request: HttpRequest) -> HttpResponse:
    try:
        return HttpResponse(200, {}, await read_content(request, 100_000))
    except AwsError as error:
        return HttpResponse(error.status, {}, error.code.encode())


def exchange(*conversations: list[bytes]) -> list[bytes]:
    """What the server says to each client, until it closes; then a well-behaved client must get its answer."""

    async def talk(port: int, parts: list[bytes], *, leave: bool) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0)
            if leave:
                writer.write_eof()
            return await asyncio.wait_for(reader.read(), 60)
        except ConnectionError:
            return b""
        finally:
            writer.transport.abort()

    async def whole() -> list[bytes]:
        server = Server(echo, LIMITS)
        listener = await server.listen_tcp("127.0.0.1", 0)
        port = listener.address[1]
        try:
            answers = [await talk(port, parts, leave=True) for parts in conversations]
            good = await talk(port, [b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"], leave=False)
            assert good.startswith(b"HTTP/1.1 200 ")
            return answers
        finally:
            await server.close()

    return uvloop.run(whole())


REFUSED = {
    "two lengths": START + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    "length and chunked": START + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": START + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
    "gzip": START + b"Transfer-Encoding: gzip\r\n\r\nabc",
    "gzip, chunked": START + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunked twice": START + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked in 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked in 1.0, behind a proxy": b"POST / HTTP/1.0\r\nProxy-Connection: keep-alive\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "long host": b"GET / HTTP/1.1\r\nHost: " + b"a" * 600 + b"\r\n\r\n",
    "long host in a whole URL": b"GET http://" + b"a" * 600 + b"/ HTTP/1.0\r\n\r\n",
    "chunked with a tab": START + b"Transfer-Encoding:\tchunked,\r\n\r\n0\r\n\r\n",
    "signed length": START + b"Content-Length: +1\r\n\r\nx",
    "negative length": START + b"Content-Length: -1\r\n\r\nx",
    "length list": START + b"Content-Length: 1, 1\r\n\r\nx",
    "empty length": START + b"Content-Length:\r\n\r\nx",
    "huge length": START + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "bare line feeds": b"GET / HTTP/1.1\nHost: a\n\n",
    "a bare line feed": b"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "a bare carriage return": b"GET / HTTP/1.1\r\nHost: a\rX: y\r\n\r\n",
    "folded header": START + b"X: a\r\n b\r\n\r\n",
    "space before colon": START + b"X : a\r\n\r\n",
    "nul in a value": START + b"X: a\0b\r\n\r\n",
    "8 bits in a name": START + b"X\xc3: b\r\n\r\n",
    "no name": START + b": b\r\n\r\n",
    "no colon": START + b"abc\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "host with a path": b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "two authorizations": START + b"Authorization: a\r\nAuthorization: b\r\n\r\n",
    "space in the target": b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
    "8 bits in the target": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
    "fragment": b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
    "other scheme": b"GET ftp://a/b HTTP/1.1\r\nHost: a\r\n\r\n",
    "connect": b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "unknown method": b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http/1.9": b"GET / HTTP/1.9\r\nHost: a\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "other expectation": START + b"Expect: magic\r\n\r\n",
    "long target": b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "long header": START + b"X: " + b"a" * 5000 + b"\r\n\r\n",
    "many headers": START + b"".join(b"X-%d: a\r\n" % number for number in range(1000)) + b"\r\n",
    "endless header": START + b"X: " + b"a" * 100_000,
    "endless target": b"GET /" + b"a" * 100_000,
}
BROKEN_BODIES = {
    "letters": b"zz\r\n",
    "prefix": b"0x1\r\na\r\n0\r\n\r\n",
    "overflow": b"fffffffffffffffffffff\r\n",
    "line feed": b"1\na\n0\n\n",
    "no break": b"1\r\nab\r\n0\r\n\r\n",
    "negative": b"-1\r\na\r\n0\r\n\r\n",
    "space": b" 1\r\na\r\n0\r\n\r\n",
    "endless extension": b"1;" + b"a" * 100_000,
    "endless trailer": b"1\r\na\r\n0\r\nX: " + b"a" * 100_000,
    "cut": b"5\r\nab",
}


@pytest.mark.parametrize("name", REFUSED)
def test_malformed_heads(name: str) -> None:
    data = REFUSED[name]
    slowly = [data[start : start + 7] for start in range(0, len(data), 7)] if len(data) < 2000 else [data]
    for answer in exchange([data], slowly):
        assert answer[:10] in {b"HTTP/1.1 4", b"HTTP/1.1 5"}
        assert not answer.startswith(b"HTTP/1.1 500")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"Connection: close" in answer


@pytest.mark.parametrize("name", BROKEN_BODIES)
def test_broken_chunks(name: str) -> None:
    head = START + b"Transfer-Encoding: chunked\r\n\r\n"
    for answer in exchange([head + BROKEN_BODIES[name]], [head, BROKEN_BODIES[name]]):
        assert answer[:10] == b"HTTP/1.1 4"
        assert answer.count(b"HTTP/1.1 ") == 1


def test_a_refusal_waits_for_the_answers_before_it() -> None:
    (answer,) = exchange([b"GET / HTTP/1.1\r\nHost: a\r\n\r\nnonsense\r\n\r\n"])
    first, second = answer.split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200")
    assert second.startswith(b"400")


def test_nothing_after_a_close_is_answered() -> None:
    (answer,) = exchange([b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"])
    assert answer.count(b"HTTP/1.1 ") == 1


WORDS = st.sampled_from(
    [
        b"GET ", b"POST ", b"/", b" HTTP/1.1", b" HTTP/1.0", b"\r\n", b"\r\n\r\n", b"\n", b"Host: a", b"Content-Length: ",
        b"5", b"0", b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"Connection: close", b"Upgrade: websocket",
        b"Connection: upgrade", b": ", b"\0", b"\xff", b"hello", b"3\r\nabc\r\n", b"0\r\n\r\n",
    ]
)  # fmt: skip
STARTS = st.sampled_from(
    [
        b"",
        START,
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        START + b"Content-Length: 5\r\n\r\n",
        START + b"Transfer-Encoding: chunked\r\n\r\n",
    ]
)


class Watch(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@STEADY
@given(STARTS, st.lists(st.one_of(WORDS, st.binary(max_size=8)), max_size=12), st.integers(1, 40))
def test_fuzzed_input(start: bytes, words: list[bytes], size: int) -> None:
    data = start + b"".join(words)
    watch = Watch()
    logging.getLogger().addHandler(watch)
    try:
        (answer,) = exchange([data[at : at + size] for at in range(0, len(data), size)])
    finally:
        logging.getLogger().removeHandler(watch)
    assert b"HTTP/1.1 500" not in answer
    assert not watch.records


def test_each_request_of_a_connection_names_a_good_host() -> None:
    good = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    bare = b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    others = [b"Host: a,b\r\n", b"Host: a b\r\n", b"Host:\r\n", b""]
    conversations = [[first + b"GET / HTTP/1.1\r\n" + host + b"\r\n"] for first in (good, bare) for host in others]
    for answer in exchange(*conversations):
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.count(b"HTTP/1.1 400 ") == 1


def test_values_of_headers_are_given_without_the_blanks_around_them() -> None:
    seen: list[dict[str, str]] = []

    def handle(request: HttpRequest) -> HttpResponse:
        seen.append(request.headers)
        return HttpResponse(200)

    async def whole() -> None:
        server = Server(handle, LIMITS)
        listener = await server.listen_tcp("127.0.0.1", 0)
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.address[1])
            lines = b"Host: a\r\nA: \t b c \t\r\nB:\r\nC: \xe9\xa0\x85\r\n"
            for more in (b"\r\n", b"A: d \r\nConnection: close\r\n\r\n"):
                writer.write(b"GET / HTTP/1.1\r\n" + lines + more)
            await asyncio.wait_for(reader.read(), 60)
            writer.transport.abort()
        finally:
            await server.close()

    uvloop.run(whole())
    wanted = {"host": "a", "a": "b c", "b": "", "c": "\xe9\xa0\x85"}
    assert seen == [wanted, wanted | {"a": "b c,d", "connection": "close"}]

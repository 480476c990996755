"""One connection of the Runtime API: HTTP/1.1 requests in, answers out, one at a time."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol, cast

import httptools
import msgspec

_MAX_HEAD = 64 * 1024
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Request(msgspec.Struct):
    """`headers` by lower-case name, trailers included. `body` is None where it was larger than is taken, and empty where
    it was `streamed` as it came.
    """

    method: str
    path: str
    headers: dict[bytes, bytes]
    body: bytes | None
    streamed: bool = False


class Answer(msgspec.Struct, frozen=True):
    """`extra` are further header lines, each with its end."""

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    extra: bytes = b""


class Api(Protocol):
    """Who answers. `connected` tells whether one connection more is taken; while it is `streaming`, `taker`
    gives what takes a body as it comes, for a request whose headers are there.
    """

    @property
    def body_limit(self) -> int: ...

    @property
    def streaming(self) -> bool: ...

    def connected(self, connection: "Connection") -> bool: ...

    def disconnected(self, connection: "Connection") -> None: ...

    def handle(self, connection: "Connection", request: Request) -> None: ...

    def taker(self, connection: "Connection", request: Request) -> Callable[[bytes], None] | None: ...


class Connection(asyncio.Protocol):
    """Parses, and hands requests to the environment's API. Closed on whatever is no proper HTTP."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._asked = False
        self._keep_alive = True
        self._take: Callable[[bytes], None] | None = None
        self._begin()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's are no subclass
        if not self._api.connected(self):
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._api.disconnected(self)

    def data_received(self, data: bytes) -> None:
        if self._asked:
            self.close()  # nothing may follow a request before its answer
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            if self._transport is not None:
                self._transport.write(_BAD)
                self._transport.close()

    def answer(self, answer: Answer) -> None:
        """Answer the request that was handed over last."""
        if self._transport is None:
            return
        self._asked = False
        head = b"HTTP/1.1 %d %b\r\nContent-Type: %b\r\nContent-Length: %d\r\n%b%b\r\n" % (
            answer.status,
            HTTPStatus(answer.status).phrase.encode(),
            answer.content_type,
            len(answer.body),
            answer.extra,
            b"" if self._keep_alive else b"Connection: close\r\n",
        )
        self._transport.write(head + answer.body)
        if not self._keep_alive:
            self._transport.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Take nothing from the client for now."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def on_message_begin(self) -> None:
        self._begin()

    def on_url(self, url: bytes) -> None:
        self._take_head(len(url))
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._take_head(len(name) + len(value))
        self._headers[name.lower()] = value

    def on_headers_complete(self) -> None:
        if self._headers.get(b"expect", b"").lower() == b"100-continue" and self._transport is not None:
            self._transport.write(_CONTINUE)
        if self._api.streaming and not self._asked:
            self._take = self._api.taker(self, self._request(b""))

    def on_body(self, body: bytes) -> None:
        if self._take is not None:
            self._take(body)
            return
        self._size += len(body)
        if self._size <= self._api.body_limit:
            self._body.append(body)
        else:
            self._body.clear()

    def on_message_complete(self) -> None:
        if self._asked:
            self.close()
            return
        self._asked = True
        self._keep_alive = self._parser.should_keep_alive()
        body = b"".join(self._body) if self._size <= self._api.body_limit else None
        self._api.handle(self, self._request(body))

    def _request(self, body: bytes | None) -> Request:
        method = self._parser.get_method().decode("ascii", "replace")
        path = self._url.decode("utf-8", "replace")
        return Request(method, path, self._headers, body, self._take is not None)

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[bytes, bytes] = {}
        self._head = 0
        self._body: list[bytes] = []
        self._take = None
        self._size = 0

    def _take_head(self, size: int) -> None:
        self._head += size
        if self._head > _MAX_HEAD:
            self.close()
            self._url, self._headers = b"", {}

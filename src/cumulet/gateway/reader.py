"""Bytes of a connection in, requests out. Framing that two parsers could read differently is refused (RFC 9112)."""

import re
from collections.abc import Callable
from functools import lru_cache

import httptools

from cumulet.gateway.body import Flow, IncompleteBody, RequestBody
from cumulet.gateway.limits import Limits
from cumulet.kernel.call import Presence
from cumulet.kernel.streams import BytesStream
from cumulet.kernel.web import Tls
from cumulet.wire.http import HttpRequest

_EMPTY = BytesStream(b"")
# Input is parsed in slices, so that one read full of tiny requests cannot outrun the pipeline's bound.
_SLICE = 16_384


class Refused(Exception):
    """The connection's bytes are no HTTP that we take: answer `status` with a short text, then close."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Exchange:
    """One request, and what the connection must know to answer it."""

    __slots__ = ("awaits_continue", "body", "complete", "discard", "http10", "keep_alive", "request", "upgrade")

    def __init__(self, request: HttpRequest, body: RequestBody | None, *, keep_alive: bool, http10: bool) -> None:
        self.request = request
        self.body = body
        self.keep_alive = keep_alive
        self.http10 = http10
        self.complete = False  # the request has arrived whole
        self.discard = False  # it is answered; what still comes of it is thrown away
        self.awaits_continue = False  # the client sends the body once it gets 100
        self.upgrade = False  # what follows may be another protocol (WebSocket)


_NAMES: dict[bytes, str] = {}  # names seen before, in small letters


def _header_name(name: bytes) -> str:
    key = name.decode("latin-1").lower()
    if len(_NAMES) < 1024:
        _NAMES[name] = key
    return key


class RequestReader:
    """Parses one connection's input; hands each request to `opened` when its head is complete."""

    def __init__(
        self, limits: Limits, flow: Flow, tls: Tls | None, peer: str, opened: Callable[[Exchange], None]
    ) -> None:
        self._limits = limits
        self._head_limit = limits.head
        self._flow = flow
        self._tls = tls
        self._scheme = "http" if tls is None else "https"
        self._peer = peer
        self._opened = opened
        self.presence = Presence()
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._fields: list[tuple[bytes, bytes]] = []
        self._head_size = 0
        self._received = 0
        self._unfinished = 0
        self._refusal: Refused | None = None
        self._resuming = False  # the parser reads a head that we wrote, to go on with a body after an ignored upgrade
        self.in_head = False  # a head has begun and is not complete
        self.last = False  # nothing more is taken after the current request
        self.incoming: Exchange | None = None  # its head is complete, its body is not
        self.upgrading = False  # the last request asks for another protocol: call `feed` only after its answer

    def feed(self, data: bytes | memoryview, ready: Callable[[], bool]) -> bytes:
        """Parse `data`, while `ready()` says that more requests are welcome; gives back what was not parsed.

        Raises Refused.
        """
        while data and not (self.last and self.incoming is None):
            if self.upgrading or not (self.incoming or ready()):
                return bytes(data)
            piece = data
            if len(data) > _SLICE and len(data) > (room := max(_SLICE, self._body_left())):
                view = memoryview(data)
                piece, data = view[:room], view[room:]
            else:
                data = b""
            rest = self._parse(piece)
            if rest:
                data = rest + bytes(data)
        return b""

    def _body_left(self) -> int:
        body = self.incoming.body if self.incoming else None
        return body.length - body.received if body is not None and body.length is not None else 0

    def _parse(self, piece: bytes | memoryview) -> bytes:
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade as stop:
            return self._at_upgrade(bytes(piece[stop.args[0] :]))
        except httptools.HttpParserError as error:
            if self.last and self.incoming is None:
                return b""  # bytes after a request that said `connection: close`
            self._fail_body()
            raise self._refusal or Refused(400, str(error)) from None
        if self.in_head or self.incoming is not None:
            self._check_unfinished(len(piece))
        return b""

    def _check_unfinished(self, fed: int) -> None:
        """Bound what the parser holds of an unfinished line: a header, a trailer, a chunk's extension."""
        exchange = self.incoming
        received = exchange.body.received if exchange is not None and exchange.body is not None else 0
        if received != self._received:
            self._received = received
            self._unfinished = 0
            return
        self._unfinished += fed
        if self._unfinished > self._limits.head + _SLICE:
            self._fail_body()
            raise Refused(431, f"the request line and headers are larger than {self._limits.head} bytes")

    def close(self) -> None:
        """Let go of the parser, which refers back to this reader, and of the connection, which owns it."""
        del self._parser, self._opened, self._flow

    def _fail_body(self) -> None:
        if self.incoming is not None and self.incoming.body is not None:
            self.incoming.keep_alive = False
            self.incoming.body.fail(IncompleteBody("The request body's framing is broken"))

    # --- httptools' callbacks, in the order it makes them

    def on_message_begin(self) -> None:
        self.in_head = True
        self._url = b""
        self._headers = {}
        self._head_size = 0
        self._unfinished = 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_size += len(url)
        if self._head_size > self._head_limit:
            self._refuse_head(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        # Only kept, as this is called most: what there is to see is seen in one go. `_check_unfinished` bounds them.
        if self.incoming is None:  # else trailers: none of our protocols sign or need them
            self._fields.append((name, value))

    def _take_headers(self) -> dict[str, str]:
        headers = self._headers
        size = self._head_size
        for name, value in self._fields:
            size += len(name) + len(value) + 4
            key = _NAMES.get(name) or _header_name(name)
            text = value.decode("latin-1")
            if text[-1:] in _BLANKS:
                text = text.rstrip(" \t")
                if key == "transfer-encoding":  # for the parser it is then another coding
                    self._refuse(400, "blanks after the transfer encoding")
            if key in headers:
                if key in _ONCE:
                    self._refuse(400, f"duplicate {key} header")
                headers[key] += "," + text
            else:
                headers[key] = text
        if size > self._head_limit:
            self._refuse_head(431)
        self._head_size = 0
        return headers

    def on_headers_complete(self) -> None:
        self.in_head = False
        self._unfinished = 0
        if self._resuming:
            return
        parser = self._parser
        headers = self._take_headers()
        version = parser.get_http_version()
        if version not in ("1.1", "1.0"):
            self._refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
        method = parser.get_method()
        path, query, authority = self._target(method)
        host = headers.get("host", "")
        if not _is_host(host) and (version == "1.1" or host):
            self._refuse(400, "a valid host header is required")
        if authority and headers.setdefault("host", authority).lower() != authority.lower():
            self._refuse(400, "the request target and the host header name different hosts")
        body = self._body(headers, version)
        lines, self._fields = self._fields, []
        request = HttpRequest(
            method.decode("latin-1"),
            path,
            query,
            headers,
            body or _EMPTY,
            self._scheme,
            self._peer,
            b"",
            lines,
            self._tls,
            self.presence,
        )
        exchange = Exchange(request, body, keep_alive=parser.should_keep_alive(), http10=version == "1.0")
        if "expect" in headers:
            if headers["expect"].lower() != "100-continue":
                self._refuse(417, "the only expectation met here is 100-continue")
            exchange.awaits_continue = version == "1.1"
        if "upgrade" in headers and parser.should_upgrade():
            exchange.upgrade = headers["upgrade"].lower() == "websocket" and body is None
        self.last = not exchange.keep_alive
        self.incoming = exchange
        self._opened(exchange)

    def on_body(self, data: bytes) -> None:
        exchange = self.incoming
        if exchange is None or exchange.body is None:
            return
        if exchange.discard:
            exchange.body.received += len(data)
        else:
            exchange.body.feed(data)

    def on_message_complete(self) -> None:
        exchange = self.incoming
        if exchange is None or (exchange.body is not None and "upgrade" in self._headers and self._skipped_body()):
            return
        exchange.complete = True
        self.incoming = None
        self._resuming = False
        if exchange.body is not None:
            exchange.body.finish()

    # --- parts

    def _skipped_body(self) -> bool:
        """Whether the parser passes the body by, taking it for the protocol that an upgrade asks for."""
        return not self._resuming and bool(self._parser.should_upgrade())

    def _at_upgrade(self, rest: bytes) -> bytes:
        """Go on with HTTP after a request to upgrade; a WebSocket's first bytes wait for the answer."""
        self._parser = httptools.HttpRequestParser(self)
        if self.incoming is not None:
            # An upgrade that nobody here offers (h2c), on a request with a body: the parser left the body unread.
            headers = self._headers
            framing = f"content-length: {headers['content-length']}" if "content-length" in headers else _CHUNKED
            self._resuming = True
            self._parser.feed_data(f"POST / HTTP/1.1\r\nhost: resumed\r\n{framing}\r\n\r\n".encode("latin-1"))
        elif "websocket" in self._headers.get("upgrade", "").lower():
            self.upgrading = True
        return rest

    def _target(self, method: bytes) -> tuple[str, str, str]:
        """Path, query, and the host where the target is a whole URL."""
        if self._url == b"/" and method != b"CONNECT":
            return "/", "", ""
        url = self._url.decode("latin-1")
        if method == b"CONNECT":
            self._refuse(405, "this is no proxy")
        if "#" in url:
            self._refuse(400, "a request target has no fragment")
        authority = ""
        if not url.startswith("/") and not (url == "*" and method == b"OPTIONS"):
            scheme, _, rest = url.partition("://")
            if scheme.lower() not in ("http", "https"):
                self._refuse(400, "invalid request target")
            authority = rest.partition("?")[0].partition("/")[0]
            if not _is_host(authority):
                self._refuse(400, "the request target has no valid host")
            url = rest[len(authority) :]
            if not url.startswith("/"):
                url = "/" + url
        path, _, query = url.partition("?")
        return path, query, authority

    def _body(self, headers: dict[str, str], version: str) -> RequestBody | None:
        coding = headers.get("transfer-encoding")
        if coding is not None:
            if version == "1.0" or coding.lower() != "chunked":
                self._refuse(501, "the only transfer encoding taken is chunked, in HTTP/1.1")
            return RequestBody(self._flow, None)
        length = int(headers.get("content-length", "0"))
        return RequestBody(self._flow, length) if length else None

    def _refuse_head(self, status: int) -> None:
        self._refuse(status, f"the request line and headers are larger than {self._head_limit} bytes")

    def _refuse(self, status: int, reason: str) -> None:
        self._refusal = Refused(status, reason)
        raise self._refusal


_ONCE = frozenset({"host", "content-length", "transfer-encoding", "authorization", "expect", "content-type"})
_BLANKS = frozenset({" ", "\t"})
# RFC 3986's, without the comma: two hosts joined are none.
_HOST = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
_CHUNKED = "transfer-encoding: chunked"


@lru_cache(1024)
def _is_host(host: str) -> bool:
    return _HOST.fullmatch(host) is not None

"""Bytes of a connection in, requests out. Framing that two parsers could read differently is refused (RFC 9112)."""

import re
from collections import deque
from functools import lru_cache

import httptools
from msgspec import Struct

from cumulet.gateway.body import PIECE_COST, Flow, IncompleteBody, RequestBody
from cumulet.gateway.header_names import HeaderNames, names_of
from cumulet.gateway.limits import Limits
from cumulet.gateway.plain import NOTHING, plain_request
from cumulet.kernel.call import Presence
from cumulet.kernel.streams import BytesStream
from cumulet.kernel.web import Tls
from cumulet.wire.http import HeaderLines, HttpRequest

_BLANKS = " \t"
# Input is parsed in slices, so that one read full of tiny requests cannot outrun the pipeline's bound.
_SLICE = 16_384
_LONGEST_HOST = 512
"""Characters: hosts are remembered, here and by those that look for what one means. A name and its port have half of them."""


class Refused(Exception):
    """The connection's bytes are no HTTP that we take: answer `status` with a short text, then close."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Exchange(Struct):
    """One request, and what the connection must know to answer it.

    `length` is the content-length, None of a chunked body. `body` is None where there is none, or it came whole with its head:
    then the request has it as its content.
    """

    request: HttpRequest
    length: int | None
    keep_alive: bool
    http10: bool
    body: RequestBody | None = None
    complete: bool = False  # the request has arrived whole
    discard: bool = False  # it is answered; what still comes of it is thrown away
    awaits_continue: bool = False  # the client sends the body once it gets 100
    answered: bool = False  # the answer's head is made


class RequestReader:
    """Parses one connection's input; puts each request in `queue` when its head is complete."""

    def __init__(self, limits: Limits, flow: Flow, tls: Tls | None, peer: str, queue: deque[Exchange]) -> None:
        self._limits = limits
        self._head_limit = limits.head
        self._flow = flow
        self._tls = tls
        self._scheme = "http" if tls is None else "https"
        self._peer = peer
        self._queue = queue
        self.presence = Presence()
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._small = min(limits.head, _SLICE)
        self._names: list[bytes] = []
        self._values: list[bytes] = []
        self._host: str | None = None  # the last one that was good, which is that of the next request, too
        self._fed = 0  # size of the piece that is being parsed
        self._received = 0
        self._unfinished = 0  # bytes fed since there was progress: no less than what the parser holds
        self._refusal: Refused | None = None
        self._resuming = False  # the parser reads a head that we wrote, to go on with a body after an ignored upgrade
        self.in_head = False  # a head has begun and is not complete
        self.last = False  # nothing more is taken after the current request
        self.incoming: Exchange | None = None  # its head is complete, its body is not
        self.upgrading = False  # the last request asks for another protocol: call `feed` only after its answer

    def whole(self, data: bytes) -> Exchange | None:
        """The request that `data` is, from its first byte to its last, where it is as plain as nearly all are: then the parser, which
        takes a good deal longer, need not see it. None, with nothing taken, where it has to: then `feed` is for it."""
        if len(data) > self._small or self.in_head or self.incoming is not None:
            return None
        if self.last or self.upgrading or self._queue:
            return None
        request = plain_request(data)
        if request is None or request.headers.get("host", "") != self._host:
            return None
        request.scheme, request.peer, request.tls = self._scheme, self._peer, self._tls
        request.presence = self.presence
        return Exchange(request, len(request.content), True, False, None, True)

    def feed(self, data: bytes | memoryview) -> bytes:
        """Parse `data`, while the queue has room for more requests; gives back what was not parsed.

        Raises Refused.
        """
        while data and not (self.last and self.incoming is None):
            if self.upgrading or (self.incoming is None and len(self._queue) >= self._limits.pipeline):
                return bytes(data)
            if len(data) <= _SLICE or len(data) <= (room := max(_SLICE, self._body_left())):
                piece, data = data, b""
            else:
                view = memoryview(data)
                piece, data = view[:room], view[room:]
            rest = self._parse(piece)
            if rest:
                data = rest + bytes(data)
        return b""

    def _body_left(self) -> int:
        body = self.incoming.body if self.incoming else None
        return body.length - body.received if body is not None and body.length is not None else 0

    def _parse(self, piece: bytes | memoryview) -> bytes:
        self._fed = len(piece)
        self._unfinished += self._fed
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
            self._check_unfinished()
        return b""

    def _check_unfinished(self) -> None:
        """Bound what the parser holds of an unfinished line: a header, a trailer, a chunk's extension."""
        body = self._body(self.incoming) if self.incoming is not None else None
        if body is not None and body.received != self._received:
            self._received = body.received
            self._unfinished = 0
        elif self._unfinished > self._limits.head + _SLICE:
            self._fail_body()
            raise Refused(431, f"the request line and headers are larger than {self._limits.head} bytes")

    def close(self) -> None:
        """Let go of the parser, which refers back to this reader, and of the connection, which owns it."""
        del self._parser, self._queue, self._flow

    def _fail_body(self) -> None:
        if self.incoming is not None and (body := self._body(self.incoming)) is not None:
            self.incoming.keep_alive = False
            body.fail(IncompleteBody("The request body's framing is broken"))

    # --- httptools' callbacks, in the order it makes them

    def on_message_begin(self) -> None:
        self.in_head = True
        self._url = b""
        self._names = []
        self._values = []
        self._received = 0
        self._unfinished = self._fed

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > self._head_limit:
            self._refuse_head(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        # Only kept, as this is called most: what there is to see is seen in one go. `_check_unfinished` bounds them.
        if self.incoming is None:  # else trailers: none of our protocols sign or need them
            self._names.append(name)
            self._values.append(value)

    def on_headers_complete(self) -> None:
        self.in_head = False
        if self._resuming:
            return
        names = self._look_at_names()
        headers = self._headers = self._joined(names.keys) if names.repeated else self._named(names.keys)
        self._unfinished = self._fed
        parser = self._parser
        keep_alive = parser.should_keep_alive()
        http10 = False
        if not keep_alive or names.lasting:  # HTTP/1.1 alone goes on without being told to
            version = parser.get_http_version()
            if version not in ("1.1", "1.0"):
                self._refuse(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
            http10 = version == "1.0"
        method = parser.get_method().decode("latin-1")
        path, query, authority = self._target(method)
        host = headers.get("host", "")
        if host != self._host:
            self._check_host(host, http10=http10)
        if authority and headers.setdefault("host", authority).lower() != authority.lower():
            self._refuse(400, "the request target and the host header name different hosts")
        length = self._length(names, http10=http10) if names.special else 0
        request = HttpRequest(
            method,
            path,
            query,
            headers,
            NOTHING,
            self._scheme,
            self._peer,
            b"",
            HeaderLines(self._names, self._values),
            self._tls,
            self.presence,
        )
        exchange = Exchange(request, length, keep_alive, http10)
        if "expect" in names.special:
            if headers["expect"].lower() != "100-continue":
                self._refuse(417, "the only expectation met here is 100-continue")
            exchange.awaits_continue = not http10
        self.last = not keep_alive
        self.incoming = exchange
        self._queue.append(exchange)

    def on_body(self, data: bytes) -> None:
        exchange = self.incoming
        if exchange is None:
            return
        if exchange.body is None and len(data) == exchange.length:
            request = exchange.request
            request.content = data
            request.body = BytesStream(data)
            self._flow.buffered += len(data) + PIECE_COST
        elif (body := self._body(exchange)) is not None:
            if exchange.discard:
                body.received += len(data)
            else:
                body.feed(data)

    def on_message_complete(self) -> None:
        exchange = self.incoming
        if exchange is None or (exchange.length != 0 and "upgrade" in self._headers and self._skipped_body()):
            return
        exchange.complete = True
        self.incoming = None
        self._resuming = False
        if exchange.body is not None:
            exchange.body.finish()

    # --- parts

    def _look_at_names(self) -> HeaderNames:
        small = self._unfinished <= self._small
        if not small and (
            sum(map(len, self._names)) + sum(map(len, self._values)) + 4 * len(self._names) + len(self._url)
            > self._head_limit
        ):
            self._refuse_head(431)
        return names_of(tuple(self._names), lasting=small)  # what is kept is bounded in its size, too

    def _named(self, keys: tuple[str, ...]) -> dict[str, str]:
        # Decoded in one go: the parser lets no line break into a value, and of what `rstrip` takes nothing but blanks.
        text = b"\n".join(map(bytes.rstrip, self._values)).decode("latin-1")
        return dict(zip(keys, text.split("\n") if keys else (), strict=True))

    def _joined(self, keys: tuple[str, ...]) -> dict[str, str]:
        headers: dict[str, str] = {}
        for key, value in zip(keys, self._values, strict=True):
            text = value.decode("latin-1").rstrip(_BLANKS)
            if key not in headers:
                headers[key] = text
            elif key in _ONCE:
                self._refuse(400, f"duplicate {key} header")
            else:
                headers[key] += "," + text
        return headers

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
            self._body(self.incoming)
            self._resuming = True
            self._parser.feed_data(f"POST / HTTP/1.1\r\nhost: resumed\r\n{framing}\r\n\r\n".encode("latin-1"))
        elif "websocket" in self._headers.get("upgrade", "").lower():
            self.upgrading = True
        return rest

    def _check_host(self, host: str, *, http10: bool) -> None:
        if len(host) > _LONGEST_HOST or (not _is_host(host) and (host or not http10)):
            self._refuse(400, "a valid host header is required")
        self._host = host or None

    def _target(self, method: str) -> tuple[str, str, str]:
        """Path, query, and the host where the target is a whole URL."""
        if self._url == b"/" and method != "CONNECT":
            return "/", "", ""
        url = self._url.decode("latin-1")
        if method == "CONNECT":
            self._refuse(405, "this is no proxy")
        if "#" in url:
            self._refuse(400, "a request target has no fragment")
        authority = ""
        if not url.startswith("/") and not (url == "*" and method == "OPTIONS"):
            scheme, _, rest = url.partition("://")
            if scheme.lower() not in ("http", "https"):
                self._refuse(400, "invalid request target")
            authority = rest.partition("?")[0].partition("/")[0]
            if len(authority) > _LONGEST_HOST or not _is_host(authority):
                self._refuse(400, "the request target has no valid host")
            url = rest[len(authority) :]
            if not url.startswith("/"):
                url = "/" + url
        path, _, query = url.partition("?")
        return path, query, authority

    def _length(self, names: HeaderNames, *, http10: bool) -> int | None:
        headers = self._headers
        if "transfer-encoding" not in names.special:
            return int(headers.get("content-length", "0"))
        if self._values[names.keys.index("transfer-encoding")][-1:] in (
            b" ",
            b"\t",
        ):  # for the parser it is another coding
            self._refuse(400, "blanks after the transfer encoding")
        if http10 or headers["transfer-encoding"].lower() != "chunked":
            self._refuse(501, "the only transfer encoding taken is chunked, in HTTP/1.1")
        return None

    def _body(self, exchange: Exchange) -> RequestBody | None:
        """That of a request whose body did not come whole with its head; it has one from the first call on."""
        if exchange.body is None and exchange.length != 0:
            exchange.body = RequestBody(self._flow, exchange.length)
            exchange.request.body = exchange.body
        return exchange.body

    def _refuse_head(self, status: int) -> None:
        self._refuse(status, f"the request line and headers are larger than {self._head_limit} bytes")

    def _refuse(self, status: int, reason: str) -> None:
        self._refusal = Refused(status, reason)
        raise self._refusal


_ONCE = frozenset({"host", "content-length", "transfer-encoding", "authorization", "expect", "content-type"})
# RFC 3986's, without the comma: two hosts joined are none.
_HOST = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
_CHUNKED = "transfer-encoding: chunked"


@lru_cache(1024)
def _is_host(host: str) -> bool:
    return _HOST.fullmatch(host) is not None

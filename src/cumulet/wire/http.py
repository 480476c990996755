"""HTTP messages as the protocols see them: no sockets, no parsing."""

from collections.abc import AsyncIterable, Iterable, Iterator, Sequence

from msgspec import Struct

from cumulet.kernel.call import Presence
from cumulet.kernel.streams import Stream
from cumulet.kernel.web import Tls


class HeaderLines(Struct):
    """Names and values as they were sent, in order, undecoded; gives them in pairs."""

    names: Sequence[bytes]
    values: Sequence[bytes]

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return zip(self.names, self.values, strict=True)


class HttpRequest(Struct):
    """One request. Header names are lower case; a header sent twice is joined with a comma, as HTTP says.

    `path` and `query` are as sent (percent-encoded, without the `?`). `body` is a stream; `content` holds it whole
    once the gateway has read it (operations without a streaming member). `scheme` is http or https; `peer` the client's
    address. `lines` are the headers as they were sent: names and values in order, undecoded, for who needs their casing or
    repetition. `tls` is of the connection; None without TLS. `presence` tells whether the client is still there.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Stream
    scheme: str = "http"
    peer: str = "127.0.0.1"
    content: bytes = b""
    lines: Iterable[tuple[bytes, bytes]] = ()
    tls: Tls | None = None
    presence: Presence | None = None


class HttpResponse(Struct):
    """One answer. A body that is an async iterable is sent chunked, or with `content-length` when headers hold it.

    Header names are sent as written here, since some clients compare AWS's casing. `cookies` are whole values of
    Set-Cookie, without line breaks. `more` headers follow, where one name may come several times.
    """

    status: int
    headers: dict[str, str] = {}
    body: bytes | AsyncIterable[bytes] = b""
    cookies: tuple[str, ...] = ()
    more: Sequence[tuple[str, str]] = ()

"""Requests and answers that are passed on between a client and a server in a sandbox: what both ways have in common."""

from collections.abc import AsyncIterable, AsyncIterator, Callable

from cumulet.compute import Broken, Upstream
from cumulet.kernel.errors import AwsError

HOPS = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that mean one connection only, or the length of a body that is framed anew."""
AGAIN = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Methods that may be sent again when a connection that had been idle turns out to be closed."""


def framing(headers: dict[str, str], body: bytes | AsyncIterable[bytes], length: int | None) -> list[tuple[str, str]]:
    """The header lines that tell a server where a body ends; `headers` are the client's. None for what has no body."""
    size = len(body) if isinstance(body, bytes) else length
    if size is None:
        return [("Transfer-Encoding", "chunked")]
    return [("Content-Length", str(size))] if size or "content-length" in headers else []


class Body:
    """The rest of an answer, as it comes. A server that breaks off, or takes too long, breaks off the answer.

    `end` is called when all has come, or none will: once or more.
    """

    def __init__(self, connection: Upstream, end: Callable[[], None]) -> None:
        self._connection = connection
        self._end = end

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            piece = await self._connection.next()
        except BaseException as error:
            self._end()
            if isinstance(error, Broken | TimeoutError):
                raise AwsError("The server broke off its answer.", code="BrokenOff", status=502) from error
            raise
        if not piece:
            self._end()
            raise StopAsyncIteration
        return piece

    async def aclose(self) -> None:
        """Whoever reads has gone."""
        self._end()

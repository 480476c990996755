"""What HTTP says of an answer: whether it has a body, of what length, and whether another may follow."""

from cumulet.gateway.reader import Exchange
from cumulet.wire.http import HttpResponse

_BODILESS = frozenset({204, 304})


def is_bodiless(exchange: Exchange, response: HttpResponse) -> bool:
    """Whether a head is all of it."""
    return response.status in _BODILESS or exchange.request.method == "HEAD" or response.status < 200


def length_line(response: HttpResponse, length: str | None) -> str:
    """The content-length of an answer whose body is not sent: that of the same GET, where there could be one."""
    if length is None or response.status == 204 or response.status < 200:
        return ""
    return f"Content-Length: {length}\r\n"


def header(response: HttpResponse, name: str) -> str | None:
    """A header of the answer; `name` in small letters."""
    for key, value in response.headers.items():
        if len(key) == len(name) and key.lower() == name:
            return value
    return None


def can_discard(exchange: Exchange, most: int) -> bool:
    """Whether what still comes of a request that is answered is `most` bytes, which may be thrown away to get at the next one."""
    body = exchange.body
    if body is None:
        return True  # a request without a body is complete as soon as it is parsed
    if body.length is None or exchange.awaits_continue:
        return False
    return body.length - body.received <= most


async def end(body: object) -> None:
    """Nobody reads the body any more."""
    close = getattr(body, "aclose", None)
    if close is not None:
        await close()

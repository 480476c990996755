"""Pages of what an API has: in the order of ids, each token naming the last one shown."""

import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec import Struct

from cumulet.services.apigateway.http.errors import bad

_USUAL = 100
_MOST = 500
P = TypeVar("P", bound=Struct)


async def page(
    fetch: Callable[[str, int], Awaitable[list[P]]],
    id_of: Callable[[P], str],
    max_results: str | int | None,
    next_token: str | None,
) -> tuple[list[P], str | None]:
    """One page, and the token of the next one. Raises BadRequestException."""
    limit = _limit(max_results)
    found = await fetch(_after(next_token), limit + 1)
    if len(found) <= limit:
        return found, None
    return found[:limit], base64.urlsafe_b64encode(id_of(found[limit - 1]).encode()).decode()


def _limit(given: str | int | None) -> int:
    if given is None or given == "":
        return _USUAL
    try:
        number = int(given)
    except ValueError:
        raise bad("Invalid value for maxResults: it must be a number.") from None
    if number < 1:
        raise bad("Invalid value for maxResults: it must be at least 1.")
    return min(number, _MOST)


def _after(token: str | None) -> str:
    if not token:
        return ""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise bad("Invalid value for nextToken.") from None

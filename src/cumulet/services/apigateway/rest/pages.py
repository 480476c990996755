"""Lists in pages: AWS gives 25 things unless asked for more, 500 at most, and a position that leads to the next."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cumulet.services.apigateway.errors import bad_request

T = TypeVar("T")

_DEFAULT = 25
_MOST = 500


def size(limit: int | None) -> int:
    """How many things an answer may have."""
    return min(limit, _MOST) if limit is not None and limit > 0 else _DEFAULT


def after(position: str | None) -> str:
    """The key of the last thing of the page before; raises BadRequestException."""
    if not position:
        return ""
    try:
        return base64.b64decode(position, validate=True).decode()
    except ValueError:
        raise bad_request("Invalid position specified") from None


async def page(
    fetch: Callable[[str, int], Awaitable[list[T]]],
    key: Callable[[T], str | None],
    position: str | None,
    limit: int | None,
) -> tuple[list[T], str | None]:
    """A page of what `fetch(after, limit)` gives in the order of its keys, and the position of the next."""
    count = size(limit)
    found = await fetch(after(position), count + 1)
    if len(found) <= count:
        return found, None
    return found[:count], position_of(key(found[count - 1]) or "")


def cut(
    found: list[T], key: Callable[[T], str | None], position: str | None, limit: int | None
) -> tuple[list[T], str | None]:
    """The same of things that are all in memory, in the order of their keys."""
    begin, count = after(position), size(limit)
    rest = [thing for thing in found if (key(thing) or "") > begin]
    return rest[:count], position_of(key(rest[count - 1]) or "") if len(rest) > count else None


def position_of(key: str) -> str:
    return base64.b64encode(key.encode()).decode()

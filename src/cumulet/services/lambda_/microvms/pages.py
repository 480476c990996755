"""Pages of lists: a token is where the last page ended."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TypeVar

from cumulet.services.lambda_.microvms.errors import invalid

T = TypeVar("T")

_PAGE = 50


def page(
    items: Sequence[T], most: int | None, token: str | None, name: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """One page of items, and the token of the next. Items that have gone since are no matter, but for the one that the last page
    ended with: then it begins anew. Raises ValidationException."""
    start = 0
    if token:
        try:
            after = base64.urlsafe_b64decode(token.encode()).decode()
        except ValueError as error:
            raise invalid("Invalid nextToken") from error
        names = [name(item) for item in items]
        start = names.index(after) + 1 if after in names else 0
    shown = list(items[start : start + (most or _PAGE)])
    more = start + len(shown) < len(items)
    return shown, base64.urlsafe_b64encode(name(shown[-1]).encode()).decode() if more else None

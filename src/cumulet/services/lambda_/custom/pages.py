"""Pages of lists: a token is where the last page ended."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TypeVar

from cumulet.api import lambda_core as api

T = TypeVar("T")

_PAGE = 100


def page(
    items: Sequence[T], most: int | None, token: str | None, name: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """One page of items that are sorted by name, and the token of the next. Raises InvalidParameterValueException."""
    try:
        after = base64.urlsafe_b64decode(token).decode() if token else ""
    except ValueError as error:
        raise api.InvalidParameterValueException("The pagination token is not valid.") from error
    left = [item for item in items if name(item) > after]
    shown = left[: most or _PAGE]
    more = base64.urlsafe_b64encode(name(shown[-1]).encode()).decode() if len(left) > len(shown) else None
    return shown, more

"""Pages of lists: a marker is the name of the last thing on the page before."""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from cumulet.api import kms as api

T = TypeVar("T")


def after(marker: str | None) -> str:
    """The name behind which a page begins; raises InvalidMarkerException."""
    if marker is None:
        return ""
    try:
        return base64.b64decode(marker.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise api.InvalidMarkerException("Could not deserialize marker") from None


def page(found: Sequence[T], limit: int, name: Callable[[T], str]) -> tuple[list[T], str | None]:
    """One page of what was found (one more than `limit` tells that there is more), and the next page's marker."""
    shown = list(found[:limit])
    if len(found) <= limit:
        return shown, None
    return shown, base64.urlsafe_b64encode(name(shown[-1]).encode()).decode()


def cut(
    everything: Sequence[T], marker: str | None, limit: int, name: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """One page of a list that is there whole, in the order of its names."""
    start = after(marker)
    return page([item for item in everything if name(item) > start], limit, name)

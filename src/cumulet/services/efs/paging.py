"""Pages of lists: a marker is the id of the last thing on the page before, in base 64."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import TypeVar

from cumulet.services.efs.errors import bad_request

T = TypeVar("T")
_PAGE = 100


def page(
    found: Sequence[T], marker: str | None, limit: int | None, name: Callable[[T], str]
) -> tuple[list[T], str | None]:
    """One page of what is in the order of its names, and the next page's marker. Raises BadRequest."""
    after = _read(marker)
    left = [one for one in found if name(one) > after]
    most = min(limit or _PAGE, _PAGE)
    shown = left[:most]
    if len(left) <= most:
        return shown, None
    return shown, base64.urlsafe_b64encode(name(shown[-1]).encode()).decode()


def _read(marker: str | None) -> str:
    if marker is None:
        return ""
    try:
        return base64.b64decode(marker.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise bad_request("Invalid Marker or NextToken.") from None

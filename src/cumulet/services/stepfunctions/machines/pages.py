"""Pages of a list: a token says after what the next one begins, and of which list it is."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

from cumulet.api import stepfunctions as api

T = TypeVar("T")

_USUAL = 100
_LONG = 20
_MOST = (1 << 63) - 1


def size(max_results: int | None, usual: int = _USUAL) -> int:
    """How many a page has; 0 means the usual number, as on AWS."""
    return max_results or usual


def token_of(list_name: str, after: str) -> str:
    return base64.urlsafe_b64encode(f"{list_name}\n{after}".encode()).decode()


def after_in(list_name: str, token: str | None) -> str:
    """After what the page begins that a token stands for; empty without one. Raises InvalidToken."""
    if not token:
        return ""
    try:
        text = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        text = ""
    name, _, after = text.partition("\n")
    if name != list_name or not after:
        raise api.InvalidToken("Invalid Token: 'Invalid token'")
    return after


def number_in(list_name: str, token: str | None, otherwise: int) -> int:
    """The same where lists are in the order of numbers; `otherwise` without a token. Raises InvalidToken."""
    after = after_in(list_name, token)
    if not after:
        return otherwise
    if not (after.isascii() and after.isdigit() and len(after) < _LONG and int(after) <= _MOST):
        raise api.InvalidToken("Invalid Token: 'Invalid token'")
    return int(after)


def cut(found: list[T], size: int) -> tuple[list[T], bool]:
    """The page, of one item more than it has, and whether there is another."""
    return found[:size], len(found) > size

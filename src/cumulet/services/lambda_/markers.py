"""Pages of lists: a marker is where the last page ended."""

from __future__ import annotations

import base64
import re

from cumulet.api import lambda_ as api
from cumulet.services.lambda_.errors import invalid

PAGE = 50

_NUMBER = re.compile(r"[0-9]{1,18}")


def encode_marker(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def decode_marker(marker: str | None) -> str:
    """Empty for the first page; raises InvalidParameterValueException for a marker that is not ours."""
    if not marker:
        return ""
    try:
        return base64.urlsafe_b64decode(marker).decode()
    except ValueError as error:
        raise _bad_marker() from error


def number_in(text: str) -> int:
    """The version that a marker tells, -1 when it tells none; raises InvalidParameterValueException."""
    if text and not _NUMBER.fullmatch(text):
        raise _bad_marker()
    return int(text or -1)


def _bad_marker() -> api.InvalidParameterValueException:
    return invalid("Invalid Marker: the given pagination marker is not valid.")

"""NextToken: where the page before ended."""

from __future__ import annotations

import base64
import binascii

from cumulet.services.events.model import invalid


def encode_page(after: str) -> str:
    return base64.urlsafe_b64encode(after.encode()).decode()


def decode_page(token: str) -> str:
    """Raises ValidationException for what is no token."""
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid("NextToken is not one that ListConnections gave.") from None

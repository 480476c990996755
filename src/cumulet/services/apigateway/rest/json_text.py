"""JSON that callers wrote: schemas, policies, documentation."""

from __future__ import annotations

from typing import Any

import msgspec


def document(text: str) -> Any:
    """What a text says; raises ValueError for what is no JSON, and for what is nested too deeply to be read."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise ValueError(str(error)) from None

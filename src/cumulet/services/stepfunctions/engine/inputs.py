"""What executions are started with: JSON text, its errors worded as AWS's parser words them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from cumulet.api import stepfunctions as api

_decode = msgspec.json.Decoder().decode
_EXPECTED = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_WORD = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_FIELD = re.compile(r"[{,]\s*([^\s\"}])")


def read(text: str, limit: int) -> Any:
    """The value; raises InvalidExecutionInput."""
    if len(text) > limit // 4 and len(text.encode()) > limit:
        raise api.InvalidExecutionInput(
            "Invalid State Machine Execution Input: 'Max size exceeded for execution input.'"
        )
    try:
        return _decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError) as error:
        raise api.InvalidExecutionInput(f"Invalid State Machine Execution Input: '{_problem(text, error)}'") from None


def _problem(text: str, error: Exception) -> str:
    text = text.strip()
    if not text:
        return "Invalid execution input."
    word = _WORD.match(text)
    if word is not None and word[0] not in ("null", "true", "false"):
        return f"Unrecognized token '{word[0]}': was expecting {_EXPECTED}"
    field = _FIELD.search(text)
    if field is not None and text.startswith("{"):
        character = field[1]
        return f"Unexpected character ('{character}' (code {ord(character)})): was expecting double-quote to start field name"
    return f"Invalid execution input: {error}"

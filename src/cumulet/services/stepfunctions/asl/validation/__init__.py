"""What is wrong with a definition, in AWS's words."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.services.stepfunctions.asl.errors import Diagnostic
from cumulet.services.stepfunctions.asl.states import Kind


def read(definition: str, kind: Kind) -> tuple[dict[str, Any] | None, list[Diagnostic]]:
    """The definition's document (None where it is no JSON object), and what was found."""
    try:
        document = msgspec.json.decode(definition)
    except (msgspec.DecodeError, RecursionError):
        return None, [Diagnostic("ERROR", "INVALID_JSON_DESCRIPTION", "Invalid JSON")]
    return document, []

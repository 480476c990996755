"""What a function with ReportBatchItemFailures says of its batch.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from collections.abc import Callable
from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode


def _text(identifier: Any) -> str | None:
    return identifier if isinstance(identifier, str) else None


def failed_items(payload: bytes, identify: Callable[[Any], str | None] = _text) -> list[str] | None:
    """The identifiers that failed, none of them when all went well; None when the answer cannot be understood.

    `identify` makes text of an itemIdentifier that has the right shape.

    Nothing (null, empty text, an empty list or object) and an empty or null list of failures mean success. What else does not
    have the agreed shape fails the whole batch.
    """
    try:
        answer: Any = _decode(payload) if payload else None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if answer is None or answer in ("", [], {}):
        return []
    if not isinstance(answer, dict):
        return None
    failures = answer.get("batchItemFailures")
    if failures is None:
        return []
    if not isinstance(failures, list):
        return None
    found = []
    for failure in failures:
        identifier = identify(failure.get("itemIdentifier")) if isinstance(failure, dict) else None
        if not identifier:
            return None
        found.append(identifier)
    return found

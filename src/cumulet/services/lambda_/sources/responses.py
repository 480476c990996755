"""What a function with ReportBatchItemFailures says of its batch.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
"""

from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode


def failed_items(payload: bytes) -> list[str] | None:
    """The identifiers that failed, none of them when all went well; None when the answer cannot be understood.

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
        identifier = failure.get("itemIdentifier") if isinstance(failure, dict) else None
        if not isinstance(identifier, str) or not identifier:
            return None
        found.append(identifier)
    return found

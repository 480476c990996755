"""Rules for requests of several entries, and how an entry fails without failing the others."""

import re
from collections.abc import Sequence
from typing import Protocol

from cumulet.api.sqs import (
    BatchEntryIdsNotDistinct,
    BatchResultErrorEntry,
    EmptyBatchRequest,
    InvalidBatchEntryId,
    TooManyEntriesInBatchRequest,
)
from cumulet.kernel.errors import AwsError
from cumulet.services.sqs.model import MOST_ENTRIES

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


class Entry(Protocol):
    """What all batch entries have."""

    id: str


def check(entries: Sequence[Entry], kind: str, most: int = MOST_ENTRIES) -> None:
    """Raises the error of a batch that is empty, too long, or has bad ids. `kind` is the name of the entry's shape."""
    if not entries:
        raise EmptyBatchRequest(f"There should be at least one {kind} in the request.")
    if len(entries) > most:
        raise TooManyEntriesInBatchRequest(
            f"Maximum number of entries per request are {most}. You have sent {len(entries)}."
        )
    seen = set()
    for entry in entries:
        if not _ID.fullmatch(entry.id):
            raise InvalidBatchEntryId(
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                "It can be at most 80 letters long."
            )
        if entry.id in seen:
            raise BatchEntryIdsNotDistinct(f"Id {entry.id} repeated.")
        seen.add(entry.id)


def failed(entry: Entry, error: AwsError) -> BatchResultErrorEntry:
    """An entry of the Failed list."""
    return BatchResultErrorEntry(
        id=entry.id, sender_fault=error.status < 500, code=error.query_code or error.code, message=error.message
    )

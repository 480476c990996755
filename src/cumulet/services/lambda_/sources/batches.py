"""What becomes of a batch of a stream: the rules, without anything that waits.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-parameters.html
"""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from cumulet.services.lambda_.sources.calls import Answer
from cumulet.services.lambda_.sources.port import Record
from cumulet.services.lambda_.sources.responses import failed_items
from cumulet.services.lambda_.sources.windows import payload

FOREVER = -1
_PAYLOAD = 6 * 1024 * 1024
_FRAME = 1024
"""Bytes around the records; with a tumbling window they come from the space of its state as well."""


class Rules(Struct, frozen=True, kw_only=True):
    """How a stream is worked off. Times in seconds; -1 is without end. `tumbling` and `window` are 0 without one."""

    size: int
    window: float = 0
    factor: int = 1
    partial: bool = False
    bisect: bool = False
    retries: int = FOREVER
    age: int = FOREVER
    tumbling: int = 0
    payload: int = _PAYLOAD


class Form(Struct, frozen=True, kw_only=True):
    """What a kind of stream looks like to functions.

    `event` makes the event of records of a shard, with the members of a window if there is one; `failures` gives the sequence
    numbers that an answer names as failed (None: it cannot be understood).
    """

    event: Callable[[str, Sequence[Record], dict[str, Any] | None], bytes] = lambda _, records, window: payload(
        records, window
    )
    failures: Callable[[str, bytes], list[str] | None] = lambda _, answer: failed_items(answer)


RECORDS = Form()
"""`Records`, and sequence numbers as they are."""


class Batch(Struct, frozen=True):
    """Records for one invocation, and how often the function has failed with them."""

    records: Sequence[Record]
    attempts: int = 0
    last: Answer | None = None


def cut(records: Sequence[Record], rules: Rules) -> int:
    """How many of the first records make a batch: by count, by size, and by the tumbling window they are in."""
    size, count = _FRAME, 0
    for record in records[: rules.size]:
        size += len(record.record) + 1
        if count and (size > rules.payload or _window(record, rules) != _window(records[0], rules)):
            break
        count += 1
    return count


def expired(records: Sequence[Record], rules: Rules, now: float) -> int:
    """How many of the first records are too old."""
    if rules.age == FOREVER:
        return 0
    return next((place for place, record in enumerate(records) if record.arrival + rules.age > now), len(records))


def dealt_with(
    batch: Batch, answer: Answer, rules: Rules, failures: Callable[[bytes], list[str] | None] = failed_items
) -> int:
    """How many of the first records need not come again."""
    if answer.failed:
        return 0
    if not rules.partial:
        return len(batch.records)
    failed = failures(answer.outcome.payload)
    if failed is None:
        return 0
    places = {record.sequence: place for place, record in enumerate(batch.records)}
    if any(sequence not in places for sequence in failed):
        return 0
    return min((places[sequence] for sequence in failed), default=len(batch.records))


def again(batch: Batch, answer: Answer, done: int, rules: Rules) -> list[Batch]:
    """The batches to try next, none when the retries are used up. Splitting a batch costs it no retry."""
    rest = batch.records[done:]
    if rules.bisect and not done and len(rest) > 1:
        half = len(rest) // 2
        return [Batch(rest[:half], batch.attempts, answer), Batch(rest[half:], batch.attempts, answer)]
    attempts = batch.attempts + 1
    if rules.retries != FOREVER and attempts > rules.retries:
        return []
    return [Batch(rest, attempts, answer)]


def lanes(records: Sequence[Record], factor: int) -> list[list[Record]]:
    """The records in as many lanes: those of one key stay in theirs, in order."""
    if factor == 1:
        return [list(records)]
    found: dict[int, list[Record]] = {}
    for record in records:
        found.setdefault(hash(record.key) % factor, []).append(record)
    return list(found.values())


def _window(record: Record, rules: Rules) -> int:
    return int(record.arrival // rules.tumbling) if rules.tumbling else 0

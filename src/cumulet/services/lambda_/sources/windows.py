"""Tumbling windows: a function's state, carried from one invocation to the next until its window ends.

https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from cumulet.services.lambda_.sources.calls import Answer
from cumulet.services.lambda_.sources.port import Record

STATE = 1024 * 1024
"""Bytes of state; a window with more ends early."""


def window_of(arrival: float, seconds: int) -> float:
    """When the window began that a time falls into, in seconds since 1970."""
    return arrival // seconds * seconds


def payload(records: Sequence[Record], window: dict[str, Any] | None = None) -> bytes:
    """The event, with the members that a window adds."""
    body = b'{"Records":[' + b",".join([record.record for record in records]) + b"]"
    return body + (b"}" if window is None else b"," + msgspec.json.encode(window)[1:])


def members(
    start: float,
    seconds: int,
    state: dict[str, Any],
    *,
    shard: str,
    source: str,
    final: bool = False,
    early: bool = False,
) -> dict[str, Any]:
    """What an event of a window holds beside its records."""
    return {
        "window": {"start": _time(start), "end": _time(start + seconds)},
        "state": state,
        "shardId": shard,
        "eventSourceARN": source,
        "isFinalInvokeForWindow": final,
        "isWindowTerminatedEarly": early,
    }


def state_in(answer: Answer) -> dict[str, Any] | None:
    """The state that a function answered with; None when it did not, which is a failure."""
    if answer.failed:
        return None
    try:
        document = msgspec.json.decode(answer.outcome.payload)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    state = document.get("state") if isinstance(document, dict) else None
    return state if isinstance(state, dict) else None


def too_large(state: dict[str, Any]) -> bool:
    return len(msgspec.json.encode(state)) > STATE


def _time(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

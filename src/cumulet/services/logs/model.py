"""What log groups, streams and events are, and the rules that need no store."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from cumulet.api import logs as api
from cumulet.kernel.call import Call

DAY_MS = 86_400_000
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)
MAX_TAGS = 50
PAGE_EVENTS = 10_000
PAGE_BYTES = 1_048_576
_BATCH_BYTES = 1_048_576
_EVENT_OVERHEAD = 26
_TOO_OLD_MS = 14 * DAY_MS
_TOO_NEW_MS = 2 * 3_600_000
_GROUP_ARN = re.compile(r"arn:[\w-]+:logs:([\w-]*):(\d*):log-group:([^:*]+)(?::\*)?")
_BAD_TOKEN = "The specified nextToken is invalid."  # noqa: S105  a message of AWS's, no secret


class Group(Struct, frozen=True):
    """A log group; `created` in milliseconds since 1970, `retention` in days."""

    id: int
    account: str
    region: str
    name: str
    created: int
    retention: int | None
    kind: str
    kms_key: str | None
    protected: bool
    tags: dict[str, str]

    @property
    def arn(self) -> str:
        return f"arn:aws:logs:{self.region}:{self.account}:log-group:{self.name}"

    def oldest(self, now: int) -> int:
        """The earliest time, in milliseconds, whose events are still kept."""
        return now - self.retention * DAY_MS if self.retention else 0


class Stream(Struct, frozen=True):
    """A log stream; all times in milliseconds since 1970, None before the first event."""

    id: int
    name: str
    created: int
    first_time: int | None
    last_time: int | None
    last_ingestion: int | None
    sequence: int


class Position(NamedTuple):
    """Where an event stands among those of its group: by time, then by stream, then by arrival."""

    time: int
    stream: int
    sequence: int


START = Position(0, 0, 0)
END = Position(2**62, 2**62, 2**62)


class Event(Struct, frozen=True):
    """A stored event; times in milliseconds since 1970."""

    position: Position
    stream: str
    ingested: int
    message: str

    @property
    def id(self) -> str:
        return f"{self.position.time:013d}{self.position.stream:019d}{self.position.sequence:024d}"


class Accepted(NamedTuple):
    """The part of a batch that is taken, its bytes, and what was not taken."""

    events: list[api.InputLogEvent]
    size: int
    rejected: api.RejectedLogEventsInfo | None


def stream_arn(group: Group, stream: Stream) -> str:
    return f"{group.arn}:log-stream:{stream.name}"


def group_name(call: Call, name: str | None, identifier: str | None) -> str:
    """The name of the group a request is about, given by name or by identifier (a name or an ARN)."""
    if name is not None and identifier is not None:
        raise api.ValidationException("LogGroup name and LogGroup ARN are mutually exclusive parameters.")
    if name is None and identifier is None:
        raise api.ValidationException("Either LogGroup name or LogGroup ARN must be provided.")
    return name if name is not None else group_of_identifier(call, identifier or "")


def group_of_identifier(call: Call, identifier: str) -> str:
    """The group's name in an ARN, which must be of the caller's account and region, or the identifier itself."""
    if not identifier.startswith("arn:"):
        return identifier
    found = _GROUP_ARN.fullmatch(identifier)
    if found is None:
        raise api.InvalidParameterException("The specified log group identifier is not a valid log group ARN.")
    region, account, name = found.groups()
    if (region, account) != (call.region, call.account):
        raise api.ResourceNotFoundException("The specified log group does not exist.")
    return name


def check_group_name(name: str) -> None:
    if name.lower().startswith("aws/"):
        raise api.InvalidParameterException("Log groups starting with AWS/ are reserved for AWS.")


def check_tags(tags: dict[str, str]) -> None:
    """AWS's limits that the model does not hold."""
    if any(key.lower().startswith("aws:") for key in tags):
        raise api.InvalidParameterException("Tag keys starting with 'aws:' are reserved for AWS use.")
    if len(tags) > MAX_TAGS:
        raise api.TooManyTagsException("The resource can have no more than 50 tags.")


def check_retention(days: int) -> None:
    if days not in RETENTION_DAYS:
        allowed = ", ".join(map(str, RETENTION_DAYS))
        raise api.InvalidParameterException(
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy constraint: "
            f"Member must satisfy enum value set: [{allowed}]"
        )


def check_batch(events: list[api.InputLogEvent], now: int, oldest: int) -> Accepted:
    """The events of a PutLogEvents request that may be stored, by AWS's rules for batches.

    `oldest` is where the group's retention begins. Raises InvalidParameterException when the batch as a whole is refused.
    """
    size = _EVENT_OVERHEAD * len(events)
    previous = 0
    for event in events:
        if event.timestamp < previous:
            raise api.InvalidParameterException(
                "Log events in a single PutLogEvents request must be in chronological order."
            )
        previous = event.timestamp
        size += len(event.message) if event.message.isascii() else len(event.message.encode())
    if size > _BATCH_BYTES:
        raise api.InvalidParameterException(f"Upload too large: {size} bytes exceeds limit of {_BATCH_BYTES}")
    floor, ceiling = max(oldest, now - _TOO_OLD_MS), now + _TOO_NEW_MS
    if events and floor <= events[0].timestamp and events[-1].timestamp <= ceiling:
        accepted, rejected = events, None
    else:
        accepted, rejected, size = _reject(events, now - _TOO_OLD_MS, oldest, ceiling)
    if accepted and accepted[-1].timestamp - accepted[0].timestamp > DAY_MS:
        raise api.InvalidParameterException(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours."
        )
    return Accepted(accepted, size, rejected)


def _reject(
    events: list[api.InputLogEvent], too_old: int, expired: int, too_new: int
) -> tuple[list[api.InputLogEvent], api.RejectedLogEventsInfo, int]:
    """The index of an end is the first event that is not rejected any more."""
    old = sum(event.timestamp < too_old for event in events)
    gone = sum(event.timestamp < expired for event in events)
    new = sum(event.timestamp > too_new for event in events)
    accepted = events[max(old, gone) : len(events) - new]
    info = api.RejectedLogEventsInfo(
        too_old_log_event_end_index=old or None,
        expired_log_event_end_index=gone or None,
        too_new_log_event_start_index=len(events) - new if new else None,
    )
    return accepted, info, sum(len(event.message.encode()) + _EVENT_OVERHEAD for event in accepted)


def within_bytes(events: list[Event], limit: int) -> int:
    """How many of the events, from the first, fit into an answer of `limit` bytes; at least one."""
    size = 0
    for number, event in enumerate(events):
        size += len(event.message.encode()) + _EVENT_OVERHEAD
        if size > limit and number:
            return number
    return len(events)


def encode_page(value: Any) -> str:
    """A token that continues a listing after `value`."""
    return base64.urlsafe_b64encode(msgspec.json.encode(value)).decode()


def decode_page(token: str, kind: Callable[[Any], Any] | Any) -> Any:
    """What `encode_page` was given, as type `kind`. Raises InvalidParameterException."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(token), type=kind)
    except (msgspec.DecodeError, binascii.Error, ValueError) as error:
        raise api.InvalidParameterException(_BAD_TOKEN) from error


_STREAM_TOKEN = re.compile(r"([fb])/(\d{20})(\d{36})/s")


def stream_token(direction: str, time: int, sequence: int) -> str:
    """GetLogEvents' token: forward from just after, or backward from just before the given event."""
    return f"{direction}/{time:020d}{sequence:036d}/s"


def read_stream_token(token: str) -> tuple[str, int, int]:
    """The direction, time and sequence of a token. Raises InvalidParameterException."""
    found = _STREAM_TOKEN.fullmatch(token)
    if found is None or int(found[2]) >= 2**62 or int(found[3]) >= 2**62:
        raise api.InvalidParameterException(_BAD_TOKEN)
    return found[1], int(found[2]), int(found[3])

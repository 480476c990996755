"""Searching a group's events, and trying a pattern."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from cumulet.api import logs as api
from cumulet.kernel.call import Call
from cumulet.services.logs.model import (
    END,
    PAGE_BYTES,
    PAGE_EVENTS,
    START,
    Event,
    Group,
    Position,
    decode_page,
    encode_page,
    group_name,
    within_bytes,
)
from cumulet.services.logs.pattern import Pattern, PatternError, compile_pattern
from cumulet.services.logs.state import Logs

_SLICE = 1_000
_SCANNED_A_CALL = 50_000
_IN_ONE_GO = 262_144


async def filter_log_events(logs: Logs, call: Call, request: api.FilterLogEventsRequest) -> api.FilterLogEventsResponse:
    """Matching events of a group's streams, interleaved by time.

    One call looks at a bounded number of events, so a page can be empty and still have a successor, as AWS documents.
    """
    name = group_name(call, request.log_group_name, request.log_group_identifier)
    if request.log_stream_names and request.log_stream_name_prefix:
        raise api.InvalidParameterException(
            "Cannot specify both logStreamNames and logStreamNamePrefix in the same request."
        )
    pattern = checked_pattern(request.filter_pattern or "")
    descending, beyond = _begin(request)
    group = await logs.group(call, name)
    streams = await _streams(logs, group, request)
    start = max(request.start_time or 0, group.oldest(logs.now()))
    end = END.time if request.end_time is None else request.end_time
    limit = request.limit or PAGE_EVENTS
    found: list[Event] = []
    scanned, more = 0, True
    while more and scanned < _SCANNED_A_CALL and len(found) < limit:
        events = await logs.events.scan(group, start, end, beyond, _SLICE, descending=descending)
        more = len(events) == _SLICE
        scanned += len(events)
        for part in _parts(events):
            if len(found) >= limit:
                break
            hits, beyond = _matching(part, streams, pattern, limit - len(found), beyond)
            found += hits
            await asyncio.sleep(0)  # one search must not hold up everybody else
        more = more or (bool(events) and beyond != events[-1].position)
    fitting = within_bytes(found, PAGE_BYTES)
    if fitting < len(found):
        found, more = found[:fitting], True
        beyond = found[-1].position
    return api.FilterLogEventsResponse(
        events=[_to_wire(event) for event in found],
        searched_log_streams=[],
        next_token=encode_page((descending, beyond)) if more else None,
    )


async def test_metric_filter(
    logs: Logs, call: Call, request: api.TestMetricFilterRequest
) -> api.TestMetricFilterResponse:
    pattern = checked_pattern(request.filter_pattern)
    matches = []
    for number, message in enumerate(request.log_event_messages, 1):
        if pattern.matches(message):
            found = api.MetricFilterMatchRecord(
                event_number=number, event_message=message, extracted_values=pattern.extract(message)
            )
            matches.append(found)
        await asyncio.sleep(0)
    return api.TestMetricFilterResponse(matches=matches)


def checked_pattern(text: str) -> Pattern:
    """The compiled pattern. Raises InvalidParameterException."""
    try:
        return compile_pattern(text)
    except PatternError as error:
        raise api.InvalidParameterException(str(error)) from error


def _begin(request: api.FilterLogEventsRequest) -> tuple[bool, Position]:
    if request.next_token:
        descending, position = decode_page(request.next_token, tuple[bool, Position])
        return descending, position
    descending = request.start_from_head is False
    return descending, END if descending else START


async def _streams(logs: Logs, group: Group, request: api.FilterLogEventsRequest) -> set[int] | None:
    """Keys of the streams to search; None for all."""
    if request.log_stream_name_prefix:
        return await logs.store.stream_keys(group, request.log_stream_name_prefix)
    if request.log_stream_names:
        return {(await logs.stream(group, name)).id for name in request.log_stream_names}
    return None


def _parts(events: list[Event]) -> Iterator[list[Event]]:
    """The events in runs whose messages together are short enough to be looked at in one go."""
    start = size = 0
    for number, event in enumerate(events):
        size += len(event.message)
        if size > _IN_ONE_GO:
            yield events[start : number + 1]
            start, size = number + 1, 0
    if start < len(events):
        yield events[start:]


def _matching(
    events: list[Event], streams: set[int] | None, pattern: Pattern, wanted: int, beyond: Position
) -> tuple[list[Event], Position]:
    """The first `wanted` hits of a slice, and how far it was looked at."""
    hits = []
    for event in events:
        beyond = event.position
        if (streams is None or beyond.stream in streams) and pattern.matches(event.message):
            hits.append(event)
            if len(hits) == wanted:
                break
    return hits, beyond


def _to_wire(event: Event) -> api.FilteredLogEvent:
    return api.FilteredLogEvent(
        log_stream_name=event.stream,
        timestamp=event.position.time,
        message=event.message,
        ingestion_time=event.ingested,
        event_id=event.id,
    )

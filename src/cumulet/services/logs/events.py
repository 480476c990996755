"""Putting events into a stream, and reading them back."""

from __future__ import annotations

from cumulet.api import logs as api
from cumulet.kernel.call import Call
from cumulet.kernel.service import prompt
from cumulet.services.logs import subscriptions
from cumulet.services.logs.model import (
    DAY_MS,
    END,
    PAGE_BYTES,
    PAGE_EVENTS,
    Event,
    check_batch,
    group_name,
    read_stream_token,
    stream_token,
    within_bytes,
)
from cumulet.services.logs.state import Logs
from cumulet.services.logs.streams import sequence_token


@prompt
async def put_log_events(logs: Logs, call: Call, request: api.PutLogEventsRequest) -> api.PutLogEventsResponse:
    target = await logs.events.target(call.account, call.region, request.log_group_name, request.log_stream_name)
    if target is None:
        await logs.group(call, request.log_group_name)
        raise api.ResourceNotFoundException("The specified log stream does not exist.")
    now = logs.now()
    oldest = now - target.retention * DAY_MS if target.retention else 0
    accepted = check_batch(request.log_events, now, oldest)
    last: int | None = 1
    if accepted.events:
        follow = subscriptions.follower(logs, call, request, target, accepted.events) if target.subscribed else None
        last = await logs.events.add(target, accepted.events, accepted.size, now, follow)
    if last is None:
        raise api.ResourceNotFoundException("The specified log stream does not exist.")
    return api.PutLogEventsResponse(
        next_sequence_token=sequence_token(last), rejected_log_events_info=accepted.rejected
    )


async def get_log_events(logs: Logs, call: Call, request: api.GetLogEventsRequest) -> api.GetLogEventsResponse:
    """Events of one stream in order. At either end the token of that direction stays the same."""
    name = group_name(call, request.log_group_name, request.log_group_identifier)
    token = read_stream_token(request.next_token) if request.next_token else None
    group = await logs.group(call, name)
    stream = await logs.stream(group, request.log_stream_name)
    start = max(request.start_time or 0, group.oldest(logs.now()))
    end = END.time if request.end_time is None else request.end_time
    limit = request.limit or PAGE_EVENTS
    direction, place = _begin(token, bool(request.start_from_head))
    if direction == "f":
        events = await logs.events.forward(stream, place, start, end, limit)
        events = events[: within_bytes(events, PAGE_BYTES)]
    else:
        events = await logs.events.backward(stream, place, start, end, limit)
        events = events[: within_bytes(events, PAGE_BYTES)][::-1]
    first, last = _ends(events, direction, place, fresh=token is None)
    return api.GetLogEventsResponse(
        events=[
            api.OutputLogEvent(timestamp=event.position.time, message=event.message, ingestion_time=event.ingested)
            for event in events
        ],
        next_forward_token=stream_token("f", *last),
        next_backward_token=stream_token("b", *first),
    )


def _begin(token: tuple[str, int, int] | None, from_head: bool) -> tuple[str, tuple[int, int]]:
    if token is not None:
        return token[0], token[1:]
    return ("f", (0, 0)) if from_head else ("b", (END.time, END.sequence))


def _ends(
    events: list[Event], direction: str, place: tuple[int, int], *, fresh: bool
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the page before ends and the page after begins; an empty page leaves a reader where it was."""
    if events:
        return _place(events[0]), _place(events[-1])
    if fresh:
        return (0, 0), (0, 0)
    time, sequence = place
    return ((time, sequence + 1), place) if direction == "f" else (place, (time, max(0, sequence - 1)))


def _place(event: Event) -> tuple[int, int]:
    return event.position.time, event.position.sequence

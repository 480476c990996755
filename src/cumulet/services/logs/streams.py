"""Operations on log streams."""

from __future__ import annotations

from cumulet.api import logs as api
from cumulet.kernel.call import Call
from cumulet.services.logs.model import Group, Stream, decode_page, encode_page, group_name, stream_arn
from cumulet.services.logs.state import Logs
from cumulet.storage.database import Conflict

_PAGE = 50


async def create_log_stream(logs: Logs, call: Call, request: api.CreateLogStreamRequest) -> None:
    group = await logs.group(call, request.log_group_name)
    try:
        await logs.store.add_stream(group, request.log_stream_name, logs.now())
    except Conflict as error:
        raise api.ResourceAlreadyExistsException("The specified log stream already exists") from error


async def delete_log_stream(logs: Logs, call: Call, request: api.DeleteLogStreamRequest) -> None:
    group = await logs.group(call, request.log_group_name)
    await logs.store.remove_stream(await logs.stream(group, request.log_stream_name))
    logs.swept.set()


async def describe_log_streams(
    logs: Logs, call: Call, request: api.DescribeLogStreamsRequest
) -> api.DescribeLogStreamsResponse:
    name = group_name(call, request.log_group_name, request.log_group_identifier)
    by_time = request.order_by == "LastEventTime"
    if by_time and request.log_stream_name_prefix is not None:
        raise api.InvalidParameterException("Cannot order by LastEventTime with a logStreamNamePrefix.")
    group = await logs.group(call, name)
    limit, descending, token = request.limit or _PAGE, bool(request.descending), request.next_token
    if by_time:
        place = decode_page(token, tuple[int, str]) if token else None
        found = await logs.store.streams_by_time(group, place, descending, limit + 1)
    else:
        after = decode_page(token, str) if token else ""
        prefix = request.log_stream_name_prefix or ""
        found = await logs.store.streams(group, prefix, after, descending, limit + 1)
    page = found[:limit]
    return api.DescribeLogStreamsResponse(
        log_streams=[_to_wire(group, stream) for stream in page],
        next_token=_next(page[-1], by_time) if len(found) > limit else None,
    )


def _next(last: Stream, by_time: bool) -> str:
    return encode_page((last.last_time or 0, last.name) if by_time else last.name)


def sequence_token(sequence: int) -> str:
    """AWS ignores these since 2023, but still sends them."""
    return f"49{sequence:054d}"


def _to_wire(group: Group, stream: Stream) -> api.LogStream:
    return api.LogStream(
        log_stream_name=stream.name,
        creation_time=stream.created,
        first_event_timestamp=stream.first_time,
        last_event_timestamp=stream.last_time,
        last_ingestion_time=stream.last_ingestion,
        upload_sequence_token=sequence_token(stream.sequence) if stream.sequence else None,
        arn=stream_arn(group, stream),
        stored_bytes=0,  # AWS stopped counting by stream in 2019
    )

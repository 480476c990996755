"""Operations on message move tasks: dead letters go back to where they came from, or to another queue."""

from __future__ import annotations

import base64
import binascii

import msgspec
from msgspec import Struct

from cumulet.api import sqs as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.sqs.errors import InvalidParameterValue, invalid
from cumulet.services.sqs.moves_store import RUNNING, Move
from cumulet.services.sqs.state import Sqs

_FASTEST = 500
_MOST_RESULTS = 10


class _Handle(Struct, rename="camel"):
    task_id: str
    source_arn: str

    def text(self) -> str:
        return base64.b64encode(msgspec.json.encode(self)).decode()


def _parse(text: str) -> _Handle:
    try:
        return msgspec.json.decode(base64.b64decode(text, validate=True), type=_Handle)
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        raise InvalidParameterValue("Value for parameter TaskHandle is invalid.") from None


def _missing(parameter: str) -> api.ResourceNotFoundException:
    return api.ResourceNotFoundException(
        f"The resource that you specified for the {parameter} parameter doesn't exist.", status=404
    )


async def start_message_move_task(
    sqs: Sqs, call: Call, request: api.StartMessageMoveTaskRequest
) -> api.StartMessageMoveTaskResult:
    rate = request.max_number_of_messages_per_second
    if rate is not None and not 1 <= rate <= _FASTEST:
        raise invalid("MaxNumberOfMessagesPerSecond", rate, f"Must be between 1 and {_FASTEST}, if provided.")
    source = await sqs.queue_by_arn(request.source_arn)
    if source is None or source.account != call.account:
        raise _missing("SourceArn")
    if not await sqs.queues.sources(source.arn, "", 1):
        raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
    if request.destination_arn:
        destination = await sqs.queue_by_arn(request.destination_arn)
        if destination is None or destination.account != call.account:
            raise _missing("DestinationArn")
        if destination.arn == source.arn:
            raise InvalidParameterValue("Source queue arn and destination queue arn cannot be the same.")
        if destination.fifo != source.fifo:
            raise InvalidParameterValue("Source and destination queues must be of the same type.")
    now = sqs.clock.now()
    visible, delayed, in_flight = await sqs.approximations.of(source.box, now, now - source.settings.retention)
    to_move = visible + delayed + in_flight
    move = Move(new_id(), source.arn, request.destination_arn or "", rate or 0, RUNNING, 0, to_move, "", now)
    if not await sqs.moves.add(move):
        raise InvalidParameterValue(
            "There is already a task running. Only one active task is allowed for a source queue arn at a given time."
        )
    sqs.movers.start(move)
    return api.StartMessageMoveTaskResult(task_handle=_Handle(move.id, move.source_arn).text())


async def cancel_message_move_task(
    sqs: Sqs, call: Call, request: api.CancelMessageMoveTaskRequest
) -> api.CancelMessageMoveTaskResult:
    handle = _parse(request.task_handle)
    source = await sqs.queue_by_arn(handle.source_arn)
    if source is None or source.account != call.account:
        raise _missing("SourceArn")
    move = await sqs.moves.find(handle.task_id)
    if move is None or move.source_arn != handle.source_arn:
        raise api.ResourceNotFoundException("Task does not exist.", status=404)
    if not await sqs.moves.end(move.id, "CANCELLED"):
        raise InvalidParameterValue("Only active tasks can be cancelled.")
    ended = await sqs.moves.find(move.id)
    return api.CancelMessageMoveTaskResult(approximate_number_of_messages_moved=ended.moved if ended else move.moved)


async def list_message_move_tasks(
    sqs: Sqs, call: Call, request: api.ListMessageMoveTasksRequest
) -> api.ListMessageMoveTasksResult:
    limit = 1 if request.max_results is None else request.max_results
    if not 1 <= limit <= _MOST_RESULTS:
        raise invalid("MaxResults", limit, f"Must be between 1 and {_MOST_RESULTS}, if provided.")
    source = await sqs.queue_by_arn(request.source_arn)
    if source is None or source.account != call.account:
        raise _missing("SourceArn")
    return api.ListMessageMoveTasksResult(
        results=[_to_wire(move) for move in await sqs.moves.latest(source.arn, limit)]
    )


def _to_wire(move: Move) -> api.ListMessageMoveTasksResultEntry:
    return api.ListMessageMoveTasksResultEntry(
        task_handle=_Handle(move.id, move.source_arn).text() if move.status == RUNNING else None,
        status=move.status,
        source_arn=move.source_arn,
        destination_arn=move.destination_arn or None,
        max_number_of_messages_per_second=move.rate or None,
        approximate_number_of_messages_moved=move.moved,
        approximate_number_of_messages_to_move=move.to_move,
        failure_reason=move.failure or None,
        started_timestamp=int(move.started * 1000),
    )

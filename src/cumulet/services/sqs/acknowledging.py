"""DeleteMessage and ChangeMessageVisibility, and their batches."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from cumulet.api import sqs as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.service import prompt
from cumulet.services.sqs import batches, receipt
from cumulet.services.sqs.errors import InvalidParameterValue, invalid
from cumulet.services.sqs.model import LONGEST_VISIBILITY, MOST_ENTRIES, MOST_IN_BULK, Queue
from cumulet.services.sqs.state import Sqs

if TYPE_CHECKING:
    from cumulet.kernel.queues import ReturnMessages


@prompt
async def delete_message(sqs: Sqs, call: Call, request: api.DeleteMessageRequest) -> None:
    await _delete(sqs, await sqs.queue(call, request.queue_url), request.receipt_handle)


@prompt
async def delete_message_batch(
    sqs: Sqs, call: Call, request: api.DeleteMessageBatchRequest
) -> api.DeleteMessageBatchResult:
    queue = await sqs.queue(call, request.queue_url)
    most = MOST_IN_BULK if call.bulk else MOST_ENTRIES
    batches.check(request.entries, "DeleteMessageBatchRequestEntry", most)
    if queue.fifo:
        failed = await _each(request.entries, [_delete(sqs, queue, entry.receipt_handle) for entry in request.entries])
    else:
        failed = await _delete_all(sqs, queue, request.entries)
    lost = {entry.id for entry in failed}
    done = [api.DeleteMessageBatchResultEntry(id=entry.id) for entry in request.entries if entry.id not in lost]
    return api.DeleteMessageBatchResult(successful=done or None, failed=failed or None)


@prompt
async def change_message_visibility(sqs: Sqs, call: Call, request: api.ChangeMessageVisibilityRequest) -> None:
    queue = await sqs.queue(call, request.queue_url)
    await _change_visibility(sqs, queue, request.receipt_handle, request.visibility_timeout)


@prompt
async def change_message_visibility_batch(
    sqs: Sqs, call: Call, request: api.ChangeMessageVisibilityBatchRequest
) -> api.ChangeMessageVisibilityBatchResult:
    queue = await sqs.queue(call, request.queue_url)
    batches.check(request.entries, "ChangeMessageVisibilityBatchRequestEntry")
    work = [_change_visibility(sqs, queue, e.receipt_handle, e.visibility_timeout or 0) for e in request.entries]
    failed = await _each(request.entries, work)
    lost = {entry.id for entry in failed}
    done = [
        api.ChangeMessageVisibilityBatchResultEntry(id=entry.id) for entry in request.entries if entry.id not in lost
    ]
    return api.ChangeMessageVisibilityBatchResult(successful=done or None, failed=failed or None)


async def return_messages(sqs: Sqs, call: Call, request: ReturnMessages) -> None:
    """Undo that they were received; see `kernel.queues`."""
    queue = await sqs.queue(call, request.queue_url)
    receipts = [receipt.parse(queue.id, handle) for handle in request.receipt_handles]
    now = sqs.clock.now()
    await (sqs.lanes.put_back(receipts, now) if queue.fifo else sqs.messages.put_back(receipts))
    for box in {each.box for each in receipts}:
        sqs.in_flight.forget(box)
        sqs.announce(box, now, now)


async def _each(
    entries: Sequence[batches.Entry], work: Sequence[Coroutine[Any, Any, None]]
) -> list[api.BatchResultErrorEntry]:
    """Do the work of all entries side by side, so that the store makes it durable at once; gives those that failed."""
    failures = []
    for entry, error in zip(entries, await asyncio.gather(*work, return_exceptions=True), strict=True):
        if isinstance(error, AwsError):
            failures.append(batches.failed(entry, error))
        elif error is not None:
            raise error
    return failures


async def _delete_all(
    sqs: Sqs, queue: Queue, entries: Sequence[api.DeleteMessageBatchRequestEntry]
) -> list[api.BatchResultErrorEntry]:
    """The messages of a standard queue in one transaction; gives the entries whose receipts are none."""
    failed, found = [], []
    for entry in entries:
        try:
            found.append(receipt.parse(queue.id, entry.receipt_handle))
        except AwsError as error:
            failed.append(batches.failed(entry, error))
    if found:
        await sqs.messages.remove_all([(each.box, each.seq, each.receives) for each in found])
    return failed


async def _delete(sqs: Sqs, queue: Queue, handle: str) -> None:
    """On a standard queue an older receipt deletes nothing and is no error; on a FIFO queue it has expired."""
    found = receipt.parse(queue.id, handle)
    if not queue.fifo:
        await sqs.messages.remove(found.box, found.seq, found.receives)
        return
    now = sqs.clock.now()
    if not await sqs.lanes.remove(found, now):
        raise _expired(handle)
    sqs.announce(found.box, now, now)


async def _change_visibility(sqs: Sqs, queue: Queue, handle: str, seconds: int) -> None:
    found = receipt.parse(queue.id, handle)
    if not 0 <= seconds <= LONGEST_VISIBILITY:
        raise invalid("VisibilityTimeout", seconds, f"Must be between 0 and {LONGEST_VISIBILITY}, if provided.")
    now = sqs.clock.now()
    if now + seconds > found.received + LONGEST_VISIBILITY and seconds:
        raise InvalidParameterValue(
            f"Value {seconds} for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout for the message "
            f"is beyond the limit [{LONGEST_VISIBILITY} seconds]"
        )
    if queue.fifo:
        there = await sqs.lanes.hide(found, now, now + seconds)
    else:
        there = await sqs.messages.hide(found.box, found.seq, now + seconds) or None
    if there is None:
        raise invalid(
            "ReceiptHandle", handle, "Message does not exist or is not available for visibility timeout change."
        )
    if there is False:
        raise _expired(handle)
    sqs.announce(found.box, now + seconds, now)


def _expired(handle: str) -> InvalidParameterValue:
    return invalid("ReceiptHandle", handle, "The receipt handle has expired.")

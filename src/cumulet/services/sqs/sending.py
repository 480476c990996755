"""SendMessage and SendMessageBatch."""

from __future__ import annotations

import hashlib

from cumulet.api import sqs as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.kernel.service import prompt
from cumulet.services.sqs import batches, content
from cumulet.services.sqs.errors import InvalidParameterValue, MissingParameter, invalid
from cumulet.services.sqs.lanes import Sent
from cumulet.services.sqs.model import LARGEST_MESSAGE, Message, Queue, sequence_number
from cumulet.services.sqs.state import Sqs

Entry = api.SendMessageRequest | api.SendMessageBatchRequestEntry

_LONGEST_DELAY = 900
_NO_DEDUPLICATION = (
    "The queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly"
)


@prompt
async def send_message(sqs: Sqs, call: Call, request: api.SendMessageRequest) -> api.SendMessageResult:
    queue = sqs.known(call, request.queue_url) or await sqs.queue(call, request.queue_url)
    _check_lane(queue, request)
    message = _draft(sqs, call, queue, request, _check(queue, request))
    if content.size(request.message_body, request.message_attributes) > queue.settings.maximum_size:
        raise InvalidParameterValue(
            f"One or more parameters are invalid. Reason: Message must be shorter than {queue.settings.maximum_size} bytes."
        )
    [sent] = await _put(sqs, queue, [message])
    return api.SendMessageResult(
        message_id=sent.id,
        md5_of_message_body=content.md5(request.message_body),
        md5_of_message_attributes=_md5(request.message_attributes),
        md5_of_message_system_attributes=_md5(request.message_system_attributes),
        sequence_number=sequence_number(sent.seq) if queue.fifo else None,
    )


@prompt
async def send_message_batch(sqs: Sqs, call: Call, request: api.SendMessageBatchRequest) -> api.SendMessageBatchResult:
    queue = await sqs.queue(call, request.queue_url)
    entries = request.entries
    batches.check(entries, "SendMessageBatchRequestEntry")
    _check_batch(queue, entries)
    drafts: list[Message] = []
    accepted: list[api.SendMessageBatchRequestEntry] = []
    failures: list[api.BatchResultErrorEntry] = []
    for entry in entries:
        try:
            drafts.append(_draft(sqs, call, queue, entry, _check_entry(queue, entry)))
        except AwsError as error:
            failures.append(batches.failed(entry, error))
        else:
            accepted.append(entry)
    sent = await _put(sqs, queue, drafts) if drafts else []
    successes = [_success(queue, entry, answer) for entry, answer in zip(accepted, sent, strict=True)]
    return api.SendMessageBatchResult(successful=successes or None, failed=failures or None)


def _success(queue: Queue, entry: api.SendMessageBatchRequestEntry, sent: Sent) -> api.SendMessageBatchResultEntry:
    return api.SendMessageBatchResultEntry(
        id=entry.id,
        message_id=sent.id,
        md5_of_message_body=content.md5(entry.message_body),
        md5_of_message_attributes=_md5(entry.message_attributes),
        md5_of_message_system_attributes=_md5(entry.message_system_attributes),
        sequence_number=sequence_number(sent.seq) if queue.fifo else None,
    )


def _check_batch(queue: Queue, entries: list[api.SendMessageBatchRequestEntry]) -> None:
    """What refuses a batch whole: its size, and entries of a FIFO queue without their ids."""
    total = sum(content.size(entry.message_body, entry.message_attributes) for entry in entries)
    if total > LARGEST_MESSAGE:
        raise api.BatchRequestTooLong(
            f"Batch requests cannot be longer than {LARGEST_MESSAGE} bytes. You have sent {total} bytes."
        )
    if queue.fifo:
        for entry in entries:
            try:
                _check_lane(queue, entry)
            except MissingParameter as error:
                raise InvalidParameterValue(error.message) from None


def _check_entry(queue: Queue, entry: api.SendMessageBatchRequestEntry) -> str | None:
    trace = _check(queue, entry)
    if content.size(entry.message_body, entry.message_attributes) > queue.settings.maximum_size:
        raise InvalidParameterValue(
            "One or more parameters cannot be validated. Reason: Message must be shorter than "
            f"{queue.settings.maximum_size} bytes."
        )
    return trace


def _check_lane(queue: Queue, entry: Entry) -> None:
    """The ids that a FIFO queue needs."""
    if not queue.fifo:
        return
    if entry.message_group_id is None:
        raise MissingParameter.named("MessageGroupId")
    if entry.message_deduplication_id is None and not queue.settings.content_deduplication:
        raise InvalidParameterValue(_NO_DEDUPLICATION)


def _check(queue: Queue, entry: Entry) -> str | None:
    """Every rule on a message but its size; gives its trace header."""
    content.check_body(entry.message_body)
    if entry.message_attributes:
        content.check_attributes(entry.message_attributes)
    if entry.message_group_id is not None:
        content.check_token("MessageGroupId", entry.message_group_id)
    if entry.message_deduplication_id is not None:
        content.check_token("MessageDeduplicationId", entry.message_deduplication_id)
        if not queue.fifo:
            raise invalid(
                "MessageDeduplicationId",
                entry.message_deduplication_id,
                "The request include parameter that is not valid for this queue type.",
            )
    if entry.delay_seconds:
        if queue.fifo:
            reason = "The request include parameter that is not valid for this queue type."
            raise invalid("DelaySeconds", entry.delay_seconds, reason)
        if not 0 <= entry.delay_seconds <= _LONGEST_DELAY:
            reason = f"DelaySeconds must be >= 0 and <= {_LONGEST_DELAY}."
            raise invalid("DelaySeconds", entry.delay_seconds, reason)
    return content.check_system_attributes(entry.message_system_attributes) if entry.message_system_attributes else None


def _draft(sqs: Sqs, call: Call, queue: Queue, entry: Entry, trace: str | None) -> Message:
    now = sqs.clock.now()
    delay = queue.settings.delay if queue.fifo or entry.delay_seconds is None else entry.delay_seconds
    deduplication = entry.message_deduplication_id
    if queue.fifo and deduplication is None:
        deduplication = hashlib.sha256(entry.message_body.encode()).hexdigest()
    return Message(
        box=queue.box,
        seq=sqs.sequence.next(now),
        id=new_id(),
        body=entry.message_body,
        attributes=content.pack(entry.message_attributes),
        sender=call.principal.id,
        sent=now,
        hidden_until=now + delay if delay else 0.0,
        first_received=None,
        receive_count=0,
        group=entry.message_group_id,
        deduplication=deduplication,
        trace=trace or call.trace or None,
        source_arn=None,
    )


async def _put(sqs: Sqs, queue: Queue, messages: list[Message]) -> list[Sent]:
    """Make messages durable and wake receivers; one after the other, so that each wakes one of them."""
    now = sqs.clock.now()
    if queue.fifo:
        sent = await sqs.lanes.add(messages, queue.settings.scope(now), now)
    else:
        await sqs.messages.add(messages)
        sent = [Sent(message.id, message.seq, repeated=False) for message in messages]
    for message, answer in zip(messages, sent, strict=True):
        if not answer.repeated:
            sqs.announce(queue.box, message.hidden_until, now)
    return sent


def _md5(
    attributes: dict[str, api.MessageAttributeValue] | dict[str, api.MessageSystemAttributeValue] | None,
) -> str | None:
    return content.md5_of_attributes(attributes) if attributes else None

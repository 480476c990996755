"""ReceiveMessage."""

from __future__ import annotations

from cumulet.api import sqs as api
from cumulet.kernel.call import Call
from cumulet.kernel.service import prompt
from cumulet.services.sqs import content
from cumulet.services.sqs.errors import invalid
from cumulet.services.sqs.lanes import Dead, Rules
from cumulet.services.sqs.model import (
    LONGEST_VISIBILITY,
    LONGEST_WAIT,
    MOST_ENTRIES,
    MOST_IN_BULK,
    Message,
    Queue,
    milliseconds,
)
from cumulet.services.sqs.receipt import Receipt
from cumulet.services.sqs.state import Sqs

_SYSTEM_ATTRIBUTES = frozenset(
    (
        "AWSTraceHeader",
        "ApproximateFirstReceiveTimestamp",
        "ApproximateReceiveCount",
        "DeadLetterQueueSourceArn",
        "MessageDeduplicationId",
        "MessageGroupId",
        "SenderId",
        "SentTimestamp",
        "SequenceNumber",
    )
)

Given = list[tuple[Message, float]]
"""Messages, each with the time it was received."""


@prompt
async def receive_message(sqs: Sqs, call: Call, request: api.ReceiveMessageRequest) -> api.ReceiveMessageResult:
    queue = sqs.known(call, request.queue_url) or await sqs.queue(call, request.queue_url)
    limit = _limit(request, MOST_IN_BULK if call.bulk else MOST_ENTRIES)
    visibility = _visibility(queue, request)
    wait = _wait(queue, request)
    system = _system_names(request)
    attempt = _attempt(queue, request)
    given: Given = []
    if attempt:
        now = sqs.clock.now()
        given = await sqs.lanes.attempt(queue.box, attempt, now, now + visibility)
    if not given:
        given = await _receive(sqs, queue, limit, visibility, wait, lasting=call.bulk)
        if given and attempt:
            await sqs.lanes.keep_attempt(queue.box, attempt, [message for message, _ in given], given[0][1])
    names = request.message_attribute_names
    messages = [_to_wire(queue, message, received, system, names) for message, received in given]
    return api.ReceiveMessageResult(messages=messages or None)


def _limit(request: api.ReceiveMessageRequest, most: int) -> int:
    limit = 1 if request.max_number_of_messages is None else request.max_number_of_messages
    if not 1 <= limit <= most:
        raise invalid("MaxNumberOfMessages", limit, f"Must be between 1 and {most}, if provided.")
    return limit


def _visibility(queue: Queue, request: api.ReceiveMessageRequest) -> int:
    seconds = queue.settings.visibility if request.visibility_timeout is None else request.visibility_timeout
    if not 0 <= seconds <= LONGEST_VISIBILITY:
        raise invalid("VisibilityTimeout", seconds, f"Must be >= 0 and <= {LONGEST_VISIBILITY}, if provided.")
    return seconds


def _wait(queue: Queue, request: api.ReceiveMessageRequest) -> int:
    seconds = queue.settings.wait if request.wait_time_seconds is None else request.wait_time_seconds
    if not 0 <= seconds <= LONGEST_WAIT:
        raise invalid("WaitTimeSeconds", seconds, f"Must be >= 0 and <= {LONGEST_WAIT}, if provided.")
    return seconds


def _attempt(queue: Queue, request: api.ReceiveMessageRequest) -> str | None:
    attempt = request.receive_request_attempt_id
    if attempt is None:
        return None
    content.check_token("ReceiveRequestAttemptId", attempt)
    if not queue.fifo:
        reason = "The request include parameter that is not valid for this queue type."
        raise invalid("ReceiveRequestAttemptId", attempt, reason)
    return attempt


def _system_names(request: api.ReceiveMessageRequest) -> frozenset[str]:
    """The system attributes asked for; AttributeNames is the older name of MessageSystemAttributeNames."""
    names = (request.message_system_attribute_names or []) + (request.attribute_names or [])
    for name in names:
        if name not in _SYSTEM_ATTRIBUTES and name != "All":
            raise api.InvalidAttributeName(f"Unknown Attribute {name}.")
    return _SYSTEM_ATTRIBUTES if "All" in names else frozenset(names)


async def _receive(sqs: Sqs, queue: Queue, limit: int, visibility: int, wait: int, *, lasting: bool) -> Given:
    """Take messages now, or as soon as there are any within `wait` seconds.

    Once the node winds down nobody waits, but who is `lasting`: an event source, which would ask again and again until it is stopped.
    """
    deadline = sqs.clock.now() + wait
    # A standard queue is taken from without looking first: mostly there is something. (A FIFO box would be written to.)
    given = await _take(sqs, queue, limit, visibility, look=queue.fifo, short=not wait)
    if given or not wait:
        return given
    place = sqs.arrivals.join(queue.box)
    try:
        while lasting or not sqs.arrivals.winding_down:
            if given := await _take(sqs, queue, limit, visibility):
                return given
            until = deadline
            if place.first:
                due = await (sqs.lanes if queue.fifo else sqs.messages).next_due(queue.box, sqs.clock.now())
                until = deadline if due is None else min(deadline, due)
            await place.wait(until)
            if sqs.clock.now() >= deadline:
                return await _take(sqs, queue, limit, visibility)
        return []
    finally:
        place.leave()


async def _take(
    sqs: Sqs, queue: Queue, limit: int, visibility: int, *, look: bool = True, short: bool = False
) -> Given:
    now = sqs.clock.now()
    store = sqs.lanes if queue.fifo else sqs.messages
    if look and not await store.any_visible(queue.box, now):
        return []
    room = sqs.in_flight.allowance(queue.box)
    if room <= 0:
        room = await sqs.in_flight.room(queue.box, now)
    if room <= 0:
        if short and not queue.fifo:
            raise api.OverLimit("Too many messages are in flight for this queue. Delete messages, then receive more.")
        return []
    limit = min(limit, room)
    rules = Rules(now, now + visibility, now - queue.settings.retention, queue.settings.max_receive_count)
    dead = await _dead_letters(sqs, queue) if queue.settings.dead_letter_arn else None
    taken = await (_take_fifo if queue.fifo else _take_standard)(sqs, queue, limit, rules, dead)
    if taken:
        sqs.in_flight.took(queue.box, len(taken))
        sqs.announce(queue.box, rules.hidden_until, now)
    return [(message, now) for message in taken]


async def _dead_letters(sqs: Sqs, queue: Queue) -> Dead | None:
    """Where messages go that were received too often; nowhere while that queue is not there."""
    target = await sqs.queue_by_arn(queue.settings.dead_letter_arn)
    return Dead(target.box, queue.arn) if target else None


async def _take_fifo(sqs: Sqs, queue: Queue, limit: int, rules: Rules, dead: Dead | None) -> list[Message]:
    while True:
        taken = await sqs.lanes.take(queue.box, limit, rules, dead)
        if dead is not None and taken.dead:
            sqs.announce(dead.box, 0.0, rules.now)
        if taken.messages or not taken.dead:
            return taken.messages


async def _take_standard(sqs: Sqs, queue: Queue, limit: int, rules: Rules, dead: Dead | None) -> list[Message]:
    """Take until there are enough or no more. What turns out expired or dead is put away, which is rare, one by one:
    a crash between leaves such a message hidden, and the next receive after its timeout puts it away."""
    given: list[Message] = []
    while len(given) < limit:
        wanted = limit - len(given)
        taken = await sqs.messages.take(queue.box, wanted, rules.now, rules.hidden_until)
        for message in taken:
            if message.sent <= rules.oldest:
                await sqs.messages.discard(message)
            elif dead is not None and message.receive_count > rules.most:
                await sqs.messages.move(message, dead.box, dead.source_arn)
                sqs.announce(dead.box, 0.0, rules.now)
            else:
                given.append(message)
        if len(taken) < wanted or len(given) == limit or rules.hidden_until <= rules.now:
            break
    return given


def _to_wire(
    queue: Queue, message: Message, received: float, system: frozenset[str], names: list[str] | None
) -> api.Message:
    attributes = content.select(content.unpack(message.attributes), names) if names and message.attributes else None
    return api.Message(
        message_id=message.id,
        receipt_handle=Receipt(queue.id, message.box, message.seq, message.receive_count, received).handle(),
        md5_of_body=content.md5(message.body),
        body=message.body,
        attributes=_system_attributes(queue, message, system) or None if system else None,
        md5_of_message_attributes=content.md5_of_attributes(attributes) if attributes else None,
        message_attributes=attributes or None,
    )


def _system_attributes(queue: Queue, message: Message, wanted: frozenset[str]) -> dict[str, str]:
    values = {
        "AWSTraceHeader": message.trace,
        "ApproximateFirstReceiveTimestamp": milliseconds(message.first_received or 0.0),
        "ApproximateReceiveCount": str(message.receive_count),
        "DeadLetterQueueSourceArn": message.source_arn,
        "MessageDeduplicationId": message.deduplication,
        "MessageGroupId": message.group,
        "SenderId": message.sender,
        "SentTimestamp": milliseconds(message.sent),
        "SequenceNumber": message.sequence_number if queue.fifo else None,
    }
    if wanted is _SYSTEM_ATTRIBUTES:
        return {name: value for name, value in values.items() if value is not None}
    return {name: value for name, value in values.items() if value is not None and name in wanted}

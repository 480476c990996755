"""Operations on queues."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import sqs as api
from cumulet.kernel.call import Call
from cumulet.kernel.service import prompt
from cumulet.services.sqs import attributes, paging, permissions, redrive, tags
from cumulet.services.sqs.errors import NoSuchQueue
from cumulet.services.sqs.model import Queue, Settings, check_name, queue_url, seconds
from cumulet.services.sqs.state import Sqs, new_number
from cumulet.services.sqs.store import Record

_PURGE_SECONDS = 60.0


async def create_queue(sqs: Sqs, call: Call, request: api.CreateQueueRequest) -> api.CreateQueueResult:
    given = request.attributes or {}
    now = sqs.clock.now()
    fifo = _wants_fifo(request)
    check_name(request.queue_name, fifo)
    settings = attributes.apply(Settings(fifo=fifo), given, now, new=True)
    policy = permissions.check(given.get(attributes.POLICY, ""))
    tags.check(request.queue_name, request.tags or {})
    existing = await sqs.queues.find(call.account, call.region, request.queue_name)
    if existing is None:
        queue = Queue(new_number(), new_number(), call.account, call.region, request.queue_name, now, now, settings)
        await _check_redrive(sqs, queue, settings, given)
        added, existing = await sqs.queues.add(queue, policy, request.tags or {}, now - sqs.rename_seconds)
        if added:
            sqs.directory.changed(queue)
            return api.CreateQueueResult(queue_url=queue_url(call, queue))
    if existing is None:
        raise api.QueueDeletedRecently(
            "You must wait 60 seconds after deleting a queue before you can create another with the same name."
        )
    await _check_same(sqs, existing, settings, policy, request)
    return api.CreateQueueResult(queue_url=queue_url(call, existing))


def _wants_fifo(request: api.CreateQueueRequest) -> bool:
    """FifoQueue may be given as true only: a standard queue is one that does not mention it."""
    text = (request.attributes or {}).get("FifoQueue")
    if text is not None and text.lower() != "true":
        raise api.InvalidAttributeName("Unknown Attribute FifoQueue.")
    return text is not None


async def _check_same(
    sqs: Sqs, existing: Queue, wanted: Settings, policy: str, request: api.CreateQueueRequest
) -> None:
    """Creating a queue again is fine as long as nothing given differs."""
    given = request.attributes or {}
    different = attributes.first_difference(existing.settings, wanted, given)
    if different is None and policy and policy != await sqs.queues.policy(existing):
        different = attributes.POLICY
    if different is not None:
        raise api.QueueNameExists(
            f"A queue already exists with the same name and a different value for attribute {different}"
        )


async def _check_redrive(sqs: Sqs, queue: Queue, settings: Settings, given: dict[str, str]) -> None:
    if given.get("RedrivePolicy"):
        target = await sqs.queue_by_arn(settings.dead_letter_arn)
        if target is None and settings.dead_letter_arn == queue.arn:
            target = queue
        redrive.check_target(queue.arn, queue.fifo, settings.redrive_policy, target)


@prompt
async def get_queue_url(sqs: Sqs, call: Call, request: api.GetQueueUrlRequest) -> api.GetQueueUrlResult:
    account = request.queue_owner_aws_account_id or call.account
    queue = await sqs.queues.find(account, call.region, request.queue_name)
    if queue is None:
        raise NoSuchQueue
    return api.GetQueueUrlResult(queue_url=queue_url(call, queue))


async def list_queues(sqs: Sqs, call: Call, request: api.ListQueuesRequest) -> api.ListQueuesResult:
    limit = paging.limit(request.max_results)
    after = paging.name_in(request.next_token)
    found = await sqs.queues.named(call.account, call.region, request.queue_name_prefix or "", after, limit + 1)
    urls, token = paging.page(call, found, limit, paged=request.max_results is not None)
    return api.ListQueuesResult(queue_urls=urls or None, next_token=token)


async def list_dead_letter_source_queues(
    sqs: Sqs, call: Call, request: api.ListDeadLetterSourceQueuesRequest
) -> api.ListDeadLetterSourceQueuesResult:
    queue = await sqs.queue(call, request.queue_url)
    limit = paging.limit(request.max_results)
    found = await sqs.queues.sources(queue.arn, paging.name_in(request.next_token), limit + 1)
    urls, token = paging.page(call, found, limit, paged=request.max_results is not None)
    return api.ListDeadLetterSourceQueuesResult(queue_urls=urls, next_token=token)


@prompt
async def get_queue_attributes(
    sqs: Sqs, call: Call, request: api.GetQueueAttributesRequest
) -> api.GetQueueAttributesResult:
    queue = await sqs.queue(call, request.queue_url)
    names = request.attribute_names or []
    attributes.check_names(names)
    if not names:
        return api.GetQueueAttributesResult()
    wanted = attributes.NAMES if "All" in names else frozenset(names)
    values = attributes.render(queue.settings)
    values |= {
        "QueueArn": queue.arn,
        "CreatedTimestamp": seconds(queue.created),
        "LastModifiedTimestamp": seconds(queue.modified),
    }
    if attributes.POLICY in wanted and (policy := await sqs.queues.policy(queue)):
        values[attributes.POLICY] = policy
    if any(name.startswith("Approximate") for name in wanted):
        values |= await _approximations(sqs, queue)
    shown = {name: value for name, value in values.items() if name in wanted}
    return api.GetQueueAttributesResult(attributes=shown or None)


async def _approximations(sqs: Sqs, queue: Queue) -> dict[str, str]:
    now = sqs.clock.now()
    visible, delayed, in_flight = await sqs.approximations.of(queue.box, now, now - queue.settings.retention)
    return {
        "ApproximateNumberOfMessages": str(visible),
        "ApproximateNumberOfMessagesDelayed": str(delayed),
        "ApproximateNumberOfMessagesNotVisible": str(in_flight),
    }


async def set_queue_attributes(sqs: Sqs, call: Call, request: api.SetQueueAttributesRequest) -> None:
    queue = await sqs.queue(call, request.queue_url)
    now, given = sqs.clock.now(), request.attributes
    await _check_redrive(sqs, queue, attributes.apply(queue.settings, given, now), given)
    policy = given.get(attributes.POLICY)

    def change(record: Record) -> Record:
        changed = replace(record, settings=attributes.apply(record.settings, given, now))
        return changed if policy is None else replace(changed, policy=permissions.check(policy))

    await sqs.queues.edit(queue, change, now)
    sqs.directory.changed(queue)
    sqs.announce(queue.box, now, now)


async def delete_queue(sqs: Sqs, call: Call, request: api.DeleteQueueRequest) -> None:
    queue = await sqs.queue(call, request.queue_url)
    await sqs.queues.remove(queue, sqs.clock.now())
    sqs.directory.changed(queue)
    sqs.in_flight.forget(queue.box)
    sqs.sweeper.wake()


async def purge_queue(sqs: Sqs, call: Call, request: api.PurgeQueueRequest) -> None:
    queue = await sqs.queue(call, request.queue_url)
    now = sqs.clock.now()
    if not await sqs.queues.purge(queue, new_number(), now, now - _PURGE_SECONDS):
        raise api.PurgeQueueInProgress(f"Only one PurgeQueue operation on {queue.name} is allowed every 60 seconds.")
    sqs.directory.changed(queue)
    sqs.in_flight.forget(queue.box)
    sqs.sweeper.wake()

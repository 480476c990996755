"""Subscription filters: matching events go on to a Lambda function, durably, in the form AWS documents.

docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

import msgspec
from msgspec import Struct

from cumulet.api import logs as api
from cumulet.api.lambda_ import InvocationRequest
from cumulet.delivery import deliver
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError, NotImplementedHere
from cumulet.kernel.ids import new_id
from cumulet.services.logs.event_store import Follow, Target
from cumulet.services.logs.model import Event, Position, decode_page, encode_page
from cumulet.services.logs.pattern import compile_pattern
from cumulet.services.logs.search import checked_pattern
from cumulet.services.logs.state import Logs
from cumulet.services.logs.subscription_store import Subscription
from cumulet.storage.database import Transaction
from cumulet.storage.outbox import Event as Outgoing

KIND = "logs subscription"
_MOST = 2
_PAGE = 50
# Messages compress; what does not still fits into an asynchronous invocation.
_BYTES_A_DELIVERY = 150_000


class Delivery(Struct, frozen=True):
    """A row of the outbox: `data` is AWS's document, compressed."""

    account: str
    region: str
    group: str
    destination: str
    endpoint: str
    data: bytes


async def put_subscription_filter(logs: Logs, call: Call, request: api.PutSubscriptionFilterRequest) -> None:
    checked_pattern(request.filter_pattern)
    target = _destination(call, request)
    group = await logs.group(call, request.log_group_name)
    await _check_invocable(logs, call, group.arn, target)
    subscription = Subscription(
        name=request.filter_name,
        pattern=request.filter_pattern,
        destination=request.destination_arn,
        distribution=request.distribution or "ByLogStream",
        created=logs.now(),
    )
    if not await logs.subscriptions.put(group, subscription, _MOST):
        raise api.LimitExceededException("Resource limit exceeded.")


async def describe_subscription_filters(
    logs: Logs, call: Call, request: api.DescribeSubscriptionFiltersRequest
) -> api.DescribeSubscriptionFiltersResponse:
    group = await logs.group(call, request.log_group_name)
    after = decode_page(request.next_token, str) if request.next_token else ""
    found = [one for one in await logs.subscriptions.of(group.id, request.filter_name_prefix or "") if one.name > after]
    limit = request.limit or _PAGE
    return api.DescribeSubscriptionFiltersResponse(
        subscription_filters=[_to_wire(group.name, one) for one in found[:limit]],
        next_token=encode_page(found[limit - 1].name) if len(found) > limit else None,
    )


async def delete_subscription_filter(logs: Logs, call: Call, request: api.DeleteSubscriptionFilterRequest) -> None:
    group = await logs.group(call, request.log_group_name)
    if not await logs.subscriptions.remove(group, request.filter_name):
        raise api.ResourceNotFoundException("The specified subscription filter does not exist.")


def follower(
    logs: Logs, call: Call, request: api.PutLogEventsRequest, target: Target, events: list[api.InputLogEvent]
) -> Follow:
    """Puts what the group's subscriptions match into the outbox, in the transaction that stores the events."""

    async def follow(tx: Transaction, first: int) -> None:
        for subscription in await logs.subscriptions.of(target.group):
            matches = compile_pattern(subscription.pattern).matches
            hits = [
                Event(Position(event.timestamp, target.stream, first + number), "", 0, event.message)
                for number, event in enumerate(events)
                if matches(event.message)
            ]
            for part in _parts(hits):
                delivery = Delivery(
                    account=call.account,
                    region=call.region,
                    group=request.log_group_name,
                    destination=subscription.destination,
                    endpoint=call.endpoint,
                    data=_document(call, request, subscription, part),
                )
                await logs.outbox.add(tx, KIND, msgspec.msgpack.encode(delivery))

    return follow


async def hand_on(logs: Logs, outgoing: Outgoing) -> None:
    """Deliver a row of the outbox. A function that is gone or closed has lost its events, as on AWS."""
    delivery = msgspec.msgpack.decode(outgoing.payload, type=Delivery)
    event = msgspec.json.encode({"awslogs": {"data": base64.b64encode(delivery.data).decode()}})
    call = _as_logs(delivery.account, delivery.region, delivery.group, delivery.endpoint)
    try:
        await deliver(logs.calls, call, Arn.parse(delivery.destination), event)
    except AwsError as error:
        if error.status >= 500 or error.status == 429:
            raise


def _destination(call: Call, request: api.PutSubscriptionFilterRequest) -> Arn:
    try:
        target = Arn.parse(request.destination_arn)
    except ValueError as error:
        raise api.InvalidParameterException(
            "PutSubscriptionFilter operation cannot work with this destinationArn."
        ) from error
    if target.service != "lambda":
        if request.role_arn is None and target.service in ("kinesis", "firehose"):
            raise api.InvalidParameterException(
                f"destinationArn for vendor {target.service} cannot be used without roleArn"
            )
        raise NotImplementedHere(f"Subscriptions cannot deliver to {target.service} in Cumulet yet.")
    if target.account != call.account:
        raise api.AccessDeniedException(
            "Cross-account lambda invocation passing is not allowed. "
            "You must use DestinationPolicies to create cross account lambda triggers."
        )
    return target


async def _check_invocable(logs: Logs, call: Call, group_arn: str, target: Arn) -> None:
    test = InvocationRequest(function_name=str(target), invocation_type="DryRun")
    group = group_arn.partition(":log-group:")[2]
    try:
        await logs.calls.run(_as_logs(call.account, call.region, group, call.endpoint), "lambda", "Invoke", test)
    except AwsError as error:
        if error.status >= 500:
            raise
        raise api.InvalidParameterException(
            "Could not execute the lambda function. "
            "Make sure you have given CloudWatch Logs permission to execute your function."
        ) from error


def _as_logs(account: str, region: str, group: str, endpoint: str) -> Call:
    return Call(
        account=account,
        region=region,
        principal=Principal.service(f"logs.{region}.amazonaws.com", account),
        request_id=new_id(),
        endpoint=endpoint,
        source_arn=f"arn:aws:logs:{region}:{account}:log-group:{group}:*",
    )


def _parts(events: list[Event]) -> Iterator[list[Event]]:
    part: list[Event] = []
    size = 0
    for event in events:
        size += len(event.message.encode())
        if part and size > _BYTES_A_DELIVERY:
            yield part
            part, size = [], len(event.message.encode())
        part.append(event)
    if part:
        yield part


def _document(call: Call, request: api.PutLogEventsRequest, subscription: Subscription, events: list[Event]) -> bytes:
    import gzip  # noqa: PLC0415  loaded with the first subscription that has something to say

    document = {
        "messageType": "DATA_MESSAGE",
        "owner": call.account,
        "logGroup": request.log_group_name,
        "logStream": request.log_stream_name,
        "subscriptionFilters": [subscription.name],
        "logEvents": [{"id": event.id, "timestamp": event.position.time, "message": event.message} for event in events],
    }
    return gzip.compress(msgspec.json.encode(document), 1, mtime=0)


def _to_wire(group: str, subscription: Subscription) -> api.SubscriptionFilter:
    return api.SubscriptionFilter(
        filter_name=subscription.name,
        log_group_name=group,
        filter_pattern=subscription.pattern,
        destination_arn=subscription.destination,
        distribution=subscription.distribution,
        apply_on_transformed_logs=False,
        creation_time=subscription.created,
    )

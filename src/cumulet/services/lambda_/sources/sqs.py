"""SQS queues as sources.

https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import sqs as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.errors import AwsError
from cumulet.kernel.queues import OPERATION, ReturnMessages
from cumulet.services.lambda_.errors import invalid
from cumulet.services.lambda_.sources.filters import opened
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.sources.port import Item, SourceGone

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode

_REMOVED = 400
"""Messages that DeleteMessageBatch takes of a call in bulk."""
_ATTRIBUTES = (
    "ApproximateReceiveCount",
    "AWSTraceHeader",
    "SentTimestamp",
    "SequenceNumber",
    "MessageGroupId",
    "SenderId",
    "MessageDeduplicationId",
    "ApproximateFirstReceiveTimestamp",
    "DeadLetterQueueSourceArn",
)
"""In the order in which AWS's events have them."""
_FRESH = 300.0
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})


class _Attribute(Struct, rename="camel"):
    """A message attribute in an event."""

    string_value: str | msgspec.UnsetType = msgspec.UNSET
    binary_value: bytes | msgspec.UnsetType = msgspec.UNSET
    string_list_values: list[str] = []
    binary_list_values: list[str] = []
    data_type: str = ""


class _Record(Struct):
    """One element of Records, in AWS's order."""

    message_id: str = msgspec.field(name="messageId")
    receipt_handle: str = msgspec.field(name="receiptHandle")
    body: str
    attributes: dict[str, str]
    message_attributes: dict[str, _Attribute] = msgspec.field(name="messageAttributes")
    md5_of_message_attributes: str | msgspec.UnsetType | None = msgspec.field(name="md5OfMessageAttributes")
    md5_of_body: str = msgspec.field(name="md5OfBody")
    source: str = msgspec.field(name="eventSource")
    source_arn: str = msgspec.field(name="eventSourceARN")
    region: str = msgspec.field(name="awsRegion")


class SqsSource:
    """A queue, read with the permissions of the function's execution role.

    `as_role` gives a call as that role.
    """

    def __init__(self, mapping: Mapping, calls: Calls, clock: Clock, as_role: Callable[[], Awaitable[Call]]) -> None:
        self._arn = Arn.parse(mapping.source)
        self._source = mapping.source
        self._calls = calls
        self._as_role = as_role
        self._clock = clock
        self._visibility = 0
        self._looked = 0.0
        self._no_md5 = None if mapping.configuration.maximum_batching_window_in_seconds else msgspec.UNSET

    async def receive(self, limit: int, patience: int) -> Sequence[Item]:
        request = api.ReceiveMessageRequest(
            queue_url="",
            max_number_of_messages=limit,
            wait_time_seconds=patience,
            message_attribute_names=["All"],
            message_system_attribute_names=["All"],
        )
        answer: api.ReceiveMessageResult = await self._run("ReceiveMessage", request)
        if not answer.messages:
            return ()
        until = self._clock.now() + await self._hidden()
        return [self._item(message, until) for message in answer.messages]

    async def remove(self, items: Sequence[Item]) -> None:
        for start in range(0, len(items), _REMOVED):
            entries = [
                api.DeleteMessageBatchRequestEntry(id=str(place), receipt_handle=item.handle)
                for place, item in enumerate(items[start : start + _REMOVED])
            ]
            answer = await self._run("DeleteMessageBatch", api.DeleteMessageBatchRequest(queue_url="", entries=entries))
            for failure in answer.failed or ():
                log.warning("a message of %s could not be deleted and comes again: %s", self._source, failure.message)

    async def give_back(self, items: Sequence[Item]) -> None:
        for start in range(0, len(items), _REMOVED):
            handles = [item.handle for item in items[start : start + _REMOVED]]
            await self._run(OPERATION, ReturnMessages(queue_url="", receipt_handles=handles))

    def view(self, item: Item) -> Any:
        record = msgspec.json.decode(item.record)
        record["body"] = opened(record["body"])
        return record

    async def _hidden(self) -> int:
        """For how many seconds messages stay hidden, as it was within the last minutes."""
        now = self._clock.now()
        if now >= self._looked + _FRESH:
            call = replace(await self._as_role(), region=self._arn.region)
            url = f"{call.endpoint}/{self._arn.account}/{self._arn.resource}"
            self._visibility, self._looked = await visibility_of(self._calls, call, url), now
        return self._visibility

    async def _run(self, operation: str, request: Any) -> Any:
        try:
            call = await self._as_role()
            url = f"{call.endpoint}/{self._arn.account}/{self._arn.resource}"
            there = replace(call, region=self._arn.region, bulk=True)
            return await self._calls.run(there, "sqs", operation, replace(request, queue_url=url))
        except AwsError as error:
            if error.status < 500 and error.code != "OverLimit":
                raise SourceGone(error.message) from error
            raise

    def _item(self, message: api.Message, until: float) -> Item:
        given = message.attributes or {}
        attributes = {name: given[name] for name in _ATTRIBUTES if name in given}
        record = _Record(
            message_id=message.message_id or "",
            receipt_handle=message.receipt_handle or "",
            body=message.body or "",
            attributes=attributes,
            message_attributes={
                name: _Attribute(
                    string_value=msgspec.UNSET if value.string_value is None else value.string_value,
                    binary_value=msgspec.UNSET if value.binary_value is None else value.binary_value,
                    data_type=value.data_type,
                )
                for name, value in (message.message_attributes or {}).items()
            },
            md5_of_message_attributes=message.md5_of_message_attributes or self._no_md5,
            md5_of_body=message.md5_of_body or "",
            source="aws:sqs",
            source_arn=self._source,
            region=self._arn.region,
        )
        return Item(
            id=record.message_id,
            record=_encode(record),
            until=until,
            handle=record.receipt_handle,
            trace=attributes.get("AWSTraceHeader", ""),
        )


async def check_queue(calls: Calls, call: Call, source: str, longest: float) -> None:
    """Whether a function that runs `longest` seconds can read the queue as `call`'s principal.

    Raises InvalidParameterValueException: no such queue, a permission that is missing, a visibility that is too short.
    """
    arn = Arn.parse(source)
    url = f"{call.endpoint}/{arn.account}/{arn.resource}"
    there = replace(call, region=arn.region)
    # Requests that the service refuses for what they ask, after their sender's permissions were looked at: so
    # permissions are tried without a message being received or deleted.
    tries: list[tuple[str, Any]] = [
        ("ReceiveMessage", api.ReceiveMessageRequest(queue_url=url, max_number_of_messages=0)),
        ("DeleteMessageBatch", api.DeleteMessageBatchRequest(queue_url=url, entries=[])),
    ]
    for operation, request in tries:
        try:
            await calls.run(there, "sqs", operation, request)
        except AwsError as error:
            _refuse(operation, error)
    try:
        visibility = await visibility_of(calls, there, url)
    except AwsError as error:
        _refuse("GetQueueAttributes", error)
        raise
    if visibility < longest:
        raise invalid(
            f"Queue visibility timeout: {visibility} seconds is less than Function timeout: {int(longest)} seconds"
        )


async def visibility_of(calls: Calls, call: Call, url: str) -> int:
    """The queue's visibility timeout in seconds; raises AwsError."""
    request = api.GetQueueAttributesRequest(queue_url=url, attribute_names=["VisibilityTimeout"])
    answer: api.GetQueueAttributesResult = await calls.run(call, "sqs", "GetQueueAttributes", request)
    return int((answer.attributes or {}).get("VisibilityTimeout", "30"))


def _refuse(operation: str, error: AwsError) -> None:
    if error.code in _DENIED:
        action = operation.removesuffix("Batch")
        raise invalid(f"The function execution role does not have permissions to call {action} on SQS") from error
    if isinstance(error, api.QueueDoesNotExist):
        raise invalid(
            f"Error occurred while {operation}. SQS Error Code: {error.query_code or error.code}. "
            "SQS Error Message: The specified queue does not exist."
        ) from error

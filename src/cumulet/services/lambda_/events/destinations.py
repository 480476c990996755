"""What becomes of an asynchronous invocation's end: records for its destinations, and the dead-letter queue.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import contextlib
import logging
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import Raw, Struct

from cumulet import delivery
from cumulet.api.sqs import MessageAttributeValue, SendMessageRequest
from cumulet.compute import Outcome
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.services.lambda_.events.configs import EventConfig
from cumulet.services.lambda_.events.queue import Event
from cumulet.services.lambda_.model import iso
from cumulet.services.lambda_.names import LATEST, FunctionKey
from cumulet.services.lambda_.state import Lambda
from cumulet.services.lambda_.targets import Target
from cumulet.storage import outbox

log = logging.getLogger(__name__)

DESTINATION = "lambda:destination"
DEAD_LETTER = "lambda:dead-letter"
_MESSAGE = 1024
"""Characters of the error message that a dead letter carries."""


class Ending(NamedTuple):
    """How an event ended: AWS's word for it, how often the function ran, and what came of the last time.

    Of one that did not run in the end, `status` and `message` tell the refusal (0 where there was none either). `trace` is
    the chain that what is told of it continues.
    """

    condition: str
    attempts: int
    outcome: Outcome | None = None
    status: int = 0
    message: str = ""
    trace: str = ""


class Notice(Struct, frozen=True, kw_only=True):
    """A message to be handed on, as it waits in the outbox."""

    account: str
    region: str
    name: str
    target: str
    body: bytes
    principal: Principal
    request_id: str = ""
    error: str = ""
    code: int = 200
    trace: str = ""
    object: str = ""
    """What it is called where it becomes an object."""


async def announce(lambda_: Lambda, event: Event, target: Target | None, ending: Ending, config: EventConfig) -> None:
    """Remove the event and put its notices into the outbox, in one transaction."""
    succeeded = ending.condition == "Success"
    destination = config.on_success if succeeded else config.on_failure
    letters = None if succeeded or target is None else target.version.configuration.dead_letter_config
    if not succeeded and target is not None:
        lambda_.metrics.of(target, event.reference.qualifier).add("AsyncEventsDropped")
    if not destination and letters is None:
        await lambda_.events.remove(event)
        return
    principal = await _principal(lambda_, event, target)
    async with lambda_.db.transaction() as tx:
        await lambda_.events.remove(event, tx)
        if destination:
            body = record(event, target, ending, lambda_.clock.now())
            notice = _notice(event, principal, destination, body, ending)
            place = f"aws/lambda/async/{event.name}/{dated(lambda_.clock.now())}-{new_id()}"
            notice = msgspec.structs.replace(notice, object=place)
            await lambda_.outbox.add(tx, DESTINATION, _encode(notice))
        if letters is not None and letters.target_arn:
            notice = _notice(event, principal, letters.target_arn, event.payload, ending)
            await lambda_.outbox.add(tx, DEAD_LETTER, _encode(notice))


def record(event: Event, target: Target | None, ending: Ending, now: float) -> bytes:
    """The invocation record, version 1.0."""
    qualifier = event.qualifier or LATEST
    document: dict[str, Any] = {
        "version": "1.0",
        "timestamp": iso(now),
        "requestContext": {
            "requestId": event.request_id,
            "functionArn": f"{event.reference.key.arn}:{qualifier}",
            "condition": ending.condition,
            "approximateInvokeCount": ending.attempts,
        },
        "requestPayload": Raw(event.payload),
    }
    outcome = ending.outcome
    if outcome is not None:
        context: dict[str, Any] = {
            "statusCode": 200,
            "executedVersion": target.version.number if target else LATEST,
        }
        if outcome.error is not None:
            context["functionError"] = "Unhandled"
        document["responseContext"] = context
        document["responsePayload"] = _json(outcome.payload)
    elif ending.status:
        document["responseContext"] = {"statusCode": ending.status}
    return msgspec.json.encode(document)


class Notices:
    """Hands on what waits in the outbox."""

    def __init__(self, lambda_: Lambda) -> None:
        self._lambda = lambda_

    async def destination(self, event: outbox.Event) -> None:
        """Deliver a record; a target that refuses it for good gets none, and the log says so."""
        notice = _decode(event.payload)
        target, call = Arn.parse(notice.target), _call(notice)
        try:
            await delivery.deliver(self._lambda.calls, call, target, notice.body, name=notice.object)
        except AwsError as error:
            self._give_up(notice, error, "DestinationDeliveryFailures")

    async def dead_letter(self, event: outbox.Event) -> None:
        """Send the event itself to the dead-letter queue, with what went wrong as attributes."""
        notice = _decode(event.payload)
        target = Arn.parse(notice.target)
        try:
            if target.service == "sqs":
                await self._to_queue(notice, target)
            else:
                await delivery.deliver(self._lambda.calls, _call(notice), target, notice.body)
        except AwsError as error:
            self._give_up(notice, error, "DeadLetterErrors")

    async def _to_queue(self, notice: Notice, target: Arn) -> None:
        call = msgspec.structs.replace(_call(notice), account=target.account, region=target.region)
        attributes = {
            "RequestID": MessageAttributeValue(data_type="String", string_value=notice.request_id),
        }
        if notice.code:
            attributes["ErrorCode"] = MessageAttributeValue(data_type="Number", string_value=str(notice.code))
        if notice.error:
            attributes["ErrorMessage"] = MessageAttributeValue(data_type="String", string_value=notice.error[:_MESSAGE])
        request = SendMessageRequest(
            queue_url=f"{call.endpoint}/{target.account}/{target.resource}",
            message_body=notice.body.decode(),
            message_attributes=attributes,
        )
        await self._lambda.calls.run(call, "sqs", "SendMessage", request)

    def _give_up(self, notice: Notice, error: AwsError, metric: str) -> None:
        """Only what may pass (a fault of the platform, a throttle) is tried again."""
        if error.status in {429, 500, 503}:
            raise error
        log.warning("%s did not take a record of %s: %s", notice.target, notice.name, error.message)
        key = FunctionKey(notice.account, notice.region, notice.name)
        self._lambda.metrics.series(key, notice.name).add(metric)


def dated(when: float) -> str:
    """YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS: how objects with records begin to be called."""
    return f"{datetime.fromtimestamp(when, UTC):%Y/%m/%d/%Y-%m-%dT%H.%M.%S}"


async def _principal(lambda_: Lambda, event: Event, target: Target | None) -> Principal:
    """The execution role's session: it is the function that must be allowed to send to its destinations."""
    if target is not None:
        version = target.version
        role = version.configuration.role or ""
        with contextlib.suppress(AwsError):  # a role that is gone: nobody's permissions then
            return (await lambda_.credentials.get(target.key, version.deployment, role)).principal
    return Principal.service("lambda.amazonaws.com", event.account)


def _notice(event: Event, principal: Principal, target: str, body: bytes, ending: Ending) -> Notice:
    message = ending.message
    if ending.outcome is not None:
        document = _json(ending.outcome.payload)
        if isinstance(document, dict):
            message = str(document.get("errorMessage") or "")
    return Notice(
        account=event.account,
        region=event.region,
        name=event.name,
        target=target,
        body=body,
        principal=principal,
        request_id=event.request_id,
        error=message,
        code=200 if ending.outcome is not None else ending.status,
        trace=ending.trace,
    )


def _call(notice: Notice) -> Call:
    source = FunctionKey(notice.account, notice.region, notice.name).arn
    return Call(notice.account, notice.region, notice.principal, new_id(), source_arn=source, trace=notice.trace)


def _json(payload: bytes) -> Any:
    try:
        return msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return payload.decode(errors="replace")


_encode = msgspec.msgpack.encode


def _decode(payload: bytes) -> Notice:
    return msgspec.msgpack.decode(payload, type=Notice)

"""Event notifications: which are due, what their records say, and handing them on.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote_plus

import msgspec
from msgspec import Struct

from cumulet import delivery
from cumulet.api import s3 as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id, token
from cumulet.services.s3.model import Bucket, Stored, canonical_id
from cumulet.services.s3.state import S3
from cumulet.storage.database import Transaction
from cumulet.storage.outbox import Event

log = logging.getLogger(__name__)

KIND = "s3 notification"
_MOST_ATTEMPTS = 15
"""About 40 minutes: after that, a target that still refuses is taken for gone."""
PUT = "ObjectCreated:Put"
POST = "ObjectCreated:Post"
COPY = "ObjectCreated:Copy"
COMPLETE = "ObjectCreated:CompleteMultipartUpload"
DELETE = "ObjectRemoved:Delete"
MARKER = "ObjectRemoved:DeleteMarkerCreated"
TAGGED = "ObjectTagging:Put"
UNTAGGED = "ObjectTagging:Delete"
ACL = "ObjectAcl:Put"
RESTORE = "ObjectRestore:Post"
RESTORED = "ObjectRestore:Completed"
EXPIRED = "LifecycleExpiration:Delete"
EXPIRED_MARKER = "LifecycleExpiration:DeleteMarkerCreated"


class Notice(Struct, frozen=True):
    """One configuration that wants an event: its Id and the ARN of its target."""

    id: str
    target: str


class _Rule(Struct, frozen=True):
    notice: Notice
    events: tuple[str, ...]
    prefix: str
    suffix: str

    def wants(self, event: str, key: str) -> bool:
        return (
            key.startswith(self.prefix)
            and key.endswith(self.suffix)
            and any(one == event or (one.endswith("*") and event.startswith(one[:-1])) for one in self.events)
        )


class Delivery(Struct, frozen=True):
    """What the outbox holds of an event: everything its delivery needs."""

    target: str
    account: str
    region: str
    source: str
    endpoint: str
    body: msgspec.Raw
    trace: str = ""


def notices(bucket: Bucket, event: str, key: str) -> list[Notice]:
    """The configurations of the bucket that want `event` (without `s3:`) for `key`."""
    if ("notification", "") not in bucket.settings:
        return []
    rules = bucket.memo.get("notification rules")
    if rules is None:
        rules = bucket.memo["notification rules"] = _rules(bucket)
    return [rule.notice for rule in rules if rule.wants(event, key)]


def _rules(bucket: Bucket) -> list[_Rule]:
    config = bucket.setting("notification", api.NotificationConfiguration)
    rules = []
    for one, target in targets(config):
        filters = one.filter.key.filter_rules or [] if one.filter and one.filter.key else []
        values = {rule.name.lower(): rule.value or "" for rule in filters}
        wanted = tuple(event.removeprefix("s3:") for event in one.events)
        rules.append(_Rule(Notice(one.id, target), wanted, values.get("prefix", ""), values.get("suffix", "")))
    return rules


def targets(config: api.NotificationConfiguration) -> list[tuple[Any, str]]:
    """Every configuration with the ARN of its target."""
    return [
        *((one, one.queue_arn) for one in config.queue_configurations or []),
        *((one, one.lambda_function_arn) for one in config.lambda_function_configurations or []),
        *((one, one.topic_arn) for one in config.topic_configurations or []),
    ]


async def add(s3: S3, tx: Transaction, call: Call, bucket: Bucket, event: str, row: Stored, due: list[Notice]) -> None:
    """Put the event into the outbox, once for each configuration that wants it."""
    for notice in due:
        body = msgspec.json.encode({"Records": [record(s3, call, bucket, event, row, notice.id)]})
        await send(s3, tx, call, bucket, notice.target, body)


async def send(s3: S3, tx: Transaction, call: Call, bucket: Bucket, target: str, body: bytes) -> None:
    """Have `body` delivered to `target` in the bucket's name, once the transaction is durable."""
    entry = Delivery(target, bucket.account, bucket.region, bucket.arn, call.endpoint, msgspec.Raw(body), call.trace)
    await s3.outbox.add(tx, KIND, msgspec.json.encode(entry))


def record(s3: S3, call: Call, bucket: Bucket, event: str, row: Stored, config_id: str) -> dict[str, Any]:
    """An event record, version 2.1 (2.3 for the events that came with it)."""
    newer = event.startswith(("ObjectTagging", "ObjectAcl", "LifecycleExpiration"))
    return {
        "eventVersion": "2.3" if newer else "2.1",
        "eventSource": "aws:s3",
        "awsRegion": bucket.region,
        "eventTime": iso_millis(s3.clock.now()),
        "eventName": event,
        "userIdentity": {"principalId": _principal(call.principal)},
        "requestParameters": {"sourceIPAddress": call.source_ip},
        "responseElements": {"x-amz-request-id": call.request_id, "x-amz-id-2": token(38)},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": config_id,
            "bucket": {
                "name": bucket.name,
                "ownerIdentity": {"principalId": customer_id(bucket.account)},
                "arn": bucket.arn,
            },
            "object": _object(event, row),
        },
    }


def _object(event: str, row: Stored) -> dict[str, Any]:
    members: dict[str, Any] = {"key": quote_plus(row.key, safe="/")}
    if event.startswith(("ObjectCreated", "ObjectRestore")):
        members["size"] = row.size
    if not event.startswith(("ObjectRemoved:Delete", "LifecycleExpiration")):
        members["eTag"] = row.etag
    if event == MARKER:
        members["eTag"] = "d41d8cd98f00b204e9800998ecf8427e"
    if row.version != "null":
        members["versionId"] = row.version
    if not event.startswith(("ObjectTagging", "ObjectAcl")):
        members["sequencer"] = f"{row.order:018X}"
    return members


def _principal(principal: Principal) -> str:
    return principal.id if principal.kind == "service" else f"AWS:{principal.id}"


def customer_id(account: str) -> str:
    """The older id of an account that event records carry."""
    return "A" + canonical_id(account)[:13].upper()


def iso_millis(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{int(when * 1000) % 1000:03d}Z"


async def hand_on(s3: S3, event: Event) -> None:
    """The outbox's handler: deliver to the target. Raises what the target answers, so that it is tried again."""
    entry = msgspec.json.decode(event.payload, type=Delivery)
    call = Call(
        account=entry.account,
        region=entry.region,
        principal=Principal.service("s3.amazonaws.com", entry.account),
        request_id=new_id(),
        endpoint=entry.endpoint,
        source_arn=entry.source,
        trace=entry.trace,
    )
    try:
        await delivery.deliver(s3.calls, call, Arn.parse(entry.target), bytes(entry.body))
    except AwsError as refused:
        if event.attempts < _MOST_ATTEMPTS:
            refused.add_note(f"an event of {entry.source} for {entry.target}")
            raise
        log.error("an event of %s for %s is given up: %s", entry.source, entry.target, refused.message)  # noqa: TRY400  the target's words say it all

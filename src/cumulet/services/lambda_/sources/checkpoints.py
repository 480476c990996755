"""How far a mapping has read each shard, and what it gave up on the way; both in one transaction."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec
from msgspec import Struct

from cumulet.compute import Outcome
from cumulet.kernel.arn import Arn
from cumulet.services.lambda_.events.destinations import DESTINATION, Notice
from cumulet.services.lambda_.model import iso
from cumulet.services.lambda_.names import LATEST
from cumulet.services.lambda_.sources.calls import Invoker
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.sources.port import Record, ShardSource
from cumulet.services.lambda_.state import Lambda

RETRIES = "RetryAttemptsExhausted"
AGE = "RecordAgeExceeded"
OVERSIZE = "MaximumPayloadSizeExceeded"


class Checkpoint(Struct, frozen=True, kw_only=True):
    """Everything up to `position` (a sequence number) has been dealt with.

    `ended`: the shard is closed and read to its end. `window` is the start of the tumbling window that is open (seconds since
    1970), `state` what the function has made of it.
    """

    position: str | None = None
    ended: bool = False
    window: float | None = None
    state: dict[str, Any] = {}


class Discard(Struct, frozen=True, kw_only=True):
    """Records that were given up: why, after how many invocations, and how the last of them ended (None without any)."""

    shard: str
    records: Sequence[Record]
    condition: str
    attempts: int
    outcome: Outcome | None = None
    version: str = ""
    request_id: str = ""


class Ledger(Protocol):
    """Where checkpoints are kept."""

    async def load(self) -> dict[str, Checkpoint]:
        """What is known of each shard."""
        ...

    async def save(self, shard: str, checkpoint: Checkpoint, discard: Discard | None = None) -> None:
        """Durable when it returns; what was discarded is then certain to be told to the failure destination."""
        ...


_decode = msgspec.json.Decoder(Checkpoint).decode


class StoredLedger:
    """The ledger of one mapping in the node's database, and its failure destination."""

    def __init__(self, lambda_: Lambda, mapping: Mapping, source: ShardSource) -> None:
        self._lambda = lambda_
        self._mapping = mapping
        self._source = source

    async def load(self) -> dict[str, Checkpoint]:
        found = await self._lambda.sources.store.checkpoints(self._mapping.uuid)
        return {shard: _decode(document) for shard, document in found.items()}

    async def save(self, shard: str, checkpoint: Checkpoint, discard: Discard | None = None) -> None:
        notice = None if discard is None else await failure_notice(self._lambda, self._mapping, self._source, discard)
        async with self._lambda.db.transaction() as tx:
            document = msgspec.json.encode(checkpoint)
            await self._lambda.sources.store.checkpoint(self._mapping.uuid, shard, document, tx)
            if notice is not None:
                await self._lambda.outbox.add(tx, DESTINATION, msgspec.msgpack.encode(notice))


def whole_records(_: str, records: Sequence[Record]) -> Any:
    """The event of records, as a bucket gets it."""
    return {"Records": [msgspec.Raw(record.record) for record in records]}


async def failure_notice(
    lambda_: Lambda,
    mapping: Mapping,
    source: ShardSource,
    discard: Discard,
    whole: Callable[[str, Sequence[Record]], Any] = whole_records,
) -> Notice | None:
    """What the mapping's failure destination is to be told of records that were given up; None when it has none.

    `whole` is what a bucket gets of the records themselves.
    """
    target = mapping.failure_destination
    if not target:
        return None
    call = await Invoker.role_call(lambda_, mapping)
    name, info = source.batch_info(discard.shard, discard.records)
    payload = whole(discard.shard, discard.records) if Arn.parse(target).service == "s3" else None
    return Notice(
        account=mapping.account,
        region=mapping.region,
        name=mapping.name,
        target=target,
        body=failure_record(mapping, discard, name, info, lambda_.clock.now(), payload),
        principal=call.principal,
        request_id=discard.request_id,
    )


def failure_record(
    mapping: Mapping, discard: Discard, name: str, info: dict[str, Any], now: float, payload: Any = None
) -> bytes:
    """The document that a failure destination gets; `payload` is the records themselves, for those that get them.

    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    """
    document: dict[str, Any] = {
        "requestContext": {
            "requestId": discard.request_id,
            "functionArn": mapping.reference.arn,
            "condition": discard.condition,
            "approximateInvokeCount": discard.attempts,
        }
    }
    if discard.outcome is not None:
        document["responseContext"] = {
            "statusCode": 200,
            "executedVersion": discard.version or LATEST,
            "functionError": None if discard.outcome.error is None else "Unhandled",
        }
    document |= {"version": "1.0", "timestamp": iso(now), name: info}
    if payload is not None:
        document["payload"] = payload
    return msgspec.json.encode(document)

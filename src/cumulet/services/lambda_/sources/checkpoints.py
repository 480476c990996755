"""How far a mapping has read each shard, and what it gave up on the way; both in one transaction."""

from collections.abc import Sequence
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
        notice = None if discard is None else await self._notice(discard)
        async with self._lambda.db.transaction() as tx:
            document = msgspec.json.encode(checkpoint)
            await self._lambda.sources.store.checkpoint(self._mapping.uuid, shard, document, tx)
            if notice is not None:
                await self._lambda.outbox.add(tx, DESTINATION, msgspec.msgpack.encode(notice))

    async def _notice(self, discard: Discard) -> Notice | None:
        config = self._mapping.configuration.destination_config
        target = config.on_failure.destination if config is not None and config.on_failure is not None else None
        if not target:
            return None
        call = await Invoker.role_call(self._lambda, self._mapping)
        name, info = self._source.batch_info(discard.shard, discard.records)
        whole = Arn.parse(target).service == "s3"
        return Notice(
            account=self._mapping.account,
            region=self._mapping.region,
            name=self._mapping.name,
            target=target,
            body=failure_record(self._mapping, discard, name, info, self._lambda.clock.now(), whole=whole),
            principal=call.principal,
            request_id=discard.request_id,
        )


def failure_record(
    mapping: Mapping, discard: Discard, name: str, info: dict[str, Any], now: float, *, whole: bool
) -> bytes:
    """The document that a failure destination gets; `whole`: with the records themselves.

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
    if whole:
        document["payload"] = {"Records": [msgspec.Raw(record.record) for record in discard.records]}
    return msgspec.json.encode(document)

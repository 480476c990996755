"""Amazon Kinesis Data Streams: records in order, by shard, for a day or a year."""

from __future__ import annotations

from cumulet.api.kinesis import OPERATIONS
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.kinesis import (
    consumers,
    policies,
    putting,
    reading,
    settings,
    shards,
    streams,
    subscribing,
    tags,
)
from cumulet.services.kinesis.allowances import Allowed
from cumulet.services.kinesis.directory import Directory
from cumulet.services.kinesis.limits import Limits
from cumulet.services.kinesis.records import RecordStore
from cumulet.services.kinesis.state import Kinesis
from cumulet.services.kinesis.store import SCHEMA, AccountStore, ConsumerStore, StreamStore
from cumulet.services.kinesis.subscriptions import Subscriptions
from cumulet.services.kinesis.throttle import Throttle
from cumulet.services.kinesis.tokens import Tokens
from cumulet.services.kinesis.workers import Trimmer
from cumulet.storage.database import Database
from cumulet.storage.signals import Signals


def build(
    *, db: Database, signals: Signals, clock: Clock, tasks: Tasks, calls: Calls, secret: bytes, limits: Limits
) -> Service:
    """The service on a database of its own. `secret` is the node's key, with which iterators and tokens are sealed."""
    store, records = StreamStore(db), RecordStore(db)
    directory = Directory(store, records)
    kinesis = Kinesis(
        streams=store,
        consumers=ConsumerStore(db),
        accounts=AccountStore(db),
        records=records,
        directory=directory,
        subscriptions=Subscriptions(),
        throttle=Throttle(clock, on=bool(limits.throttling)),
        allowed=Allowed(),
        tokens=Tokens(secret),
        trimmer=Trimmer(store, records, directory, clock),
        calls=calls,
        clock=clock,
        signals=signals,
        limits=limits,
    )

    async def start() -> None:
        await db.migrate("kinesis", SCHEMA)
        tasks.start("trim kinesis", kinesis.trimmer.work())

    async def resource_policy(call: Call, arn: str) -> str | None:
        return await policies.policy_of(kinesis, arn)

    async def wind_down() -> None:
        kinesis.subscriptions.wind_down()

    modules = (streams, shards, settings, tags, policies, putting, reading, consumers, subscribing)
    operations = operations_in(OPERATIONS, *modules)
    return Service("kinesis", kinesis, operations, start, wind_down=wind_down, resource_policy=resource_policy)

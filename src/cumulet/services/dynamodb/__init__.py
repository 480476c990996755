"""Amazon DynamoDB: tables of items, found by their keys."""

from collections.abc import Callable

from msgspec import Struct

from cumulet.api.dynamodb import OPERATIONS
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.service import Service, operations_in
from cumulet.kernel.tasks import Tasks
from cumulet.services.dynamodb import (
    batches,
    global_settings,
    global_tables,
    insights,
    items,
    policies,
    reading,
    replicas,
    tables,
    tags,
    transactions,
    ttl,
    updates,
)
from cumulet.services.dynamodb.backups import exports, imports, operations, recovery, restores, transfers
from cumulet.services.dynamodb.backups import store as backups
from cumulet.services.dynamodb.bulk import model as bulk_model
from cumulet.services.dynamodb.bulk import operations as bulk
from cumulet.services.dynamodb.bulk import work as bulk_work
from cumulet.services.dynamodb.changes import Changes
from cumulet.services.dynamodb.condition_keys import keys_of
from cumulet.services.dynamodb.destinations import operations as destinations
from cumulet.services.dynamodb.destinations.outgoing import Outgoing
from cumulet.services.dynamodb.directory import Directory
from cumulet.services.dynamodb.expirer import Expirer
from cumulet.services.dynamodb.jobs import Jobs
from cumulet.services.dynamodb.key_ranges import KeyRanges
from cumulet.services.dynamodb.limits import Limits
from cumulet.services.dynamodb.partiql import operations as statements
from cumulet.services.dynamodb.partiql import several as several_statements
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.services.dynamodb.store import SCHEMA, TableStore
from cumulet.services.dynamodb.throughput import Meter
from cumulet.services.dynamodb.vectors import search
from cumulet.services.dynamodb.workers import Builder, Measurer, Sweeper
from cumulet.storage.database import Database
from cumulet.storage.signals import Signals

_MODULES = (
    *(tables, tags, ttl, policies, operations, recovery, restores, exports, imports, bulk, items, reading, batches),
    *(transactions, updates, global_tables, global_settings, insights, search, statements, several_statements),
    destinations,
)


def _meter(clock: Clock, limits: Limits) -> Meter:
    keys = KeyRanges(clock.now, limits.partition_read_units, limits.partition_write_units)
    return Meter(clock.now, limits.burst_seconds, keys)


def build(
    *, db: Database, signals: Signals, clock: Clock, tasks: Tasks, calls: Calls, limits: Limits | None = None
) -> Service:
    """The service on a database of its own."""
    limits = limits or Limits()
    store = TableStore(db)
    directory = Directory(store, signals)
    changes = Changes(db, clock, signals, limits.collection_bytes, Outgoing(db, clock, tasks, calls))
    dynamodb = DynamoDb(
        db=db,
        tables=store,
        directory=directory,
        clock=clock,
        signals=signals,
        tasks=tasks,
        calls=calls,
        sweeper=Sweeper(db, clock),
        builder=Builder(db, store, directory, tasks),
        measurer=Measurer(db, clock, tasks),
        changes=changes,
        expirer=Expirer(db, store, changes, clock),
        jobs=Jobs(db, clock, tasks),
        meter=_meter(clock, limits) if limits.throttling else None,
    )
    for each in (replicas, ttl, operations, restores, exports, imports, bulk_work):
        each.register(dynamodb)

    async def start() -> None:
        await db.migrate("dynamodb", SCHEMA)
        await dynamodb.changes.start()
        tasks.start("dynamodb sweeper", dynamodb.sweeper.work())
        tasks.start("dynamodb expirer", dynamodb.expirer.work())
        await dynamodb.builder.resume()
        await db.migrate("dynamodb_backups", backups.SCHEMA)
        await db.migrate("dynamodb_transfers", transfers.SCHEMA)
        await db.migrate("dynamodb_bulk", bulk_model.SCHEMA)
        await db.migrate("dynamodb_global", global_tables.SCHEMA)
        await dynamodb.jobs.resume()
        tasks.start("dynamodb history", recovery.trim(dynamodb))

    async def resource_policy(_: Call, arn: str) -> str | None:
        found = await policies.find(dynamodb.db, arn)
        return found[0] if found else None

    async def condition_keys(call: Call, arn: str, part: Struct) -> Callable[[str], tuple[str, ...] | None]:
        return await keys_of(dynamodb, call, arn, part)

    return Service(
        "dynamodb",
        dynamodb,
        operations_in(OPERATIONS, *_MODULES),
        start,
        resource_policy=resource_policy,
        condition_keys=condition_keys,
    )

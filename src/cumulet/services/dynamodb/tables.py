"""CreateTable, DescribeTable, ListTables and DeleteTable."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.kernel.service import prompt
from cumulet.services.dynamodb import accounts, global_tables, names, policies, replicas, schemas, store, tags
from cumulet.services.dynamodb.backups import operations
from cumulet.services.dynamodb.consistency import unsupported
from cumulet.services.dynamodb.descriptions import describe, describe_gone, rows_of
from cumulet.services.dynamodb.encryption import encryption_of
from cumulet.services.dynamodb.errors import in_use, invalid, invalid_values
from cumulet.services.dynamodb.model import (
    ACTIVE,
    CREATING,
    ON_DEMAND,
    PROVISIONED,
    Encryption,
    StreamSettings,
    Table,
)
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.database import Conflict

_MOST_TABLES = 2_500
_PAGE = 100
_INDEXES_IN_USE = (
    "Attempt to change a resource which is still in use: "
    "Cannot delete table while indexes are being created, updated, or deleted."
)


async def create_table(dynamodb: DynamoDb, call: Call, request: api.CreateTableInput) -> api.CreateTableOutput:
    names.check_new_name(request.table_name)
    account, region, name = names.place(call, request.table_name)
    if request.global_table_source_arn:
        await _check_room(dynamodb, account, region)
        return await accounts.create_replica(dynamodb, call, request)
    encryption = await encryption_of(dynamodb, call, (account, region, name), request.sse_specification)
    table, kept = new_table(dynamodb, request, (account, region, name), encryption), tags.checked(request.tags or [])
    await _check_room(dynamodb, account, region)
    if request.resource_policy:
        policies.check(request.resource_policy)
    try:
        async with dynamodb.db.transaction() as tx:
            table = replace(
                table,
                id=await store.next_id(tx),
                indexes=tuple([replace(index, id=await store.next_id(tx)) for index in table.indexes]),
                vectors=tuple([replace(index, id=await store.next_id(tx)) for index in table.vectors]),
            )
            await store.insert(tx, table, msgspec.json.encode(kept).decode())
            if request.resource_policy:
                await policies.put(tx, table, table.arn, request.resource_policy, new_id())
            if table.streams:
                await dynamodb.changes.open_stream(tx, table)
            tx.after_commit(lambda: dynamodb.directory.changed(table))
    except Conflict:
        raise api.ResourceInUseException(f"Table already exists: {name}") from None
    return api.CreateTableOutput(
        table_description=describe(table, {}, status=CREATING, warm=False, index_status=CREATING)
    )


async def _check_room(dynamodb: DynamoDb, account: str, region: str) -> None:
    if await dynamodb.tables.count(account, region) >= _MOST_TABLES:
        raise api.LimitExceededException(
            f"Subscriber limit exceeded: Subscriber can have at most {_MOST_TABLES} tables"
        )


def new_table(
    dynamodb: DynamoDb, request: api.CreateTableInput, place: names.Place, encryption: Encryption | None = None
) -> Table:
    schemas.check_capacity(request)
    definitions = schemas.definitions_of(request.attribute_definitions)
    key = schemas.table_key(request, definitions)
    indexes, vectors = schemas.indexes_of(request, key, definitions)
    now = dynamodb.clock.now()
    account, region, name = place
    on_demand = request.billing_mode == ON_DEMAND
    return Table(
        id=0,
        uuid=new_id(),
        account=account,
        region=region,
        name=name,
        created=now,
        key=key,
        definitions=definitions,
        indexes=tuple(indexes),
        vectors=tuple(vectors),
        billing=request.billing_mode or PROVISIONED,
        billing_shown=on_demand,
        billing_changed=now if on_demand else None,
        throughput=schemas.throughput(request.provisioned_throughput),
        on_demand=schemas.on_demand(request.on_demand_throughput),
        warm=schemas.warm(request.warm_throughput),
        table_class=request.table_class or "",
        protected=bool(request.deletion_protection_enabled),
        encryption=encryption,
        stream=stream_of(request.stream_specification, now),
        shared=request.global_table_settings_replication_mode == accounts.ENABLED,
    )


def stream_of(given: api.StreamSpecification | None, now: float) -> StreamSettings | None:
    """A new stream, named by the time; None for a specification that wants none. Raises ValidationException."""
    if given is None or not given.stream_enabled:
        if given is not None and given.stream_view_type:
            raise invalid_values("StreamViewType cannot be specified when StreamEnabled is false")
        return None
    if not given.stream_view_type:
        raise invalid_values("StreamSpecification.StreamViewType is required when StreamEnabled is true")
    moment = datetime.fromtimestamp(now, UTC)
    label = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}"
    return StreamSettings(given.stream_view_type, label)


@prompt
async def describe_table(dynamodb: DynamoDb, call: Call, request: api.DescribeTableInput) -> api.DescribeTableOutput:
    table = await dynamodb.described(call, request.table_name)
    measures = await dynamodb.measurer.measures(rows_of(table), table.id)
    return api.DescribeTableOutput(table=describe(table, measures))


async def list_tables(dynamodb: DynamoDb, call: Call, request: api.ListTablesInput) -> api.ListTablesOutput:
    after = request.exclusive_start_table_name or ""
    if after:
        names.check_name(after, "ExclusiveStartTableName")
    limit = _PAGE if request.limit is None else request.limit
    found = await dynamodb.tables.names(call.account, call.region, after, limit + 1)
    more = len(found) > limit
    found = found[:limit]
    return api.ListTablesOutput(table_names=found, last_evaluated_table_name=found[-1] if more else None)


async def delete_table(dynamodb: DynamoDb, call: Call, request: api.DeleteTableInput) -> api.DeleteTableOutput:
    table = await dynamodb.described(call, request.table_name)
    measures = await dynamodb.measurer.measures(rows_of(table), table.id)
    async with dynamodb.change(table) as (tx, now):
        if now.protected:
            raise invalid(
                "Resource cannot be deleted as it is currently protected against deletion. "
                "Disable deletion protection first."
            )
        unsupported(now, "Deleting a single replica is")
        if now.held or now.status == CREATING or now.copied:
            raise in_use(now.name)
        if any(index.status != ACTIVE for index in now.every):
            raise api.ResourceInUseException(_INDEXES_IN_USE)
        await replicas.leave(dynamodb, tx, now)
        await global_tables.left(tx, now)
        if now.recovery:
            await operations.keep_deleted(dynamodb, tx, now)
        await store.delete(tx, now, kept=now.recovery)
        await dynamodb.changes.forget_table(tx, now)
        tx.after_commit(dynamodb.sweeper.wake)
    return api.DeleteTableOutput(table_description=describe_gone(now, measures))

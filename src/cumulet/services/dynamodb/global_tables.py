"""Global tables of version 2017.11.29: tables that regions have already are joined, each keeping settings of its own.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/globaltables.V1.html
"""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb import store
from cumulet.services.dynamodb.errors import check_limit, invalid
from cumulet.services.dynamodb.model import ACTIVE, Replica, Table
from cumulet.services.dynamodb.names import check_name
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE ddb_global (
        account TEXT NOT NULL, name TEXT NOT NULL, created DOUBLE PRECISION NOT NULL, regions TEXT NOT NULL,
        PRIMARY KEY (account, name))""",
)
_PAGE = 100
_BOTH = "NEW_AND_OLD_IMAGES"


class Group(msgspec.Struct, frozen=True):
    """A global table: when it was made, and the regions that hold it."""

    account: str
    name: str
    created: float
    regions: tuple[str, ...]


async def create_global_table(
    dynamodb: DynamoDb, call: Call, request: api.CreateGlobalTableInput
) -> api.CreateGlobalTableOutput:
    name = request.global_table_name
    check_name(name, "GlobalTableName")
    regions = tuple(dict.fromkeys(each.region_name or call.region for each in request.replication_group))
    if not regions:
        raise invalid("ReplicationGroup must name at least one region")
    group = Group(call.account, name, dynamodb.clock.now(), regions)
    async with dynamodb.db.transaction() as tx:
        if await find(tx, call.account, name) is not None:
            raise api.GlobalTableAlreadyExistsException(f"Global table with name: '{name}' already exists.")
        tables = [await _candidate(tx, group, region) for region in regions]
        for each in tables[1:]:
            _check_alike(tables[0], each)
        await _put(tx, group)
        for each in tables:
            await _join(dynamodb, tx, each, group)
    return api.CreateGlobalTableOutput(global_table_description=_described(group, "CREATING"))


async def update_global_table(
    dynamodb: DynamoDb, call: Call, request: api.UpdateGlobalTableInput
) -> api.UpdateGlobalTableOutput:
    async with dynamodb.db.transaction() as tx:
        group = await _found(tx, call, request.global_table_name)
        for each in request.replica_updates:
            group = await _updated(tx, group, each)
        await _put(tx, group)
        for region in {*group.regions, *_regions(request)}:
            table = await store.named(tx, call.account, region, group.name)
            if table is not None:
                await _join(dynamodb, tx, table, group)
    return api.UpdateGlobalTableOutput(global_table_description=_described(group, "UPDATING"))


def _regions(request: api.UpdateGlobalTableInput) -> list[str]:
    return [
        action.region_name for each in request.replica_updates if (action := each.create or each.delete) is not None
    ]


async def _updated(tx: Transaction, group: Group, update: api.ReplicaUpdate) -> Group:
    if update.create is not None:
        region = update.create.region_name
        if region in group.regions:
            raise api.ReplicaAlreadyExistsException(
                f"Failed to update global table: '{group.name}': it has a replica in {region} already"
            )
        table = await _candidate(tx, group, region)
        for each in group.regions:
            member = await store.named(tx, group.account, each, group.name)
            if member is not None:
                _check_alike(member, table)
        return replace(group, regions=(*group.regions, region))
    if update.delete is None:
        raise invalid("One of ReplicaUpdate.Create or ReplicaUpdate.Delete must not be null")
    region = update.delete.region_name
    if region not in group.regions:
        raise api.ReplicaNotFoundException(
            f"Failed to update global table: '{group.name}': it has no replica in {region}"
        )
    return replace(group, regions=tuple([each for each in group.regions if each != region]))


async def _candidate(tx: Transaction, group: Group, region: str) -> Table:
    """The table of a region, if it can become part of a global table. Raises TableNotFoundException, ValidationException."""
    table = await store.named(tx, group.account, region, group.name)
    if table is None:
        raise api.TableNotFoundException(f"Table not found: {group.name} in {region}")
    if table.replicas:
        raise _unfit(table, "is part of a global table already")
    if table.stream is None or not table.stream.enabled or table.stream.view != _BOTH:
        raise _unfit(table, f"must have a stream of {_BOTH}")
    if await tx.read("SELECT 1 FROM ddb_item WHERE tbl = $1 LIMIT 1", (table.id,)):
        raise _unfit(table, "must be empty")
    return table


def _check_alike(one: Table, other: Table) -> None:
    """Raises ValidationException unless two tables have the same keys and indexes."""
    shapes = [(each.key, {(index.name, index.key, index.local) for index in each.indexes}) for each in (one, other)]
    if shapes[0] != shapes[1]:
        raise _unfit(other, f"must have the key and the indexes that it has in {one.region}")


def _unfit(table: Table, reason: str) -> AwsError:
    return invalid(f"One or more parameter values were invalid: Table {table.name} in {table.region} {reason}")


async def _join(dynamodb: DynamoDb, tx: Transaction, table: Table, group: Group) -> None:
    """Make a table know whom it shares its items with: nobody, if its region is not of the group."""
    member = table.region in group.regions
    others = tuple([Replica(region) for region in group.regions if region != table.region]) if member else ()
    changed = replace(table, replicas=others, legacy=member)
    await store.save(tx, changed)
    tx.after_commit(lambda: dynamodb.directory.changed(changed))


async def describe_global_table(
    dynamodb: DynamoDb, call: Call, request: api.DescribeGlobalTableInput
) -> api.DescribeGlobalTableOutput:
    group = await _found(dynamodb.db, call, request.global_table_name)
    return api.DescribeGlobalTableOutput(global_table_description=_described(group, ACTIVE))


async def list_global_tables(
    dynamodb: DynamoDb, call: Call, request: api.ListGlobalTablesInput
) -> api.ListGlobalTablesOutput:
    check_limit(request.limit)
    limit = request.limit or _PAGE
    rows = await dynamodb.db.read(
        "SELECT name, created, regions FROM ddb_global WHERE account = $1 AND name > $2 ORDER BY name",
        (call.account, request.exclusive_start_global_table_name or ""),
    )
    groups = [_group(call.account, row) for row in rows]
    found = [group for group in groups if request.region_name in (None, *group.regions)]
    return api.ListGlobalTablesOutput(
        global_tables=[
            api.GlobalTable(
                global_table_name=group.name,
                replication_group=[api.Replica(region_name=region) for region in group.regions],
            )
            for group in found[:limit]
        ],
        last_evaluated_global_table_name=found[limit - 1].name if len(found) > limit else None,
    )


def _described(group: Group, status: str) -> api.GlobalTableDescription:
    return api.GlobalTableDescription(
        replication_group=[api.ReplicaDescription(region_name=region) for region in group.regions],
        global_table_arn=f"arn:aws:dynamodb::{group.account}:global-table/{group.name}",
        creation_date_time=group.created,
        global_table_status=status,
        global_table_name=group.name,
    )


async def left(tx: Transaction, table: Table) -> None:
    """A table that is part of one is deleted."""
    group = await find(tx, table.account, table.name)
    if table.legacy and group is not None:
        await _put(tx, replace(group, regions=tuple([each for each in group.regions if each != table.region])))


async def find(source: Database | Transaction, account: str, name: str) -> Group | None:
    rows = await source.read(
        "SELECT name, created, regions FROM ddb_global WHERE account = $1 AND name = $2", (account, name)
    )
    return _group(account, rows[0]) if rows else None


async def _found(source: Database | Transaction, call: Call, name: str) -> Group:
    check_name(name, "GlobalTableName")
    group = await find(source, call.account, name)
    if group is None:
        raise unknown(name)
    return group


def unknown(name: str) -> AwsError:
    return api.GlobalTableNotFoundException(f"Global table not found: Global table with name: '{name}' does not exist.")


def _group(account: str, row: tuple[str, float, str]) -> Group:
    name, created, regions = row
    return Group(account, name, created, tuple(msgspec.json.decode(regions, type=list[str])))


async def _put(tx: Transaction, group: Group) -> None:
    """Keep a global table as it is; one that no region holds any more is gone."""
    if not group.regions:
        await tx.write("DELETE FROM ddb_global WHERE account = $1 AND name = $2", (group.account, group.name))
        return
    await tx.write(
        "INSERT INTO ddb_global (account, name, created, regions) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (account, name) DO UPDATE SET regions = $4",
        (group.account, group.name, group.created, msgspec.json.encode(group.regions).decode()),
    )

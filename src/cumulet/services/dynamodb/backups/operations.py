"""Operations on backups, and the work of making one.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Backup.Tutorial.html
"""

from __future__ import annotations

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.services.dynamodb import descriptions, history, jobs, names
from cumulet.services.dynamodb import store as tables
from cumulet.services.dynamodb.backups import holds, store
from cumulet.services.dynamodb.backups.model import AVAILABLE, CREATING, SYSTEM, USER, Backup, backup_arn
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Address
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.database import Transaction

_PAGE = 100
_FOREVER = 1e12
_KEPT_SECONDS = 35 * 86_400.0
"""How long the backup of a deleted table is kept."""
KIND, DELETION = "backup", "backup-deletion"


class Copy(Struct):
    """How far a backup is. `moment` is what it shows, in microseconds since 1970; 0 until that is chosen."""

    arn: str
    moment: int = 0
    hash: bytes = b""
    range: bytes = b""


async def create_backup(dynamodb: DynamoDb, call: Call, request: api.CreateBackupInput) -> api.CreateBackupOutput:
    table = await _table(dynamodb, call, request.table_name)
    now = dynamodb.clock.now()
    async with dynamodb.change(table) as (tx, current):
        if current.status == CREATING:
            raise api.TableInUseException(f"Table is not active: {current.name}")
        backup = Backup(
            id=await tables.next_id(tx),
            arn=backup_arn(table, now),
            name=request.backup_name,
            table=current,
            created=now,
        )
        await holds.hold(dynamodb, tx, current)
        await store.put(tx, backup)
        await dynamodb.jobs.add(tx, KIND, backup.arn, msgspec.msgpack.encode(Copy(backup.arn)))
    return api.CreateBackupOutput(backup_details=_details(backup))


async def describe_backup(dynamodb: DynamoDb, call: Call, request: api.DescribeBackupInput) -> api.DescribeBackupOutput:
    return api.DescribeBackupOutput(backup_description=_description(await found(dynamodb, call, request.backup_arn)))


async def delete_backup(dynamodb: DynamoDb, call: Call, request: api.DeleteBackupInput) -> api.DeleteBackupOutput:
    backup = await found(dynamodb, call, request.backup_arn)
    async with dynamodb.db.transaction() as tx:
        await still_there(tx, backup)
        if backup.status == CREATING:
            raise api.BackupInUseException(f"Backup is being created: {backup.arn}")
        if await dynamodb.jobs.any_of(tx, f"restore-{backup.id}-"):
            raise api.BackupInUseException(f"Backup is being used to restore a table: {backup.arn}")
        await _forget(dynamodb, tx, backup)
    return api.DeleteBackupOutput(backup_description=_description(replace(backup, status="DELETED")))


async def list_backups(dynamodb: DynamoDb, call: Call, request: api.ListBackupsInput) -> api.ListBackupsOutput:
    limit = min(request.limit or _PAGE, _PAGE)
    span = (
        request.time_range_lower_bound or 0.0,
        _FOREVER if request.time_range_upper_bound is None else request.time_range_upper_bound,
    )
    table = names.place(call, request.table_name)[2] if request.table_name else None
    kind = None if request.backup_type == "ALL" else request.backup_type or USER
    after = request.exclusive_start_backup_arn or ""
    wanted = store.Wanted(table, kind, span)
    page = await store.page(dynamodb.db, call.account, call.region, wanted, after, limit + 1)
    return api.ListBackupsOutput(
        backup_summaries=[_summary(each) for each in page[:limit] if not _expired(dynamodb, each)],
        last_evaluated_backup_arn=page[limit - 1].arn if len(page) > limit else None,
    )


async def found(dynamodb: DynamoDb, call: Call, arn: str) -> Backup:
    """The backup with this ARN. Raises BackupNotFoundException, or ValidationException for what is no ARN."""
    try:
        parsed = Arn.parse(arn)
    except ValueError:
        raise invalid(f"Invalid BackupArn: {arn}") from None
    backup = await store.find(dynamodb.db, arn) if parsed.account == call.account else None
    if backup is None or _expired(dynamodb, backup):
        raise api.BackupNotFoundException(f"Backup not found: {arn}")
    return backup


async def keep_deleted(dynamodb: DynamoDb, tx: Transaction, table: Table) -> None:
    """Back up a table with recovery that is being deleted: its items stay until they are copied, the copy for 35 days."""
    now = dynamodb.clock.now()
    backup = Backup(
        id=await tables.next_id(tx),
        arn=backup_arn(table, now),
        name=f"{table.name}$DeletedTableBackup",
        table=table,
        created=now,
        kind=SYSTEM,
        expires=now + _KEPT_SECONDS,
    )
    await store.put(tx, backup)
    await dynamodb.jobs.add(tx, KIND, backup.arn, msgspec.msgpack.encode(Copy(backup.arn)))


def _expired(dynamodb: DynamoDb, backup: Backup) -> bool:
    return bool(backup.expires) and backup.expires <= dynamodb.clock.now()


async def forget_expired(dynamodb: DynamoDb) -> None:
    """Remove the service's own backups whose time is over."""
    for backup in await store.of_system(dynamodb.db, dynamodb.clock.now() - _KEPT_SECONDS):
        if backup.status == AVAILABLE and _expired(dynamodb, backup):
            async with dynamodb.db.transaction() as tx:
                if not await dynamodb.jobs.any_of(tx, f"restore-{backup.id}-"):
                    await _forget(dynamodb, tx, backup)


async def _forget(dynamodb: DynamoDb, tx: Transaction, backup: Backup) -> None:
    await store.delete(tx, backup)
    await dynamodb.jobs.add(tx, DELETION, f"{DELETION}-{backup.id}", msgspec.msgpack.encode(backup.id))


async def still_there(tx: Transaction, backup: Backup) -> None:
    """Raises BackupNotFoundException when the backup was deleted meanwhile."""
    if await store.find(tx, backup.arn) is None:
        raise api.BackupNotFoundException(f"Backup not found: {backup.arn}")


async def _table(dynamodb: DynamoDb, call: Call, given: str) -> Table:
    place = names.place(call, given)
    table = await dynamodb.directory.find(place)
    if table is None:
        raise api.TableNotFoundException(f"Table not found: {place[2]}")
    return table


def _details(backup: Backup) -> api.BackupDetails:
    return api.BackupDetails(
        backup_arn=backup.arn,
        backup_name=backup.name,
        backup_size_bytes=backup.size,
        backup_status=backup.status,
        backup_type=backup.kind,
        backup_creation_date_time=backup.created,
        backup_expiry_date_time=backup.shown_expiry,
    )


def _summary(backup: Backup) -> api.BackupSummary:
    table = backup.table
    return api.BackupSummary(
        table_name=table.name,
        table_id=table.uuid,
        table_arn=table.arn,
        backup_arn=backup.arn,
        backup_name=backup.name,
        backup_creation_date_time=backup.created,
        backup_status=backup.status,
        backup_expiry_date_time=backup.shown_expiry,
        backup_type=backup.kind,
        backup_size_bytes=backup.size,
    )


def _description(backup: Backup) -> api.BackupDescription:
    table = backup.table
    shown = descriptions.describe(table, {table.id: (backup.items, backup.size)}, warm=False)
    units = api.ProvisionedThroughput(
        read_capacity_units=table.throughput.read, write_capacity_units=table.throughput.write
    )
    return api.BackupDescription(
        backup_details=_details(backup),
        source_table_details=api.SourceTableDetails(
            table_name=table.name,
            table_id=table.uuid,
            table_arn=table.arn,
            table_size_bytes=backup.size,
            key_schema=shown.key_schema or [],
            table_creation_date_time=table.created,
            provisioned_throughput=units,
            on_demand_throughput=shown.on_demand_throughput,
            item_count=backup.items,
            billing_mode=table.billing,
        ),
        source_table_feature_details=_features(table, shown),
    )


def _features(table: Table, shown: api.TableDescription) -> api.SourceTableFeatureDetails:
    local = [
        api.LocalSecondaryIndexInfo(index_name=each.index_name, key_schema=each.key_schema, projection=each.projection)
        for each in shown.local_secondary_indexes or ()
    ]
    others = [
        api.GlobalSecondaryIndexInfo(
            index_name=each.index_name,
            key_schema=each.key_schema,
            projection=each.projection,
            on_demand_throughput=each.on_demand_throughput,
        )
        for each in shown.global_secondary_indexes or ()
    ]
    vectors = [
        api.VectorIndexInfo(
            index_name=each.index_name,
            search_schema=each.search_schema,
            projection=each.projection,
            vector_attribute=each.vector_attribute,
            dimensions=each.dimensions,
            distance_function=each.distance_function,
        )
        for each in shown.vector_indexes or ()
    ]
    ttl = None
    if table.ttl:
        ttl = api.TimeToLiveDescription(time_to_live_status="ENABLED", attribute_name=table.ttl)
    return api.SourceTableFeatureDetails(
        local_secondary_indexes=local or None,
        global_secondary_indexes=others or None,
        vector_indexes=vectors or None,
        stream_description=shown.stream_specification,
        time_to_live_description=ttl,
        sse_description=shown.sse_description,
    )


def register(dynamodb: DynamoDb) -> None:
    """The work of making a backup, and of removing one."""

    async def work(id_: str, record: bytes) -> None:
        copy = msgspec.msgpack.decode(record, type=Copy)
        backup = await store.find(dynamodb.db, copy.arn)
        while backup is not None and await _copy_some(dynamodb, id_, copy, backup):
            backup = await store.find(dynamodb.db, copy.arn)

    async def remove(id_: str, record: bytes) -> None:
        await store.empty(dynamodb.db, msgspec.msgpack.decode(record, type=int))
        async with dynamodb.db.transaction() as tx:
            await jobs.done(tx, id_)

    dynamodb.jobs.kinds |= {KIND: work, DELETION: remove}


async def _copy_some(dynamodb: DynamoDb, id_: str, copy: Copy, backup: Backup) -> bool:
    """Some more items; whether there are more."""
    table = backup.table
    async with dynamodb.db.transaction() as tx:
        if not copy.moment:
            # Whoever found the table as it was before it was held has had its turn by now.
            copy.moment = dynamodb.changes.moment()
            backup = replace(backup, created=copy.moment / 1e6)
        piece = await history.piece(tx, table.id, copy.moment, Address(copy.hash, copy.range))
        for place, stored in piece.items:
            await store.add(tx, backup.id, place, stored)
        size = sum(stored.size for _, stored in piece.items)
        backup = replace(backup, items=backup.items + len(piece.items), size=backup.size + size)
        if piece.last is None:
            backup = replace(backup, status=AVAILABLE)
            await holds.release(dynamodb, tx, table)
            await jobs.done(tx, id_)
            if backup.kind == SYSTEM:  # its table is gone already
                await tables.drop_rows(tx, table.id)
                tx.after_commit(dynamodb.sweeper.wake)
        else:
            copy.hash, copy.range = piece.last
            await jobs.save(tx, id_, msgspec.msgpack.encode(copy))
        await store.put(tx, backup)
    return piece.last is not None

"""Tables made from what others were: from a backup, or to a moment within the last 35 days."""

from __future__ import annotations

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.ids import new_id
from cumulet.services.dynamodb import history, jobs, names, schemas, writing
from cumulet.services.dynamodb import store as tables
from cumulet.services.dynamodb.backups import holds, operations, recovery, store, targets
from cumulet.services.dynamodb.backups.model import AVAILABLE
from cumulet.services.dynamodb.descriptions import describe
from cumulet.services.dynamodb.encryption import encryption_of
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.model import CREATING, ON_DEMAND, Index, Restored, Table, Throughput, VectorIndex
from cumulet.services.dynamodb.rows import Address, Stored, decode_item
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.database import Transaction

KIND = "restore"
_TURN = 200
Request = api.RestoreTableFromBackupInput | api.RestoreTableToPointInTimeInput


class Copy(Struct):
    """How far a restore is: out of the rows of a backup, or out of a table as it was at a moment."""

    target: Table
    backup: int = 0
    source: Table | None = None
    moment: int = 0
    hash: bytes = b""
    range: bytes = b""


async def restore_table_from_backup(
    dynamodb: DynamoDb, call: Call, request: api.RestoreTableFromBackupInput
) -> api.RestoreTableFromBackupOutput:
    backup = await operations.found(dynamodb, call, request.backup_arn)
    if backup.status != AVAILABLE:
        raise api.BackupInUseException(f"Backup is not available: {backup.arn}")
    restored = Restored(backup.table.arn, backup.created, backup.arn)
    target = await _target(dynamodb, call, request, backup.table, restored)
    async with targets.Taken(target, api.TableAlreadyExistsException), dynamodb.db.transaction() as tx:
        await operations.still_there(tx, backup)
        target = await targets.insert(dynamodb, tx, target)
        copy = Copy(target, backup=backup.id)
        await dynamodb.jobs.add(tx, KIND, f"restore-{backup.id}-{target.id}", msgspec.msgpack.encode(copy))
    return api.RestoreTableFromBackupOutput(table_description=describe(target, {}, warm=False))


async def restore_table_to_point_in_time(
    dynamodb: DynamoDb, call: Call, request: api.RestoreTableToPointInTimeInput
) -> api.RestoreTableToPointInTimeOutput:
    source = await _source(dynamodb, call, request)
    moment = _moment(dynamodb, source, request)
    target = await _target(dynamodb, call, request, source, Restored(source.arn, moment))
    async with targets.Taken(target, api.TableAlreadyExistsException), dynamodb.change(source) as (tx, now):
        await holds.hold(dynamodb, tx, now)
        target = await targets.insert(dynamodb, tx, target)
        copy = Copy(target, source=now, moment=int(moment * 1e6))
        await dynamodb.jobs.add(tx, KIND, f"restore-{target.id}", msgspec.msgpack.encode(copy))
    return api.RestoreTableToPointInTimeOutput(table_description=describe(target, {}, warm=False))


async def _source(dynamodb: DynamoDb, call: Call, request: api.RestoreTableToPointInTimeInput) -> Table:
    """The table that is restored. Raises TableNotFoundException, also for one of another account: those restore their own."""
    # The member that permissions were looked up for, also where it is empty.
    name = request.source_table_name if request.source_table_name is not None else request.source_table_arn
    if not name:
        raise invalid("Either SourceTableName or SourceTableArn must be given.")
    source = await recovery.table(dynamodb, call, name)
    if source.account != call.account:
        raise api.TableNotFoundException(f"Table not found: {source.name}")
    return source


def _moment(dynamodb: DynamoDb, source: Table, request: api.RestoreTableToPointInTimeInput) -> float:
    if not source.recovery:
        raise api.PointInTimeRecoveryUnavailableException(
            f"Point in time recovery is not enabled for table '{source.name}'"
        )
    earliest, latest = recovery.window(source, dynamodb.clock.now())
    if request.use_latest_restorable_time:
        if request.restore_date_time is not None:
            raise invalid("UseLatestRestorableTime and RestoreDateTime cannot be given together.")
        return latest
    moment = request.restore_date_time
    if moment is None:
        raise invalid("Either UseLatestRestorableTime or RestoreDateTime must be given.")
    if not int(earliest) <= moment <= latest:
        raise api.InvalidRestoreTimeException(
            f"RestoreDateTime {moment} is invalid: it must be between {earliest} and {latest}."
        )
    return moment


async def _target(dynamodb: DynamoDb, call: Call, request: Request, source: Table, restored: Restored) -> Table:
    """The new table: as the source was, without its stream, tags, time to live, protection and recovery."""
    place = names.place(call, request.target_table_name, "TargetTableName")
    billing = request.billing_mode_override or source.billing
    units = request.provisioned_throughput_override
    indexes = _indexes(request, source, billing)
    vectors = _vectors(request, source, billing)
    keys = (source.key, *(index.key for index in indexes))
    used = {name for names in (*(k.names for k in keys), *(index.names for index in vectors)) for name in names}
    sse = request.sse_specification_override
    limits = request.on_demand_throughput_override
    return Table(
        id=0,
        uuid=new_id(),
        account=call.account,
        region=call.region,
        name=place[2],
        created=dynamodb.clock.now(),
        key=source.key,
        definitions=tuple(pair for pair in source.definitions if pair[0] in used),
        indexes=indexes,
        vectors=vectors,
        billing=billing,
        billing_shown=billing == ON_DEMAND,
        billing_changed=dynamodb.clock.now() if billing == ON_DEMAND else None,
        throughput=_units(billing, units, source.throughput),
        on_demand=schemas.on_demand(limits) if limits is not None else source.on_demand,
        table_class=source.table_class,
        encryption=await encryption_of(dynamodb, call, place, sse) if sse is not None else source.encryption,
        restored=restored,
        status=CREATING,
    )


def _units(billing: str, given: api.ProvisionedThroughput | None, old: Throughput) -> Throughput:
    if billing == ON_DEMAND:
        if given is not None:
            raise schemas.no_units()
        return Throughput()
    if given is not None:
        return schemas.throughput(given)
    if not old.read:
        raise invalid("ProvisionedThroughputOverride is needed when BillingModeOverride is PROVISIONED.")
    return Throughput(old.read, old.write)


def _indexes(request: Request, source: Table, billing: str) -> tuple[Index, ...]:
    """Those of the source, or some of them where the request names which."""
    wanted_local = request.local_secondary_index_override
    wanted_others = request.global_secondary_index_override
    found = []
    for index in source.indexes:
        given: list[api.LocalSecondaryIndex] | list[api.GlobalSecondaryIndex] | None
        given = wanted_local if index.local else wanted_others
        if given is not None and index.name not in {each.index_name for each in given}:
            continue
        units = index.throughput
        for each in given or ():
            if each.index_name == index.name and isinstance(each, api.GlobalSecondaryIndex):
                units = schemas.throughput(each.provisioned_throughput) if each.provisioned_throughput else units
        if billing == ON_DEMAND:
            units = Throughput()
        found.append(replace(index, id=0, status=CREATING, throughput=Throughput(units.read, units.write)))
    names_ = {index.name for index in source.indexes}
    for each in (*(wanted_local or ()), *(wanted_others or ())):
        if each.index_name not in names_:
            raise invalid(f"One or more parameter values were invalid: the source has no index {each.index_name}")
    return tuple(found)


def _vectors(request: Request, source: Table, billing: str) -> tuple[VectorIndex, ...]:
    """The vector indexes of the source, or some of them where the request names which."""
    given = request.vector_index_override
    wanted = {index.name for index in source.vectors} if given is None else {each.index_name for each in given}
    if unknown := wanted.difference(index.name for index in source.vectors):
        raise invalid(f"One or more parameter values were invalid: the source has no index {min(unknown)}")
    if wanted and billing != ON_DEMAND:
        raise invalid("One or more parameter values were invalid: vector indexes need BillingMode PAY_PER_REQUEST")
    return tuple(replace(index, id=0, status=CREATING) for index in source.vectors if index.name in wanted)


def register(dynamodb: DynamoDb) -> None:
    """The work of a restore."""

    async def work(id_: str, record: bytes) -> None:
        copy = msgspec.msgpack.decode(record, type=Copy)
        while await _copy_some(dynamodb, id_, copy):
            pass

    dynamodb.jobs.kinds[KIND] = work


async def _copy_some(dynamodb: DynamoDb, id_: str, copy: Copy) -> bool:
    """Some more items; whether there are more."""
    async with dynamodb.db.transaction() as tx:
        target = await tables.current(tx, copy.target)
        items, last = await _piece(tx, copy)
        if target is not None:
            for place, stored in items:
                item = decode_item(stored.body) if target.indexed else None
                await writing.apply(tx, dynamodb.changes, target, place, None, stored, item)
        if last is None or target is None:
            await _finish(dynamodb, tx, id_, copy, target)
            return False
        copy.hash, copy.range = last
        await jobs.save(tx, id_, msgspec.msgpack.encode(copy))
    return True


async def _piece(tx: Transaction, copy: Copy) -> tuple[list[tuple[Address, Stored]], Address | None]:
    after = Address(copy.hash, copy.range)
    if copy.source is not None:
        return await history.piece(tx, copy.source.id, copy.moment, after, _TURN)
    items = await store.piece(tx, copy.backup, after, _TURN)
    return items, items[-1][0] if len(items) == _TURN else None


async def _finish(dynamodb: DynamoDb, tx: Transaction, id_: str, copy: Copy, target: Table | None) -> None:
    if target is not None:
        await targets.open_table(dynamodb, tx, target)
    if copy.source is not None:
        await holds.release(dynamodb, tx, copy.source)
    await jobs.done(tx, id_)

"""UpdateTable: capacity, indexes, streams and settings of a table that is in use."""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb import overrides, replicas, schemas, store
from cumulet.services.dynamodb.consistency import unsupported
from cumulet.services.dynamodb.descriptions import describe, rows_of, warm_of
from cumulet.services.dynamodb.encryption import encryption_of
from cumulet.services.dynamodb.errors import in_use, invalid, invalid_values
from cumulet.services.dynamodb.model import (
    ACTIVE,
    CREATING,
    ON_DEMAND,
    PROVISIONED,
    UPDATING,
    Encryption,
    Index,
    Override,
    Table,
    Throughput,
    Units,
    VectorIndex,
)
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.services.dynamodb.tables import stream_of
from cumulet.services.dynamodb.vectors import schemas as vector_schemas
from cumulet.storage.database import Transaction

_NOTHING = (
    "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or "
    "SSESpecification or ReplicaUpdates is required"
)


async def update_table(dynamodb: DynamoDb, call: Call, request: api.UpdateTableInput) -> api.UpdateTableOutput:
    _check(request)
    table = await dynamodb.described(call, request.table_name)
    measures = await dynamodb.measurer.measures(rows_of(table), table.id)
    place = (table.account, table.region, table.name)
    encryption = await encryption_of(dynamodb, call, place, request.sse_specification)
    async with dynamodb.change(table) as (tx, now):
        if now.status != ACTIVE or now.copied:
            raise in_use(now.name)
        changed = _settings(dynamodb, now, request, encryption)
        changed = _capacity(dynamodb, changed, request)
        changed, added = await _indexes(dynamodb, tx, changed, request)
        changed = await _stream(dynamodb, tx, changed, request)
        if request.replica_updates or request.global_table_witness_updates or request.multi_region_consistency:
            changed = await replicas.update(dynamodb, tx, changed, request)
        alike = await _elsewhere(dynamodb, tx, changed, request, now)
        if request.provisioned_throughput is not None or request.billing_mode is not None:
            changed = overrides.apply(changed, await replicas.own_override(tx, changed))
        await store.save(tx, changed)
    for each, indexes in ((changed, added), *alike):
        for index in indexes:
            dynamodb.builder.begin(each, index)
    answer = describe(changed, measures, status=UPDATING)
    if answer.warm_throughput is not None and request.warm_throughput is None:
        answer.warm_throughput.status = ACTIVE
    _tell(answer, request, now)
    return api.UpdateTableOutput(table_description=answer)


async def _elsewhere(
    dynamodb: DynamoDb, tx: Transaction, table: Table, request: api.UpdateTableInput, before: Table
) -> list[tuple[Table, list[Index | VectorIndex]]]:
    """The same table in the other regions of its global table; in one of 2017 each region's table is for itself."""
    if table.legacy:
        return []
    own = {each.region: each.override for each in table.replicas}
    return [
        await _alike(dynamodb, tx, sibling, request, before, own.get(sibling.region))
        async for sibling in replicas.siblings(tx, table)
    ]


async def _alike(
    dynamodb: DynamoDb,
    tx: Transaction,
    sibling: Table,
    request: api.UpdateTableInput,
    before: Table,
    own: Override | None,
) -> tuple[Table, list[Index | VectorIndex]]:
    """The same table in another region, with the same capacity and indexes but for what it has of its own; and its indexes
    that are to be filled. `before` is this region's table as it was."""
    changed = sibling
    if sibling.accounts:  # those of several accounts have all of these settings together
        changed = await _stream(dynamodb, tx, _limits(changed, request), request)
    if request.provisioned_throughput is not None or request.billing_mode is not None:
        changed = _capacity(dynamodb, replace(changed, throughput=before.throughput), request)
    changed, added = await _indexes(dynamodb, tx, changed, request)
    changed = overrides.apply(changed, own)
    if changed != sibling:
        await store.save(tx, changed)
        tx.after_commit(lambda: dynamodb.directory.changed(changed))
    return changed, added


def _tell(answer: api.TableDescription, request: api.UpdateTableInput, before: Table) -> None:
    """What the answer shows as under way, which the table itself has behind it already."""
    gone = {each.delete.index_name for each in request.global_secondary_index_updates or () if each.delete}
    if gone:
        shown = describe(before, {}, warm=False).global_secondary_indexes or []
        leaving = [index for index in shown if index.index_name in gone]
        for index in leaving:
            index.index_status = "DELETING"
        answer.global_secondary_indexes = [*(answer.global_secondary_indexes or []), *leaving]
    gone = {each.delete.index_name for each in request.vector_index_updates or () if each.delete}
    if gone:
        vectors = [index for index in describe(before, {}, warm=False).vector_indexes or [] if index.index_name in gone]
        for vector in vectors:
            vector.index_status = "DELETING"
        answer.vector_indexes = [*(answer.vector_indexes or []), *vectors]
    if request.sse_specification is not None:
        was = before.encryption
        if was is not None and not request.sse_specification.enabled:
            answer.sse_description = api.SSEDescription(status=UPDATING, sse_type="KMS", kms_master_key_arn=was.key_arn)
        elif answer.sse_description is not None:
            answer.sse_description.status = UPDATING


def _check(request: api.UpdateTableInput) -> None:
    members = (
        *(request.provisioned_throughput, request.billing_mode, request.global_secondary_index_updates),
        *(request.stream_specification, request.sse_specification, request.table_class, request.on_demand_throughput),
        *(
            request.replica_updates,
            request.deletion_protection_enabled,
            request.warm_throughput,
            request.multi_region_consistency,
            request.vector_index_updates,
            request.global_table_witness_updates,
            request.global_table_settings_replication_mode,
        ),
    )
    given = sum(member is not None and member != [] for member in members)
    if request.disassociation_protection_enabled is not None:
        if given:
            raise invalid("DisassociationProtectionEnabled cannot be changed together with anything else")
        return
    if not given:
        raise invalid(_NOTHING)
    if request.billing_mode == PROVISIONED and request.provisioned_throughput is None:
        raise invalid_values("ProvisionedThroughput must be specified when BillingMode is PROVISIONED")
    if request.provisioned_throughput is not None:
        schemas.check_bounds(request.provisioned_throughput)
    _check_index_updates(request)


def _check_index_updates(request: api.UpdateTableInput) -> None:
    seen: set[str] = set()
    for each in request.global_secondary_index_updates or ():
        action = each.update or each.create or each.delete
        if action is None:
            raise invalid_values(
                "One of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                "GlobalSecondaryIndexUpdate.Delete must not be null"
            )
        if sum(part is not None for part in (each.update, each.create, each.delete)) > 1:
            raise invalid_values(
                "Only one of GlobalSecondaryIndexUpdate.Update, GlobalSecondaryIndexUpdate.Create, "
                "GlobalSecondaryIndexUpdate.Delete may be given"
            )
        if action.index_name in seen:
            raise invalid_values(
                "Only one global secondary index update per index is allowed simultaneously. "
                f"Index: {action.index_name}"
            )
        seen.add(action.index_name)
    made = [each for each in request.global_secondary_index_updates or () if each.create or each.delete]
    if len(made) + len(request.vector_index_updates or ()) > 1:
        raise api.LimitExceededException(
            "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table"
        )


def _settings(dynamodb: DynamoDb, table: Table, request: api.UpdateTableInput, encryption: Encryption | None) -> Table:
    """What is kept and shown."""
    now = dynamodb.clock.now()
    if request.table_class is not None:
        table = replace(table, table_class=request.table_class, class_changed=now)
    if request.deletion_protection_enabled is not None:
        table = replace(table, protected=request.deletion_protection_enabled)
    if request.disassociation_protection_enabled is not None:
        unsupported(table, "Disassociation protection is")
        if not table.replicas or table.legacy:
            raise invalid(f"The table is no replica of a global table: {table.name}")
        table = replace(table, guarded=request.disassociation_protection_enabled)
    if request.sse_specification is not None:
        table = replace(table, encryption=encryption)
    if request.global_table_settings_replication_mode is not None:
        table = replace(table, shared=_shared(table, request.global_table_settings_replication_mode))
    return _limits(table, request)


def _shared(table: Table, mode: str) -> bool:
    """Whether settings shall follow those of other accounts' tables. Raises ValidationException."""
    if mode not in ("ENABLED", "DISABLED"):
        raise invalid_values("GlobalTableSettingsReplicationMode must be ENABLED or DISABLED")
    if table.replicas:
        raise invalid("GlobalTableSettingsReplicationMode cannot be changed while the table is part of a global table")
    return mode == "ENABLED"


def _limits(table: Table, request: api.UpdateTableInput) -> Table:
    if request.on_demand_throughput is not None:
        table = replace(table, on_demand=schemas.on_demand(request.on_demand_throughput, table.on_demand))
    if request.warm_throughput is not None:
        table = replace(table, warm=_warmer(table, request.warm_throughput))
    return table


def _capacity(dynamodb: DynamoDb, table: Table, request: api.UpdateTableInput) -> Table:
    now = dynamodb.clock.now()
    wanted = request.provisioned_throughput
    billing = request.billing_mode or table.billing
    if billing == PROVISIONED and table.vectors:
        raise invalid_values("BillingMode PROVISIONED cannot be specified for a table with vector indexes")
    if wanted is not None and billing == ON_DEMAND:
        raise schemas.no_units()
    schemas.check_on_demand(request.on_demand_throughput, billing, "the table")
    if billing != table.billing:
        zero = Throughput(decreased=now)
        table = replace(table, billing=billing, billing_shown=True, throughput=zero)
        table = replace(table, on_demand=schemas.on_demand(request.on_demand_throughput))
        if billing == PROVISIONED:
            _check_provided(table, request)
        else:
            free = tuple(replace(each, throughput=Throughput()) for each in table.indexes)
            table = replace(table, billing_changed=now, indexes=free)
    if wanted is None:
        return table
    units = _changed(table.throughput, wanted, now, "table")
    return replace(table, throughput=units)


def _check_provided(table: Table, request: api.UpdateTableInput) -> None:
    """A table that is not paid by request any more needs throughput for each of its global indexes."""
    updates = [each.update for each in request.global_secondary_index_updates or () if each.update]
    provided = {update.index_name for update in updates if update.provisioned_throughput}
    for index in table.indexes:
        if not index.local and index.name not in provided:
            raise invalid_values(f"ProvisionedThroughput must be specified for index: {index.name}")


def _warmer(table: Table, wanted: api.WarmThroughput) -> Units:
    """What a table is to be warm for; what is not given stays as it is. Raises ValidationException: it never gets less."""
    held = warm_of(table)
    read, write = wanted.read_units_per_second, wanted.write_units_per_second
    for name, units, now in (("ReadUnitsPerSecond", read, held.read), ("WriteUnitsPerSecond", write, held.write)):
        if units is not None and units < (now or 0):
            raise invalid_values(
                f"Requested {name} for WarmThroughput for table is lower than current WarmThroughput, "
                "decreasing WarmThroughput is not supported"
            )
    return Units(read or held.read, write or held.write)


def _changed(before: Throughput, wanted: api.ProvisionedThroughput, now: float, what: str) -> Throughput:
    read, write = wanted.read_capacity_units, wanted.write_capacity_units
    if (read, write) == (before.read, before.write):
        raise invalid(
            f"The provisioned throughput for the {what} will not change. The requested value equals the current value. "
            f"Current ReadCapacityUnits provisioned for the {what}: {before.read}. Requested ReadCapacityUnits: {read}. "
            f"Current WriteCapacityUnits provisioned for the {what}: {before.write}. "
            f"Requested WriteCapacityUnits: {write}. "
            "Refer to the Amazon DynamoDB Developer Guide for current limits and how to request higher limits."
        )
    grows = read > before.read or write > before.write
    shrinks = read < before.read or write < before.write
    return Throughput(read, write, now if grows else before.increased, now if shrinks else before.decreased)


async def _indexes(
    dynamodb: DynamoDb, tx: Transaction, table: Table, request: api.UpdateTableInput
) -> tuple[Table, list[Index | VectorIndex]]:
    """The table with its indexes changed, and those that are to be filled."""
    added: list[Index | VectorIndex] = []
    for update in request.vector_index_updates or ():
        table = await _vector(dynamodb, tx, table, update, request, added)
    for each in request.global_secondary_index_updates or ():
        if each.create is not None:
            table = await _added(tx, table, each.create, request, added)
        elif each.delete is not None:
            gone = _index(table, each.delete.index_name)
            await store.drop_rows(tx, gone.id)
            tx.after_commit(dynamodb.sweeper.wake)
            left = tuple(index for index in table.indexes if index.id != gone.id)
            table = _without_unused(replace(table, indexes=left))
        elif each.update is not None:
            table = _updated(table, _index(table, each.update.index_name), each.update, dynamodb.clock.now())
    if table.status == UPDATING and all(index.status == ACTIVE for index in table.every):
        table = replace(
            table, status=ACTIVE
        )  # what it was updating is gone: a replica's index may still be filled then
    return table, added


def _index(table: Table, name: str) -> Index:
    index = table.by_name.get(name)
    if index is None or index.local:
        raise api.ResourceNotFoundException(f"Requested resource not found: Table: {table.name}:{name} not found")
    return index


async def _added(
    tx: Transaction,
    table: Table,
    wanted: api.CreateGlobalSecondaryIndexAction,
    request: api.UpdateTableInput,
    added: list[Index | VectorIndex],
) -> Table:
    given = _definitions(table, request)
    definitions = table.definitions + tuple(each for each in given if each[0] not in table.kinds)
    index = schemas.global_index(wanted, given, table.billing)
    if any(index.name == each.name for each in table.every):
        raise invalid(f"Attempting to create an index which already exists: {index.name}")
    if sum(not each.local for each in table.indexes) >= schemas.MOST_GLOBAL:
        raise api.LimitExceededException(
            f"GlobalSecondaryIndex count exceeds the per-table limit of {schemas.MOST_GLOBAL}"
        )
    index = replace(index, id=await store.next_id(tx), status=CREATING)
    await _fill(tx, table, index)
    added.append(index)
    return _without_unused(replace(table, indexes=(*table.indexes, index), definitions=definitions, status=UPDATING))


async def _fill(tx: Transaction, table: Table, index: Index | VectorIndex) -> None:
    """Note that an index is to be filled from the start of its table."""
    await tx.write(
        "INSERT INTO ddb_backfill (idx, tbl, hash, range) VALUES ($1, $2, $3, $4)", (index.id, table.id, b"", b"")
    )


def _definitions(table: Table, request: api.UpdateTableInput) -> schemas.Definitions:
    """The attributes that a request defines. Raises ValidationException for one that has another type already."""
    given = schemas.definitions_of(request.attribute_definitions or [])
    for name, kind in given:
        if table.kinds.get(name, kind) != kind:
            raise _redefined(table, request, name, kind)
    return given


def _redefined(table: Table, request: api.UpdateTableInput, name: str, kind: str) -> AwsError:
    """What is answered to whoever gives an attribute another type than it has."""
    keys = (table.key, *(index.key for index in table.indexes))
    is_hash = next((name in dict(key.hashes) for key in keys if name in key.names), True)
    before = "HASH" if is_hash else "RANGE"
    made = [each.create for each in request.global_secondary_index_updates or () if each.create]
    roles = {part.attribute_name: part.key_type for index in made for part in index.key_schema}
    return invalid_values(
        "Attributes cannot be redefined. Please check that your attribute has the same type as previously defined. "
        f"Existing schema: Schema:[SchemaElement: key{{{name}:{table.kinds[name]}:{before}}}] "
        f"New schema: Schema:[SchemaElement: key{{{name}:{kind}:{roles.get(name, before)}}}]"
    )


async def _vector(
    dynamodb: DynamoDb,
    tx: Transaction,
    table: Table,
    update: api.VectorIndexUpdate,
    request: api.UpdateTableInput,
    added: list[Index | VectorIndex],
) -> Table:
    """The table with a vector index more or less."""
    wanted, gone = update.create, update.delete
    if gone is not None:
        found = [index for index in table.vectors if index.name == gone.index_name]
        if not found:
            raise api.ResourceNotFoundException(
                f"Requested resource not found: Table: {table.name}:{gone.index_name} not found"
            )
        await store.drop_rows(tx, found[0].id)
        tx.after_commit(dynamodb.sweeper.wake)
        left = tuple(index for index in table.vectors if index is not found[0])
        return _without_unused(replace(table, vectors=left))
    if wanted is None:
        raise invalid_values("One of VectorIndexUpdate.Create, VectorIndexUpdate.Delete must not be null")
    given = _definitions(table, request)
    index = vector_schemas.vector_index(wanted, table.key, given, table.vectors, table.billing)
    if any(index.name == each.name for each in table.every):
        raise invalid(f"Attempting to create an index which already exists: {index.name}")
    if len(table.vectors) >= vector_schemas.MOST:
        raise api.LimitExceededException(f"VectorIndex count exceeds the per-table limit of {vector_schemas.MOST}")
    index = replace(index, id=await store.next_id(tx), status=CREATING)
    await _fill(tx, table, index)
    added.append(index)
    definitions = table.definitions + tuple(each for each in given if each[0] not in table.kinds)
    return _without_unused(replace(table, vectors=(*table.vectors, index), definitions=definitions, status=UPDATING))


def _without_unused(table: Table) -> Table:
    """Attributes that were keys of an index that is gone need no definition any more."""
    used = table.defined
    return replace(table, definitions=tuple(each for each in table.definitions if each[0] in used))


def _updated(table: Table, index: Index, wanted: api.UpdateGlobalSecondaryIndexAction, now: float) -> Table:
    changed = index
    if wanted.provisioned_throughput is not None:
        if table.billing == ON_DEMAND:
            raise schemas.no_units()
        units = _changed(index.throughput, wanted.provisioned_throughput, now, f"index {index.name}")
        changed = replace(changed, throughput=units)
    if wanted.on_demand_throughput is not None:
        changed = replace(changed, on_demand=schemas.on_demand(wanted.on_demand_throughput, index.on_demand))
    if wanted.warm_throughput is not None:
        changed = replace(changed, warm=schemas.warm(wanted.warm_throughput))
    return replace(table, indexes=tuple(changed if each.id == index.id else each for each in table.indexes))


async def _stream(dynamodb: DynamoDb, tx: Transaction, table: Table, request: api.UpdateTableInput) -> Table:
    given = request.stream_specification
    if given is None:
        return table
    wanted = stream_of(given, dynamodb.clock.now())
    if wanted is None:
        if not table.streams or table.stream is None:
            raise invalid("Table is already has a stream disabled: " + table.name)
        await dynamodb.changes.close_stream(tx, table)
        return replace(table, stream=replace(table.stream, enabled=False))
    if table.streams:
        raise invalid("Table already has an enabled stream: TableName: " + table.name)
    table = replace(table, stream=wanted)
    await dynamodb.changes.open_stream(tx, table)
    return table

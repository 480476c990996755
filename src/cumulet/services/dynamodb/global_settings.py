"""Settings of global tables: those of version 2017.11.29 by region, and what scales them."""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.dynamodb import descriptions, global_tables, store
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.model import ACTIVE, ON_DEMAND, PROVISIONED, Index, Table, Throughput
from cumulet.services.dynamodb.state import DynamoDb
from cumulet.storage.database import Database, Transaction


async def describe_global_table_settings(
    dynamodb: DynamoDb, call: Call, request: api.DescribeGlobalTableSettingsInput
) -> api.DescribeGlobalTableSettingsOutput:
    members = await _members(dynamodb.db, call, request.global_table_name)
    return api.DescribeGlobalTableSettingsOutput(
        global_table_name=request.global_table_name, replica_settings=[_settings(table) for table in members]
    )


async def update_global_table_settings(
    dynamodb: DynamoDb, call: Call, request: api.UpdateGlobalTableSettingsInput
) -> api.UpdateGlobalTableSettingsOutput:
    _check(request)
    changed = []
    async with dynamodb.db.transaction() as tx:
        members = await _members(tx, call, request.global_table_name)
        unknown = {each.region_name for each in request.replica_settings_update or ()} - {
            table.region for table in members
        }
        if unknown:
            raise api.ReplicaNotFoundException(
                f"Global table '{request.global_table_name}' has no replica in {', '.join(sorted(unknown))}"
            )
        for table in members:
            now = _updated(table, request)
            await store.save(tx, now)
            changed.append(now)
            tx.after_commit(partial(dynamodb.directory.changed, now))
    return api.UpdateGlobalTableSettingsOutput(
        global_table_name=request.global_table_name,
        replica_settings=[_settings(table, "UPDATING") for table in changed],
    )


def _check(request: api.UpdateGlobalTableSettingsInput) -> None:
    scaling = [
        request.global_table_provisioned_write_capacity_auto_scaling_settings_update,
        *(
            each.provisioned_write_capacity_auto_scaling_settings_update
            for each in request.global_table_global_secondary_index_settings_update or ()
        ),
    ]
    for replica in request.replica_settings_update or ():
        scaling.append(replica.replica_provisioned_read_capacity_auto_scaling_settings_update)
        scaling += [
            each.provisioned_read_capacity_auto_scaling_settings_update
            for each in replica.replica_global_secondary_index_settings_update or ()
        ]
    if any(each is not None and not each.auto_scaling_disabled for each in scaling):
        raise NotImplementedHere("There is no Application Auto Scaling in Cumulet. See docs/services/dynamodb.md.")


async def _members(source: Database | Transaction, call: Call, name: str) -> list[Table]:
    group = await global_tables.find(source, call.account, name)
    if group is None:
        raise global_tables.unknown(name)
    found = []
    for region in group.regions:
        table = await store.named(source, call.account, region, name)
        if table is not None:
            found.append(table)
    return found


def _updated(table: Table, request: api.UpdateGlobalTableSettingsInput) -> Table:
    """A replica as the request makes it. Raises ValidationException."""
    billing = request.global_table_billing_mode or table.billing
    own = [each for each in request.replica_settings_update or () if each.region_name == table.region]
    read = own[0].replica_provisioned_read_capacity_units if own else None
    write = request.global_table_provisioned_write_capacity_units
    if billing == ON_DEMAND and (read is not None or write is not None):
        raise invalid("Capacity units cannot be specified when BillingMode is PAY_PER_REQUEST")
    units = Throughput() if billing == ON_DEMAND else _units(table.throughput, read, write)
    if billing == PROVISIONED and not (units.read and units.write):
        raise invalid("ProvisionedThroughput must be specified for each replica when BillingMode is PROVISIONED")
    reads = {
        each.index_name: each.provisioned_read_capacity_units
        for each in (own[0].replica_global_secondary_index_settings_update or () if own else ())
    }
    writes = {
        each.index_name: each.provisioned_write_capacity_units
        for each in request.global_table_global_secondary_index_settings_update or ()
    }
    for name in {**reads, **writes}:
        if name not in table.by_name or table.by_name[name].local:
            raise api.IndexNotFoundException(f"Index not found: {name} of {table.name}")

    def index(each: Index) -> Index:
        if billing == ON_DEMAND:
            return replace(each, throughput=Throughput())
        return replace(each, throughput=_units(each.throughput, reads.get(each.name), writes.get(each.name)))

    return replace(
        table,
        billing=billing,
        billing_shown=table.billing_shown or billing == ON_DEMAND,
        throughput=units,
        table_class=(own[0].replica_table_class or table.table_class) if own else table.table_class,
        indexes=tuple([index(each) for each in table.indexes]),
    )


def _units(before: Throughput, read: int | None, write: int | None) -> Throughput:
    return replace(before, read=before.read if read is None else read, write=before.write if write is None else write)


def _unscaled() -> api.AutoScalingSettingsDescription:
    return api.AutoScalingSettingsDescription(auto_scaling_disabled=True)


def _settings(table: Table, status: str = ACTIVE) -> api.ReplicaSettingsDescription:
    shown = descriptions.describe(table, {})
    return api.ReplicaSettingsDescription(
        region_name=table.region,
        replica_status=status,
        replica_billing_mode_summary=shown.billing_mode_summary,
        replica_provisioned_read_capacity_units=table.throughput.read,
        replica_provisioned_read_capacity_auto_scaling_settings=_unscaled(),
        replica_provisioned_write_capacity_units=table.throughput.write,
        replica_provisioned_write_capacity_auto_scaling_settings=_unscaled(),
        replica_global_secondary_index_settings=[
            api.ReplicaGlobalSecondaryIndexSettingsDescription(
                index_name=index.name,
                index_status=index.status,
                provisioned_read_capacity_units=index.throughput.read,
                provisioned_read_capacity_auto_scaling_settings=_unscaled(),
                provisioned_write_capacity_units=index.throughput.write,
                provisioned_write_capacity_auto_scaling_settings=_unscaled(),
            )
            for index in table.indexes
            if not index.local
        ]
        or None,
        replica_table_class_summary=shown.table_class_summary,
    )


async def describe_table_replica_auto_scaling(
    dynamodb: DynamoDb, call: Call, request: api.DescribeTableReplicaAutoScalingInput
) -> api.DescribeTableReplicaAutoScalingOutput:
    """Nothing scales tables here, and the answer says so."""
    table = await dynamodb.described(call, request.table_name)
    regions = [(table.region, table.status), *((each.region, each.status) for each in table.replicas)]
    replicas = [
        api.ReplicaAutoScalingDescription(
            region_name=region,
            replica_provisioned_read_capacity_auto_scaling_settings=_unscaled(),
            replica_provisioned_write_capacity_auto_scaling_settings=_unscaled(),
            replica_status=status,
        )
        for region, status in regions
    ]
    return api.DescribeTableReplicaAutoScalingOutput(
        table_auto_scaling_description=api.TableAutoScalingDescription(
            table_name=table.name, table_status=table.status, replicas=replicas
        )
    )

"""Tables as DescribeTable shows them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb import names, overrides
from cumulet.services.dynamodb.model import (
    ACTIVE,
    CREATING,
    CREATION_FAILED,
    ON_DEMAND,
    UPDATING,
    Index,
    Key,
    Table,
    Throughput,
    Units,
    VectorIndex,
)

Measures = Mapping[int, tuple[int, int]]
"""Items and bytes by the id of a table or an index."""

_ON_DEMAND_WARM = Units(12_000, 4_000)
LATEST_GLOBAL_TABLES = "2019.11.21"
_SAME_ACCOUNT = "ENABLED_WITH_OVERRIDES"
"""How settings follow between the regions of one account."""
LEGACY_GLOBAL_TABLES = "2017.11.29"
_NOT_COPIED = "The items of the table could not be copied. Delete the replica, or create it again."


def describe(
    table: Table, measures: Measures, *, status: str = "", warm: bool = True, index_status: str = ""
) -> api.TableDescription:
    """A table as it is. `status`, `index_status`: what is said instead of its state; `warm`: with its warm throughput
    even if nobody set it, as DescribeTable has it and other answers do not."""
    items, size = measures.get(table.id, (0, 0))
    local = [_local(table, index, measures) for index in table.indexes if index.local]
    others = [_global(table, index, measures, index_status, warm=warm) for index in table.indexes if not index.local]
    return api.TableDescription(
        attribute_definitions=_definitions(table),
        table_name=table.name,
        key_schema=_schema(table.key),
        table_status=status or (UPDATING if table.copied and table.status == ACTIVE else table.status),
        creation_date_time=table.created,
        provisioned_throughput=_throughput(table.throughput),
        table_size_bytes=size,
        item_count=items,
        table_arn=table.arn,
        table_id=table.uuid,
        billing_mode_summary=_billing(table, told=warm),
        local_secondary_indexes=local or None,
        global_secondary_indexes=others or None,
        vector_indexes=[_vector(table, index, measures, index_status, warm=warm) for index in table.vectors] or None,
        stream_specification=_stream(table),
        latest_stream_label=table.stream.label if table.stream else None,
        latest_stream_arn=table.stream_arn or None,
        global_table_version=_version(table),
        replicas=_replicas(table, warm=warm) or None,
        global_table_witnesses=[api.GlobalTableWitnessDescription(region_name=table.witness, witness_status=ACTIVE)]
        if table.witness
        else None,
        global_table_settings_replication_mode=_settings_mode(table),
        multi_region_consistency=table.consistency or None,
        disassociation_protection_enabled=table.guarded
        if table.replicas and not table.consistency and not table.legacy
        else None,
        restore_summary=_restored(table),
        sse_description=_encryption(table),
        table_class_summary=_class(table),
        deletion_protection_enabled=table.protected,
        on_demand_throughput=_on_demand(table.on_demand),
        warm_throughput=_warm(table, status, told=warm),
    )


def describe_gone(table: Table, measures: Measures) -> api.TableDescription:
    """A table that is being deleted, as DeleteTable shows it."""
    shown = describe(table, measures, status="DELETING", warm=False)
    shown.attribute_definitions = shown.key_schema = shown.creation_date_time = None
    shown.local_secondary_indexes = shown.global_secondary_indexes = shown.vector_indexes = None
    shown.billing_mode_summary = _billing(table, told=True)
    return shown


def _definitions(table: Table) -> list[api.AttributeDefinition]:
    return [api.AttributeDefinition(attribute_name=name, attribute_type=kind) for name, kind in table.definitions]


def _schema(key: Key) -> list[api.KeySchemaElement]:
    kinds = ["HASH"] * len(key.hashes) + ["RANGE"] * len(key.ranges)
    return [
        api.KeySchemaElement(attribute_name=name, key_type=kind) for name, kind in zip(key.names, kinds, strict=True)
    ]


def _throughput(units: Throughput) -> api.ProvisionedThroughputDescription:
    return api.ProvisionedThroughputDescription(
        last_increase_date_time=units.increased,
        last_decrease_date_time=units.decreased,
        number_of_decreases_today=0,
        read_capacity_units=units.read,
        write_capacity_units=units.write,
    )


def _billing(table: Table, *, told: bool) -> api.BillingModeSummary | None:
    if not table.billing_shown:
        return None
    return api.BillingModeSummary(
        billing_mode=table.billing,
        last_update_to_pay_per_request_date_time=table.billing_changed if told else None,
    )


def _projection(index: Index | VectorIndex) -> api.Projection:
    return api.Projection(projection_type=index.projection, non_key_attributes=list(index.included) or None)


def _local(table: Table, index: Index, measures: Measures) -> api.LocalSecondaryIndexDescription:
    items, size = measures.get(index.id, (0, 0))
    return api.LocalSecondaryIndexDescription(
        index_name=index.name,
        key_schema=_schema(index.key),
        projection=_projection(index),
        index_size_bytes=size,
        item_count=items,
        index_arn=table.index_arn(index),
    )


def _global(
    table: Table, index: Index, measures: Measures, status: str, *, warm: bool
) -> api.GlobalSecondaryIndexDescription:
    items, size = measures.get(index.id, (0, 0))
    units = index.warm or (_default_warm(table, index.throughput) if warm else None)
    return api.GlobalSecondaryIndexDescription(
        index_name=index.name,
        key_schema=_schema(index.key),
        projection=_projection(index),
        index_status=status or index.status,
        backfilling=True if index.status == "CREATING" and warm else None,
        provisioned_throughput=_throughput(index.throughput),
        index_size_bytes=size,
        item_count=items,
        index_arn=table.index_arn(index),
        on_demand_throughput=_on_demand(index.on_demand),
        warm_throughput=api.GlobalSecondaryIndexWarmThroughputDescription(
            read_units_per_second=units.read, write_units_per_second=units.write, status=_state(status)
        )
        if units
        else None,
    )


def _vector(
    table: Table, index: VectorIndex, measures: Measures, status: str, *, warm: bool
) -> api.VectorIndexDescription:
    items, size = measures.get(index.id, (0, 0))
    schema = [
        api.SearchSchemaElement(attribute_name=name, search_schema_element_type=kind) for name, kind in index.elements
    ]
    return api.VectorIndexDescription(
        index_name=index.name,
        search_schema=schema or None,
        projection=_projection(index),
        vector_attribute=api.VectorAttributeDefinition(attribute_name=index.attribute),
        dimensions=index.dimensions,
        distance_function=index.distance,
        index_status=status or index.status,
        backfilling=True if index.status == CREATING and warm else None,
        index_size_bytes=size,
        item_count=items,
        index_arn=table.index_arn(index),
    )


def warm_of(table: Table) -> Units:
    """What a table is warm for: what was asked for, or what comes with its billing."""
    default = _default_warm(table, table.throughput)
    kept = table.warm or default
    return Units(kept.read or default.read, kept.write or default.write)


def _default_warm(table: Table, units: Throughput) -> Units:
    return _ON_DEMAND_WARM if table.billing == ON_DEMAND else Units(units.read, units.write)


def _state(status: str) -> str:
    return "UPDATING" if status in ("CREATING", "UPDATING") else ACTIVE


def _warm(table: Table, status: str, *, told: bool) -> api.TableWarmThroughputDescription | None:
    if table.warm is None and not told:
        return None
    units = warm_of(table)
    return api.TableWarmThroughputDescription(
        read_units_per_second=units.read, write_units_per_second=units.write, status=_state(status)
    )


def _on_demand(units: Units | None) -> api.OnDemandThroughput | None:
    if units is None:
        return None
    return api.OnDemandThroughput(
        max_read_request_units=units.read,
        max_write_request_units=units.write,
    )


def _stream(table: Table) -> api.StreamSpecification | None:
    if table.stream is None or not table.stream.enabled:
        return None
    return api.StreamSpecification(stream_enabled=True, stream_view_type=table.stream.view)


def _replicas(table: Table, *, warm: bool) -> list[api.ReplicaDescription]:
    if table.legacy:
        return []  # DescribeGlobalTable tells of them
    units = _warm(table, "", told=warm)
    return [
        api.ReplicaDescription(
            region_name=each.region,
            replica_status=each.status,
            replica_status_description=_NOT_COPIED if each.status == CREATION_FAILED else None,
            kms_master_key_id=each.key or None,
            warm_throughput=units,
            replica_arn=names.arn((each.account, each.region, table.name)) if each.account else None,
            global_table_settings_replication_mode=_settings_mode(table),
            **overrides.shown(each.override),
        )
        for each in table.replicas
    ]


def _settings_mode(table: Table) -> str | None:
    """Whether settings follow those of other replicas."""
    if table.accounts or (table.shared and not table.replicas):
        return "ENABLED"
    return _SAME_ACCOUNT if table.replicas and not table.legacy else None


def _version(table: Table) -> str | None:
    if table.legacy:
        return LEGACY_GLOBAL_TABLES
    return LATEST_GLOBAL_TABLES if table.replicas else None


def _restored(table: Table) -> api.RestoreSummary | None:
    if table.restored is None:
        return None
    return api.RestoreSummary(
        source_backup_arn=table.restored.backup or None,
        source_table_arn=table.restored.source_table,
        restore_date_time=table.restored.moment,
        restore_in_progress=table.status == CREATING,
    )


def _encryption(table: Table) -> api.SSEDescription | None:
    if table.encryption is None:
        return None
    return api.SSEDescription(status="ENABLED", sse_type="KMS", kms_master_key_arn=table.encryption.key_arn)


def _class(table: Table) -> api.TableClassSummary | None:
    if not table.table_class:
        return None
    return api.TableClassSummary(table_class=table.table_class, last_update_date_time=table.class_changed)


def rows_of(table: Table) -> list[int]:
    """The ids that its measures are under."""
    return list(itertools.chain([table.id], (index.id for index in table.every)))

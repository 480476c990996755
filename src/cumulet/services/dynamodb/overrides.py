"""What a table of several regions has of its own in one of them."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.errors import invalid, invalid_values
from cumulet.services.dynamodb.model import ON_DEMAND, Index, IndexOverride, Override, Table, Throughput, Units

Action = api.CreateReplicationGroupMemberAction | api.UpdateReplicationGroupMemberAction


def of(table: Table, wanted: Action, before: Override | None = None) -> Override | None:
    """What a request asks for, with what was so before. Raises ValidationException."""
    was = before or Override()
    read, on_demand = _units(table, wanted.provisioned_throughput_override, wanted.on_demand_throughput_override)
    indexes = {each.name: each for each in was.indexes}
    for each in wanted.global_secondary_indexes or ():
        index = table.by_name.get(each.index_name)
        if index is None or index.local:
            raise invalid(f"The table does not have the specified index: {each.index_name}")
        some = _units(table, each.provisioned_throughput_override, each.on_demand_throughput_override)
        known = indexes.get(each.index_name, IndexOverride(each.index_name))
        indexes[each.index_name] = IndexOverride(
            each.index_name, _either(some[0], known.read), _either(some[1], known.on_demand)
        )
    now = Override(
        _either(read, was.read),
        _either(on_demand, was.on_demand),
        wanted.table_class_override or was.table_class,
        tuple(indexes.values()),
    )
    return now if now != Override() else None


def _units(
    table: Table, provisioned: api.ProvisionedThroughputOverride | None, most: api.OnDemandThroughputOverride | None
) -> tuple[int | None, int | None]:
    if provisioned is not None and table.billing == ON_DEMAND:
        raise invalid_values("ProvisionedThroughputOverride cannot be specified when BillingMode is PAY_PER_REQUEST")
    if most is not None and table.billing != ON_DEMAND:
        raise invalid_values("OnDemandThroughputOverride cannot be specified when BillingMode is PROVISIONED")
    return (
        provisioned.read_capacity_units if provisioned is not None else None,
        most.max_read_request_units if most is not None else None,
    )


def _either(given: int | None, before: int | None) -> int | None:
    return before if given is None else given


def apply(table: Table, own: Override | None) -> Table:
    """The table of a region, with what it has of its own there."""
    if own is None:
        return table
    by_name = {each.name: each for each in own.indexes}
    return replace(
        table,
        throughput=_reading(table.throughput, own.read, table.billing),
        on_demand=_most(table.on_demand, own.on_demand, table.billing),
        table_class=own.table_class or table.table_class,
        indexes=tuple([_index(each, by_name.get(each.name), table.billing) for each in table.indexes]),
    )


def _index(index: Index, own: IndexOverride | None, billing: str) -> Index:
    if own is None:
        return index
    return replace(
        index,
        throughput=_reading(index.throughput, own.read, billing),
        on_demand=_most(index.on_demand, own.on_demand, billing),
    )


def _reading(units: Throughput, read: int | None, billing: str) -> Throughput:
    return units if read is None or billing == ON_DEMAND else replace(units, read=read)


def _most(units: Units | None, read: int | None, billing: str) -> Units | None:
    return units if read is None or billing != ON_DEMAND else replace(units or Units(), read=read)


def shown(own: Override | None) -> dict[str, Any]:
    """The members of a replica's description that tell of it."""
    if own is None:
        return {}
    told: dict[str, Any] = _told(own)
    if own.table_class:
        told["replica_table_class_summary"] = api.TableClassSummary(table_class=own.table_class)
    if own.indexes:
        told["global_secondary_indexes"] = [
            api.ReplicaGlobalSecondaryIndexDescription(index_name=each.name, **_told(each)) for each in own.indexes
        ]
    return told


def _told(own: Override | IndexOverride) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if own.read is not None:
        told["provisioned_throughput_override"] = api.ProvisionedThroughputOverride(read_capacity_units=own.read)
    if own.on_demand is not None:
        told["on_demand_throughput_override"] = api.OnDemandThroughputOverride(max_read_request_units=own.on_demand)
    return told

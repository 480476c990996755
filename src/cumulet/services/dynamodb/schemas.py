"""What CreateTable and UpdateTable may ask for: keys, indexes, capacity. AWS's words, in AWS's order."""

from __future__ import annotations

from collections.abc import Sequence

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.errors import invalid, invalid_values
from cumulet.services.dynamodb.model import ON_DEMAND, PROVISIONED, Index, Key, Throughput, Units, VectorIndex
from cumulet.services.dynamodb.vectors import schemas as vector_schemas

MOST_UNITS = 1_000_000_000_000
MOST_LOCAL, MOST_GLOBAL = 5, 20
_MOST_INCLUDED = 100
_MOST_OF_PART = 4
_FIRST = "Invalid KeySchema: The first KeySchemaElement is not a HASH key type"
_SAME_NAME = "Both the Hash Key and the Range Key element in the KeySchema have the same name"
_SAME_NAMES = "The KeySchema contains multiple key attributes with the same name"
Definitions = tuple[tuple[str, str], ...]
AnyIndex = api.GlobalSecondaryIndex | api.LocalSecondaryIndex | api.CreateGlobalSecondaryIndexAction


def check_capacity(request: api.CreateTableInput) -> None:
    """Capacity units belong to tables that are not paid by request, and only to those."""
    units = request.provisioned_throughput
    check_on_demand(request.on_demand_throughput, request.billing_mode or PROVISIONED, "table")
    if request.billing_mode == ON_DEMAND:
        if units is not None:
            raise no_units()
        return
    if units is None:
        raise invalid_values(
            "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED"
        )
    check_bounds(units)


def no_units() -> AwsError:
    return invalid_values(
        "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
    )


def check_bounds(units: api.ProvisionedThroughput, index: str = "") -> None:
    """The most that may be asked for."""
    for name, value in (
        ("ReadCapacityUnits", units.read_capacity_units),
        ("WriteCapacityUnits", units.write_capacity_units),
    ):
        if value > MOST_UNITS:
            raise invalid(f"Given value {value} for {name} is out of bounds{f' for index {index}' if index else ''}")


def definitions_of(given: Sequence[api.AttributeDefinition] | None) -> Definitions:
    """Attributes with their types; each once. Raises ValidationException."""
    if given is None:
        raise invalid(
            "1 validation error detected: Value null at 'attributeDefinitions' failed to satisfy constraint: "
            "Member must not be null"
        )
    pairs = tuple((each.attribute_name, each.attribute_type) for each in given)
    if len(dict(pairs)) != len(pairs):
        twice = next(name for number, (name, _) in enumerate(pairs) if name in dict(pairs[:number]))
        raise invalid_values(f"Duplicate attribute definitions are not allowed: {twice}")
    return pairs


def table_key(request: api.CreateTableInput, definitions: Definitions) -> Key:
    """The table's key. Raises ValidationException."""
    if request.key_schema is None:
        raise invalid(
            "1 validation error detected: Value null at 'keySchema' failed to satisfy constraint: Member must not be null"
        )
    _check_two(request.key_schema, "keySchema")
    if len(request.key_schema) > len(definitions):
        raise invalid("Invalid KeySchema: Some index key attribute have no definition")
    return _key(request.key_schema, definitions)


def _check_two(schema: Sequence[api.KeySchemaElement], at: str) -> None:
    if len(schema) > 2:
        raise invalid(
            f"1 validation error detected: Value '{_shown(schema)}' at '{at}' failed to satisfy "
            "constraint: Member must have length less than or equal to 2"
        )


def _shown(schema: Sequence[api.KeySchemaElement]) -> str:
    parts = (f"KeySchemaElement(attributeName={part.attribute_name}, keyType={part.key_type})" for part in schema)
    return f"[{', '.join(parts)}]"


def _key(schema: Sequence[api.KeySchemaElement], definitions: Definitions) -> Key:
    """A key of one attribute or two."""
    names, kinds = _names(schema, definitions)
    if len(names) == 2 and names[0] == names[1]:
        raise invalid(_SAME_NAME)
    if schema[0].key_type != "HASH":
        raise invalid(_FIRST)
    if len(schema) == 2 and schema[1].key_type != "RANGE":
        raise invalid("Invalid KeySchema: The second KeySchemaElement is not a RANGE key type")
    second = names[1] if len(names) == 2 else ""
    return Key(names[0], kinds[names[0]], second, kinds.get(second, ""))


def _global_key(schema: Sequence[api.KeySchemaElement], definitions: Definitions) -> Key:
    """A key of up to four attributes for each of its parts, those of the partition key first.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.DesignPattern.MultiAttributeKeys.html
    """
    names, kinds = _names(schema, definitions)
    if schema[0].key_type != "HASH":
        raise invalid(_FIRST)
    types = [part.key_type for part in schema]
    if types != sorted(types):
        raise invalid_values("All HASH key attributes must precede RANGE key attributes in the KeySchema")
    for each in ("HASH", "RANGE"):
        if types.count(each) > _MOST_OF_PART:
            raise invalid_values(f"The KeySchema exceeds the maximum allowed number of {each} key attributes")
    if len(set(names)) != len(names):
        raise invalid(_SAME_NAME if types == ["HASH", "RANGE"] else _SAME_NAMES)
    pairs = [(name, kinds[name]) for name in names]
    hashes, ranges = pairs[: types.count("HASH")], pairs[types.count("HASH") :]
    second = ranges[0] if ranges else ("", "")
    return Key(*hashes[0], *second, tuple(hashes[1:]), tuple(ranges[1:]))


def _names(schema: Sequence[api.KeySchemaElement], definitions: Definitions) -> tuple[list[str], dict[str, str]]:
    """The attributes of a key, and the types of all. Raises ValidationException for one that is not defined."""
    names = [part.attribute_name for part in schema]
    kinds = dict(definitions)
    if any(name not in kinds for name in names):
        raise invalid_values(
            "Some index key attributes are not defined in AttributeDefinitions. "
            f"Keys: [{', '.join(names)}], AttributeDefinitions: [{', '.join(kinds)}]"
        )
    return names, kinds


def indexes_of(
    request: api.CreateTableInput, key: Key, definitions: Definitions
) -> tuple[list[Index], list[VectorIndex]]:
    """The indexes of a new table, their ids still 0. Raises ValidationException."""
    given = (request.local_secondary_indexes, request.global_secondary_indexes, request.vector_indexes)
    if all(each is None for each in given):
        if len(key.names) != len(definitions):
            raise invalid_values(
                "Number of attributes in KeySchema does not exactly match number of attributes defined in "
                "AttributeDefinitions"
            )
        return [], []
    local = _local_indexes(request.local_secondary_indexes, key, definitions)
    others = _global_indexes(request, definitions, {index.name for index in local})
    names = {index.name for index in (*local, *others)}
    vectors = vector_schemas.indexes_of(request.vector_indexes, key, definitions, names, request.billing_mode)
    keys = (key, *(index.key for index in (*local, *others)))
    used = {name for names in (*(k.names for k in keys), *(index.names for index in vectors)) for name in names}
    check_all_used(definitions, used)
    included = sum(len(index.included) for index in (*local, *others))
    if included > _MOST_INCLUDED:
        raise invalid_values(
            f"Total number of non-key attributes in all indexes is {included}, and exceeds the limit of {_MOST_INCLUDED}"
        )
    return [*local, *others], vectors


def check_all_used(definitions: Definitions, used: set[str]) -> None:
    """Attributes that are no keys may not be defined."""
    if unused := [name for name, _ in definitions if name not in used]:
        raise invalid_values(
            f"Some AttributeDefinitions are not used. AttributeDefinitions: [{', '.join(dict(definitions))}], "
            f"keys used: [{', '.join(name for name, _ in definitions if name not in unused)}]"
        )


def _local_indexes(given: list[api.LocalSecondaryIndex] | None, key: Key, definitions: Definitions) -> list[Index]:
    if given is None:
        return []
    if not given:
        raise invalid_values("List of LocalSecondaryIndexes is empty")
    if not key.range:
        raise invalid_values(
            "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex"
        )
    found: list[Index] = []
    for number, each in enumerate(given, 1):
        _check_two(each.key_schema, f"localSecondaryIndexes.{number}.member.keySchema")
        own = _key(each.key_schema, definitions)
        if not own.range:
            raise invalid_values(f"Index KeySchema does not have a range key for index: {each.index_name}")
        if own.hash != key.hash:
            raise invalid_values(
                f"Index KeySchema does not have the same leading hash key as table KeySchema for index: {each.index_name}. "
                f"index hash key: {own.hash}, table hash key: {key.hash}"
            )
        _check_projection(each)
        _check_new_name(each.index_name, {index.name for index in found})
        found.append(_index(each, own, local=True))
    if len(found) > MOST_LOCAL:
        raise invalid_values(f"Number of LocalSecondaryIndexes exceeds per-table limit of {MOST_LOCAL}")
    return found


def _global_indexes(request: api.CreateTableInput, definitions: Definitions, taken: set[str]) -> list[Index]:
    given = request.global_secondary_indexes
    if given is None:
        return []
    if not given:
        raise invalid_values("List of GlobalSecondaryIndexes is empty")
    found = []
    for each in given:
        found.append(global_index(each, definitions, request.billing_mode or PROVISIONED))
        _check_new_name(each.index_name, taken)
        taken.add(each.index_name)
    if len(found) > MOST_GLOBAL:
        raise invalid_values(f"GlobalSecondaryIndex count exceeds the per-table limit of {MOST_GLOBAL}")
    return found


def _check_new_name(name: str, taken: set[str]) -> None:
    if name in taken:
        raise invalid_values(f"Duplicate index name: {name}")


def global_index(
    each: api.GlobalSecondaryIndex | api.CreateGlobalSecondaryIndexAction, definitions: Definitions, billing: str
) -> Index:
    """A global index of a table, its id still 0. Raises ValidationException."""
    key = _global_key(each.key_schema, definitions)
    _check_projection(each)
    units = each.provisioned_throughput
    if billing == ON_DEMAND and units is not None:
        raise invalid_values(
            f"ProvisionedThroughput should not be specified for index: {each.index_name} when BillingMode is PAY_PER_REQUEST"
        )
    if billing == PROVISIONED and units is None:
        raise invalid_values(f"ProvisionedThroughput must be specified for index: {each.index_name}")
    if units is not None:
        check_bounds(units, each.index_name)
    return _index(each, key, local=False)


def _check_projection(each: AnyIndex) -> None:
    projection = each.projection
    if projection.projection_type is None:
        raise invalid_values("Unknown ProjectionType: null")
    if projection.non_key_attributes and projection.projection_type != "INCLUDE":
        raise invalid_values(f"ProjectionType is {projection.projection_type}, but NonKeyAttributes is specified")
    if projection.projection_type == "INCLUDE" and not projection.non_key_attributes:
        raise invalid_values("ProjectionType is INCLUDE, but NonKeyAttributes is not specified")
    included = projection.non_key_attributes or []
    if len(set(included)) != len(included):
        raise invalid_values(f"Duplicate attribute names in NonKeyAttributes: [{', '.join(included)}]")


def _index(each: AnyIndex, key: Key, *, local: bool) -> Index:
    return Index(
        id=0,
        name=each.index_name,
        key=key,
        local=local,
        projection=each.projection.projection_type or "",
        included=tuple(each.projection.non_key_attributes or ()),
        throughput=throughput(getattr(each, "provisioned_throughput", None)),
        warm=warm(getattr(each, "warm_throughput", None)),
        on_demand=on_demand(getattr(each, "on_demand_throughput", None)),
    )


def throughput(given: api.ProvisionedThroughput | None) -> Throughput:
    return Throughput(given.read_capacity_units, given.write_capacity_units) if given else Throughput()


def warm(given: api.WarmThroughput | None) -> Units | None:
    return Units(given.read_units_per_second, given.write_units_per_second) if given else None


def on_demand(given: api.OnDemandThroughput | None, before: Units | None = None) -> Units | None:
    """The most of an on-demand table: what is not given stays as it was, -1 is no limit. Raises ValidationException."""
    if given is None:
        return before
    before = before or Units()
    read = _most(given.max_read_request_units, before.read, "MaxReadRequestUnits")
    write = _most(given.max_write_request_units, before.write, "MaxWriteRequestUnits")
    return Units(read, write) if read or write else None


def _most(given: int | None, before: int | None, name: str) -> int | None:
    if given is None:
        return before
    if given < -1 or given == 0:
        raise invalid_values(f"{name} for OnDemandThroughput must be -1 or at least 1")
    return None if given == -1 else given


def check_on_demand(given: api.OnDemandThroughput | None, billing: str, table: str) -> None:
    """Tables that are not paid by request have no most; `table` is how the message names one. Raises ValidationException."""
    if given is None or billing == ON_DEMAND:
        return
    name = "MaxReadRequestUnits" if given.max_read_request_units is not None else "MaxWriteRequestUnits"
    raise invalid_values(f"{name} for OnDemandThroughput cannot be specified when {table} BillingMode is PROVISIONED")

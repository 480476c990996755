"""What CreateTable and UpdateTable may ask for as a vector index.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/VectorSearch.Requirements.html
"""

from __future__ import annotations

from collections.abc import Iterable

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.errors import invalid_values
from cumulet.services.dynamodb.model import ON_DEMAND, Key, VectorIndex

MOST = 5
_MOST_DIMENSIONS = 4096
_MOST_FILTERS = 18
Wanted = api.VectorIndex | api.CreateVectorIndexAction


def indexes_of(
    given: Iterable[api.VectorIndex] | None,
    key: Key,
    definitions: tuple[tuple[str, str], ...],
    taken: set[str],
    billing: str | None,
) -> list[VectorIndex]:
    """The vector indexes of a new table, their ids still 0; `taken` are the names of its other indexes. Raises
    ValidationException."""
    found: list[VectorIndex] = []
    for each in given or ():
        found.append(vector_index(each, key, definitions, found, billing))
        if each.index_name in taken:
            raise invalid_values(f"Duplicate index name: {each.index_name}")
        taken.add(each.index_name)
    if len(found) > MOST:
        raise invalid_values(f"VectorIndex count exceeds the per-table limit of {MOST}")
    return found


def vector_index(
    wanted: Wanted,
    key: Key,
    definitions: tuple[tuple[str, str], ...],
    others: Iterable[VectorIndex],
    billing: str | None,
) -> VectorIndex:
    """A vector index of a table with `others`, its id still 0. Raises ValidationException."""
    name, attribute = wanted.index_name, wanted.vector_attribute.attribute_name
    if billing != ON_DEMAND:
        raise invalid_values(f"Vector indexes need BillingMode PAY_PER_REQUEST. IndexName: {name}")
    if wanted.dimensions > _MOST_DIMENSIONS:
        raise invalid_values(f"Dimensions must be between 1 and {_MOST_DIMENSIONS} inclusive. IndexName: {name}")
    if attribute in key.names:
        raise invalid_values(f"VectorAttribute {attribute} is part of the table's key. IndexName: {name}")
    if any(each.attribute == attribute and each.dimensions != wanted.dimensions for each in others):
        raise invalid_values(f"All vector indexes on {attribute} must have the same Dimensions. IndexName: {name}")
    hashes, filters = _search_schema(wanted, definitions)
    projection = wanted.projection.projection_type or ""
    included = tuple(wanted.projection.non_key_attributes or ())
    if not projection:
        raise invalid_values("Unknown ProjectionType: null")
    if bool(included) != (projection == "INCLUDE"):
        lacking = f"ProjectionType is {projection}, but NonKeyAttributes is {'' if included else 'not '}specified"
        raise invalid_values(lacking)
    kept = {*key.names, *included, *(pair[0] for pair in (*hashes, *filters))}
    return VectorIndex(
        id=0,
        name=name,
        attribute=attribute,
        dimensions=wanted.dimensions,
        distance=wanted.distance_function,
        hash=hashes[0] if hashes else None,
        filters=tuple(filters),
        elements=tuple([(e.attribute_name, e.search_schema_element_type) for e in wanted.search_schema or ()]),
        projection=projection,
        included=included,
        kept=None if projection == "ALL" else frozenset(kept),
    )


def _search_schema(
    wanted: Wanted, definitions: tuple[tuple[str, str], ...]
) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The attributes of the partition key (one at most) and of inline filters, with their types."""
    kinds = dict(definitions)
    hashes: list[tuple[str, str]] = []
    filters: list[tuple[str, str]] = []
    for each in wanted.search_schema or ():
        type_ = kinds.get(each.attribute_name)
        if type_ is None:
            raise invalid_values("One element in SearchSchema is not defined in attribute definitions")
        (hashes if each.search_schema_element_type == "HASH" else filters).append((each.attribute_name, type_))
    if len(hashes) > 1:
        raise invalid_values("SearchSchema can have at most one HASH element")
    if len(filters) > _MOST_FILTERS:
        raise invalid_values(f"SearchSchema can have at most {_MOST_FILTERS} INLINE_FILTER elements")
    names = [name for name, _ in (*hashes, *filters)]
    if len(set(names)) != len(names):
        raise invalid_values("SearchSchema contains an attribute more than once")
    if wanted.vector_attribute.attribute_name in names:
        raise invalid_values("The vector attribute cannot be part of SearchSchema")
    return hashes, filters

"""Which items an export has, and which of their attributes.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Filtered.html
"""

from __future__ import annotations

from msgspec import Struct

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.asked import check_routes
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.expressions import Condition, Projection, bind, key_condition
from cumulet.services.dynamodb.expressions.conditions import bind_condition
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Stored, decode_item, encode_item
from cumulet.services.dynamodb.values import Item, item_size


class Filter(Struct, frozen=True):
    """A FilterSpecification that was checked. None of its parts: all items, all attributes."""

    keys: Condition | None = None
    items: Condition | None = None
    projection: Projection | None = None

    def reads(self, item: Item) -> bool:
        """Whether the export looks at an item at all: what it looks at is what it costs."""
        return self.keys is None or self.keys.matches(item)

    def has(self, item: Item) -> bool:
        """Whether the export has an item."""
        return self.reads(item) and (self.items is None or self.items.matches(item))

    def shown(self, stored: Stored) -> Stored:
        """An item with the attributes that are exported."""
        if self.projection is None:
            return stored
        part = self.projection.apply(decode_item(stored.body))
        return Stored(encode_item(part), item_size(part))


ALL = Filter()


def filter_of(table: Table, given: api.FilterSpecification | None) -> Filter:
    """What a request asks for. Raises ValidationException."""
    if given is None:
        return ALL
    bound = bind(
        given.expression_attribute_names,
        given.expression_attribute_values,
        key_condition=given.key_condition_expression,
        filter=given.filter_expression,
        projection=given.projection_expression,
    )
    keys = None
    if bound.keys is not None and given.key_condition_expression is not None:
        key_condition(bound.keys.terms, table.key.hashes, table.key.ranges)
        names = tuple((given.expression_attribute_names or {}).items())
        values = given.expression_attribute_values or {}
        keys = bind_condition(given.key_condition_expression, "KeyConditionExpression", names, values)
    for part in (bound.filter, bound.projection):
        if part is not None:
            check_routes(table, part.routes)
    if keys is not None and bound.filter is not None:
        heads = {route[0] for route in bound.filter.routes}
        for name in table.key.names:
            if name in heads:
                raise invalid(
                    f"Filter Expression can only contain non-primary key attributes: Primary key attribute: {name}"
                )
    return Filter(keys, bound.filter, bound.projection)

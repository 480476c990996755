"""All the expressions of one call, bound together: placeholders are shared, and none may be left unused."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.errors import invalid
from cumulet.services.dynamodb.expressions.changes import Update, bind_update
from cumulet.services.dynamodb.expressions.conditions import Bound, bind_condition
from cumulet.services.dynamodb.expressions.keys import Keys, bind_keys
from cumulet.services.dynamodb.expressions.projections import Projection, bind_projection
from cumulet.services.dynamodb.expressions.scope import check_names, check_values
from cumulet.services.dynamodb.expressions.searches import Search, bind_search

_NO_VALUES: Mapping[str, api.AttributeValue] = {}


class Expressions:
    """What a call's expressions are bound to; None for those that it does not have."""

    __slots__ = ("condition", "filter", "keys", "projection", "search", "update")

    def __init__(self) -> None:
        self.update: Update | None = None
        self.condition: Bound | None = None
        self.keys: Keys | None = None
        self.filter: Bound | None = None
        self.projection: Projection | None = None
        self.search: Search | None = None


def bind(
    names: Mapping[str, str] | None,
    values: Mapping[str, api.AttributeValue] | None,
    *,
    update: str | None = None,
    condition: str | None = None,
    key_condition: str | None = None,
    filter: str | None = None,
    projection: str | None = None,
    search: str | None = None,
) -> Expressions:
    """Parse, check and bind a call's expressions, in AWS's order: names, values, each expression, what is unused.

    Numbers in `values` are brought to DynamoDB's form in place. Raises ValidationException.
    """
    if names is not None:
        check_names(names)
    if values is not None:
        check_values(values)
    given = () if names is None else tuple(names.items())
    held = _NO_VALUES if values is None else values
    bound = Expressions()
    bound.update = None if update is None else bind_update(update, given, held)
    bound.condition = None if condition is None else bind_condition(condition, "ConditionExpression", given, held)
    bound.keys = None if key_condition is None else bind_keys(key_condition, given, held)
    bound.filter = None if filter is None else bind_condition(filter, "FilterExpression", given, held)
    bound.projection = None if projection is None else bind_projection(projection, given)
    bound.search = None if search is None else bind_search(search, given, held)
    if names is not None or values is not None:
        _check_used(bound, names or (), values or ())
    return bound


def _check_used(bound: Expressions, names: Collection[str], values: Collection[str]) -> None:
    parts = [
        part for part in (bound.update, bound.condition, bound.keys, bound.filter, bound.search) if part is not None
    ]
    used_values = [part.plan.values for part in parts]
    used_names = [part.plan.names for part in parts]
    if bound.projection is not None:
        used_names.append(bound.projection.names)
    _check_each("ExpressionAttributeNames", names, used_names)
    _check_each("ExpressionAttributeValues", values, used_values)


def _check_each(parameter: str, given: Collection[str], used: list[frozenset[str]]) -> None:
    if not given or (len(used) == 1 and len(used[0]) == len(given)):
        return  # all that is used is given, so as many are the same ones
    unused = set(given).difference(*used)
    if unused:
        keys = ", ".join([key for key in given if key in unused])
        raise invalid(f"Value provided in {parameter} unused in expressions: keys: {{{keys}}}")

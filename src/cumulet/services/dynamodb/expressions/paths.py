"""Values at the end of a path."""

from __future__ import annotations

from collections.abc import Callable

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.expressions.trees import Route
from cumulet.services.dynamodb.values import Item

Get = Callable[[Item], "api.AttributeValue | None"]


def getter(route: Route) -> Get:
    """A function that gives the value at the end of a path in an item, or None."""
    head = str(route[0])
    rest = route[1:]
    if not rest:
        return lambda item: item.get(head)

    def deep(item: Item) -> api.AttributeValue | None:
        value = item.get(head)
        for step in rest:
            if value is None:
                return None
            value = child(value, step)
        return value

    return deep


def child(value: api.AttributeValue, step: str | int) -> api.AttributeValue | None:
    """What is under a key of a map or at an index of a list; None if nothing is, or the value is neither."""
    if isinstance(step, int):
        parts = value.l
        return parts[step] if parts is not None and step < len(parts) else None
    named = value.m
    return named.get(step) if named is not None else None

"""AttributeUpdates and AttributesToGet: updates and projections as they were before expressions.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/LegacyConditionalParameters.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.errors import invalid, invalid_values
from cumulet.services.dynamodb.expressions.changes import Applied, difference, sum_of
from cumulet.services.dynamodb.expressions.projections import Projection
from cumulet.services.dynamodb.expressions.trees import Route
from cumulet.services.dynamodb.values import Item, check_value, kind

_SETS = ("SS", "NS", "BS")
_ADDED = ("N", "L", *_SETS)


class LegacyUpdate:
    """The AttributeUpdates of a call. `creates`: they make an item that does not exist; DELETE alone does not."""

    __slots__ = ("_updates", "creates", "updated")

    def __init__(self, updates: Mapping[str, api.AttributeValueUpdate]) -> None:
        self._updates = updates
        self.updated = Projection(tuple([(name,) for name in updates]))
        self.creates = not updates or any(each.action != "DELETE" for each in updates.values())

    @property
    def routes(self) -> tuple[Route, ...]:
        """The paths it writes: names of attributes, as they are."""
        return self.updated.routes

    def apply(self, item: Item | None, key: Item | None = None) -> Applied:
        """The new item. Without an old one (None) it begins with `key`. Raises ValidationException."""
        changed = dict(item if item is not None else key or {})
        for name, update in self._updates.items():
            value = _updated(changed.get(name), update)
            if value is None:
                changed.pop(name, None)
            else:
                changed[name] = value
        return Applied(changed, self.updated)


def legacy_update(updates: Mapping[str, api.AttributeValueUpdate]) -> LegacyUpdate:
    """AttributeUpdates, checked; numbers are brought to DynamoDB's form in place. Raises ValidationException."""
    for name, update in updates.items():
        if not name:
            raise invalid_values("Empty attribute name")
        value, action = update.value, update.action
        if value is None:
            if action != "DELETE":
                raise invalid_values("Only DELETE action is allowed when no attribute value is specified")
            continue
        check_value(value)
        found = kind(value)
        if action == "DELETE" and found not in _SETS:
            raise invalid_values(f"DELETE action with value is not supported for the type {found}")
        if action == "ADD" and found not in _ADDED:
            raise invalid_values(f"ADD action is not supported for the type {found}")
    return LegacyUpdate(updates)


def _updated(held: api.AttributeValue | None, update: api.AttributeValueUpdate) -> api.AttributeValue | None:
    value = update.value
    if update.action not in ("ADD", "DELETE"):
        return value
    if value is None or (held is None and update.action == "DELETE"):
        return None
    if held is None:
        return value
    if kind(held) != kind(value):
        raise _mismatch()
    if update.action == "DELETE":
        return difference(held, value)
    if held.l is not None and value.l is not None:
        return api.AttributeValue(l=[*held.l, *value.l])
    return sum_of(held, value)


def _mismatch() -> AwsError:
    return invalid("Type mismatch for attribute to update")


def attributes_to_get(names: Sequence[str]) -> Projection:
    """AttributesToGet: attributes by their names, as they are. Raises ValidationException."""
    seen: set[str] = set()
    for name in names:
        if not name:
            raise invalid_values("Empty attribute name")
        if name in seen:
            raise invalid_values(f"Duplicate value in attribute name: {name}")
        seen.add(name)
    return Projection(tuple([(name,) for name in names]))

"""What a request asks by its expressions, or by the older parameters that say the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.errors import invalid, invalid_values
from cumulet.services.dynamodb.expressions import (
    OF_GET,
    OF_UPDATE,
    OF_WRITE,
    Condition,
    Kinds,
    LegacyCondition,
    LegacyUpdate,
    Projection,
    Update,
    attributes_to_get,
    bind,
    check_parameters,
    expected_condition,
    legacy_update,
)
from cumulet.services.dynamodb.model import Table

AnyCondition = Condition | LegacyCondition
AnyUpdate = Update | LegacyUpdate
Route = tuple[str | int, ...]

OF_TRANSACTED = Kinds(("condition_expression",))
OF_TRANSACTED_GET = Kinds(("projection_expression",))
OF_TRANSACTED_UPDATE = Kinds(("update_expression", "condition_expression"))


def check_write(request: api.PutItemInput | api.DeleteItemInput) -> None:
    """Refuse parameters that do not go together."""
    if request.condition_expression is None or request.expected is not None:
        check_parameters(request, OF_WRITE)


def check_update(request: api.UpdateItemInput) -> None:
    check_parameters(request, OF_UPDATE)


def check_get(request: Any) -> None:
    check_parameters(request, OF_GET)


def condition_of(request: Any) -> AnyCondition | None:
    """The condition of a put, a deletion or a check. Raises ValidationException."""
    if request.condition_expression is not None:
        return bind(
            request.expression_attribute_names,
            request.expression_attribute_values,
            condition=request.condition_expression,
        ).condition
    if getattr(request, "expected", None) is None and getattr(request, "conditional_operator", None) is None:
        return None
    return expected_condition(request.expected, request.conditional_operator)


def update_of(request: Any) -> tuple[AnyUpdate | None, AnyCondition | None]:
    """The update and its condition. Raises ValidationException."""
    if request.update_expression is not None or request.condition_expression is not None:
        bound = bind(
            request.expression_attribute_names,
            request.expression_attribute_values,
            update=request.update_expression,
            condition=request.condition_expression,
        )
        return bound.update, bound.condition
    updates = getattr(request, "attribute_updates", None)
    return (legacy_update(updates) if updates else None), condition_of(request)


def projection_of(request: Any) -> Projection | None:
    """What shall be returned of an item; None for all. Raises ValidationException."""
    if request.projection_expression is not None:
        names = request.expression_attribute_names
        return bind(names, None, projection=request.projection_expression).projection
    names = getattr(request, "attributes_to_get", None)
    return attributes_to_get(names) if names is not None else None


def check_updated(table: Table, update: AnyUpdate) -> None:
    """Keys are not updated. Raises ValidationException."""
    for name in table.key.names:
        if any(route[0] == name for route in update.routes):
            raise invalid_values(f"Cannot update attribute {name}. This attribute is part of the key")
    check_routes(table, update.routes)


def check_routes(table: Table, routes: Iterable[Route]) -> None:
    """Keys have no parts. Raises ValidationException."""
    nested = {route[0] for route in routes if len(route) > 1}
    if not nested:
        return
    reason = "Key attributes must be scalars; list random access '[]' and map lookup '.' are not allowed"
    for name in table.key.names:
        if name in nested:
            raise invalid(f"{reason}: Key: {name}")
    for name, _, _ in table.index_keys:
        if name in nested:
            raise invalid(f"{reason}: IndexKey: {name}")

"""Which parameters of a request may come together: expressions, or the older parameters that say the same, not both."""

from __future__ import annotations

from typing import Any

from cumulet.services.dynamodb.errors import invalid

OF_WRITE = (("condition_expression",), ("expected", "conditional_operator"))
OF_UPDATE = (
    ("update_expression", "condition_expression"),
    ("attribute_updates", "expected", "conditional_operator"),
)
OF_GET = (("projection_expression",), ("attributes_to_get",))
OF_SCAN = (
    ("projection_expression", "filter_expression"),
    ("attributes_to_get", "scan_filter", "conditional_operator"),
)
OF_QUERY = (
    ("projection_expression", "filter_expression", "key_condition_expression"),
    ("attributes_to_get", "query_filter", "conditional_operator", "key_conditions"),
)
Kinds = tuple[tuple[str, ...], tuple[str, ...]]
"""The expression parameters of an operation, and the others, by their names in the request."""


def check_parameters(request: Any, kinds: Kinds) -> None:
    """Refuse a request that mixes them, or has placeholders without expressions. Raises ValidationException."""
    expressions, others = kinds
    given = [name for name in expressions if getattr(request, name) is not None]
    if given:
        mixed = [name for name in others if getattr(request, name) is not None]
        if "key_conditions" in mixed and request.key_condition_expression is None:
            mixed.remove("key_conditions")  # they may come with a FilterExpression
        if mixed:
            raise invalid(
                "Can not use both expression and non-expression parameters in the same request: "
                f"Non-expression parameters: {_listed(mixed)} Expression parameters: {_listed(given)}"
            )
    elif request.expression_attribute_names is not None:
        raise invalid("ExpressionAttributeNames can only be specified when using expressions")
    valued = [name for name in expressions if name != "projection_expression"]
    if valued and request.expression_attribute_values is not None and not set(valued) & set(given):
        raise invalid(
            "ExpressionAttributeValues can only be specified when using expressions: "
            f"{' and '.join(map(wire_name, valued))} {'are' if len(valued) > 1 else 'is'} null"
        )


def wire_name(name: str) -> str:
    """A member's name on the wire: UpdateExpression for update_expression."""
    return "".join(part.capitalize() for part in name.split("_"))


def _listed(names: list[str]) -> str:
    return "{" + ", ".join(map(wire_name, names)) + "}"

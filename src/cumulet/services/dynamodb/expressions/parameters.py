"""Which parameters of a request may come together: expressions, or the older parameters that say the same, not both."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from cumulet.services.dynamodb.errors import invalid


class Kinds:
    """The expression parameters of an operation, and the others that say the same, by their names in the request."""

    __slots__ = ("expressions", "others", "read", "valued")

    def __init__(self, expressions: tuple[str, ...], others: tuple[str, ...] = ()) -> None:
        self.expressions = expressions
        self.others = others
        self.valued = tuple([name for name in expressions if name != "projection_expression"])
        """Those that values can be for."""
        values = ("expression_attribute_values",) if self.valued else ()
        self.read = attrgetter(*expressions, *others, "expression_attribute_names", *values)
        """What a request has of them all, as most have none."""


OF_WRITE = Kinds(("condition_expression",), ("expected", "conditional_operator"))
OF_UPDATE = Kinds(
    ("update_expression", "condition_expression"),
    ("attribute_updates", "expected", "conditional_operator"),
)
OF_GET = Kinds(("projection_expression",), ("attributes_to_get",))
OF_SCAN = Kinds(
    ("projection_expression", "filter_expression"),
    ("attributes_to_get", "scan_filter", "conditional_operator"),
)
OF_QUERY = Kinds(
    ("projection_expression", "filter_expression", "key_condition_expression"),
    ("attributes_to_get", "query_filter", "conditional_operator", "key_conditions"),
)


def check_parameters(request: Any, kinds: Kinds) -> None:
    """Refuse a request that mixes them, or has placeholders without expressions. Raises ValidationException."""
    held = kinds.read(request)
    if held.count(None) == len(held):
        return
    given = [name for name, value in zip(kinds.expressions, held, strict=False) if value is not None]
    if given:
        mixed = [name for name in kinds.others if getattr(request, name) is not None]
        if "key_conditions" in mixed and request.key_condition_expression is None:
            mixed.remove("key_conditions")  # they may come with a FilterExpression
        if mixed:
            raise invalid(
                "Can not use both expression and non-expression parameters in the same request: "
                f"Non-expression parameters: {_listed(mixed)} Expression parameters: {_listed(given)}"
            )
    elif request.expression_attribute_names is not None:
        raise invalid("ExpressionAttributeNames can only be specified when using expressions")
    valued = kinds.valued
    if valued and request.expression_attribute_values is not None and not any(name in given for name in valued):
        raise invalid(
            "ExpressionAttributeValues can only be specified when using expressions: "
            f"{' and '.join(map(wire_name, valued))} {'are' if len(valued) > 1 else 'is'} null"
        )


def wire_name(name: str) -> str:
    """A member's name on the wire: UpdateExpression for update_expression."""
    return "".join(part.capitalize() for part in name.split("_"))


def _listed(names: list[str]) -> str:
    return "{" + ", ".join(map(wire_name, names)) + "}"

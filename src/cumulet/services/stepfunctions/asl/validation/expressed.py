"""Checks of JSONata expressions and of templates with them."""

from __future__ import annotations

from typing import Any

from cumulet.expressions.jsonata import syntax
from cumulet.services.stepfunctions.asl.jsonata.expressions import CLOSE, OPEN, inner, is_expression
from cumulet.services.stepfunctions.asl.validation.place import Place
from cumulet.services.stepfunctions.asl.validation.report import Report


def payload(report: Report, value: Any, at: str, place: Place) -> None:
    """Every string in ``value`` that is an expression."""
    if isinstance(value, str):
        text(report, value, at, place)
    elif isinstance(value, dict):
        for key, item in value.items():
            payload(report, item, f"{at}/{key}", place)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            payload(report, item, f"{at}[{index}]", place)


def text(report: Report, value: str, at: str, place: Place) -> None:
    """A string: if it has the delimiters, the expression between them."""
    if value.startswith(OPEN) != value.endswith(CLOSE):
        report.error("JSONata string must start with {% and end with %}", at)
    elif is_expression(value):
        _expression(report, inner(value), at, place)


def _expression(report: Report, expression: str, at: str, place: Place) -> None:
    from cumulet.expressions.jsonata import library  # noqa: PLC0415  # loaded when first needed

    try:
        library.check(expression)
    except library.JsonataError as wrong:
        report.error(wrong.message, at, "INVALID_JSONATA_EXPRESSION")
        return
    for name in syntax.roots(expression):
        report.error(f"Reference to '{name}' at the top level is not supported.", at, "UNSUPPORTED_JSONATA_EXPRESSION")
        return
    members = syntax.states_members(expression)
    if members and "errorOutput" in members and not place.caught:
        report.error(
            "Reference to '$states.errorOutput' is only supported in a Catch.", at, "UNSUPPORTED_JSONATA_EXPRESSION"
        )

"""Checks of objects: which fields they may have, must have, and which exclude each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from cumulet.services.stepfunctions.asl.validation.kinds import Check
from cumulet.services.stepfunctions.asl.validation.place import Place
from cumulet.services.stepfunctions.asl.validation.report import Report

# Fields that one query language alone has.
PATHS_ONLY = frozenset(
    [
        "CausePath",
        "ErrorPath",
        "HeartbeatSecondsPath",
        "InputPath",
        "ItemsPath",
        "MaxConcurrencyPath",
        "MaxInputBytesPerBatchPath",
        "MaxItemsPath",
        "MaxItemsPerBatchPath",
        "OutputPath",
        "Parameters",
        "Result",
        "ResultPath",
        "ResultSelector",
        "SecondsPath",
        "TimeoutSecondsPath",
        "TimestampPath",
        "ToleratedFailureCountPath",
        "ToleratedFailurePercentagePath",
        "Variable",
    ]
)
EXPRESSIONS_ONLY = frozenset(["Arguments", "Condition", "Items", "Output"])


def fields(report: Report, value: Mapping[str, Any], allowed: Mapping[str, Check], at: str, place: Place) -> None:
    """Each field: known here, of this query language, and its value as it should be."""
    refused, language, other = (
        (PATHS_ONLY, "JSONata", "JSONPath") if place.jsonata else (EXPRESSIONS_ONLY, "JSONPath", "JSONata")
    )
    for name, item in value.items():
        check = allowed.get(name)
        if check is None:
            report.error(f"Field '{name}' is not supported", at)
        elif name in refused:
            report.error(
                f"The QueryLanguage is set to '{language}', but field '{name}' is only supported for the '{other}' "
                "QueryLanguage",
                at,
            )
        else:
            check(report, item, f"{at}/{name}" if at != "/" else f"/{name}", place)


def required(report: Report, value: Mapping[str, Any], names: Iterable[str], at: str) -> bool:
    """Whether all are there."""
    missing = [name for name in names if name not in value]
    if missing:
        report.error(f"These fields are required: [{', '.join(missing)}]", at)
    return not missing


def at_most_one(report: Report, value: Mapping[str, Any], names: tuple[str, ...], at: str) -> None:
    """No two of ``names``."""
    if sum(name in value for name in names) > 1:
        report.error(f"There should only be one of the following fields: [{', '.join(names)}]", at)


def exactly_one(report: Report, value: Mapping[str, Any], names: tuple[str, ...], at: str) -> None:
    """One of ``names``."""
    if not any(name in value for name in names):
        report.error(f"This object should have only one of the following fields: [{', '.join(names)}]", at)
    at_most_one(report, value, names, at)


def items(report: Report, value: Any, at: str) -> list[tuple[dict[str, Any], str]]:
    """The objects in an array that must not be empty, with their locations."""
    if not isinstance(value, list):
        report.error("Expected value of type Array", at)
        return []
    if not value:
        report.error("Value cannot be empty", at)
    found = []
    for index, item in enumerate(value):
        if isinstance(item, dict):
            found.append((item, f"{at}[{index}]"))
        else:
            report.error("Expected value of type Object", f"{at}[{index}]")
    return found

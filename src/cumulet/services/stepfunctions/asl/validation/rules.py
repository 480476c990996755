"""Checks of what states have in lists: Retry, Catch and Choices."""

from __future__ import annotations

from typing import Any

from cumulet.services.stepfunctions.asl.choices import OPERATORS
from cumulet.services.stepfunctions.asl.errors import ALL
from cumulet.services.stepfunctions.asl.validation import kinds, objects
from cumulet.services.stepfunctions.asl.validation.kinds import Check
from cumulet.services.stepfunctions.asl.validation.place import Place
from cumulet.services.stepfunctions.asl.validation.report import Report

_SELECTORS = ("And", "Or", "Not", "Variable", "Condition")
_DEPTH = 50


def retry(report: Report, value: Any, at: str, place: Place) -> None:
    """Retry: retriers, States.ALL alone in the last."""
    _entries(report, value, at, place, _RETRIER, ("ErrorEquals",))


def catch(report: Report, value: Any, at: str, place: Place) -> None:
    """Catch: catchers, States.ALL alone in the last."""
    _entries(report, value, at, place.catching(), _CATCHER, ("ErrorEquals", "Next"))


def _entries(
    report: Report, value: Any, at: str, place: Place, allowed: dict[str, Check], required: tuple[str, ...]
) -> None:
    if isinstance(value, list) and not value:
        return
    entries = objects.items(report, value, at)
    for index, (entry, where) in enumerate(entries):
        objects.required(report, entry, required, where)
        objects.fields(report, entry, allowed, where, place)
        names = entry.get("ErrorEquals")
        if isinstance(names, list) and ALL in names and (len(names) > 1 or index < len(entries) - 1):
            report.error("States.ALL must appear alone and at end of list", f"{where}/ErrorEquals")


def _error_names(report: Report, value: Any, at: str, place: Place) -> None:
    kinds.array(report, value, at, place)
    if isinstance(value, list):
        if not value:
            report.error("Value cannot be empty", at)
        for index, name in enumerate(value):
            kinds.string(report, name, f"{at}[{index}]", place)


_RETRIER: dict[str, Check] = {
    "ErrorEquals": _error_names,
    "IntervalSeconds": kinds.number(0, 99_999_999),
    "MaxAttempts": kinds.number(0, 99_999_999),
    "BackoffRate": kinds.number(1, whole=False),
    "MaxDelaySeconds": kinds.number(1, 31_622_400),
    "JitterStrategy": kinds.one_of("NONE", "FULL"),
    "Comment": kinds.anything,
}
_CATCHER: dict[str, Check] = {
    "ErrorEquals": _error_names,
    "Next": kinds.string,
    "ResultPath": kinds.result_path,
    "Output": kinds.payload,
    "Assign": kinds.assign,
    "Comment": kinds.anything,
}


def choices(report: Report, value: Any, at: str, place: Place) -> None:
    """Choices: rules with a Next each."""
    for entry, where in objects.items(report, value, at):
        objects.required(report, entry, ("Next",), where)
        _rule(report, entry, where, place, top=True, depth=0)


def _rule(report: Report, entry: dict[str, Any], at: str, place: Place, *, top: bool, depth: int) -> None:
    if depth > _DEPTH:
        report.error("The states are too deeply nested.", at, "TOO_DEEPLY_NESTED")
        return
    if sum(name in entry for name in _SELECTORS) != 1:
        report.error(f"The object must have only one of the following fields, [{', '.join(_SELECTORS)}]", at)
        return
    objects.fields(report, entry, _TOP if top else _INNER, at, place)
    if not place.jsonata:
        _operators(report, entry, at)
    inner = [
        found for name in ("And", "Or") if name in entry for found in objects.items(report, entry[name], f"{at}/{name}")
    ]
    if isinstance(entry.get("Not"), dict):
        inner.append((entry["Not"], f"{at}/Not"))
    for rule, where in inner:
        _rule(report, rule, where, place, top=False, depth=depth + 1)


def _operators(report: Report, entry: dict[str, Any], at: str) -> None:
    """A Variable has one operator, and nothing else has any."""
    operators = sorted(OPERATORS.intersection(entry))
    if "Variable" not in entry:
        for name in operators:
            report.error(f"Field '{name}' is not supported", at)
    elif not operators:
        report.error(f"This object should have only one of the following fields: [{', '.join(_ORDERED)}]", at)
    elif len(operators) > 1:
        report.error(f"There should only be one of the following fields: [{', '.join(operators)}]", at)


def _condition(report: Report, value: Any, at: str, place: Place) -> None:
    if isinstance(value, str):
        kinds.text(report, value, at, place)
        if not value.startswith("{%"):
            report.error("Expected value of type Boolean", at)
    else:
        kinds.boolean(report, value, at, place)


def _operand(name: str) -> Check:
    if name.endswith("Path"):
        return kinds.single(context=True)
    if name.startswith("Is") or name == "BooleanEquals":
        return kinds.boolean
    if name.startswith("Numeric"):
        return kinds.number(whole=False)
    return kinds.timestamp if name.startswith("Timestamp") else kinds.string


_ORDERED = sorted(OPERATORS)
_INNER: dict[str, Check] = {
    **{name: _operand(name) for name in OPERATORS},
    "And": kinds.array,
    "Or": kinds.array,
    "Not": kinds.thing,
    "Variable": kinds.single(context=True),
    "Condition": _condition,
    "Comment": kinds.anything,
}
_TOP: dict[str, Check] = {**_INNER, "Next": kinds.string, "Assign": kinds.assign, "Output": kinds.payload}

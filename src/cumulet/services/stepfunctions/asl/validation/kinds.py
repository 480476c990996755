"""Checks of single values: what a field may hold. Each is given the report, the value, its location and the state's place."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from cumulet.services.stepfunctions.asl import intrinsics, paths, timestamps
from cumulet.services.stepfunctions.asl.jsonata.expressions import is_expression
from cumulet.services.stepfunctions.asl.templates import reader
from cumulet.services.stepfunctions.asl.validation import expressed
from cumulet.services.stepfunctions.asl.validation.place import Place
from cumulet.services.stepfunctions.asl.validation.report import Report

Check = Callable[[Report, Any, str, Place], None]

_VARIABLE = re.compile(r"[^\W\d_][\w]*")
_NAME_LENGTH = 80


def anything(report: Report, value: Any, at: str, place: Place) -> None:
    """Any value."""


def _kind(name: str, types: type | tuple[type, ...]) -> Check:
    def check(report: Report, value: Any, at: str, place: Place) -> None:
        if not isinstance(value, types) or (isinstance(value, bool) and types is not bool):
            report.error(f"Expected value of type {name}", at)

    return check


string = _kind("String", str)
boolean = _kind("Boolean", bool)
array = _kind("Array", list)
thing = _kind("Object", dict)


def text(report: Report, value: Any, at: str, place: Place) -> None:
    """A string, or an expression that gives one."""
    string(report, value, at, place)
    if place.jsonata and isinstance(value, str):
        expressed.text(report, value, at, place)


def number(
    least: float | None = None, most: float | None = None, *, whole: bool = True, expression: bool = False
) -> Check:
    """A number between two; with JSONata perhaps an expression instead."""

    def shown(limit: float) -> str:
        return str(int(limit)) if whole else str(float(limit))

    def check(report: Report, value: Any, at: str, place: Place) -> None:
        if expression and place.jsonata and isinstance(value, str) and is_expression(value):
            expressed.text(report, value, at, place)
        elif isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
            report.error(f"Expected value of type {'Integer' if whole else 'Float'}", at)
        elif least is not None and value < least:
            report.error(f"Minimum value is {shown(least)}", at)
        elif most is not None and value > most:
            report.error(f"Maximum value is {shown(most)}", at)

    return check


def one_of(*values: str) -> Check:
    """One of some strings."""

    def check(report: Report, value: Any, at: str, place: Place) -> None:
        if value not in values:
            report.error(f"Value should be one of the following: [{', '.join(values)}]", at)

    return check


def path(report: Report, value: Any, at: str, place: Place) -> None:
    """A JSONPath, or null."""
    if value is None:
        return
    if not isinstance(value, str) or not _is_path(value):
        report.error("Value must be a valid JSONPath.", at)


def _is_path(value: str) -> bool:
    try:
        paths.source(value)
    except paths.BadPath:
        return False
    return True


def result_path(report: Report, value: Any, at: str, place: Place) -> None:
    """A reference path into the input, or null."""
    if value is None:
        return
    if not isinstance(value, str):
        report.error("Expected value of type String", at)
    elif not paths.is_reference(value):
        report.error(_no_reference(value), at)


def _no_reference(value: str) -> str:
    return "Value is not a Reference Path" + ("" if value.startswith("$") else ": Reference path didn't start with '$'")


def single(*, context: bool = False, calls: bool = False) -> Check:
    """A reference path, into the input or a variable, and if so said the context object; or a function call."""

    def check(report: Report, value: Any, at: str, place: Place) -> None:
        if not isinstance(value, str):
            report.error("Expected value of type String", at)
            return
        try:
            found = reader(value)
        except (paths.BadPath, intrinsics.BadCall):
            report.error(_no_reference(value), at)
            return
        if isinstance(found, intrinsics.Call):
            if not calls:
                report.error("Value is not a Reference Path: Reference path didn't start with '$'", at)
        elif not found.definite or (found.context and not context):
            report.error("Value is not a Reference Path", at)

    return check


def timestamp(report: Report, value: Any, at: str, place: Place) -> None:
    """An RFC 3339 timestamp, or an expression that gives one."""
    if not isinstance(value, str):
        report.error("Expected value of type String", at)
    elif place.jsonata and is_expression(value):
        expressed.text(report, value, at, place)
    elif timestamps.parse(value) is None:
        report.error("String does not match RFC3339 timestamp", at)


def payload(report: Report, value: Any, at: str, place: Place) -> None:
    """A payload template, of the state's query language."""
    if place.jsonata:
        expressed.payload(report, value, at, place)
    else:
        _template(report, value, at)


def _template(report: Report, value: Any, at: str) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _template(report, item, f"{at}[{index}]")
    elif isinstance(value, dict):
        for key, item in value.items():
            if key.endswith(".$"):
                if not isinstance(item, str) or not _readable(item):
                    report.error(
                        f"The value for the field '{key}' must be a valid JSONPath or a valid intrinsic function call",
                        at,
                    )
                if key[:-2] in value:
                    report.error(f"Duplicate field '{key[:-2]}' after the suffix '.$' is removed", at)
                continue
            if isinstance(item, str) and (item.startswith(("$.", "$$.")) or _is_call(item)):
                report.warn(
                    "NO_DOLLAR",
                    f"No .$ on a field that appears to be a JSONPath or Intrinsic Function: '{key}'",
                    f"{at}/{key}",
                )
            _template(report, item, f"{at}/{key}")


def _is_call(value: str) -> bool:
    return value.startswith("States.") and _readable(value)


def _readable(value: str) -> bool:
    try:
        reader(value)
    except (paths.BadPath, intrinsics.BadCall):
        return False
    return True


def assign(report: Report, value: Any, at: str, place: Place) -> None:
    """An object of variables and their values."""
    if not isinstance(value, dict):
        report.error("Expected value of type Object", at)
        return
    for key in value:
        name = key if place.jsonata else key.removesuffix(".$")
        if name == "states":
            report.error("Cannot assign to reserved variable '$states'.", f"{at}/{key}", "RESERVED_VARIABLE_NAME")
        elif len(name) > _NAME_LENGTH:
            report.error(
                f"Invalid variable name '{name}': the variable name exceeds the {_NAME_LENGTH}-character limit.",
                f"{at}/{key}",
                "INVALID_VARIABLE_NAME",
            )
        elif not _VARIABLE.fullmatch(name):
            report.error(
                f"Invalid variable name '{name}': the variable name contains invalid characters.",
                f"{at}/{key}",
                "INVALID_VARIABLE_NAME",
            )
    payload(report, value, at, place)


def credentials(report: Report, value: Any, at: str, place: Place) -> None:
    """An object with a RoleArn."""
    thing(report, value, at, place)
    if isinstance(value, dict):
        payload(report, value, at, place)
        if "RoleArn" not in value and (place.jsonata or "RoleArn.$" not in value):
            report.error("The field 'RoleArn' is required but was missing", at)

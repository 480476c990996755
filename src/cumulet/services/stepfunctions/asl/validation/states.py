"""Checks of states, each by its type, and of flows: machines, branches and item processors.

Which type has which fields is AWS's table (measured by others with ValidateStateMachineDefinition).
"""

from __future__ import annotations

import re
from typing import Any

from cumulet.services.stepfunctions.asl.validation import kinds, objects, resources, rules
from cumulet.services.stepfunctions.asl.validation.kinds import Check
from cumulet.services.stepfunctions.asl.validation.place import Place
from cumulet.services.stepfunctions.asl.validation.report import Report

TYPES = ("Task", "Wait", "Pass", "Succeed", "Fail", "Choice", "Parallel", "Map")
_DEPTH = 25  # flows within flows
_NAME_LENGTH = 80
_LABEL_LENGTH = 40
_NO_LABEL = re.compile(r"""[\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f]""")
_LONGEST = 99_999_999

_COMMON: dict[str, Check] = {"Type": kinds.anything, "Comment": kinds.anything, "QueryLanguage": kinds.anything}
_INPUT: dict[str, Check] = {"InputPath": kinds.path, "OutputPath": kinds.path, "Output": kinds.payload}
_ONWARD: dict[str, Check] = {"Next": kinds.string, "End": kinds.boolean, "Assign": kinds.assign}
_WORK: dict[str, Check] = {
    "ResultPath": kinds.result_path,
    "ResultSelector": kinds.payload,
    "Retry": rules.retry,
    "Catch": rules.catch,
}
_TIME = kinds.number(1, _LONGEST, expression=True)


def _either(one: Check, other: Check) -> Check:
    """With JSONata the one, else the other."""

    def check(report: Report, value: Any, at: str, place: Place) -> None:
        (one if place.jsonata else other)(report, value, at, place)

    return check


def _items(report: Report, value: Any, at: str, place: Place) -> None:
    if isinstance(value, list):
        kinds.payload(report, value, at, place)
    elif isinstance(value, str):
        kinds.text(report, value, at, place)
        if not value.startswith("{%"):
            report.error("Expected value of type Array", at)
    else:
        report.error("Expected value of type Array", at)


def _label(report: Report, value: Any, at: str, place: Place) -> None:
    kinds.string(report, value, at, place)
    if not isinstance(value, str):
        return
    if not value:
        report.error("Label name cannot be empty", at, "INVALID_LABEL_NAME")
    elif len(value) > _LABEL_LENGTH:
        message = f"Label name '{value}' exceeds the {_LABEL_LENGTH}-character limit allowed by the service"
        report.error(message, at, "INVALID_LABEL_NAME")
    elif _NO_LABEL.search(value):
        report.error(f"Label name '{value}' contains invalid characters", at, "INVALID_LABEL_NAME")


def _result(report: Report, value: Any, at: str, place: Place) -> None:
    if isinstance(value, dict) and any(key.endswith(".$") for key in value):
        report.warn("PASS_RESULT_IS_STATIC", "Attempt to use a path in the result of a pass state.", at)


_STATES: dict[str, dict[str, Check]] = {
    "Pass": {
        **_COMMON,
        **_INPUT,
        **_ONWARD,
        "Result": _result,
        "ResultPath": kinds.result_path,
        "Parameters": kinds.payload,
    },
    "Task": {
        **_COMMON,
        **_INPUT,
        **_ONWARD,
        **_WORK,
        "Resource": resources.resource,
        "Parameters": kinds.payload,
        "Arguments": kinds.payload,
        "Credentials": kinds.credentials,
        "TimeoutSeconds": _TIME,
        "TimeoutSecondsPath": kinds.single(),
        "HeartbeatSeconds": _TIME,
        "HeartbeatSecondsPath": kinds.single(),
    },
    "Wait": {
        **_COMMON,
        **_INPUT,
        **_ONWARD,
        "Seconds": kinds.number(0, _LONGEST, expression=True),
        "SecondsPath": kinds.single(context=True),
        "Timestamp": kinds.timestamp,
        "TimestampPath": kinds.single(context=True),
    },
    "Succeed": {**_COMMON, **_INPUT},
    "Fail": {
        **_COMMON,
        "Error": kinds.text,
        "ErrorPath": kinds.single(context=True, calls=True),
        "Cause": kinds.text,
        "CausePath": kinds.single(context=True, calls=True),
    },
    "Choice": {**_COMMON, **_INPUT, "Assign": kinds.assign, "Choices": rules.choices, "Default": kinds.string},
    "Parallel": {
        **_COMMON,
        **_INPUT,
        **_ONWARD,
        **_WORK,
        "Parameters": kinds.payload,
        "Arguments": kinds.payload,
        "Branches": kinds.anything,
    },
    "Map": {
        **_COMMON,
        **_INPUT,
        **_ONWARD,
        **_WORK,
        "Parameters": kinds.payload,
        "ItemSelector": kinds.payload,
        "ItemProcessor": kinds.anything,
        "Iterator": kinds.anything,
        "ItemsPath": kinds.single(context=True),
        "Items": _items,
        "ItemReader": kinds.anything,
        "ItemBatcher": kinds.anything,
        "ResultWriter": kinds.anything,
        "Label": _label,
        "MaxConcurrency": kinds.number(0, expression=True),
        "MaxConcurrencyPath": kinds.single(),
        "ToleratedFailureCount": kinds.number(0, expression=True),
        "ToleratedFailureCountPath": kinds.single(),
        "ToleratedFailurePercentage": kinds.number(0, 100, whole=False, expression=True),
        "ToleratedFailurePercentagePath": kinds.single(),
    },
}

_ONE_OF: dict[str, tuple[tuple[str, ...], ...]] = {
    "Task": (("TimeoutSeconds", "TimeoutSecondsPath"), ("HeartbeatSeconds", "HeartbeatSecondsPath")),
    "Fail": (("Error", "ErrorPath"), ("Cause", "CausePath")),
    "Map": (
        ("MaxConcurrency", "MaxConcurrencyPath"),
        ("ToleratedFailureCount", "ToleratedFailureCountPath"),
        ("ToleratedFailurePercentage", "ToleratedFailurePercentagePath"),
        ("ItemSelector", "Parameters"),
    ),
}
_WAITS = ("SecondsPath", "Seconds", "TimestampPath", "Timestamp")
_PROCESSORS = ("ItemProcessor", "Iterator")
_FLOW: dict[str, Check] = {
    "StartAt": kinds.string,
    "States": kinds.anything,
    "Comment": kinds.anything,
    "ProcessorConfig": kinds.anything,
}


def flow(report: Report, document: Any, at: str, place: Place, depth: int, allowed: dict[str, Check] = _FLOW) -> None:
    """A machine (``at`` is ""), a branch or an item processor."""
    if not isinstance(document, dict):
        report.error("Expected value of type Object", at)
        return
    if depth > _DEPTH:
        report.error("The states are too deeply nested.", at, "TOO_DEEPLY_NESTED")
        return
    objects.required(report, document, ("States", "StartAt"), at or "/")
    objects.fields(report, document, allowed, at or "/", Place("JSONPath", place.machine_language, place.kind))
    states = document.get("States")
    if states is None:
        return
    if not isinstance(states, dict):
        report.error("Expected value of type Object", f"{at}/States")
        return
    if not states:
        report.error("Value cannot be empty", f"{at}/States")
    for name, state in states.items():
        _state(report, name, state, f"{at}/States/{name}", place, depth)


def _state(report: Report, name: str, state: Any, at: str, place: Place, depth: int) -> None:
    if len(name) > _NAME_LENGTH:
        message = f"State name '{name}' exceeds the {_NAME_LENGTH}-character limit allowed by the service"
        report.error(message, at, "INVALID_STATE_NAME")
    if not isinstance(state, dict):
        report.error("Expected value of type Object", at)
        return
    kind = state.get("Type")
    if "Type" not in state:
        report.error("These fields are required: [Type]", at)
        return
    if kind not in TYPES:
        report.error(f"The field 'Type' should have one of these values: [{', '.join(TYPES)}]", f"{at}/Type")
        return
    own = _language(report, state, at, place)
    if own is None:
        return
    objects.fields(report, state, _STATES[kind], at, own)
    _together(report, kind, state, at, own)
    _inner(report, kind, state, at, own, depth)


def _language(report: Report, state: dict[str, Any], at: str, place: Place) -> Place | None:
    language = state.get("QueryLanguage", place.machine_language)
    if language not in ("JSONPath", "JSONata"):
        report.error("Value should be one of the following: [JSONPath, JSONata]", f"{at}/QueryLanguage")
        return None
    if language == "JSONPath" and place.machine_language == "JSONata":
        report.error("'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine", at)
        return None
    return place.of(language)


def _together(report: Report, kind: str, state: dict[str, Any], at: str, place: Place) -> None:
    """Fields that belong together or exclude each other."""
    if kind in ("Task", "Pass", "Wait", "Parallel", "Map"):
        _onward(report, state, at)
    for names in _ONE_OF.get(kind, ()):
        objects.at_most_one(report, state, names, at)
    if kind == "Wait":
        objects.exactly_one(report, state, _WAITS, at)
    elif kind == "Choice":
        objects.required(report, state, ("Choices",), at)
    elif kind == "Task":
        objects.required(report, state, ("Resource",), at)
        resources.task(report, state, at, place)


def _onward(report: Report, state: dict[str, Any], at: str) -> None:
    ends = state.get("End") is True
    if "Next" in state and ends:
        report.error("There should only be one of the following fields: [Next, End]", at)
    elif "Next" not in state and not ends:
        report.error("This object should have only one of the following fields: [Next, End]", at)


def _inner(report: Report, kind: str, state: dict[str, Any], at: str, place: Place, depth: int) -> None:
    """The flows and objects in a state."""
    if kind == "Parallel":
        if objects.required(report, state, ("Branches",), at):
            for branch, where in objects.items(report, state["Branches"], f"{at}/Branches"):
                flow(report, branch, where, place.within(place.kind), depth + 1)
    elif kind == "Map":
        from cumulet.services.stepfunctions.asl.validation import maps  # noqa: PLC0415  # the two need each other

        maps.check(report, state, at, place, depth)

"""Checks of the whole: transitions lead somewhere, every state is reached, names are unique, something ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cumulet.services.stepfunctions.asl.validation.report import Report

_TARGET = "MISSING_TRANSITION_TARGET"


def check(report: Report, document: dict[str, Any]) -> None:
    """Of a machine whose states are each well formed."""
    seen: set[str] = set()
    labels: set[str] = set()
    for at, name, state in _every(document, ""):
        if name in seen:
            report.error(f"Duplicate State name: {name}", at, "DUPLICATE_STATE_NAME")
        seen.add(name)
        label = state.get("Label")
        if label is not None:
            if label in labels:
                report.error(f"Duplicate Label name: {label}", f"{at}/Label", "DUPLICATE_LABEL_NAME")
            labels.add(label)
    for flow, at in _flows(document, ""):
        _transitions(report, flow, at)
        if not any(_ends(state) for state in flow["States"].values()):
            report.error("Workflow has no terminal state", None, "MISSING_END_STATE")
        else:
            _reached(report, flow, at)


def _flows(flow: dict[str, Any], at: str) -> Iterator[tuple[dict[str, Any], str]]:
    """A flow and all in it, with their locations; the outer ones first."""
    yield flow, at
    for name, state in flow["States"].items():
        for inner, where in _inside(state, f"{at}/States/{name}"):
            yield from _flows(inner, where)


def _inside(state: dict[str, Any], at: str) -> Iterator[tuple[dict[str, Any], str]]:
    for index, branch in enumerate(state.get("Branches", ())):
        yield branch, f"{at}/Branches[{index}]"
    for key in ("ItemProcessor", "Iterator"):
        if key in state:
            yield state[key], f"{at}/{key}"


def _every(document: dict[str, Any], at: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for flow, where in _flows(document, at):
        for name, state in flow["States"].items():
            yield f"{where}/States/{name}", name, state


def _targets(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Where a state leads: the field, and the name in it."""
    if "Next" in state:
        yield "Next", state["Next"]
    for field in ("Choices", "Catch"):
        for index, entry in enumerate(state.get(field, ())):
            yield f"{field}[{index}]/Next", entry["Next"]
    if "Default" in state:
        yield "Default", state["Default"]


def _transitions(report: Report, flow: dict[str, Any], at: str) -> None:
    states = flow["States"]
    if flow["StartAt"] not in states:
        report.error(f"Missing 'StartAt' target: {flow['StartAt']}", f"{at}/StartAt", _TARGET)
    for name, state in states.items():
        for field, target in _targets(state):
            if target not in states:
                report.error(f"Missing 'Next' target: {target}", f"{at}/States/{name}/{field}", _TARGET)


def _ends(state: dict[str, Any]) -> bool:
    return state["Type"] in ("Succeed", "Fail") or state.get("End") is True


def _reached(report: Report, flow: dict[str, Any], at: str) -> None:
    states = flow["States"]
    reached: set[str] = set()
    waiting = [flow["StartAt"]]
    while waiting:
        name = waiting.pop()
        if name in states and name not in reached:
            reached.add(name)
            waiting.extend(target for _, target in _targets(states[name]))
    for name in states:
        if name not in reached:
            report.error(f'State "{name}" is not reachable.', f"{at}/States/{name}", _TARGET)

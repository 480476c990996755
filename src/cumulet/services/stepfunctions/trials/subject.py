"""The state that a test is about: of a definition of its own, or of a machine's."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from cumulet.api import stepfunctions as api
from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.apart import Apart
from cumulet.services.stepfunctions.machines.directory import compiled

NAME = "StateName"
"""What AWS calls a state whose definition has no name."""


class Subject(Struct, frozen=True):
    """A state, its definition as JSON values, and the machine that it is part of."""

    state: asl.State
    document: dict[str, Any]
    machine: asl.Machine


async def read(apart: Apart, definition: str, name: str | None) -> Subject:
    """The state that is meant. Raises InvalidDefinition, ValidationException."""
    if name is not None:
        machine = await compiled(apart, definition, "STANDARD")
        document = _named(msgspec.json.decode(definition), name)
        state = machine.find(name)
        if state is None or document is None:
            raise api.ValidationException("State not found in definition")
        return Subject(state, document, machine)
    try:
        document = msgspec.json.decode(definition)
    except (msgspec.DecodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        machine = await compiled(apart, definition, "STANDARD")
        raise api.InvalidDefinition("Invalid State Machine Definition: 'the definition has no state'")
    # Where it leads to need not be there, for a definition to be tried; the validator wants it, though.
    states = {target: {"Type": "Succeed"} for target in _targets(document)} | {NAME: document}
    machine = await compiled(apart, msgspec.json.encode({"StartAt": NAME, "States": states}).decode(), "STANDARD")
    return Subject(machine.states[NAME], document, machine)


def _targets(document: dict[str, Any]) -> set[str]:
    """The states that a state may lead to. A Choice, a Catch and the state itself name them alike."""
    found = [document.get("Next"), document.get("Default")]
    rules = [*_objects(document.get("Choices")), *_objects(document.get("Catch"))]
    found += [rule.get("Next") for rule in rules]
    return {name for name in found if isinstance(name, str) and name}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _named(flow: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The definition of the state of that name, at any depth."""
    states = flow.get("States", {})
    if name in states:
        found: dict[str, Any] = states[name]
        return found
    for state in states.values():
        inner = [*state.get("Branches", ()), state.get("ItemProcessor") or state.get("Iterator") or {}]
        for each in inner:
            if (deeper := _named(each, name)) is not None:
                return deeper
    return None

"""A whole definition as a typed tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cumulet.services.stepfunctions.asl.maps import Map
from cumulet.services.stepfunctions.asl.references import references
from cumulet.services.stepfunctions.asl.states import (
    Choice,
    Fail,
    Flow,
    Parallel,
    Pass,
    QueryLanguage,
    State,
    Succeed,
    Task,
    Wait,
)

_STATES: dict[str, type[State]] = {
    state.kind: state for state in (Pass, Task, Choice, Wait, Succeed, Fail, Parallel, Map)
}


class Machine(Flow):
    """A whole definition. ``timeout``: seconds of the whole execution, or None."""

    __slots__ = ("_names", "definition", "document", "timeout", "version")

    def __init__(self, definition: str, document: dict[str, Any]) -> None:
        language: QueryLanguage = document.get("QueryLanguage", "JSONPath")
        flow = _flow(document, language)
        super().__init__(flow.start_at, flow.states, flow.comment, language)
        self.definition = definition
        self.document = document
        self.timeout: int | None = document.get("TimeoutSeconds")
        self.version: str | None = document.get("Version")
        self._names = {state.name: state for state in _every(self)}

    def find(self, name: str) -> State | None:
        """The state of that name, at any depth (names are unique in a definition)."""
        return self._names.get(name)

    def references(self) -> dict[str, list[str]]:
        """Which variables each state refers to: ``variableReferences`` of DescribeStateMachine."""
        return references(self.document)


def _flow(document: dict[str, Any], language: QueryLanguage) -> Flow:
    states = {name: _state(name, state, language) for name, state in document["States"].items()}
    return Flow(document["StartAt"], states, document.get("Comment"), language)


def _state(name: str, document: dict[str, Any], language: QueryLanguage) -> State:
    own: QueryLanguage = document.get("QueryLanguage", language)
    state = _STATES[document["Type"]](name, document, own)
    # What is inside takes the machine's language, not that of the state around it.
    if isinstance(state, Parallel):
        state.branches = tuple(_flow(branch, language) for branch in document["Branches"])
    elif isinstance(state, Map):
        state.processor = _flow(document.get("ItemProcessor") or document["Iterator"], language)
    return state


def _every(flow: Flow) -> Iterator[State]:
    for state in flow.states.values():
        yield state
        if isinstance(state, Parallel):
            for branch in state.branches:
                yield from _every(branch)
        elif isinstance(state, Map):
            yield from _every(state.processor)

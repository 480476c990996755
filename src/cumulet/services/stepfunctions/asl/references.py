"""Which variables the states of a definition refer to.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_DescribeStateMachine.html (variableReferences)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cumulet.expressions.jsonata import syntax
from cumulet.services.stepfunctions.asl import intrinsics, paths
from cumulet.services.stepfunctions.asl.jsonata import expressions
from cumulet.services.stepfunctions.asl.templates import reader

# Of a state, what is not its own fields but other states; and what is never read as a path.
_INNER = frozenset(("Branches", "ItemProcessor", "Iterator"))
_PLAIN = frozenset(("Comment", "Type", "Next", "Default", "Resource", "Result", "Label", "QueryLanguage"))


def references(document: dict[str, Any]) -> dict[str, list[str]]:
    """The names by state, sorted; states without any are left out."""
    found: dict[str, list[str]] = {}
    _flow(document, document.get("QueryLanguage", "JSONPath"), found)
    return found


def _flow(document: dict[str, Any], language: str, found: dict[str, list[str]]) -> None:
    for name, state in document["States"].items():
        own = state.get("QueryLanguage", language)
        names = {
            variable
            for key, value in state.items()
            if key not in _INNER and key not in _PLAIN
            for variable in (_expressed(value) if own == "JSONata" else _paths(key, value))
        }
        if names:
            found[name] = sorted(names)
        for inner in (*state.get("Branches", ()), state.get("ItemProcessor"), state.get("Iterator")):
            if inner:
                _flow(inner, language, found)


def _expressed(value: Any) -> Iterator[str]:
    if expressions.is_expression(value):
        text = expressions.inner(value)
        yield from syntax.variables(text) - syntax.assigned(text) - {"states"} - syntax.called(text)
    elif isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _expressed(item)


def _paths(key: str, value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if key.endswith((".$", "Path")) or key == "Variable":
            yield from _of_text(value)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _paths(name, item)
    elif isinstance(value, list):
        for item in value:
            yield from _paths("", item)


def _of_text(text: str) -> Iterator[str]:
    try:
        found = reader(text)
    except (paths.BadPath, intrinsics.BadCall):
        return
    for source in found.sources() if isinstance(found, intrinsics.Call) else (found,):
        if source.variable is not None:
            yield source.variable

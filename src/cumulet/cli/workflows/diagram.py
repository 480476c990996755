"""A definition as boxes and arrows: what there is to draw, without saying where."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cumulet.cli.errors import CliError

START, END = "\x00start", "\x00end"
_LONGEST_LABEL = 32
_OPERATORS = {
    "Equals": "=",
    "LessThan": "<",
    "LessThanEquals": "<=",
    "GreaterThan": ">",
    "GreaterThanEquals": ">=",
    "Matches": "matches",
}

EdgeKind = Literal["next", "choice", "default", "catch"]


@dataclass(frozen=True)
class Edge:
    """An arrow between two boxes of one graph."""

    source: str
    target: str
    kind: EdgeKind = "next"
    label: str = ""


@dataclass
class Box:
    """A state. `inner` are the graphs drawn within it: branches of a Parallel, the item processor of a Map."""

    name: str
    type: str
    detail: str = ""
    inner: list["Graph"] = field(default_factory=list)


@dataclass
class Graph:
    """States that lead to each other, with their start and their end."""

    boxes: dict[str, Box]
    edges: list[Edge]

    def states(self) -> Iterator[str]:
        """The names of all states, inner ones too."""
        for box in self.boxes.values():
            yield box.name
            for graph in box.inner:
                yield from graph.states()


def read(text: str) -> Graph:
    """The graph of a definition (JSON text). Raises CliError when it has no states to draw."""
    try:
        definition = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CliError(f"The definition is not JSON ({error}).") from None
    if not isinstance(definition, dict) or not isinstance(definition.get("States"), dict) or not definition["States"]:
        raise CliError("The definition has no States: there is nothing to draw.")
    return _graph(definition)


def _graph(definition: Mapping[str, Any]) -> Graph:
    states = {name: state for name, state in (definition.get("States") or {}).items() if isinstance(state, dict)}
    graph = Graph({name: _box(name, state) for name, state in states.items()}, [])
    start = definition.get("StartAt")
    if isinstance(start, str) and start in states:
        graph.edges.append(Edge(START, start))
    for name, state in states.items():
        graph.edges.extend(edge for edge in _edges(name, state) if edge.target in states or edge.target == END)
    return graph


def _box(name: str, state: Mapping[str, Any]) -> Box:
    type = str(state.get("Type", "?"))
    inner = []
    if type == "Parallel":
        inner = [_graph(branch) for branch in state.get("Branches") or () if isinstance(branch, dict)]
    elif type == "Map":
        processor = state.get("ItemProcessor") or state.get("Iterator") or {}
        inner = [_graph(processor)] if isinstance(processor, dict) else []
    return Box(name, type, _detail(type, state), inner)


def _detail(type: str, state: Mapping[str, Any]) -> str:
    """What a box says beside its name: the work of a Task, the time of a Wait."""
    if type == "Task":
        resource = str(state.get("Resource", ""))
        kind = resource.split(":")
        if ":::" in resource:
            return resource.partition(":::")[2]
        return ":".join((kind[2], kind[-1])) if len(kind) > 5 else resource
    if type == "Wait":
        for name in ("Seconds", "SecondsPath", "Timestamp", "TimestampPath"):
            if name in state:
                return f"{state[name]} s" if name == "Seconds" else str(state[name])
    if type == "Map":
        config = (state.get("ItemProcessor") or {}).get("ProcessorConfig") or {}
        return "distributed" if config.get("Mode") == "DISTRIBUTED" else ""
    if type == "Fail":
        return str(state.get("Error", state.get("ErrorPath", "")))
    return ""


def _edges(name: str, state: Mapping[str, Any]) -> Iterator[Edge]:
    type = state.get("Type")
    if state.get("End") is True or type in ("Succeed", "Fail"):
        yield Edge(name, END)
    elif isinstance(state.get("Next"), str):
        yield Edge(name, state["Next"])
    for rule in state.get("Choices") or ():
        if isinstance(rule, dict) and isinstance(rule.get("Next"), str):
            yield Edge(name, rule["Next"], "choice", _short(condition(rule)))
    if isinstance(state.get("Default"), str):
        yield Edge(name, state["Default"], "default", "otherwise")
    for catcher in state.get("Catch") or ():
        if isinstance(catcher, dict) and isinstance(catcher.get("Next"), str):
            errors = ", ".join(str(error) for error in catcher.get("ErrorEquals") or ())
            yield Edge(name, catcher["Next"], "catch", _short(errors))


def condition(rule: Mapping[str, Any]) -> str:
    """A rule of a Choice as a person would write it."""
    if "Condition" in rule:
        return str(rule["Condition"]).removeprefix("{%").removesuffix("%}").strip()
    if "Not" in rule:
        return f"not ({condition(rule['Not'])})"
    for word in ("And", "Or"):
        if word in rule:
            return f" {word.lower()} ".join(condition(part) for part in rule[word])
    variable = str(rule.get("Variable", ""))
    for name, value in rule.items():
        if name.startswith("Is"):
            return f"{variable} is {'' if value else 'not '}{name[2:].lower()}"
        plain = name.removesuffix("Path")
        for kind in ("String", "Numeric", "Timestamp", "Boolean"):
            if plain.startswith(kind) and plain[len(kind) :] in _OPERATORS:
                shown = value if name != plain else json.dumps(value, ensure_ascii=False)
                return f"{variable} {_OPERATORS[plain[len(kind) :]]} {shown}"
    return variable


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_LABEL else text[: _LONGEST_LABEL - 1] + "…"

"""How data goes into a state and out of it, with JSONPath: InputPath, Parameters, ResultSelector, ResultPath, OutputPath, Assign.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-input-output-filtering.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from cumulet.expressions import jsonpath
from cumulet.services.stepfunctions.asl import paths
from cumulet.services.stepfunctions.asl.errors import RESULT_PATH, StatesError, runtime
from cumulet.services.stepfunctions.asl.payload import check_assigned, encode
from cumulet.services.stepfunctions.asl.scope import Scope
from cumulet.services.stepfunctions.asl.templates import Evaluate, template

Trace = dict[str, Any] | None


class Fields(Protocol):
    """What both query languages offer a state."""

    def enter(self, input: Any, scope: Scope, trace: Trace) -> tuple[Any, Any]:
        """The input as the state's other fields see it, and what the state works with."""

    def leave(self, input: Any, result: Any, scope: Scope, trace: Trace) -> tuple[Any, dict[str, Any] | None]:
        """The output, and the variables that are assigned, or None."""


def path_reader(text: str | None) -> Callable[[Any, Scope], Any] | None:
    """What reads an InputPath or OutputPath: None where it is the whole; ``text`` None gives an empty object."""
    if text is None:
        return lambda input, scope: {}
    if text == "$":
        return None
    source = paths.source(text)

    def read(input: Any, scope: Scope) -> Any:
        try:
            return source.read(input, scope)
        except paths.NotFound as missing:
            raise runtime(f"Invalid path '{text}' : {missing}") from None

    return read


def result_placer(text: str | None) -> Callable[[Any, Any], Any] | None:
    """What puts a result into the input: None where it replaces it; ``text`` None keeps the input."""
    if text is None:
        return lambda input, result: input
    if text == "$":
        return None
    place = paths.reference(text)

    def put(input: Any, result: Any) -> Any:
        try:
            return place.set(input, result)
        except jsonpath.CannotSet:
            step = place.keys[0] if len(place.keys) == 1 else _unfit(place.keys, input)
            shown = encode(input).decode()
            raise StatesError(RESULT_PATH, f'Unable to apply step "{step}" to input {shown}', inner=True) from None

    return put


def _unfit(keys: tuple[str | int, ...], node: Any) -> str | int:
    """The first key that cannot be followed."""
    for key in keys:
        if isinstance(key, str) and isinstance(node, dict):
            node = node.get(key)
        elif isinstance(key, int) and isinstance(node, list) and key < len(node):
            node = node[key]
        else:
            return key
    return keys[-1]


class PathFields:
    """The JSONPath fields of one state. Those that are not there cost nothing."""

    __slots__ = ("_assign", "_in", "_out", "_parameters", "_place", "_selector")

    def __init__(self, state: dict[str, Any], parameters: str = "Parameters") -> None:
        self._in = path_reader(state.get("InputPath", "$"))
        self._out = path_reader(state.get("OutputPath", "$"))
        self._place = result_placer(state.get("ResultPath", "$"))
        self._parameters = _template(state, parameters)
        self._selector = _template(state, "ResultSelector")
        self._assign = _template(state, "Assign")

    @property
    def through(self) -> bool:
        """Whether the state gives back what it is given."""
        return not (self._in or self._out or self._place or self._parameters or self._selector)

    def enter(self, input: Any, scope: Scope, trace: Trace) -> tuple[Any, Any]:
        """The input after InputPath, and that after Parameters."""
        effective = input if self._in is None else self._in(input, scope)
        arguments = effective if self._parameters is None else self._parameters(effective, scope)
        if trace is not None:
            trace["afterInputPath"] = effective
            trace["afterParameters"] = arguments
        return effective, arguments

    def leave(self, input: Any, result: Any, scope: Scope, trace: Trace) -> tuple[Any, dict[str, Any] | None]:
        """The output after ResultSelector, ResultPath and OutputPath; Assign sees the selected result."""
        selected = result if self._selector is None else self._selector(result, scope)
        assigned = None if self._assign is None else self.assigned(selected, scope)
        output = selected if self._place is None else self._place(input, selected)
        if trace is not None:
            trace["result"] = result
            trace["afterResultSelector"] = selected
            trace["afterResultPath"] = output
        return output if self._out is None else self._out(output, scope), assigned

    def assigned(self, seen: Any, scope: Scope) -> dict[str, Any] | None:
        """What Assign makes of ``seen``."""
        if self._assign is None:
            return None
        values: dict[str, Any] = self._assign(seen, scope)
        check_assigned(values, scope.variables)
        return values

    def outward(self, output: Any, scope: Scope) -> Any:
        """``output`` after OutputPath alone, for states without a result."""
        return output if self._out is None else self._out(output, scope)


def _template(state: dict[str, Any], name: str) -> Evaluate | None:
    return template(state[name]) if name in state else None

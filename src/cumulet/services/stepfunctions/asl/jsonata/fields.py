"""How data goes into a state and out of it, with JSONata: Arguments, Output, Assign."""

from __future__ import annotations

from typing import Any

from cumulet.services.stepfunctions.asl.jsonata.expressions import Evaluate, Frame, template
from cumulet.services.stepfunctions.asl.payload import check_assigned
from cumulet.services.stepfunctions.asl.scope import Scope

NOTHING: Any = object()
"""The result of a state that has none."""


class ExpressionFields:
    """The fields of a state, or of a rule or catcher in it: ``where`` ("Catch[0]/") goes before their names."""

    __slots__ = ("_arguments", "_assign", "_output")

    def __init__(self, state: dict[str, Any], where: str = "") -> None:
        self._arguments = _template(state, "Arguments", where)
        self._assign = _template(state, "Assign", where)
        self._output = _template(state, "Output", where)

    @property
    def through(self) -> bool:
        """Whether the state gives back what it is given."""
        return not (self._arguments or self._output)

    def enter(self, input: Any, scope: Scope, trace: dict[str, Any] | None) -> tuple[Any, Any]:
        """The input, and Arguments: the input too, where there are none."""
        if self._arguments is None:
            return input, input
        arguments = self._arguments(Frame(scope, input=input))
        if trace is not None:
            trace["afterArguments"] = arguments
        return input, arguments

    def leave(
        self, input: Any, result: Any, scope: Scope, trace: dict[str, Any] | None
    ) -> tuple[Any, dict[str, Any] | None]:
        """Output, or the result where there is none; both fields see the variables as they were before."""
        if trace is not None and result is not NOTHING:
            trace["result"] = result
        if self._assign is None and self._output is None:
            return (input if result is NOTHING else result), None
        frame = Frame(scope, input=input) if result is NOTHING else Frame(scope, input=input, result=result)
        return self.made(frame, input if result is NOTHING else result)

    def made(self, frame: Frame, default: Any) -> tuple[Any, dict[str, Any] | None]:
        """Output and Assign of a frame."""
        assigned = None if self._assign is None else self._assign(frame)
        output = default if self._output is None else self._output(frame)
        if assigned is not None:
            check_assigned(assigned, frame.scope.variables)
        return output, assigned


def _template(state: dict[str, Any], name: str, where: str) -> Evaluate | None:
    return template(state[name], where + name) if name in state else None

"""Catch: what becomes of a failure that a state takes itself.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html#error-handling-fallback-states
"""

from __future__ import annotations

from typing import Any

from cumulet.services.stepfunctions.asl.errors import HEARTBEAT_TIMEOUT, TIMEOUT
from cumulet.services.stepfunctions.asl.fields import result_placer
from cumulet.services.stepfunctions.asl.jsonata.expressions import Frame
from cumulet.services.stepfunctions.asl.jsonata.fields import ExpressionFields
from cumulet.services.stepfunctions.asl.outcome import Finished
from cumulet.services.stepfunctions.asl.payload import check_assigned
from cumulet.services.stepfunctions.asl.retries import Errors
from cumulet.services.stepfunctions.asl.scope import Scope
from cumulet.services.stepfunctions.asl.templates import template


class Catcher:
    """One entry of Catch."""

    __slots__ = ("_assign", "_fields", "_place", "errors", "next")

    def __init__(self, entry: dict[str, Any], index: int, jsonata: bool) -> None:
        self.errors = Errors(entry["ErrorEquals"])
        self.next: str = entry["Next"]
        self._fields = ExpressionFields(entry, f"Catch[{index}]/") if jsonata else None
        self._place = None if jsonata else result_placer(entry.get("ResultPath", "$"))
        self._assign = None if jsonata or "Assign" not in entry else template(entry["Assign"])

    def caught(self, index: int, input: Any, error: str | None, cause: str | None, scope: Scope) -> Finished:
        """What goes on to ``next``: the error output, or what the fields make of it and the state's input."""
        # A timeout has no cause, and is shown an empty one; a task that failed without saying why has null.
        if cause is None and error in (TIMEOUT, HEARTBEAT_TIMEOUT):
            cause = ""
        failure: dict[str, Any] = {"Error": error, "Cause": cause}
        if self._fields is not None:
            frame = Frame(scope, input=input, errorOutput=failure)
            output, assigned = self._fields.made(frame, failure)
            return Finished(output, assigned, self.next, index)
        assigned = None
        if self._assign is not None:
            assigned = self._assign(failure, scope)
            check_assigned(assigned, scope.variables)
        output = failure if self._place is None else self._place(input, failure)
        return Finished(output, assigned, self.next, index)


def catch(
    catchers: tuple[Catcher, ...], input: Any, error: str | None, cause: str | None, scope: Scope
) -> Finished | None:
    """By the first catcher that takes the error; None where none does."""
    for index, catcher in enumerate(catchers):
        if catcher.errors.take(error):
            return catcher.caught(index, input, error, cause, scope)
    return None

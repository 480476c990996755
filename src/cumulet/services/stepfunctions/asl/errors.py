"""What can go wrong with a definition, and with a state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

# Error names that the language itself reserves.
RUNTIME = "States.Runtime"
QUERY_EVALUATION = "States.QueryEvaluationError"
DATA_LIMIT = "States.DataLimitExceeded"
NO_CHOICE = "States.NoChoiceMatched"
INTRINSIC = "States.IntrinsicFailure"
PARAMETER_PATH = "States.ParameterPathFailure"
RESULT_PATH = "States.ResultPathMatchFailure"
TIMEOUT = "States.Timeout"
HEARTBEAT_TIMEOUT = "States.HeartbeatTimeout"
TASK_FAILED = "States.TaskFailed"
ALL = "States.ALL"


class StatesError(Exception):
    """A state failed: ``name`` and ``cause`` are what Retry and Catch, and the history, see.

    ``location`` is the field whose JSONata expression failed ("Output/result"): an ``EvaluationFailed`` event
    belongs in the history then; "" where it is no field's. ``inner`` says that ``cause`` is only the inner text, to which the engine adds
    which state it was: ``wrapped``.
    """

    def __init__(
        self, name: str, cause: str | None = None, *, location: str | None = None, inner: bool = False
    ) -> None:
        super().__init__(name, cause)
        self.name = name
        self.cause = cause
        self.location = location
        self.inner = inner

    def wrapped(self, state: str, entered: int) -> str | None:
        """The whole cause: which state, entered at which event, and what happened."""
        if not self.inner:
            return self.cause
        return (
            f"An error occurred while executing the state '{state}' (entered at the event id #{entered}). {self.cause}"
        )


def runtime(cause: str) -> StatesError:
    """``States.Runtime``: the definition met data it cannot work with. Never retried, never caught by ``States.ALL``."""
    return StatesError(RUNTIME, cause, inner=True)


class Diagnostic(msgspec.Struct, frozen=True):
    """One finding of the validator; ``location`` is a path such as ``/States/Hello/Next``, or None."""

    severity: Literal["ERROR", "WARNING"]
    code: str
    message: str
    location: str | None = None

    def text(self) -> str:
        """How the finding reads in the message of ``InvalidDefinition``."""
        if self.code == "INVALID_JSON_DESCRIPTION":
            return f"{self.code}: {self.message}"
        return f"{self.code}: {self.message}" + ("" if self.location is None else f" at {self.location}")


class InvalidDefinition(Exception):
    """The definition is refused; ``str()`` of it is AWS's message, ``diagnostics`` the findings, errors first."""

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        texts = ", ".join(d.text() for d in self.diagnostics if d.severity == "ERROR")
        super().__init__(f"Invalid State Machine Definition: '{texts}'")

"""What a state's work is said to have given, in place of the work."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from cumulet.api import stepfunctions as api
from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.asl import StatesError
from cumulet.services.stepfunctions.tasks.resources import parse
from cumulet.services.stepfunctions.trials import fields
from cumulet.services.stepfunctions.trials.subject import Subject

_ALONE = "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]"


class Mock(Struct, frozen=True):
    """A result (JSON values), or a failure."""

    result: Any = None
    error: StatesError | None = None


def read(request: api.TestStateInput, subject: Subject) -> Mock | None:
    """The mock of a request; None without one. Raises ValidationException, InvalidDefinition."""
    mock, state = request.mock, subject.state
    if mock is None:
        configuration = request.state_configuration
        if configuration is not None and configuration.map_iteration_failure_count is not None:
            raise api.ValidationException(
                "TestState does not support MapIterationFailureCount when a mock is not specified."
            )
        if isinstance(state, (asl.Map, asl.Parallel)):
            raise api.InvalidDefinition(_ALONE)
        if isinstance(state, asl.Task) and request.role_arn is None:
            raise api.ValidationException("RoleArn must be specified when testing a Task state")
        return None
    if mock.result is not None and mock.error_output is not None:
        raise api.ValidationException(
            "A test mock should have only one of the following fields: [result, errorOutput]."
        )
    if request.reveal_secrets:
        raise api.ValidationException("TestState does not support RevealSecrets when a mock is specified.")
    if not isinstance(state, (asl.Task, asl.Map, asl.Parallel)):
        raise api.ValidationException(f"State type '{state.kind}' is not supported when a mock is specified")
    if mock.error_output is not None:
        return Mock(error=StatesError(mock.error_output.error or "", mock.error_output.cause))
    result = _result(mock.result)
    _check(subject, result, mock.field_validation_mode or "STRICT")
    return Mock(result)


def _result(text: str | None) -> Any:
    if text is None:
        raise api.ValidationException("A test mock should have one of the following fields: [result, errorOutput].")
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        raise api.ValidationException("Mocked result must be valid JSON") from None


def _check(subject: Subject, result: Any, mode: str) -> None:
    """Whether it is what such a state could give."""
    state = subject.state
    if isinstance(state, asl.Task):
        resource = parse(state.resource)
        if mode != "NONE" and resource is not None and resource.pattern == "request":
            fields.check(resource, result, strict=mode == "STRICT")
    elif isinstance(state, asl.Parallel):
        if not isinstance(result, list):
            raise api.ValidationException("Mocked result must be an array.")
        if len(result) != len(state.branches):
            raise api.ValidationException(
                "Mocked result must contain the same number of items as number of Parallel branches."
            )
    elif "Resource" in (subject.document.get("ResultWriter") or {}):
        if not isinstance(result, dict):
            raise api.ValidationException("Mocked result must be a JSON object.")
    elif not isinstance(result, list):
        raise api.ValidationException("Mocked result must be an array.")

"""The context object: what `$$` and `$states.context` show."""

from __future__ import annotations

import random as random_module
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from cumulet.services.stepfunctions.asl.patience import Patience
from cumulet.services.stepfunctions.asl.scope import Scope
from cumulet.services.stepfunctions.engine.frames import Frame, Run

_COUNTED = frozenset({"Task", "Parallel", "Map"})


@lru_cache(256)
def _second(seconds: int) -> str:
    moment = time.gmtime(seconds)
    return (
        f"{moment.tm_year:04d}-{moment.tm_mon:02d}-{moment.tm_mday:02d}"
        f"T{moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d}"
    )


def timestamp(when: float) -> str:
    """ISO 8601 with milliseconds, as AWS writes it: `2024-03-01T12:00:00.123Z`."""
    milliseconds = int(when * 1000)
    return f"{_second(milliseconds // 1000)}.{milliseconds % 1000:03d}Z"


class FrameScope(Scope):
    """What the state that a frame is in sees. Its context object is made when something looks at it: most states never do."""

    __slots__ = ("_frame", "_run", "_token")

    def __init__(
        self,
        run: Run,
        frame: Frame,
        token: str,
        random: random_module.Random,
        now: Callable[[], int],
        patience: Patience,
    ) -> None:
        self._context = None
        self._run = run
        self._frame = frame
        self._token = token
        self.variables = frame.variables
        self.random = random
        self.now = now
        self.patience = patience

    def seen(self) -> dict[str, Any]:
        return _context_of(self._run, self._frame, self._token)


def _context_of(run: Run, frame: Frame, token: str) -> dict[str, Any]:
    """What a state sees. The parts that do not change are shared by all states of the run."""
    shared = run.shared
    if shared is None:
        shared = run.shared = _shared(run)
    state: dict[str, Any] = {"Name": frame.state.name, "EnteredTime": timestamp(frame.entered_at)}
    if frame.state.kind in _COUNTED:
        state["RetryCount"] = frame.retries
    context = {**shared, "State": state}
    if frame.item is not None:
        context["Map"] = {"Item": frame.item}
    if token:
        context["Task"] = {"Token": token}
    return context


def _shared(run: Run) -> dict[str, Any]:
    facts = run.facts
    execution: dict[str, Any] = {
        "Id": facts.arn,
        "Input": run.input,
        "Name": facts.name,
        "RoleArn": facts.role_arn,
        "StartTime": timestamp(facts.started),
    }
    if not facts.express:
        execution["RedriveCount"] = run.redrives
    if run.redriven is not None:
        execution["RedriveTime"] = timestamp(run.redriven)
    return {"Execution": execution, "StateMachine": {"Id": facts.machine_arn, "Name": facts.version.name}}

"""Executions under a debugger: they stop before states, show what those are to get, take changes of it, and go on.

What is changed is written down with the execution, so that it holds after a crash. That an execution is under a debugger is memory:
one that goes on after the node was stopped stops nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.api import stepfunctions as api
from cumulet.kernel.errors import InternalFailure
from cumulet.services.stepfunctions.engine import inputs
from cumulet.services.stepfunctions.engine.frames import Frame, Phase, Run
from cumulet.services.stepfunctions.engine.journal import CHANGED
from cumulet.services.stepfunctions.state import StepFunctions

_MOST = 1_000
_PATIENCE = 20.0
"""Seconds that a change may take until it is durable."""
_encode = msgspec.json.Encoder().encode


class Stop(Struct, frozen=True):
    """Where an execution has stopped: before which state, and what that would get. `input` and `variables` are JSON values."""

    frame: int
    state: str
    type: str
    input: Any
    variables: dict[str, Any]


class Seen(Struct, frozen=True):
    """An execution as its debugger sees it. `status` is that of DescribeExecution, or NOT_STARTED."""

    status: str
    stops: list[Stop]


async def watch(state: StepFunctions, execution: str, breaks: list[str] | None) -> Seen:
    """Where an execution has stopped. `breaks` are the states it is to stop before from now on (`*`: any); none lets it go, and None
    changes nothing. An execution that is not there yet stops once it is."""
    engine = state.engine
    if breaks:
        if len(engine.debugged) >= _MOST:
            engine.debugged.clear()
        engine.debugged[execution] = frozenset(breaks)
    elif breaks is not None:
        engine.debugged.pop(execution, None)
    run = await _run(state, execution)
    if run is None:
        record = await engine.store.find(execution)
        if record is not None and record.status != "RUNNING":
            engine.debugged.pop(execution, None)
        return Seen("NOT_STARTED" if record is None else record.status, [])
    if breaks is not None:
        run.breaks = frozenset(breaks)
        if not breaks and run.paused:
            await _act(state, run, _let_go)
    return Seen(run.status, [_stop(frame) for frame in run.paused.values()])


async def go_on(
    state: StepFunctions, execution: str, frame: int, input: str | None, variables: Mapping[str, Any] | None
) -> None:
    """Enter the state that a frame has stopped before, with another input or other variables where they are given (`input`: JSON
    text). Raises ValidationException when it has not stopped there, InvalidExecutionInput."""
    run = await _run(state, execution)
    held = None if run is None else run.paused.get(frame)
    if run is None or held is None:
        raise api.ValidationException(f"The execution has not stopped there: it has no stop {frame}.")
    value = None if input is None else inputs.read(input, state.limits.payload)

    def action(run: Run) -> None:
        if run.paused.pop(held.id, None) is None:
            return
        if input is not None:
            held.input, held.text = value, input
        if variables:
            held.variables = {**held.variables, **variables}
            texts = {name: _encode(value).decode() for name, value in variables.items()}
            run.note(CHANGED, held.id, state.clock.now(), texts)
        held.phase = Phase.READY
        state.engine.walker.release(run, held, state.clock.now())

    await _act(state, run, action)


async def _run(state: StepFunctions, execution: str) -> Run | None:
    record = await state.engine.store.find(execution)
    return None if record is None else await state.engine.load(record.number)


async def _act(state: StepFunctions, run: Run, action: Any) -> None:
    """Have something done to a run, and wait until that is durable. Raises InternalFailure when the store is too slow."""
    done = asyncio.Event()

    def act(run: Run) -> None:
        action(run)
        run.after.append(done.set)

    state.engine.post(run, act)
    try:
        await asyncio.wait_for(done.wait(), _PATIENCE)
    except TimeoutError:
        text = f"It could not be written down within {_PATIENCE:.0f} seconds. Look at the execution again."
        raise InternalFailure(text) from None


def _let_go(run: Run) -> None:
    for frame in run.paused.values():
        frame.phase = Phase.READY
        run.ready.append(frame)
    run.paused.clear()


def _stop(frame: Frame) -> Stop:
    return Stop(frame.id, frame.state.name, frame.state.kind, frame.input, dict(frame.variables))

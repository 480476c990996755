"""RedriveExecution: what failed goes on, from where it failed.

https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cumulet.api import stepfunctions as api
from cumulet.services.stepfunctions.engine import journal
from cumulet.services.stepfunctions.engine.frames import Phase, Run
from cumulet.services.stepfunctions.engine.store import Record
from cumulet.services.stepfunctions.limits import Limits
from cumulet.services.stepfunctions.machines.model import DELETING
from cumulet.storage.database import Conflict

if TYPE_CHECKING:
    from cumulet.services.stepfunctions.engine.engine import Engine


_FASTER = "Execution is RUNNING and cannot be redriven"


def redrivable(record: Record, now: float, limits: Limits) -> tuple[str, str | None]:
    """`redriveStatus` and its reason."""
    refused = _refusal(record, now, limits)
    if record.map_run and refused is None:
        return "REDRIVABLE_BY_MAP_RUN", None
    return ("REDRIVABLE", None) if refused is None else ("NOT_REDRIVABLE", refused)


def _refusal(record: Record, now: float, limits: Limits) -> str | None:
    if record.status in ("RUNNING", "SUCCEEDED", "PENDING_REDRIVE"):
        return f"Execution is {record.status} and cannot be redriven"
    if record.stopped is not None and record.stopped < now - limits.redrive_days * 86_400:
        return "Execution has exceeded the redrivable period and cannot be redriven"
    if record.redrives >= limits.redrives:
        return "Execution has exceeded the maximum number of redrives and cannot be redriven"
    if record.last_event >= limits.events - 1:
        return "Execution event history limit exceeded"
    return None


async def redrive(engine: Engine, record: Record, client_token: str | None) -> float:
    """Have an execution that ended badly go on; gives the time. Raises ExecutionNotRedrivable."""
    if client_token and client_token == record.redrive_token and record.redriven is not None:
        return record.redriven
    now = engine.clock.now()
    refused = _refusal(record, now, engine.limits)
    if refused is not None:
        raise _not_redrivable(refused)
    run = await engine.read(record)
    if run is None or run.facts.version.machine.status == DELETING:
        raise _not_redrivable("its state machine is gone")
    now_there = await engine.store.by_number(record.number)
    if now_there is None or (now_there.redrives, now_there.last_event) != (record.redrives, record.last_event):
        raise _not_redrivable(_FASTER)
    record.redrives += 1
    record.redriven = now
    record.redrive_token = client_token
    run.redrives, run.redriven, run.shared = record.redrives, now, None
    run.deadline = engine.births.deadline(run.facts, now)
    run.emit("ExecutionRedriven", run.last_event, 0, now, None, {"redriveCount": record.redrives})
    _map_runs(run, now)
    record.last_event = run.last_event
    entries, texts = run.written()
    try:
        await engine.store.redrive(record, run.chunks, entries[0][0], journal.encode(entries, texts))
    except Conflict:  # somebody else was faster
        raise _not_redrivable(_FASTER) from None
    engine.tell_log(run, entries, texts)
    await engine.resumed(record.number, run.facts)
    return now


def _not_redrivable(why: str) -> api.ExecutionNotRedrivable:
    return api.ExecutionNotRedrivable(f"Execution is not redrivable: '{why}'")


def _map_runs(run: Run, now: float) -> None:
    """Map Runs are redriven, not begun anew."""
    for frame in run.frames.values():
        if frame.map_run and frame.phase in (Phase.BEGIN, Phase.MAP_RUN):
            data = {"mapRunArn": frame.map_run, "redriveCount": run.redrives}
            frame.tail = run.emit("MapRunRedriven", frame.tail, frame.id, now, None, data, frame.map_run)


def restart(run: Run) -> None:
    """What a redrive makes of a run whose end was folded: every branch that did not end well begins its state again."""
    for frame in run.frames.values():
        frame.attempts = {}
        if frame.phase in (Phase.TASK, Phase.SUBMITTED, Phase.RETRY):
            frame.phase = Phase.BEGIN
            frame.work = None

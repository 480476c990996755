"""Old revisions of machines are forgotten once nothing names them: no version, and no execution that is still kept."""

from __future__ import annotations

import logging

from cumulet.kernel.clock import Clock
from cumulet.services.stepfunctions.engine.store import ExecutionStore
from cumulet.services.stepfunctions.machines.store import MachineStore, Superseded

log = logging.getLogger(__name__)

_SWEEP = 6 * 3600.0
_AT_ONCE = 500
_EXECUTIONS = 2_000
"""That are looked at in one query."""


async def sweep(machines: MachineStore, executions: ExecutionStore, clock: Clock) -> None:
    """For ever."""
    seen: set[str] = set()
    while True:
        await clock.sleep(_SWEEP)
        try:
            seen = await prune(machines, executions, seen)
        except Exception:
            log.exception("old revisions of machines could not be forgotten; again in %.0f h", _SWEEP / 3600)


async def prune(machines: MachineStore, executions: ExecutionStore, seen: set[str]) -> set[str]:
    """Forget what nothing names, of the revisions that a sweep before has `seen`: an execution that was about to begin then has
    its row by now. Gives those that this one saw.
    """
    now_seen: set[str] = set()
    after = ""
    while found := await machines.superseded(after, _AT_ONCE):
        by_machine: dict[str, list[Superseded]] = {}
        for each in found:
            now_seen.add(each.key)
            if each.key in seen:
                by_machine.setdefault(each.arn, []).append(each)
        for arn, revisions in by_machine.items():
            await _prune(machines, executions, arn, revisions)
        after = found[-1].place
    return now_seen


async def _prune(machines: MachineStore, executions: ExecutionStore, arn: str, revisions: list[Superseded]) -> None:
    """Of one machine."""
    left = {each.key: each for each in revisions}
    after = 0
    while left:
        last, used = await executions.revisions_of(arn, after, _EXECUTIONS)
        for key in used:
            left.pop(key.partition("#")[0], None)
        if last is None:
            break
        after = last
    await machines.forget(list(left.values()))

"""How executions come to be: new ones, children of a distributed Map, and those that are read from the store again."""

from __future__ import annotations

import random
from typing import Any

import msgspec
from msgspec import Struct

from cumulet.api import stepfunctions as api
from cumulet.kernel.clock import Clock
from cumulet.services.stepfunctions import asl
from cumulet.services.stepfunctions.engine.census import Census
from cumulet.services.stepfunctions.engine.frames import FOREVER, Run
from cumulet.services.stepfunctions.engine.ports import Child, Facts
from cumulet.services.stepfunctions.engine.store import ExecutionStore, Record
from cumulet.services.stepfunctions.limits import Limits
from cumulet.services.stepfunctions.machines.model import MachineVersion

_decode = msgspec.json.Decoder().decode
_SERIAL = (1 << 20) - 1


class Birth(Struct, kw_only=True):
    """An execution that is to be. `input` is JSON text, `value` what it says."""

    arn: str
    name: str
    account: str
    region: str
    type: str
    version: MachineVersion
    input: str
    value: Any
    trace: str | None = None
    map_run: str = ""
    flow: str = ""
    items: int = 0


class Births:
    """Makes runs and their records."""

    def __init__(self, store: ExecutionStore, clock: Clock, limits: Limits, census: Census) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._serial = random.getrandbits(19)  # so that two processes differ
        self._census = census

    def _number(self, now: float) -> int:
        """Ids sort by time, so that the newest are found first."""
        self._serial = (self._serial + 1) & _SERIAL
        return int(now * 1000) << 20 | self._serial

    def run(self, birth: Birth) -> Run:
        """A new run, not begun yet. Raises ExecutionLimitExceeded."""
        limits, now = self._limits, self._clock.now()
        express = birth.type == "EXPRESS"
        if not express and self._census.open[birth.account, birth.region] >= limits.open_executions:
            raise api.ExecutionLimitExceeded(f"Execution Limit Exceeded: '{limits.open_executions} open executions'")
        facts = Facts(
            arn=birth.arn,
            name=birth.name,
            account=birth.account,
            region=birth.region,
            machine_arn=birth.version.arn,
            role_arn=birth.version.role_arn,
            version=birth.version,
            started=now,
            trace=birth.trace,
            map_run=birth.map_run,
            flow=birth.flow,
        )
        most = limits.events if not express else 1 << 62
        run = Run(facts, _flow(birth.version, birth.flow), self._number(now), birth.input, birth.value, most)
        run.items = birth.items
        run.deadline = self.deadline(facts, now)
        return run

    def deadline(self, facts: Facts, since: float) -> float:
        """When an execution times out: the machine's TimeoutSeconds do not apply to children of a distributed Map."""
        limits = self._limits
        longest = limits.express_seconds if facts.express else limits.standard_seconds
        timeout = facts.version.compiled.timeout if not facts.flow else None
        return since + (longest if timeout is None else min(longest, timeout))

    def record(self, birth: Birth, run: Run) -> Record | None:
        """The row of a new run; None for an Express one, which has none."""
        if birth.type == "EXPRESS":
            return None
        version = birth.version
        return Record(
            number=run.number,
            arn=birth.arn,
            machine=version.arn,
            revision=version.key,
            version=version.version,
            alias=version.alias,
            account=birth.account,
            region=birth.region,
            type=birth.type,
            status="RUNNING",
            started=run.facts.started,
            input=birth.input,
            trace=birth.trace,
            map_run=birth.map_run,
            flow=birth.flow,
            items=birth.items,
        )

    def complete(self, record: Record, run: Run, due: float | None) -> None:
        """What the run's first turn made of its row."""
        record.due = due
        record.status, record.stopped = run.status, run.stopped
        record.output, record.error, record.cause = run.output, run.error, run.cause
        record.last_event = run.last_event

    def again(self, record: Record, version: MachineVersion) -> Run:
        """The run of a record, without what its journal says."""
        if record.version is not None or record.alias:
            version = msgspec.structs.replace(version, version=record.version, alias=record.alias)
        facts = Facts(
            arn=record.arn,
            name=record.name,
            account=record.account,
            region=record.region,
            machine_arn=record.machine,
            role_arn=version.role_arn,
            version=version,
            started=record.started,
            trace=record.trace,
            map_run=record.map_run,
            flow=record.flow,
        )
        flow, value = _flow(version, record.flow), _decode(record.input)
        run = Run(facts, flow, record.number, record.input, value, self._limits.events)
        run.items, run.redrives, run.redriven = record.items, record.redrives, record.redriven
        run.deadline = self.deadline(facts, record.redriven or record.started)
        run.due = FOREVER if record.due is None else record.due
        return run

    def child(self, child: Child) -> Birth:
        """A child execution of a distributed Map."""
        parent = child.parent
        kind = "express" if child.type == "EXPRESS" else "execution"
        place = f"{parent.machine_arn.replace(':stateMachine:', f':{kind}:')}/{child.label}"
        arn = f"{place}:{child.name}" + (f":{child.name}" if kind == "express" else "")
        return Birth(
            arn=arn,
            name=child.name,
            account=parent.account,
            region=parent.region,
            type=child.type,
            version=parent.version,
            input=child.input,
            value=_decode(child.input),
            trace=parent.trace,
            map_run=child.map_run,
            flow=child.state,
            items=child.items,
        )


def _flow(version: MachineVersion, name: str) -> asl.Flow:
    """What an execution runs: the machine, or the processor of one of its Map states."""
    machine: asl.Machine = version.compiled
    if not name:
        return machine
    state = machine.find(name)
    assert isinstance(state, asl.Map)
    return state.processor

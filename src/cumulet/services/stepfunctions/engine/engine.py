"""The executions of a node."""

from __future__ import annotations

from cumulet.kernel.clock import Clock
from cumulet.kernel.tasks import Tasks as Background
from cumulet.services.stepfunctions.engine.ports import Child, Ended, Log, Machines, Maps, Notices, Tasks
from cumulet.services.stepfunctions.limits import Limits
from cumulet.storage.database import Database


class Engine:
    """Drives executions. `work`, `maps`, `log` and `notices` are given before `start`; what is not there is not used."""

    def __init__(self, db: Database, clock: Clock, background: Background, machines: Machines, limits: Limits) -> None:
        self.db = db
        self.clock = clock
        self.background = background
        self.machines = machines
        self.limits = limits
        self.work: Tasks | None = None
        self.maps: Maps | None = None
        self.log: Log | None = None
        self.notices: Notices | None = None

    async def start(self) -> None:
        """Go on with what a stop or a crash interrupted."""

    async def run_child(self, child: Child) -> Ended:
        raise NotImplementedError

    async def ended(self, arn: str) -> Ended:
        raise NotImplementedError

    async def stop(self, arn: str, error: str | None = None, cause: str | None = None) -> float:
        raise NotImplementedError

    async def activity_started(self, token: str, worker: str) -> bool:
        raise NotImplementedError

    async def drained(self, machine_arn: str) -> None:
        raise NotImplementedError

    async def forget(self, machine_arn: str) -> None:
        raise NotImplementedError

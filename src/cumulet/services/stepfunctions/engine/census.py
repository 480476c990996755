"""How many executions are open: of an account and region, which has a limit, and of a machine, whose deletion waits for them."""

from __future__ import annotations

import asyncio
from collections import Counter

from cumulet.services.stepfunctions.engine.ports import Facts
from cumulet.services.stepfunctions.engine.store import ExecutionStore


class Census:
    """Standard executions alone are counted."""

    def __init__(self) -> None:
        self.open: Counter[tuple[str, str]] = Counter()
        """By account and region."""
        self._of_machine: Counter[str] = Counter()
        self._drained: dict[str, list[asyncio.Future[None]]] = {}

    async def begin(self, store: ExecutionStore) -> None:
        """Count those that a process before this one left open."""
        for account, region, machine, count in await store.open():
            self.open[account, region] += count
            self._of_machine[machine] += count

    def count(self, facts: Facts, by: int) -> None:
        """So many more executions of a machine are open, or fewer."""
        self.open[facts.account, facts.region] += by
        machine = facts.machine_arn
        self._of_machine[machine] += by
        if self._of_machine[machine] <= 0:
            del self._of_machine[machine]
            for waiter in self._drained.pop(machine, ()):
                if not waiter.done():
                    waiter.set_result(None)

    def running(self, machine_arn: str) -> bool:
        """Whether an execution of a machine has not ended yet."""
        return self._of_machine.get(machine_arn, 0) > 0

    async def drained(self, machine_arn: str) -> None:
        """See `ports.Engine`."""
        if self.running(machine_arn):
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._drained.setdefault(machine_arn, []).append(future)
            await future

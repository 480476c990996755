"""Tasks of activities between those who bring and those who take them."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import Struct

from cumulet.kernel.call import Call, Principal
from cumulet.kernel.clock import MovableClock
from cumulet.kernel.tasks import Tasks
from cumulet.services import stepfunctions
from cumulet.services.stepfunctions.tasks.activity_store import SCHEMA, Activity, ActivityStore
from cumulet.services.stepfunctions.tasks.queue import ActivityQueue
from cumulet.storage.database import Transaction
from cumulet.storage.local import LocalSignals
from cumulet.storage.sqlite import SqliteDatabase

CLIENT = Call("000000000001", "us-east-1", Principal.root("000000000001"), "request-1")
ARN = "arn:aws:states:us-east-1:000000000001:activity:pack"


async def _nothing(tx: Transaction) -> None:
    del tx


class Nobody:
    """No other services."""

    async def run(self, call: Call, service: str, operation: str, request: Struct) -> Any:
        raise AssertionError(f"{service} {operation} was called")


class Crowd:
    """Tasks that come, workers that look, workers that give back what they got, and workers that hang up, all at once."""

    def __init__(self, queue: ActivityQueue, draw: random.Random) -> None:
        self.queue = queue
        self.draw = draw
        self.brought: list[str] = []
        self.kept: list[str] = []

    async def a_moment(self) -> None:
        for _ in range(self.draw.randrange(5)):
            await asyncio.sleep(0)

    async def bring(self) -> None:
        await self.a_moment()
        self.brought.append(token := f"task-{len(self.brought)}")
        await self.queue.add(ARN, token, "{}")

    async def work(self) -> None:
        await self.a_moment()
        task = await self.queue.take(ARN, 0.0)
        if task is not None and self.draw.random() < 0.5:
            self.queue.put_back(task)
        elif task is not None:
            self.kept.append(task.token)

    async def hang_up(self) -> None:
        worker = asyncio.create_task(self.work())
        await self.a_moment()
        await self.a_moment()
        worker.cancel()
        await asyncio.wait([worker])

    async def meet(self) -> None:
        """A hundred times a task and five workers, most of whom find nothing; then one who stays until nothing comes."""
        for _ in range(100):
            crowd = [self.bring, *self.draw.choices([self.work, self.hang_up], k=5)]
            self.draw.shuffle(crowd)
            await asyncio.gather(*(one() for one in crowd))
        while len(self.kept) < len(self.brought):
            task = await self.queue.take(ARN, 20.0)  # what went back may still be on its way
            if task is None:
                break
            self.kept.append(task.token)


@pytest.mark.parametrize("seed", range(3))
def test_every_task_is_taken_once(tmp_path: Path, seed: int) -> None:
    db = SqliteDatabase(tmp_path / "test.db")

    async def run() -> Crowd:
        background = Tasks()
        try:
            await db.migrate("activities", SCHEMA)
            queue = ActivityQueue(ActivityStore(db), background)
            await queue.start()
            await queue.create(Activity("000000000001", "us-east-1", "pack", ARN, 0.0), _nothing)
            crowd = Crowd(queue, random.Random(seed))
            await crowd.meet()
            return crowd
        finally:
            await background.close()
            await db.close()

    crowd = asyncio.run(run())
    assert sorted(crowd.kept) == sorted(crowd.brought)


def test_workers_get_what_is_there_or_nothing_once_the_node_winds_down(tmp_path: Path) -> None:
    async def run() -> None:
        db, tasks = SqliteDatabase(tmp_path / "test.db"), Tasks()
        service = stepfunctions.build(
            db=db, signals=LocalSignals(), clock=MovableClock(), wall=lambda: 0.0, calls=Nobody(), tasks=tasks
        )
        await service.start()

        async def ask(name: str, /, **fields: str) -> Any:
            operation = service.operations[name]
            return await operation.run(service.state, CLIENT, operation.request(**fields))

        assert (await ask("CreateActivity", name="pack")).activity_arn == ARN
        queue = cast("stepfunctions.StepFunctions", service.state).activities
        async with asyncio.timeout(60):
            waiting = [asyncio.create_task(queue.take(ARN, 1e6)) for _ in range(3)]
            await asyncio.sleep(0)  # they wait: there was no task to look for
            assert not any(each.done() for each in waiting)
            await service.wind_down()
            assert await asyncio.gather(*waiting) == [None] * 3
            assert await queue.take(ARN, 1e6) is None
            assert (await ask("GetActivityTask", activity_arn=ARN)).task_token is None
            await queue.add(ARN, "token", "{}")
            given = await queue.take(ARN, 1e6)
            assert given is not None
            assert given.token == "token"
        await service.stop()
        await tasks.close()
        await db.close()

    asyncio.run(run())

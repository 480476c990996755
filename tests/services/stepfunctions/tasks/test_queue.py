"""Tasks of activities between those who bring and those who take them."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from cumulet.kernel.tasks import Tasks
from cumulet.services.stepfunctions.tasks.activity_store import SCHEMA, Activity, ActivityStore
from cumulet.services.stepfunctions.tasks.queue import ActivityQueue
from cumulet.storage.database import Transaction
from cumulet.storage.sqlite import SqliteDatabase

ARN = "arn:aws:states:us-east-1:000000000001:activity:pack"


async def _nothing(tx: Transaction) -> None:
    del tx


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

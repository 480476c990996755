"""Tasks of activities on their way to workers."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable

from cumulet.kernel.tasks import Tasks
from cumulet.services.stepfunctions.tasks.activity_store import Activity, ActivityStore, Waiting
from cumulet.storage.database import Transaction

Also = Callable[[Transaction], Awaitable[None]]


class ActivityQueue:
    """The rows are the truth; memory knows which activities there are, which of them may have tasks, and which workers wait.

    Workers wait in the order they came; each task wakes one of them. That an activity has no task is only known from a
    look at the rows that began after the last task had come: tasks are not counted, since looks overlap.
    """

    def __init__(self, store: ActivityStore, background: Tasks) -> None:
        self.store = store
        self._background = background
        self._arns: set[str] = set()
        self._filled: set[str] = set()  # activities that may have tasks
        self._came: Counter[str] = Counter()  # tasks that have come, of each activity
        self._workers: dict[str, deque[asyncio.Future[None]]] = {}
        self._place = 0
        self._winding_down = False

    async def start(self) -> None:
        """Read what the last run left."""
        self._arns = set(await self.store.arns())
        self._filled = {arn for arn, _ in await self.store.waiting()}
        self._place = await self.store.last_place()

    def wind_down(self) -> None:
        """The node is about to stop, which workers that wait are not to delay: from now on they get what is there, or nothing."""
        self._winding_down = True
        for workers in self._workers.values():
            for worker in workers:
                _wake(worker)
            workers.clear()

    def knows(self, arn: str) -> bool:
        """Whether there is such an activity."""
        return arn in self._arns

    async def create(self, activity: Activity, also: Also) -> None:
        """A new activity, in one transaction with what `also` writes. Raises Conflict."""
        async with self.store.db.transaction() as tx:
            await self.store.put(tx, activity)
            await also(tx)
        self._arns.add(activity.arn)

    async def delete(self, activity: Activity, also: Also) -> None:
        """The end of an activity; whoever waits there is told."""
        async with self.store.db.transaction() as tx:
            await self.store.remove(tx, activity)
            await also(tx)
        self._arns.discard(activity.arn)
        self._filled.discard(activity.arn)
        self._came.pop(activity.arn, None)
        for worker in self._workers.pop(activity.arn, ()):
            _wake(worker)

    async def add(self, arn: str, token: str, input: str) -> None:
        """A task for whoever asks for one; durable on return."""
        self._place += 1
        await self.store.add(Waiting(arn, self._place, token, input))
        self._has_come(arn)

    def put_back(self, task: Waiting) -> None:
        """Who took it is gone: the next worker is to have it, before those that came later."""
        self._background.start(f"a task of {task.arn} goes back", self._put_back(task))

    async def _put_back(self, task: Waiting) -> None:
        if task.arn in self._arns:
            await self.store.add(task)
            self._has_come(task.arn)

    def _has_come(self, arn: str) -> None:
        self._filled.add(arn)
        self._came[arn] += 1
        self._wake_one(arn)

    async def remove(self, arn: str, token: str) -> None:
        """The task is not wanted any more."""
        if arn in self._filled:
            await self.store.drop(arn, token)

    async def take(self, arn: str, seconds: float) -> Waiting | None:
        """The task that has waited longest; waits for one at most `seconds` of real time. None when none came."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            if arn in self._filled:
                came = self._came[arn]
                task = await self._take(arn)
                if task is not None:
                    return task
                if came != self._came[arn]:  # one came after this look
                    continue
                self._filled.discard(arn)
            left = end - loop.time()
            if left <= 0 or arn not in self._arns or self._winding_down:
                return None
            await self._wait(arn, left)

    async def _take(self, arn: str) -> Waiting | None:
        """Whoever asks may be gone before the store has given the task; then it is for the next."""
        taking = asyncio.ensure_future(self.store.take(arn))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            taking.add_done_callback(self._took_for_nobody)
            raise

    def _took_for_nobody(self, taking: asyncio.Future[Waiting | None]) -> None:
        if not taking.cancelled() and taking.exception() is None and (task := taking.result()) is not None:
            self.put_back(task)

    async def _wait(self, arn: str, seconds: float) -> None:
        workers = self._workers.setdefault(arn, deque())
        worker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        workers.append(worker)
        try:
            await asyncio.wait((worker,), timeout=seconds)
        except asyncio.CancelledError:
            if worker.done():  # its task is for the next worker
                self._wake_one(arn)
            raise
        finally:
            if not worker.done():
                worker.cancel()
                workers.remove(worker)

    def _wake_one(self, arn: str) -> None:
        workers = self._workers.get(arn)
        while workers:
            worker = workers.popleft()
            if not worker.done():
                _wake(worker)
                return


def _wake(worker: asyncio.Future[None]) -> None:
    if not worker.done():
        worker.set_result(None)

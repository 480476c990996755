"""What the disk is freed of: boxes of deleted and purged queues, and messages past their retention."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cumulet.kernel.call import Call, Principal
from cumulet.kernel.clock import MovableClock
from cumulet.kernel.tasks import Tasks
from cumulet.services import sqs
from cumulet.storage.local import LocalSignals
from cumulet.storage.sqlite import SqliteDatabase

CALL = Call("111111111111", "us-east-1", Principal.root("111111111111"), "request-1")
Run = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def _service(path: Path) -> AsyncIterator[tuple[Run, SqliteDatabase, MovableClock]]:
    clock, tasks, db = MovableClock(), Tasks(), SqliteDatabase(path / "sqs.db")
    service = sqs.build(db=db, signals=LocalSignals(), clock=clock, tasks=tasks)
    await service.start()

    async def run(name: str, **fields: object) -> Any:
        operation = service.operations[name]
        return await operation.run(service.state, CALL, operation.request(**fields))

    yield run, db, clock
    await tasks.close()
    await db.close()


async def _gone(db: SqliteDatabase, clock: MovableClock, step: float = 0.0) -> None:
    """Wait for the sweeper, moving the clock by `step` seconds at a time."""
    async with asyncio.timeout(60):
        while await db.read("SELECT 1 FROM sqs_message LIMIT 1") or await db.read("SELECT 1 FROM sqs_dropped_box"):
            await clock.advance(step)
            await asyncio.sleep(0.01)


async def _fill(run: Run, **queue: object) -> str:
    url = str((await run("CreateQueue", **queue)).queue_url)
    group = {"message_group_id": "g"} if url.endswith(".fifo") else {}
    await asyncio.gather(*(run("SendMessage", queue_url=url, message_body=str(n), **group) for n in range(1200)))
    return url


def test_the_messages_of_deleted_and_purged_queues_are_swept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _service(tmp_path) as (run, db, clock):
            await run("DeleteQueue", queue_url=await _fill(run, queue_name="gone"))
            await run("PurgeQueue", queue_url=await _fill(run, queue_name="empty"))
            attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
            await run("DeleteQueue", queue_url=await _fill(run, queue_name="gone.fifo", attributes=attributes))
            await _gone(db, clock)
            for table in ("sqs_lane", "sqs_sequence", "sqs_deduplication"):
                assert await db.read(f"SELECT * FROM {table}") == []

    asyncio.run(scenario())


def test_messages_past_their_retention_are_swept(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with _service(tmp_path) as (run, db, clock):
            await _fill(run, queue_name="short", attributes={"MessageRetentionPeriod": "60"})
            await _gone(db, clock, step=1000)

    asyncio.run(scenario())

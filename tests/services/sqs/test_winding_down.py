"""A node that is about to stop: who waits for messages is answered at once, without any."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from cumulet.kernel.call import Call, Principal
from cumulet.kernel.clock import MovableClock
from cumulet.kernel.tasks import Tasks
from cumulet.services import sqs
from cumulet.storage.local import LocalSignals
from cumulet.storage.sqlite import SqliteDatabase

CLIENT = Call("111111111111", "us-east-1", Principal.root("111111111111"), "request-1")
SOURCE = replace(CLIENT, bulk=True)


class Line(LocalSignals):
    """Signals that tell when somebody begins to wait for messages."""

    def __init__(self) -> None:
        super().__init__()
        self.joined = asyncio.Event()

    def subscribe(self, topic: str, receive: Callable[[bytes], None]) -> Callable[[], None]:
        self.joined.set()
        return super().subscribe(topic, receive)


@pytest.mark.parametrize("queue", [{"queue_name": "q"}, {"queue_name": "q.fifo", "attributes": {"FifoQueue": "true"}}])
def test_clients_are_answered_at_once_and_event_sources_wait_on(tmp_path: Path, queue: dict[str, Any]) -> None:
    async def story() -> None:
        # Time stands still: nobody stops waiting because it is over.
        signals, tasks, db = Line(), Tasks(), SqliteDatabase(tmp_path / "sqs.db")
        service = sqs.build(db=db, signals=signals, clock=MovableClock(lambda: 1e9), tasks=tasks)
        await service.start()

        async def run(call: Call, name: str, **fields: object) -> Any:
            operation = service.operations[name]
            return await operation.run(service.state, call, operation.request(**fields))

        url = (await run(CLIENT, "CreateQueue", **queue)).queue_url
        group = {"message_group_id": "g", "message_deduplication_id": "d"} if url.endswith(".fifo") else {}

        def receive(call: Call) -> asyncio.Task[Any]:
            return asyncio.ensure_future(run(call, "ReceiveMessage", queue_url=url, wait_time_seconds=20))

        async with asyncio.timeout(60):
            clients = [receive(CLIENT), receive(CLIENT)]
            source = receive(SOURCE)
            await signals.joined.wait()
            await service.wind_down()
            assert [(await each).messages for each in (*clients, receive(CLIENT))] == [None] * 3
            assert not source.done()
            await run(CLIENT, "SendMessage", queue_url=url, message_body="hello", **group)
            assert [each.body for each in (await source).messages] == ["hello"]
        await tasks.close()
        await db.close()

    asyncio.run(story())

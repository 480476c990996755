"""Events that wait for their functions, whatever becomes of those who sent them."""

import asyncio
from pathlib import Path

import pytest

from cumulet.kernel.clock import MovableClock
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.events.queue import Event, EventQueue
from cumulet.services.lambda_.names import FunctionKey, Reference
from cumulet.storage.sqlite import SqliteDatabase

FUNCTION = Reference(FunctionKey("111122223333", "us-east-1", "f"), None)


def test_an_event_whose_sender_went_away_waits_for_no_other(tmp_path: Path) -> None:
    async def main() -> None:
        db, clock, tasks = SqliteDatabase(tmp_path / "events.db"), MovableClock(), Tasks()
        queue = EventQueue(db, clock, tasks, 10)
        postponed, handled = asyncio.Event(), asyncio.Event()

        async def handle(event: Event) -> None:
            if event.payload == b"later":
                await queue.postpone(event, clock.now() + 6 * 3600, 1, 0)
                postponed.set()
            else:
                await queue.remove(event)
                handled.set()

        async def send_and_leave() -> None:
            me = asyncio.current_task()
            assert me is not None
            me.cancel()  # told where it waits for the disk
            await queue.add(FUNCTION, "r", b"now", "")

        queue.handler = handle
        await queue.start()
        await queue.add(FUNCTION, "r", b"later", "")
        await asyncio.wait_for(postponed.wait(), 60)
        # Its statement joins another's: one that is alone, and that nobody waits for any more, is not run at all.
        joined = asyncio.ensure_future(db.write("DELETE FROM lambda_event WHERE id = 'none'"))
        leaving = asyncio.ensure_future(send_and_leave())
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await joined
        await db.write("DELETE FROM lambda_event WHERE id = 'none'")  # after it: what was accepted before is durable
        await clock.advance(60)
        await asyncio.wait_for(handled.wait(), 60)
        await tasks.close()
        await db.close()

    asyncio.run(main())

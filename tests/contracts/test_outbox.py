"""The outbox, over every record store."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from cumulet.kernel.clock import MovableClock
from cumulet.kernel.errors import AwsError
from cumulet.kernel.tasks import Tasks
from cumulet.storage.database import Database
from cumulet.storage.outbox import Event, Outbox
from cumulet.storage.sqlite import SqliteDatabase

ENGINES: dict[str, Callable[[Path], Database]] = {"sqlite": lambda folder: SqliteDatabase(folder / "records.db")}


class Receiver:
    """Remembers what it was handed, after failing as often as it was told to."""

    def __init__(self, failures: int = 0, error: Exception | None = None) -> None:
        self.failures = failures
        self.error = error or ConnectionError("not yet")
        self.payloads: list[bytes] = []
        self.tries = 0
        self.changed = asyncio.Event()

    async def __call__(self, event: Event) -> None:
        self.tries += 1
        self.changed.set()
        if self.tries <= self.failures:
            raise self.error
        self.payloads.append(event.payload)

    async def until(self, tries: int) -> None:
        async with asyncio.timeout(60):
            while self.tries < tries:
                self.changed.clear()
                await self.changed.wait()


async def _with_outbox(
    db: Database, clock: MovableClock, receiver: Receiver, scenario: Callable[[Outbox], Awaitable[None]]
) -> None:
    tasks = Tasks()
    outbox = Outbox(db, clock, tasks)
    outbox.handle("test", receiver)
    await outbox.start()
    try:
        await scenario(outbox)
        for _ in range(12_000):  # what was handed on is deleted a commit later
            if not await db.read("SELECT 1 FROM outbox WHERE due <= $1", (clock.now(),)):
                break
            await asyncio.sleep(0.005)
    finally:
        await tasks.close()


async def _add(db: Database, outbox: Outbox, payload: bytes, due: float = 0.0) -> None:
    async with db.transaction() as tx:
        await outbox.add(tx, "test", payload, due)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_event_is_handed_on_once_and_forgotten(engine: str, tmp_path: Path) -> None:
    async def main() -> None:
        db, clock, receiver = ENGINES[engine](tmp_path), MovableClock(), Receiver()

        async def scenario(outbox: Outbox) -> None:
            for number in range(20):
                await _add(db, outbox, b"%d" % number)
            await receiver.until(20)

        await _with_outbox(db, clock, receiver, scenario)
        assert sorted(receiver.payloads) == sorted(b"%d" % number for number in range(20))
        assert await db.read("SELECT id FROM outbox") == []
        await db.close()

    asyncio.run(main())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_failed_event_comes_again_by_the_clock(engine: str, tmp_path: Path) -> None:
    async def main() -> None:
        # A clock that stands still unless it is moved: a second may pass between any two steps.
        db, clock, receiver = ENGINES[engine](tmp_path), MovableClock(lambda: 1_000.0), Receiver(failures=2)

        async def scenario(outbox: Outbox) -> None:
            await _add(db, outbox, b"stubborn")
            await receiver.until(1)
            await asyncio.sleep(0.05)
            assert receiver.tries == 1
            async with asyncio.timeout(60):
                while receiver.tries < 3:
                    await clock.advance(1)
                    await asyncio.sleep(0.01)

        await _with_outbox(db, clock, receiver, scenario)
        assert receiver.payloads == [b"stubborn"]
        await db.close()

    asyncio.run(main())


def _refused() -> AwsError:
    error = AwsError("The specified queue does not exist.", code="QueueDoesNotExist")
    error.add_note("an event of the bucket photos")
    return error


@pytest.mark.parametrize(
    ("error", "told", "placed"),
    [
        (
            _refused(),
            "again in 1 s: QueueDoesNotExist: The specified queue does not exist.; an event of the bucket photos",
            False,
        ),
        (KeyError("owner"), "again in 1 s", True),
    ],
)
def test_what_a_target_refuses_is_told_in_a_line_and_our_own_faults_with_their_place(
    error: Exception, told: str, placed: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        db = ENGINES["sqlite"](tmp_path)
        clock, receiver = MovableClock(lambda: 1_000.0), Receiver(failures=1, error=error)

        async def scenario(outbox: Outbox) -> None:
            await _add(db, outbox, b"event")
            async with asyncio.timeout(60):
                while receiver.tries < 2:
                    await clock.advance(1)
                    await asyncio.sleep(0.01)

        await _with_outbox(db, clock, receiver, scenario)
        await db.close()

    with caplog.at_level("WARNING", "cumulet.storage.outbox"):
        asyncio.run(main())
    (record,) = caplog.records
    assert record.getMessage().endswith(told)
    assert bool(record.exc_info) is placed


@pytest.mark.parametrize("engine", ENGINES)
def test_an_event_of_a_rolled_back_transaction_never_was_and_a_later_one_waits(engine: str, tmp_path: Path) -> None:
    async def main() -> None:
        db, clock, receiver = ENGINES[engine](tmp_path), MovableClock(), Receiver()

        async def scenario(outbox: Outbox) -> None:
            with pytest.raises(ConnectionError):
                async with db.transaction() as tx:
                    await outbox.add(tx, "test", b"never")
                    raise ConnectionError
            await _add(db, outbox, b"tomorrow", clock.now() + 86_400)
            await asyncio.sleep(0.05)
            assert receiver.payloads == []
            await clock.advance(86_400)
            await receiver.until(1)

        await _with_outbox(db, clock, receiver, scenario)
        assert receiver.payloads == [b"tomorrow"]
        await db.close()

    asyncio.run(main())


@pytest.mark.parametrize("engine", ENGINES)
def test_events_left_by_a_crash_are_handed_on_at_the_next_start(engine: str, tmp_path: Path) -> None:
    async def main() -> None:
        db, clock = ENGINES[engine](tmp_path), MovableClock()
        broken, receiver = Receiver(failures=1), Receiver()

        async def crash(outbox: Outbox) -> None:
            await _add(db, outbox, b"left")
            await broken.until(1)

        async def again(outbox: Outbox) -> None:
            await clock.advance(1)
            await receiver.until(1)

        await _with_outbox(db, clock, broken, crash)
        await _with_outbox(db, clock, receiver, again)
        assert receiver.payloads == [b"left"]
        await db.close()

    asyncio.run(main())

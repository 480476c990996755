"""Events that must not be lost: written in the transaction that caused them, handed on until their handler succeeds.

At least once: a crash between a handler's success and the deletion of the row hands the event on again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from msgspec import Struct

from cumulet.kernel.clock import Clock, wait_until
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import token
from cumulet.kernel.tasks import Tasks
from cumulet.storage.database import Database, Transaction

log = logging.getLogger(__name__)

SCHEMA = (
    """CREATE TABLE outbox (
        id TEXT PRIMARY KEY, kind TEXT NOT NULL, payload BYTEA NOT NULL,
        due DOUBLE PRECISION NOT NULL, attempts BIGINT NOT NULL)""",
    "CREATE INDEX outbox_due ON outbox (due)",
)
_BATCH = 200
_BACKSTOP = 30.0
_LONGEST_DELAY = 300.0


class Event(Struct, frozen=True):
    """A row of the outbox. `attempts` counts the failures so far."""

    id: str
    kind: str
    payload: bytes
    due: float
    attempts: int


Handler = Callable[[Event], Awaitable[None]]


class Outbox:
    """One database's outbox and the loop that empties it. Handlers are registered by kind before `start`.

    A handler that raises is called again after 1, 2, 4 ... up to 300 seconds on the clock, without end: one that wants
    to give up does so itself (a dead-letter queue, a log line) and returns. An `AwsError` is logged in one line, with its notes
    (`add_note`: what was tried); anything else with where it was raised.
    """

    def __init__(self, db: Database, clock: Clock, tasks: Tasks) -> None:
        self._db = db
        self._clock = clock
        self._tasks = tasks
        self._handlers: dict[str, Handler] = {}
        self._held: set[str] = set()
        self._wake = asyncio.Event()

    def handle(self, kind: str, handler: Handler) -> None:
        self._handlers[kind] = handler

    async def start(self) -> None:
        """Create the table, and begin with what a crash left behind."""
        await self._db.migrate("outbox", SCHEMA)
        self._tasks.start("outbox", self._work())

    async def add(self, tx: Transaction, kind: str, payload: bytes, due: float = 0.0) -> str:
        """Put an event in; it is handed on when the transaction is durable and the clock has reached `due`."""
        event = Event(token(), kind, payload, due or self._clock.now(), 0)
        await tx.write(
            "INSERT INTO outbox (id, kind, payload, due, attempts) VALUES ($1, $2, $3, $4, 0)",
            (event.id, kind, payload, event.due),
        )
        tx.after_commit(self._wake.set)
        return event.id

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            events = await self._due()
            for event in events:
                self._held.add(event.id)
                self._tasks.start(f"outbox {event.kind}", self._hand_on(event))
            if len(events) < _BATCH:
                await self._wait()

    async def _due(self) -> list[Event]:
        if len(self._held) >= _BATCH:
            return []
        rows = await self._db.read(
            "SELECT id, kind, payload, due, attempts FROM outbox WHERE due <= $1 ORDER BY due LIMIT $2",
            (self._clock.now(), _BATCH + len(self._held)),
        )
        return [Event(*row) for row in rows if row[0] not in self._held]

    async def _wait(self) -> None:
        """Until something new is committed, or the next event is due on the clock (which may be moved)."""
        row = await self._db.read_one("SELECT min(due) FROM outbox WHERE due > $1", (self._clock.now(),))
        now = self._clock.now()
        until = row[0] if row and row[0] is not None else now + _BACKSTOP
        await wait_until(self._clock, max(until, now), self._wake)

    async def _hand_on(self, event: Event) -> None:
        try:
            await self._handlers[event.kind](event)
        except Exception as error:
            delay = min(2.0**event.attempts, _LONGEST_DELAY)
            if isinstance(error, AwsError):  # what somebody's target answers: where in our code says nothing about it
                why = "; ".join([f"{error.code}: {error.message}", *getattr(error, "__notes__", ())])
                log.warning("event %s (%s) failed, again in %.0f s: %s", event.id, event.kind, delay, why)
            else:
                log.warning("event %s (%s) failed, again in %.0f s", event.id, event.kind, delay, exc_info=True)
            await self._db.write(
                "UPDATE outbox SET attempts = attempts + 1, due = $2 WHERE id = $1",
                (event.id, self._clock.now() + delay),
            )
        else:
            await self._db.write("DELETE FROM outbox WHERE id = $1", (event.id,))
        finally:
            self._held.discard(event.id)
            self._wake.set()

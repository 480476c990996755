"""Asynchronous invocations: events in the database until their function has taken them, or they are given up."""
# ruff: noqa: S608  what is put together here are constants of this file

import asyncio
import logging
from typing import Protocol

from msgspec import Struct, structs

from cumulet.kernel.clock import Clock
from cumulet.kernel.ids import token
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.names import FunctionKey, Reference
from cumulet.storage.database import Database, Transaction

log = logging.getLogger(__name__)

SCHEMA = (
    """CREATE TABLE lambda_event (
        id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, qualifier TEXT NOT NULL,
        request_id TEXT NOT NULL, payload BYTEA NOT NULL, trace TEXT NOT NULL, accepted DOUBLE PRECISION NOT NULL,
        due DOUBLE PRECISION NOT NULL, attempts BIGINT NOT NULL, refusals BIGINT NOT NULL)""",
    "CREATE INDEX lambda_event_due ON lambda_event (due)",
    "CREATE INDEX lambda_event_function ON lambda_event (account, region, name)",
)
_COLUMNS = "id, account, region, name, qualifier, request_id, payload, trace, accepted, due, attempts, refusals"
_BACKSTOP = 30.0


class Event(Struct, frozen=True):
    """An invocation to be made. `attempts` counts the times the function ran; `refusals` those it could not since."""

    id: str
    account: str
    region: str
    name: str
    qualifier: str
    request_id: str
    payload: bytes
    trace: str
    accepted: float
    due: float
    attempts: int
    refusals: int

    @property
    def reference(self) -> Reference:
        return Reference(FunctionKey(self.account, self.region, self.name), self.qualifier or None)


class Handler(Protocol):
    """Takes one event in hand, and sees to it that it is removed or made due again."""

    async def __call__(self, event: Event) -> None: ...


class EventQueue:
    """The table and the loop that hands its events to the handler, at most `limit` at once.

    An event stays in the table while it is handled: after a crash it is handled again.
    """

    def __init__(self, db: Database, clock: Clock, tasks: Tasks, limit: int) -> None:
        self._db = db
        self._clock = clock
        self._tasks = tasks
        self._limit = limit
        self._held: set[str] = set()
        self._wake = asyncio.Event()
        self._behind = False
        self.handler: Handler | None = None

    async def start(self) -> None:
        await self._db.migrate("lambda_queue", SCHEMA)
        self._behind = True
        self._tasks.start("lambda events", self._work())

    async def add(self, reference: Reference, request_id: str, payload: bytes, trace: str) -> None:
        """Durable when it returns."""
        now = self._clock.now()
        event = Event(token(), *reference.key, reference.qualifier or "", request_id, payload, trace, now, now, 0, 0)
        self._held.add(event.id)  # before it is in the table, or the loop might hand it on too
        try:
            await self._db.write(
                f"INSERT INTO lambda_event ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
                structs.astuple(event),
            )
        except BaseException:
            self._held.discard(event.id)
            raise
        if self._behind or len(self._held) > self._limit:
            self._held.discard(event.id)
            self._behind = True
            self._wake.set()
        else:
            self._hand_on(event)

    async def postpone(self, event: Event, due: float, attempts: int, refusals: int) -> None:
        await self._db.write(
            "UPDATE lambda_event SET due = $2, attempts = $3, refusals = $4 WHERE id = $1",
            (event.id, due, attempts, refusals),
        )
        self._wake.set()

    async def remove(self, event: Event, tx: Transaction | None = None) -> None:
        await (tx or self._db).write("DELETE FROM lambda_event WHERE id = $1", (event.id,))

    async def purge(self, tx: Transaction, key: FunctionKey) -> None:
        """Forget what waits for a function that is gone."""
        await tx.write("DELETE FROM lambda_event WHERE account = $1 AND region = $2 AND name = $3", key)

    def nudge(self) -> None:
        """Look at the table again now."""
        self._wake.set()

    def _hand_on(self, event: Event) -> None:
        self._held.add(event.id)
        self._tasks.start("lambda event", self._handle(event))

    async def _handle(self, event: Event) -> None:
        try:
            if self.handler is not None:
                await self.handler(event)
        except Exception:
            log.exception("event %s for %s could not be handled, again in a minute", event.id, event.reference.arn)
            await self.postpone(event, self._clock.now() + 60.0, event.attempts, event.refusals + 1)
        finally:
            self._held.discard(event.id)
            if self._behind:
                self._wake.set()

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            room = self._limit - len(self._held)
            if room > 0:
                events = await self._due(room)
                self._behind = len(events) >= room
                for event in events:
                    self._hand_on(event)
            await self._wait()

    async def _due(self, room: int) -> list[Event]:
        rows = await self._db.read(
            f"SELECT {_COLUMNS} FROM lambda_event WHERE due <= $1 ORDER BY due LIMIT $2",
            (self._clock.now(), room + len(self._held)),
        )
        return [Event(*row) for row in rows if row[0] not in self._held][:room]

    async def _wait(self) -> None:
        """Until the next event is due on the clock (which may be moved), or something changed."""
        now = self._clock.now()
        row = await self._db.read_one("SELECT min(due) FROM lambda_event WHERE due > $1", (now,))
        until = row[0] if row and row[0] is not None else now + _BACKSTOP
        timer = asyncio.ensure_future(self._clock.sleep_until(until))
        woken = asyncio.ensure_future(self._wake.wait())
        try:
            await asyncio.wait((timer, woken), return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            woken.cancel()

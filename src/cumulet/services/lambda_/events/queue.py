"""Asynchronous invocations: events in the database until their function has taken them, or they are given up."""

# ruff: noqa: S608  what is put together here are constants of this file

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from msgspec import Struct, structs

from cumulet.kernel.clock import Clock, wait_until
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
    "CREATE INDEX lambda_event_function ON lambda_event (account, region, name, due)",
    "ALTER TABLE lambda_event ADD COLUMN tenant TEXT NOT NULL DEFAULT ''",
)
_COLUMNS = "id, account, region, name, qualifier, request_id, payload, trace, accepted, due, attempts, refusals, tenant"
_BACKSTOP = 30.0
_FIRST_PACE = 4
_PACE_SECONDS = 0.25
_READ = 16
_PATIENT = 60.0
"""Seconds an event waits for room without a try; older ones are tried, so that somebody looks at their age."""


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
    tenant: str = ""

    @property
    def reference(self) -> Reference:
        return Reference(FunctionKey(self.account, self.region, self.name), self.qualifier or None)


class _Lane:
    """One function's events. `pace` is how many are handled at once; `behind`: more are due in the table than are held."""

    __slots__ = ("behind", "done", "held", "key", "pace", "reading", "running", "waiting")

    def __init__(self, key: FunctionKey) -> None:
        self.key = key
        self.waiting: deque[Event] = deque()
        self.held: set[str] = set()
        self.running = 0
        self.pace = _FIRST_PACE
        self.done = 0
        self.behind = False
        self.reading = False


class EventQueue:
    """The table, and the hands that take events from it: one lane for each function, so that none waits for another.

    An event stays in the table while it is handled: after a crash it is handled again. A lane begins with a few
    at once and doubles that, up to `limit`, as long as its functions are too slow to keep up: a burst for a quick function
    is then worked off by a few warm environments, where as many as there are events would be no quicker.
    `handler` sees to it that an event is removed or made due again; `room` tells whether a function may be run now.
    """

    def __init__(self, db: Database, clock: Clock, tasks: Tasks, limit: int) -> None:
        self._db = db
        self._clock = clock
        self._tasks = tasks
        self._limit = limit
        self._lanes: dict[FunctionKey, _Lane] = {}
        self._wake = asyncio.Event()
        self._crowded = asyncio.Event()
        self.handler: Callable[[Event], Awaitable[None]] | None = None
        self.room: Callable[[FunctionKey], bool] = lambda _: True

    async def start(self) -> None:
        """Begin with what an earlier run left."""
        await self._db.migrate("lambda_queue", SCHEMA)
        self._tasks.start("lambda events", self._work())
        self._tasks.start("lambda event pace", self._quicken())

    async def add(self, reference: Reference, request_id: str, payload: bytes, trace: str, tenant: str = "") -> None:
        """Durable when it returns."""
        now = self._clock.now()
        event = Event(
            token(), *reference.key, reference.qualifier or "", request_id, payload, trace, now, now, 0, 0, tenant
        )
        lane = self._lane(reference.key)
        lane.held.add(event.id)  # before it is in the table, or it might be read from there too
        try:
            await self._db.write(
                f"INSERT INTO lambda_event ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
                structs.astuple(event),
            )
        except BaseException:
            lane.held.discard(event.id)
            raise
        if lane.behind or len(lane.waiting) >= _READ:
            lane.held.discard(event.id)
            lane.behind = True
        else:
            lane.waiting.append(event)
        self._pump(lane)

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

    def roomier(self, key: FunctionKey) -> None:
        """The function can take another invocation again."""
        lane = self._lanes.get(key)
        if lane is not None and lane.waiting:
            self._pump(lane)

    def _lane(self, key: FunctionKey) -> _Lane:
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(key)
        return lane

    def _pump(self, lane: _Lane) -> None:
        """Start what the pace allows, read on when the lane runs dry, forget it when nothing is left."""
        while lane.waiting and lane.running < lane.pace:
            if lane.waiting[0].accepted > self._clock.now() - _PATIENT and not self.room(lane.key):
                break
            lane.running += 1
            self._tasks.start("lambda event", self._handle(lane, lane.waiting.popleft()))
        if lane.waiting:
            self._crowded.set()
        elif lane.behind and not lane.reading:
            lane.reading = True
            self._tasks.start("lambda events read", self._read(lane))
        elif not lane.held and not lane.reading:
            self._lanes.pop(lane.key, None)

    async def _handle(self, lane: _Lane, event: Event) -> None:
        try:
            if self.handler is not None:
                await self.handler(event)
        except Exception:
            log.exception("event %s for %s could not be handled, again in a minute", event.id, event.reference.arn)
            await self.postpone(event, self._clock.now() + 60.0, event.attempts, event.refusals + 1)
        finally:
            lane.held.discard(event.id)
            lane.running -= 1
            lane.done += 1
            self._pump(lane)

    async def _read(self, lane: _Lane) -> None:
        try:
            limit = _READ + len(lane.held)
            rows = await self._db.read(
                f"SELECT {_COLUMNS} FROM lambda_event WHERE account = $1 AND region = $2 AND name = $3 AND due <= $4 "
                "ORDER BY due LIMIT $5",
                (*lane.key, self._clock.now(), limit),
            )
            lane.behind = len(rows) == limit
            for row in rows:
                if row[0] not in lane.held:
                    lane.held.add(row[0])
                    lane.waiting.append(Event(*row))
        finally:
            lane.reading = False
            self._pump(lane)

    async def _quicken(self) -> None:
        """Raise the pace of lanes that keep events waiting although all their hands are busy."""
        while True:
            await self._crowded.wait()
            self._crowded.clear()
            await asyncio.sleep(_PACE_SECONDS)
            for lane in list(self._lanes.values()):
                if lane.waiting and lane.done < lane.pace <= lane.running:
                    lane.pace = min(lane.pace * 2, self._limit)
                lane.done = 0
                self._pump(lane)

    async def _work(self) -> None:
        """Have the lanes read what becomes due."""
        while True:
            self._wake.clear()
            now = self._clock.now()
            rows = await self._db.read(
                "SELECT DISTINCT account, region, name FROM lambda_event WHERE due <= $1", (now,)
            )
            for row in rows:
                lane = self._lane(FunctionKey(*row))
                lane.behind = True
                self._pump(lane)
            await self._wait(now)

    async def _wait(self, now: float) -> None:
        """Until the next event is due on the clock (which may be moved), or something was postponed.

        Never long: an event whose sender went away while it was stored is in the table, and nowhere else.
        """
        row = await self._db.read_one("SELECT min(due) FROM lambda_event WHERE due > $1", (now,))
        until = now + _BACKSTOP
        if row and row[0] is not None:
            until = min(row[0], until)
        await wait_until(self._clock, until, self._wake)

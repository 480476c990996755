"""Empties a queue into a function: one reader, which waits where the queue wakes it, and as many invocations as keep up.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from msgspec import Struct

from cumulet.kernel.clock import Clock
from cumulet.kernel.errors import AwsError
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.sources.calls import Answer
from cumulet.services.lambda_.sources.port import Item, QueueSource, SourceGone
from cumulet.services.lambda_.sources.responses import failed_items

log = logging.getLogger(__name__)

_PATIENCE = 20
"""Seconds a receive waits for the first message."""
_GRACE = 0.2
"""Seconds a receive that has found something gets to end when the poller is to stop; one that waits is broken off."""
_PAYLOAD = 6 * 1024 * 1024
_FRAME = len(b'{"Records":[]}')
_STEP = 5
_STEP_SECONDS = 1.0
"""300 more at once a minute, as on AWS."""
_QUICK = 0.05
"""Seconds an invocation may take on average before more at once are worth their environments."""
_AHEAD, _MOST_AHEAD = 4, 400
"""Batches that are first received at once from a queue that is full, for a function that is quick, and messages at most: as many more
as it takes for some to be ready whenever an invocation ends, however slow the disk. Not of messages in an order: no two
batches of what is received together may run side by side."""
_HELD = 0.25
"""Seconds of the function's work that are received ahead at most."""
_FULL = 10
_TOGETHER = 0.01
"""Seconds for which removals from a full queue wait for each other."""
_SHORTEST, _LONGEST = 0.05, 60.0


class Pace(Struct, frozen=True, kw_only=True):
    """How a queue is worked off: records and seconds a batch, and how many batches at once, at first and at most.

    `ordered`: messages wait for those before them to be removed.
    """

    size: int
    window: int
    first: int = 5
    most: int = 1250
    partial: bool = False
    ordered: bool = False
    payload: int = _PAYLOAD


class Function(Protocol):
    """What runs a batch."""

    async def invoke(self, payload: bytes, trace: str = "") -> Answer: ...

    async def room(self, note: Callable[[str], None]) -> None: ...


class QueuePoller:
    """One mapping's work. `wanted` is its filters; `note` is told what is wrong at the moment, or nothing; `count` gets AWS's
    metrics of the mapping.
    """

    def __init__(
        self,
        source: QueueSource,
        function: Function,
        pace: Pace,
        *,
        wanted: Callable[[Any], bool] | None,
        note: Callable[[str], None],
        count: Callable[[str, int], None],
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._source = source
        self._count = count
        self._function = function
        self._pace = pace
        self._wanted = wanted
        self._note = note
        self._clock = clock
        self._tasks = tasks
        self._held: list[Item] = []
        self._ready: deque[list[list[Item]]] = deque()  # batches, each list one after the other
        self._full = False
        self._reach = _AHEAD
        self._busy = 0
        self._flush: asyncio.Task[None] | None = None
        self._leaving: list[Item] = []
        self._running: set[asyncio.Task[None]] = set()
        self._free = asyncio.Event()
        self._allowed = min(pace.first, pace.most)
        self._grown = 0.0
        self._took = 0.0
        self._stopping = False
        self._reader: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._reader = self._tasks.start("poll queue", self._read())

    async def stop(self) -> None:
        """Take no more, and give back what has not begun; what has begun is still worked on when this returns."""
        self._stopping = True
        reader = self._reader
        if reader is not None and not reader.done():
            await asyncio.wait((reader,), timeout=_GRACE)
            reader.cancel()
            await asyncio.wait((reader,))
        waiting = [item for batches in self._ready for batch in batches for item in batch] + self._held
        self._ready.clear()
        self._held = []
        await self._give_back(waiting)

    async def drained(self) -> None:
        """Wait until nothing is worked on any more."""
        while self._running:
            await asyncio.wait(self._running)

    async def _read(self) -> None:
        pause = _SHORTEST
        while not self._stopping:
            try:
                await self._room()
                await self._gather()
                pause = _SHORTEST
            except SourceGone as error:
                self._note(f"PROBLEM: {error}")
                await self._clock.sleep(pause := min(pause * 2, _LONGEST))
            except AwsError as error:
                log.warning("a queue cannot be read at the moment: %s", error.message)
                await self._clock.sleep(pause := min(pause * 2, _LONGEST))
            except Exception:
                log.exception("a queue cannot be read, again in a moment")
                await self._clock.sleep(pause := min(pause * 2, _LONGEST))

    def _begin(self) -> None:
        """Begin with what is ready, as far as it may be worked on at once."""
        while self._ready and self._busy < self._allowed and not self._stopping:
            self._busy += 1
            task = self._tasks.start("queue batch", self._in_order(self._ready.popleft()))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _ahead(self) -> int:
        """Batches that should be ready before an invocation wants them; none of a queue that is not full, or a slow function."""
        pace = self._pace
        if not self._full or pace.window or pace.ordered or self._took >= _QUICK:
            return 0
        return min(self._reach, int(_HELD * self._allowed / max(self._took, 0.001)))

    def _enough(self) -> bool:
        """Whether there is enough to do; what may be worked on at once has begun."""
        ahead = self._ahead()
        return len(self._ready) >= ahead if ahead else self._busy >= self._allowed

    async def _room(self) -> None:
        """Wait until more is wanted."""
        while self._enough():
            self._free.clear()
            try:
                async with asyncio.timeout(_STEP_SECONDS):
                    await self._free.wait()
            except TimeoutError:
                self._took = max(self._took, _STEP_SECONDS)
            self._grow()
            self._begin()
        await self._function.room(self._note)

    def _grow(self) -> None:
        """More at once, while all are busy with invocations that are not over in no time."""
        now = asyncio.get_running_loop().time()
        if now - self._grown >= _STEP_SECONDS and self._took > _QUICK:
            self._grown = now
            self._allowed = min(self._allowed + _STEP, self._pace.most)

    async def _gather(self) -> None:
        """Batches: what there is at once, or what comes within the window; none when nothing came for a while."""
        pace, ahead = self._pace, self._ahead()
        if ahead:
            await self._take_ahead(ahead)
        if not self._ready and not self._held:
            await self._take(pace.size, _PATIENCE)
            if not self._held:
                self._allowed = min(pace.first, pace.most)
            elif pace.window:
                await self._collect()
        self._make_ready()

    async def _take_ahead(self, batches: int) -> None:
        """Several batches of a full queue in one receive, which costs little more than one of them; more the next time, when
        invocations had to wait for it."""
        await self._take(max(1, min(batches * self._pace.size, _MOST_AHEAD)), 0)
        if self._full and not self._ready and self._busy < self._allowed:
            self._reach = min(self._reach * 2, _MOST_AHEAD)

    def _make_ready(self) -> None:
        """Cut what is held into batches, and begin."""
        batches = []
        while self._held:
            batch, self._held = _cut(self._held, self._pace)
            batches.append(batch)
        if not self._pace.ordered:
            self._ready += [[batch] for batch in batches]
        elif batches:
            self._ready.append(batches)
        self._begin()

    async def _collect(self) -> None:
        """Take more until the batch is full or its window closes."""
        pace, end = self._pace, self._clock.now() + self._pace.window
        while len(self._held) < pace.size and _bytes(self._held) < pace.payload and not self._stopping:
            before = len(self._held)
            left = end - self._clock.now()
            if 0 < left < 1:
                await self._clock.sleep_until(end)
                left = 0.0
            await self._take(pace.size - before, max(0, min(int(left), _PATIENCE)))
            if left <= 0 and len(self._held) == before:
                return

    async def _take(self, limit: int, patience: int) -> None:
        await self._keep(await self._source.receive(limit, patience))
        self._note("")

    async def _keep(self, found: Sequence[Item]) -> None:
        """Hold what was received; what filters do not want is removed from the queue."""
        self._full = len(found) >= min(self._pace.size, _FULL)
        if found:
            self._count("PolledEventCount", len(found))
        if self._wanted is None:
            self._held += found
            return
        rest: list[Item] = []
        for item in found:
            (self._held if self._wanted(self._source.view(item)) else rest).append(item)
        if rest:
            self._count("FilteredOutEventCount", len(rest))
            await self._remove(rest)

    async def _in_order(self, batches: list[list[Item]]) -> None:
        """None before those in front of it are dealt with."""
        for place, batch in enumerate(batches):
            if place and self._stopping:
                await self._give_back([item for later in batches[place:] for item in later])
                return
            if place:
                self._busy += 1
            if not await self._handle(batch):
                return

    async def _handle(self, batch: Sequence[Item]) -> bool:
        """Whether all of it was dealt with."""
        payload = b'{"Records":[' + b",".join([item.record for item in batch]) + b"]}"
        started = asyncio.get_running_loop().time()
        try:
            answer = await self._invoke(payload, batch)
        except asyncio.CancelledError:
            self._ready.clear()  # the node ends: they come again
            raise
        finally:
            self._busy -= 1
            self._free.set()
            self._begin()
        self._took += (asyncio.get_running_loop().time() - started - self._took) / 8
        if answer is None:
            if self._stopping:
                await self._give_back(batch)
            return False
        self._count("InvokedEventCount", len(batch))
        done = _succeeded(batch, answer) if self._pace.partial else () if answer.failed else batch
        if len(done) < len(batch):
            self._count("FailedInvokeEventCount", len(batch) - len(done))
        if done:
            await self._remove(done)
        return len(done) == len(batch)

    async def _invoke(self, payload: bytes, batch: Sequence[Item]) -> Answer | None:
        """The answer; None when the function could not be run before the messages go back to their queue."""
        pause, until = _SHORTEST, min(item.until for item in batch)
        trace = batch[0].trace
        while True:
            try:
                return await self._function.invoke(payload, trace)
            except AwsError as error:
                self._note(f"PROBLEM: {error.message}")
                # 400: it will not be run with this event, however long we wait (it goes round in a loop, say).
                if error.status == 400 or self._stopping or self._clock.now() + pause >= until:
                    return None
            await self._clock.sleep(pause)
            if self._stopping:
                return None
            pause = min(pause * 2, 2.0)

    async def _give_back(self, items: Sequence[Item]) -> None:
        try:
            if items:
                await self._source.give_back(items)
        except (AwsError, SourceGone) as error:
            log.warning("%d messages could not be given back and come again later: %s", len(items), error)

    async def _remove(self, items: Sequence[Item]) -> None:
        if not self._full or self._pace.ordered:
            await self._remove_now(items)
            return
        self._leaving += items
        if self._flush is None:
            self._flush = asyncio.ensure_future(self._remove_together())
        await asyncio.shield(self._flush)

    async def _remove_together(self) -> None:
        """With what others have done by then, as one change."""
        await asyncio.sleep(_TOGETHER)
        items, self._leaving, self._flush = self._leaving, [], None
        await self._remove_now(items)

    async def _remove_now(self, items: Sequence[Item]) -> None:
        try:
            await self._source.remove(items)
            self._count("DeletedEventCount", len(items))
        except (AwsError, SourceGone) as error:
            log.warning("%d messages that were dealt with could not be removed and come again: %s", len(items), error)


def _succeeded(batch: Sequence[Item], answer: Answer) -> Sequence[Item]:
    """Those that the function does not name as failed; none when the whole batch failed."""
    failed = None if answer.failed else failed_items(answer.outcome.payload)
    if failed is None or not {item.id for item in batch}.issuperset(failed):
        return ()
    return [item for item in batch if item.id not in failed]


def _bytes(items: Sequence[Item]) -> int:
    return _FRAME + sum(len(item.record) + 1 for item in items)


def _cut(items: list[Item], pace: Pace) -> tuple[list[Item], list[Item]]:
    """The most of the first items that make a batch, and the rest."""
    size, count = _FRAME, 0
    for item in items[: pace.size]:
        size += len(item.record) + 1
        if size > pace.payload and count:
            break
        count += 1
    return items[:count], items[count:]

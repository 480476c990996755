"""Logs that services write for their customers, on their way to CloudWatch Logs: off the path of the answer, in batches."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Iterable

from msgspec import Struct

from cumulet.api import logs as api
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import digits, new_id
from cumulet.kernel.tasks import Tasks

log = logging.getLogger(__name__)

_PAUSE = 0.2
_EVENTS = 500
_BATCH = 900_000
_OVERHEAD = 26
_LONGEST = 1_024 * 250
_LIMIT = 16 << 20
_KEPT = 2_048


class Place:
    """A log group, and the stream of it that is written to."""

    __slots__ = ("account", "created", "events", "failures", "group", "makes_group", "region", "size", "stream")

    def __init__(self, account: str, region: str, group: str, stream: str, *, makes_group: bool) -> None:
        self.account = account
        self.region = region
        self.group = group
        self.makes_group = makes_group
        self.stream = stream
        self.created = False
        self.events: list[tuple[int, str]] = []
        self.size = 0
        self.failures = 0


class LogWriter:
    """Takes lines without waiting and writes them in rounds. Lines beyond 16 MB that wait are dropped, and counted once logged.

    `what` says whose lines they are, where something is told of them.
    """

    def __init__(self, calls: Calls, clock: Clock, tasks: Tasks, what: str = "APIs") -> None:
        self._what = what
        self._calls = calls
        self._clock = clock
        self._tasks = tasks
        self._places: OrderedDict[tuple[str, str, str, str], Place] = OrderedDict()
        self._dirty: dict[Place, None] = {}
        self._waiting = 0
        self._lost = 0
        self._writing: asyncio.Task[None] | None = None

    def place(self, account: str, region: str, group: str, *, prefix: str = "", makes_group: bool = False) -> Place:
        """Where lines go: a stream of this run of the node, whose name begins with `prefix`, in which `strftime`'s codes are the
        time of the stream's creation.

        `makes_group` for groups that are the service's own, which nobody else creates.
        """
        key = (account, region, group, prefix)
        found = self._places.get(key)
        if found is None:
            found = self._places[key] = Place(
                account, region, group, self._dated(prefix) + digits(32), makes_group=makes_group
            )
            if len(self._places) > _KEPT:
                self._places.popitem(last=False)
        return found

    def _dated(self, prefix: str) -> str:
        return time.strftime(prefix, time.gmtime(self._clock.now())) if "%" in prefix else prefix

    def add(self, place: Place, *lines: str) -> None:
        """Queue lines, each an event of its own, of now."""
        now = int(self._clock.now() * 1000)
        self.add_at(place, [(now, line) for line in lines])

    def add_at(self, place: Place, lines: Iterable[tuple[int, str]]) -> None:
        """Queue lines of certain times, in milliseconds since 1970; times do not go back."""
        for now, line in lines:
            text = line[:_LONGEST]
            if self._waiting + len(text) > _LIMIT:
                self._lost += 1
                continue
            place.events.append((now, text))
            place.size += len(text) + _OVERHEAD
            self._waiting += len(text) + _OVERHEAD
        self._dirty[place] = None
        if self._writing is None or self._writing.done():
            self._writing = self._tasks.start(f"logs of {self._what}", self._write_all())

    async def flush(self) -> None:
        """Write what waits, now."""
        while self._dirty:
            await self._round()

    async def _write_all(self) -> None:
        while self._dirty:
            await asyncio.sleep(_PAUSE)
            await self._round()

    async def _round(self) -> None:
        places = list(self._dirty)
        self._dirty.clear()
        if self._lost:
            log.warning("%d log lines of %s were dropped: too many waited to be written", self._lost, self._what)
            self._lost = 0
        for place in places:
            await self._write(place)

    async def _write(self, place: Place) -> None:
        events, place.events = place.events, []
        self._waiting -= place.size
        place.size = 0
        try:
            if not place.created:
                await self._create(place)
            for batch in _batches(events):
                await self._put(place, batch)
            place.failures = 0
        except AwsError as error:
            # Said once a place: a group that is missing, or closed to the service, stays so for many lines.
            if not place.failures:
                log.warning("nothing is logged to %s of %s: %s", place.group, place.account, error.message)
            place.failures += 1

    async def _put(self, place: Place, batch: list[api.InputLogEvent]) -> None:
        request = api.PutLogEventsRequest(log_group_name=place.group, log_stream_name=place.stream, log_events=batch)
        try:
            await self._run(place, "PutLogEvents", request)
        except api.ResourceNotFoundException:  # someone deleted the group or the stream
            await self._create(place)
            await self._run(place, "PutLogEvents", request)

    async def _create(self, place: Place) -> None:
        request = api.CreateLogStreamRequest(log_group_name=place.group, log_stream_name=place.stream)
        try:
            await self._run(place, "CreateLogStream", request)
        except api.ResourceAlreadyExistsException:
            pass
        except api.ResourceNotFoundException:
            if not place.makes_group:
                raise
            await self._run(place, "CreateLogGroup", api.CreateLogGroupRequest(log_group_name=place.group))
            await self._run(place, "CreateLogStream", request)
        place.created = True

    async def _run(self, place: Place, operation: str, request: Struct) -> None:
        principal = Principal.root(place.account)
        call = Call(place.account, place.region, principal, new_id())
        await self._calls.run(call, "logs", operation, request)


def _batches(events: list[tuple[int, str]]) -> list[list[api.InputLogEvent]]:
    batches: list[list[api.InputLogEvent]] = []
    batch: list[api.InputLogEvent] = []
    size = 0
    for timestamp, text in events:
        cost = len(text.encode()) + _OVERHEAD
        if batch and (len(batch) == _EVENTS or size + cost > _BATCH):
            batches.append(batch)
            batch, size = [], 0
        batch.append(api.InputLogEvent(timestamp=timestamp, message=text or " "))
        size += cost
    return [*batches, batch] if batch else batches


def group_of(destination_arn: str) -> tuple[str, str, str] | None:
    """Account, region and name of the group in the ARN of a log destination; None for what is no log group (a Firehose)."""
    parts = destination_arn.split(":")
    if len(parts) < 7 or parts[2] != "logs" or parts[5] != "log-group":
        return None
    return parts[4], parts[3], parts[6]

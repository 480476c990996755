"""What functions write, on its way to CloudWatch Logs: off the path of the answer, in batches, one stream per environment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from cumulet.api import logs as api
from cumulet.compute import EnvironmentInfo
from cumulet.kernel.call import Call, Principal
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.kernel.errors import AwsError
from cumulet.kernel.ids import new_id
from cumulet.kernel.tasks import Tasks
from cumulet.services.lambda_.names import Owner
from cumulet.services.lambda_.reporting.reports import Style, of_platform
from cumulet.services.lambda_.targets import Target

log = logging.getLogger(__name__)

_PAUSE, _BUSY_PAUSE = 0.1, 0.3
"""Seconds between two rounds of writing, so that a busy environment's lines go together; the second while lines keep coming."""
_EVENTS = 200
_BATCH = 1_000_000
_OVERHEAD = 26
"""What PutLogEvents counts for each event beside its text. Its limits are 10,000 events and 1,048,576 bytes; fewer events
a call keep the loop free for invocations in between."""
_LONGEST = 262_144 - _OVERHEAD
_WIDEST = 4
"""Bytes of a character at most."""
_AT_ONCE = 4
_KEPT = 4096
_TRIES = 5
_DENIED = "AccessDeniedException"


class Shows(Protocol):
    """Which lines are logged of those that a program wrote."""

    def shows(self, line: bytes) -> bool: ...


class LogStream:
    """The stream of one environment, with what waits to be written to it. `principal` is the function's role: it writes."""

    __slots__ = ("created", "events", "failures", "group", "key", "lost", "name", "principal", "size", "style")

    def __init__(self, key: Owner, group: str, name: str, principal: Principal) -> None:
        self.key = key
        self.group = group
        self.name = name
        self.principal = principal
        self.events: list[api.InputLogEvent] = []
        self.size = 0
        self.lost = 0
        self.created = False
        self.failures = 0
        self.style: Style | Shows | None = None


def stream_name(now: float, version: str, environment: str) -> str:
    """YYYY/MM/DD/[version]<32 hexadecimal digits>."""
    return f"{datetime.fromtimestamp(now, UTC):%Y/%m/%d}/[{version}]{environment}"


class LogWriter:
    """Takes lines without waiting, and writes them in rounds. What does not fit into `limit` bytes is dropped and counted."""

    def __init__(self, calls: Calls, clock: Clock, tasks: Tasks, limit: int) -> None:
        self._calls = calls
        self._clock = clock
        self._tasks = tasks
        self._limit = limit
        self._waiting = 0
        self._streams: dict[str, LogStream] = {}
        self._dirty: dict[LogStream, None] = {}
        self._refused: set[Owner] = set()
        self._creating: defaultdict[tuple[str, str, str], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._wake = asyncio.Event()
        self._writing = asyncio.Lock()

    def start(self) -> None:
        self._tasks.start("lambda logs", self._work())

    def open(self, environment: str, target: Target) -> LogStream:
        """The stream of an environment, whose function has been given its credentials; made when it is new."""
        stream = self._streams.get(environment)
        if stream is None:
            if len(self._streams) >= _KEPT:
                self._prune()
            assert target.principal is not None
            name = stream_name(self._clock.now(), target.version.number, environment)
            stream = LogStream(target.key, target.log_group, name, target.principal)
            self._streams[environment] = stream
        return stream

    def open_for(self, environment: str, key: Owner, group: str, label: str, principal: Principal) -> LogStream:
        """A new stream of an environment of something that is no event function; `label` is what runs in it."""
        if len(self._streams) >= _KEPT:
            self._prune()
        stream = LogStream(key, group, stream_name(self._clock.now(), label, environment), principal)
        self._streams[environment] = stream
        return stream

    def open_named(self, environment: str, key: Owner, group: str, name: str, principal: Principal) -> LogStream:
        """The same with a name that it has been given."""
        if len(self._streams) >= _KEPT:
            self._prune()
        stream = self._streams[environment] = LogStream(key, group, name, principal)
        return stream

    def known(self, environment: str) -> LogStream | None:
        """The stream of an environment."""
        return self._streams.get(environment)

    def line(self, environment: EnvironmentInfo, line: bytes) -> None:
        """What compute calls for every line a function writes."""
        stream = self._streams.get(environment.id)
        if stream is not None and (stream.style is None or stream.style.shows(line)):
            self.add(stream, line.decode(errors="replace") + "\n")

    def platform(self, environment: EnvironmentInfo, kind: str, record: Mapping[str, Any]) -> None:
        """What compute calls for what the platform tells of an environment."""
        stream = self._streams.get(environment.id)
        if stream is not None and isinstance(stream.style, Style):
            self.add(stream, of_platform(stream.style, kind, record, self._clock.now()))

    def add(self, stream: LogStream, text: str, *, platform: bool = False, now: float | None = None) -> None:
        """Queue one event, of the time `now` where that is known; a text too long for one becomes several, an empty one none.

        What the `platform` says of an invocation has room of its own, so that a function cannot drown its reports.
        """
        if not text:
            return
        if len(text) * _WIDEST > _LONGEST and len(pieces := _pieces(text)) > 1:
            for piece in pieces:
                self.add(stream, piece)
            return
        size = len(text) + _OVERHEAD
        if self._waiting + size > self._limit * (1 + platform):
            stream.lost += 1
            return
        moment = int((self._clock.now() if now is None else now) * 1000)
        if platform and stream.lost:
            self._own_up(stream, moment)
        stream.events.append(api.InputLogEvent(timestamp=moment, message=text))
        stream.size += size
        self._waiting += size
        if stream not in self._dirty:
            self._dirty[stream] = None
            self._wake.set()

    def _own_up(self, stream: LogStream, moment: int) -> None:
        """Say in the log, where they would have been, how many lines are missing."""
        text = f"{stream.lost} log lines were dropped: too many waited to be written\n"
        stream.lost = 0
        stream.events.append(api.InputLogEvent(timestamp=moment, message=text))
        stream.size += len(text) + _OVERHEAD
        self._waiting += len(text) + _OVERHEAD

    async def flush(self) -> None:
        """Write what waits, and wait for what is being written; at the end of the node."""
        while self._dirty or self._writing.locked():
            await self._round()

    def _prune(self) -> None:
        """Environments come and go; a stream that nothing waits for is forgotten, oldest first."""
        for environment, stream in list(self._streams.items())[: _KEPT // 2]:
            if not stream.events:
                del self._streams[environment]

    async def _work(self) -> None:
        loop, written = asyncio.get_running_loop(), 0.0
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(_BUSY_PAUSE if loop.time() - written < _PAUSE else _PAUSE)
            await self._round()
            written = loop.time()

    async def _round(self) -> None:
        async with self._writing:
            streams = list(self._dirty)
            self._dirty.clear()
            for start in range(0, len(streams), _AT_ONCE):
                await asyncio.gather(*(self._write(stream) for stream in streams[start : start + _AT_ONCE]))

    async def _write(self, stream: LogStream) -> None:
        if stream.lost:
            self._own_up(stream, int(self._clock.now() * 1000))
        events, stream.events = stream.events, []
        size, stream.size = stream.size, 0
        self._waiting -= size
        try:
            if not stream.created:
                await self._create(stream)
            for batch in _batches(events, size):
                await self._put(stream, batch)
                del events[: len(batch)]
            stream.failures = 0
        except AwsError as error:
            if error.code == _DENIED:
                self._denied(stream, error.message)
            else:
                self._failed(stream, events, error.message)
        except Exception as error:  # noqa: BLE001  whatever it is, the other streams are to be written
            self._failed(stream, events, repr(error))

    def _denied(self, stream: LogStream, reason: str) -> None:
        """A role that may not write logs has none, as on AWS; said once a function."""
        if stream.key not in self._refused:
            if len(self._refused) >= _KEPT:
                self._refused.clear()
            self._refused.add(stream.key)
            log.warning("%s writes no logs: %s", stream.key.arn, reason)

    def _failed(self, stream: LogStream, events: list[api.InputLogEvent], reason: str) -> None:
        """Keep the events for the next round, a few times over."""
        stream.failures += 1
        if stream.failures >= _TRIES:
            log.warning("%d log events of %s were lost: %s", len(events), stream.key.arn, reason)
            return
        size = sum(len(event.message) + _OVERHEAD for event in events)
        stream.events = events + stream.events
        stream.size += size
        self._waiting += size
        self._dirty[stream] = None
        self._wake.set()

    async def _run(self, stream: LogStream, operation: str, request: Any) -> None:
        call = Call(stream.key.account, stream.key.region, stream.principal, new_id(), source_arn=stream.key.arn)
        await self._calls.run(call, "logs", operation, request)

    async def _put(self, stream: LogStream, batch: list[api.InputLogEvent]) -> None:
        request = api.PutLogEventsRequest(log_group_name=stream.group, log_stream_name=stream.name, log_events=batch)
        try:
            await self._run(stream, "PutLogEvents", request)
        except api.ResourceNotFoundException:  # someone deleted the group or the stream
            await self._create(stream)
            await self._run(stream, "PutLogEvents", request)

    async def _create(self, stream: LogStream) -> None:
        request = api.CreateLogStreamRequest(log_group_name=stream.group, log_stream_name=stream.name)
        place = (stream.key.account, stream.key.region, stream.group)
        async with self._creating[place]:  # the first environments of a function come together, and want one group
            try:
                await self._run(stream, "CreateLogStream", request)
            except api.ResourceAlreadyExistsException:
                pass
            except api.ResourceNotFoundException:
                with contextlib.suppress(api.ResourceAlreadyExistsException):
                    await self._run(stream, "CreateLogGroup", api.CreateLogGroupRequest(log_group_name=stream.group))
                await self._run(stream, "CreateLogStream", request)
        self._creating.pop(place, None)
        stream.created = True


def _batches(events: list[api.InputLogEvent], size: int) -> list[list[api.InputLogEvent]]:
    """Within the limits of PutLogEvents. `size` is of all of them, in characters."""
    if size * _WIDEST <= _BATCH:
        return [events[start : start + _EVENTS] for start in range(0, len(events), _EVENTS)]
    batches: list[list[api.InputLogEvent]] = []
    batch: list[api.InputLogEvent] = []
    size = 0
    for event in events:
        text = event.message
        cost = (len(text) if text.isascii() else len(text.encode())) + _OVERHEAD
        if batch and (len(batch) == _EVENTS or size + cost > _BATCH):
            batches.append(batch)
            batch, size = [], 0
        batch.append(event)
        size += cost
    return [*batches, batch] if batch else batches


def _pieces(text: str) -> list[str]:
    step = _LONGEST if text.isascii() else _LONGEST // _WIDEST
    return [text[start : start + step] for start in range(0, len(text), step)]

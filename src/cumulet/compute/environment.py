"""One environment as the platform sees it: a runtime in its hull, given a function, invoked, frozen, ended."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Literal

from cumulet.compute import documents
from cumulet.compute.alarm import Alarm
from cumulet.compute.channel import Frame, FrameChannel
from cumulet.compute.isolation import Isolation
from cumulet.compute.logs import LogPipe
from cumulet.compute.model import (
    EnvironmentInfo,
    EnvironmentStatus,
    ErrorKind,
    FunctionSpec,
    Invocation,
    OnLog,
    Outcome,
)
from cumulet.compute.runtime_api import RuntimeApi
from cumulet.compute.runtimes.inside import frames
from cumulet.compute.runtimes.runtime import Runtime
from cumulet.compute.sandbox import messages

_ENDING_TIMEOUT = 2.0
_FREEZE_AFTER = 0.01
_SIGKILL = 9
_MB = 1 << 20

_ANSWERS = frozenset({frames.RESPONSE, frames.ERROR, frames.LAST_ERROR})

Ending = Literal["timeout", "crash", "entrypoint"]


class Ended(Exception):
    """The environment's runtime is gone, or must go; `why` it could not be started where that is so ("entrypoint")."""

    def __init__(self, how: Ending, why: str = "") -> None:
        super().__init__(how)
        self.how: Ending = how
        self.why = why


class Environment:
    """Serves one invocation at a time; who uses it sees to that."""

    def __init__(self, runtime: Runtime, hull: Isolation) -> None:
        self.id = hull.id
        self.runtime = runtime
        self.hull = hull
        self.key = ""
        self.invocations = 0
        self.state: Literal["starting", "busy", "idle"] = "starting"
        self.retired = False
        self.kept = False
        self.idle_since = 0.0
        self.started = time.perf_counter()
        self.on_end: list[Callable[[], None]] = []
        self._loop = asyncio.get_running_loop()
        self._deadline = Alarm(self._loop, lambda: self._fail("timeout"))
        self._freezing = Alarm(self._loop, self._freeze)
        self._frozen = False
        self._on_log: OnLog | None = None
        self._info: EnvironmentInfo | None = None
        self._channel: FrameChannel | None = None
        self._api: RuntimeApi | None = None
        self._log: LogPipe | None = None
        self._frame: asyncio.Future[Frame] = self._loop.create_future()
        self._killed = False

    async def make(self) -> None:
        """Have its hull made; returns when it waits for a function. Raises ComputeUnavailable."""
        try:
            await self.hull.make()
        except BaseException:
            self.hull.channel.close()
            self.hull.kill()
            raise
        self._log = LogPipe(self.hull.log, self._log_line)
        self._loop.add_reader(self.hull.log, self._on_log_data, self._log)
        self.hull.ending.add_done_callback(lambda _: self._fail("crash"))
        if self.runtime.channel == "frames":
            self._channel = await FrameChannel.open(self.hull.channel, self._on_frame, lambda: self._fail("crash"))
        elif self.hull.runtime_api is not None:  # its process speaks frames only as long as there is no program
            self._channel = await FrameChannel.open(self.hull.channel, self._on_frame, lambda: None)
            self._api = await RuntimeApi.open(self.hull.runtime_api, self._on_frame)

    def start(self, spec: FunctionSpec, info: EnvironmentInfo, variables: dict[str, str], on_log: OnLog) -> None:
        """Give it its function, which begins to load."""
        self.key, self._info, self._on_log = spec.key, info, on_log
        assignment = self.runtime.assignment(spec.handler, str(spec.code), variables)
        self.hull.assign(spec, {**assignment, "environment": variables})

    async def initialise(self, spec: FunctionSpec, limit: float) -> bytes | None:
        """Wait until its handler is loaded; an error document when it cannot be. Raises Ended."""
        kind, payload = await self._next_frame(limit)
        self.hull.limit_cpu(spec.memory_mb)  # loading has the machine's full speed, as in Lambda
        if kind == frames.READY:
            return None
        if kind == frames.INIT_ERROR and payload is not None:
            return payload
        raise Ended("entrypoint", (payload or b"").decode()) if kind == frames.NOT_STARTED else Ended("crash")

    async def invoke(self, spec: FunctionSpec, invocation: Invocation, limit: float) -> Outcome:
        """Give it an event and wait for the answer. Raises Ended, after which it must be killed."""
        events = self._api or self._channel
        assert events is not None
        self.invocations += 1
        self.state = "busy"
        self._frame = self._loop.create_future()
        self.started = time.perf_counter()
        events.invoke(invocation)
        kind, payload = await self._next_frame(limit)
        if kind not in _ANSWERS:
            raise Ended("crash")
        duration = time.perf_counter() - self.started
        error: ErrorKind | None = None if kind == frames.RESPONSE else "handled"
        self.retired = self.retired or kind == frames.LAST_ERROR
        if payload is None:
            payload, error = documents.too_large(invocation), "too_large"
        return Outcome(
            payload=payload,
            environment_id=self.id,
            cold=False,
            duration=duration,
            max_memory=self.max_memory(spec),
            error=error,
            logs=self.last_logs(),
        )

    async def ending(self) -> messages.Message:
        """How its runtime ended, and whether for want of memory ("oom"); it is killed if it has not."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.hull.ending), _ENDING_TIMEOUT)
        how = self.hull.ending.result() if self.hull.ending.done() else {"signal": _SIGKILL}
        return {**how, "oom": self.hull.out_of_memory()}

    def last_logs(self) -> bytes:
        """What it has written since the last call."""
        assert self._log is not None
        self._log.drain()
        return self._log.take()

    def max_memory(self, spec: FunctionSpec) -> int:
        """Bytes; never more than it may have."""
        return min(self.hull.peak_memory(), spec.memory_mb * _MB)

    def rest(self) -> None:
        """Between invocations it makes no progress. Frozen a little later, so that a busy one is left alone."""
        self.state = "idle"
        self.idle_since = self._loop.time()
        self._freezing.set(self.idle_since + _FREEZE_AFTER)

    def wake(self) -> None:
        self._freezing.clear()
        if self._frozen:
            self.hull.thaw()
            self._frozen = False

    def kill(self) -> None:
        """End it with everything in it; what it leaves is removed once it is gone."""
        if self._killed:
            return
        self._killed = True
        self._freezing.end()
        self._deadline.end()
        for close in self.on_end:
            close()
        for listener in self.hull.listeners:
            listener.close()
        for channel in (self._channel, self._api):
            if channel is not None:
                channel.close()
        if self._log is not None:
            self._loop.remove_reader(self.hull.log)
            self._log.close()
        self.hull.kill()

    def status(self) -> EnvironmentStatus:
        return EnvironmentStatus(
            id=self.id, key=self.key, runtime=self.runtime.name, state=self.state, invocations=self.invocations
        )

    async def _next_frame(self, limit: float) -> Frame:
        self._deadline.set(self._loop.time() + limit)
        try:
            return await self._frame
        finally:
            self._deadline.clear()

    def _fail(self, how: Ending) -> None:
        if not self._frame.done():
            self._frame.set_exception(Ended(how))
            self._frame.exception()  # it is not an error that nobody waits

    def _on_frame(self, frame: Frame) -> None:
        if self._frame.done():
            self.kill()  # only an answer to an event is an answer
        else:
            self._frame.set_result(frame)

    def _on_log_data(self, log: LogPipe) -> None:
        log.read()
        if log.ended:
            self._loop.remove_reader(log.descriptor)

    def _log_line(self, line: bytes) -> None:
        if self._on_log is not None and self._info is not None:
            self._on_log(self._info, line)

    def _freeze(self) -> None:
        self.hull.freeze()
        self._frozen = True

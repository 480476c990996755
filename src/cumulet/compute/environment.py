"""One environment as the platform sees it: a runtime in its hull, given a function, invoked, frozen, ended."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from cumulet.compute import documents
from cumulet.compute.alarm import Alarm
from cumulet.compute.channel import Frame, FrameChannel
from cumulet.compute.concurrent_api import ConcurrentApi
from cumulet.compute.crowd import Crowd
from cumulet.compute.ended import Ended, Ending
from cumulet.compute.extension_api import ExtensionApi, InsideApi
from cumulet.compute.guests import Guests, Listeners
from cumulet.compute.isolation import Isolation
from cumulet.compute.logs import LogPipe
from cumulet.compute.model import (
    EnvironmentInfo,
    EnvironmentStatus,
    ErrorKind,
    FunctionSpec,
    Invocation,
    OnLog,
    OnPlatform,
    Outcome,
)
from cumulet.compute.response_stream import Collected, ResponseStream
from cumulet.compute.runtime_api import RuntimeApi
from cumulet.compute.runtimes.inside import frames
from cumulet.compute.runtimes.runtime import Runtime
from cumulet.compute.sandbox import messages

_ENDING_TIMEOUT = 2.0
_FREEZE_AFTER, _FREEZE_LATER = 0.01, 0.1
"""Seconds after an invocation; later where the one before came so soon that freezing was in vain, as it costs both sides a
change of their control group."""
_SIGKILL = 9
_MB = 1 << 20
_MB_A_PROCESSOR = 1769
_LOOK_FIRST, _LOOK_LATER = 0.002, 0.05
"""Seconds between two looks whether a server listens."""
_SERVER_ENDS = 2.0
"""Seconds that a server has to end in order when it is told to."""

_ANSWERS = frozenset({frames.RESPONSE, frames.ERROR, frames.LAST_ERROR})
_RESTORED = frozenset({frames.RESTORED, frames.RESTORE_ERROR})
_PARTS = frozenset({frames.BEGIN, frames.PART, frames.FAULT})


class Environment:
    """Serves one invocation at a time, which who uses it sees to, or the invocations of its `crowd`."""

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
        self.on_broken: Callable[[], None] | None = None
        self.on_platform: OnPlatform | None = None
        self.guests: Guests | None = None
        self.crowd: Crowd | None = None
        self._loop = asyncio.get_running_loop()
        self._deadline = Alarm(self._loop, lambda: self._fail("timeout"))
        self._freezing = Alarm(self._loop, self._freeze)
        self._frozen = False
        self._freeze_after = _FREEZE_AFTER
        self._on_log: OnLog | None = None
        self._info: EnvironmentInfo | None = None
        self.known_as: EnvironmentInfo
        """What others are told of it from its second invocation on; set with its function."""
        self._channel: FrameChannel | None = None
        self._api: RuntimeApi | None = None
        self._inside: InsideApi | None = None
        self._opening: asyncio.Task[None] | None = None
        self._spec: FunctionSpec | None = None
        self._began = 0.0
        self._log: LogPipe | None = None
        self._frame: asyncio.Future[Frame] = self._loop.create_future()
        self._parts: ResponseStream | Collected | None = None
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
            if self.hull.runtime_api is not None:
                self._loop.add_reader(self.hull.runtime_api.fileno(), self._open_inside, self.hull.runtime_api)
        elif self.hull.runtime_api is not None:  # its process speaks frames only as long as there is no program
            self._channel = await FrameChannel.open(self.hull.channel, self._on_frame, lambda: None)
            self._api = await RuntimeApi.open(self.hull.runtime_api, self._on_frame, self._extension_api)

    def start(self, spec: FunctionSpec, info: EnvironmentInfo, variables: dict[str, str], on_log: OnLog) -> None:
        """Give it its function, which begins to load."""
        self.key, self._info, self._on_log = spec.key, info, on_log
        self.known_as = msgspec.structs.replace(info, cold=False, endpoint_port=0)
        self.started = time.perf_counter()
        self._spec, self._began = spec, time.time()  # noqa: TID251 - functions live in real time
        self.hull.on_message = self._on_hull_message
        if spec.concurrency > 1 and spec.server is None:
            self._share(spec)
        if spec.machine is not None and self._api is not None:  # its program may listen there
            self._api.close()
            self._api = self.hull.runtime_api = None
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

    async def listens(self, spec: FunctionSpec, limit: float) -> None:
        """Wait until its server takes connections. Raises Ended."""
        assert spec.server is not None
        ended = asyncio.ensure_future(self._next_frame(limit))  # which nothing but an end of it makes
        pause = _LOOK_FIRST
        try:
            while not await self._takes_connections(spec.server.port, ended):
                await asyncio.wait({ended}, timeout=pause)
                pause = min(pause * 2, _LOOK_LATER)
                if ended.done():
                    kind, why = ended.result()
                    raise Ended("entrypoint", (why or b"").decode()) if kind == frames.NOT_STARTED else Ended("crash")
        finally:
            ended.cancel()
            self._frame = self._loop.create_future()
        self.hull.limit_cpu(int(spec.server.processors * _MB_A_PROCESSOR))

    async def _takes_connections(self, port: int, ended: "asyncio.Future[Frame]") -> bool:
        trying = asyncio.ensure_future(self.connect(port))
        waiting: set[asyncio.Future[Any]] = {trying, ended}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if not trying.done():
            trying.cancel()
        elif trying.exception() is None:
            trying.result().close()
            return True
        return False

    async def invoke(self, spec: FunctionSpec, invocation: Invocation, limit: float) -> Outcome:
        """Give it an event and wait for the answer. Raises Ended, after which it must be killed."""
        events = self._api or self._channel
        assert events is not None
        self.invocations += 1
        self.state = "busy"
        self._frame = self._loop.create_future()
        if self.guests is not None:
            self.guests.invoke(invocation)
        stream = self._parts = invocation.stream
        if stream is not None:
            stream.attach(events.pause, events.resume)
        self.started = time.perf_counter()
        events.invoke(invocation)
        deadline = self._deadline
        deadline.set(self._loop.time() + limit)
        try:
            kind, payload = await self._frame
        finally:
            deadline.clear()
        if kind not in _ANSWERS:
            raise Ended("crash")
        duration = time.perf_counter() - self.started
        error: ErrorKind | None = None if kind == frames.RESPONSE else "handled"
        self.retired = self.retired or kind == frames.LAST_ERROR
        parts = self._parts
        if parts is not None:
            self._parts = None
            parts.detach()
            payload = parts.whole(payload) if error is None else payload
        if payload is None:
            payload, error = documents.too_large(invocation), "too_large"
        outcome = Outcome(
            payload=payload,
            environment_id=self.id,
            cold=False,
            duration=duration,
            max_memory=self.max_memory(spec),
            error=error,
            logs=self.last_logs(),
            content_type="" if parts is None else parts.content_type,
        )
        if self.guests is not None:
            self.guests.answered(invocation, outcome)
        return outcome

    async def restore(self, variables: Mapping[str, str], limit: float) -> bytes | None:
        """Have it, which has been initialised with nothing to do, get ready for events; an error document when it cannot.

        Raises Ended.
        """
        events = self._api or self._channel
        assert events is not None
        self.state = "busy"
        self._frame = self._loop.create_future()
        events.restore(variables)
        kind, payload = await self._next_frame(limit)
        if kind not in _RESTORED:
            raise Ended("crash")
        return None if kind == frames.RESTORED else payload or b""

    async def settle(self, limit: float) -> None:
        """Wait until the extensions are done with the invocation as well. Raises Ended."""
        assert self.guests is not None
        self._frame = self._loop.create_future()
        frame = self._frame
        self.guests.when_ready(lambda: None if frame.done() else frame.set_result((frames.READY, b"")))
        kind, _ = await self._next_frame(limit)
        if kind != frames.READY:
            raise Ended("crash")

    async def shut_down(self, reason: str) -> None:
        """Let the extensions end in order; it is to be killed then."""
        if self.guests is not None and not self._killed:
            self.wake()
            self._deadline.clear()
            if self._spec is not None and (self._spec.server or self._spec.machine) is not None:
                await self.guests.end_runtime(_SERVER_ENDS)
            await self.guests.shut_down(reason)

    async def ending(self) -> messages.Message:
        """How its runtime ended, and whether for want of memory ("oom"); it is killed if it has not."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self.hull.ending), _ENDING_TIMEOUT)
        how = self.hull.ending.result() if self.hull.ending.done() else {"signal": _SIGKILL}
        return {**how, "oom": self.hull.out_of_memory()}

    def drain_logs(self) -> None:
        """Take in what it has written until now."""
        if self._log is not None and not self._killed:
            self._log.drain()

    def out_of_memory(self) -> bool:
        return self.hull.out_of_memory()

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
        if self._spec is None or not self._spec.debugged:
            self._freezing.set(self.idle_since + self._freeze_after)

    def wake(self) -> None:
        self._freezing.clear()
        if self._frozen:
            soon = self._loop.time() - self.idle_since < _FREEZE_LATER
            self._freeze_after = _FREEZE_LATER if soon else _FREEZE_AFTER
            self.hull.thaw()
            self._frozen = False
            if self.guests is not None:
                self.guests.telemetry.resume()

    def kill(self) -> None:
        """End it with everything in it; what it leaves is removed once it is gone."""
        if self._killed:
            return
        self._killed = True
        self._freezing.end()
        self._deadline.end()
        for close in self.on_end:
            close()
        self._close_inside()
        for listener in self.hull.listeners:
            listener.close()
        for channel in (self._channel, self._api, self.crowd):
            if channel is not None:
                channel.close()
        if self._log is not None:
            self._loop.remove_reader(self.hull.log)
            self._log.close()
        self.hull.kill()

    def not_started(self) -> str:
        """Why its program could not be started, once that has ended; empty when it was."""
        kind, why = self._frame.result() if self._frame.done() and self._frame.exception() is None else (0, b"")
        return (why or b"").decode(errors="replace") if kind == frames.NOT_STARTED else ""

    async def shell(self, order: Mapping[str, Any]) -> int:
        """Start a program at a terminal of its own beside its own program, as `sandbox.shell` does; a descriptor of the terminal,
        the caller's to close. Raises OSError."""
        host = self._host()
        if host is None:
            raise ConnectionRefusedError("the environment has no function")
        return await host.shell(order)

    async def connect(self, port: int) -> socket.socket:
        """A connection to what listens inside on that port of the loopback. Raises OSError."""
        host = self._host()
        if host is None:
            raise ConnectionRefusedError("the environment has no function")
        return await host.connect(port)

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

    def _fail(self, how: Ending, why: str = "", kind: str = "") -> None:
        if not self._frame.done():
            self._frame.set_exception(Ended(how, why, kind))
            self._frame.exception()  # it is not an error that nobody waits
        if self.crowd is not None:
            self.crowd.fail(Ended(how, why, kind))

    def _on_frame(self, frame: Frame) -> None:
        if frame[0] in _PARTS and self.state == "busy" and not self._frame.done():
            self._part(*frame)
        elif frame[0] == frames.READY and self.guests is not None and self.state == "starting":
            waiting = self._frame
            self.guests.runtime_ready(lambda: None if waiting.done() else waiting.set_result(frame))
        elif frame[0] == frames.WORKER_ENDED and self.crowd is not None:
            self.crowd.worker_ended(frame[1] or b"")
        elif self._frame.done():
            self.kill()  # only an answer to an event is an answer
        else:
            self._frame.set_result(frame)

    def _part(self, kind: int, payload: bytes | None) -> None:
        """Of a response that is written in parts, whether its reader wants it so or whole."""
        parts = self._parts
        if parts is None:
            parts = self._parts = Collected(self._channel.limit if self._channel is not None else 0)
        if kind == frames.PART:
            parts.feed(payload)
        elif kind == frames.BEGIN:
            parts.begin((payload or b"").decode("latin-1"))
        else:
            parts.error_type = (payload or b"").decode("utf-8", "replace")

    def _on_log_data(self, log: LogPipe) -> None:
        log.read()
        if log.ended:
            self._loop.remove_reader(log.descriptor)

    def _log_line(self, line: bytes) -> None:
        if self._on_log is not None and self._info is not None:
            self._on_log(self._info, line)
        if self.crowd is not None:
            self.crowd.line(line)
        if self.guests is not None:
            self.guests.telemetry.emit("function", line.decode(errors="replace") + "\n")

    def _share(self, spec: FunctionSpec) -> None:
        """It serves several invocations at once, whatever its runtime by the HTTP Runtime API."""
        api = ConcurrentApi(spec.concurrency, self._on_frame, self._extension_api)
        self.crowd = Crowd(spec, api, self)
        if self._api is not None:
            self._api.successor = api
        elif self.hull.runtime_api is not None:
            self._loop.remove_reader(self.hull.runtime_api.fileno())
            self._opening = self._loop.create_task(api.open(self.hull.runtime_api))

    def _freeze(self) -> None:
        if self.guests is not None:
            self.guests.telemetry.pause()
        self.hull.freeze()
        self._frozen = True

    def _host(self) -> Guests | None:
        """Its extensions and what belongs to them; None as long as it has no function."""
        if self.guests is None and self._spec is not None and not self._killed:
            listeners = Listeners(self._extension_line, self._platform_event, self._extension_failed)
            self.guests = Guests(self.hull, self._spec, self._began, listeners)
            if self.state != "starting":  # who comes after the initialisation is late
                self.guests.host_extensions().closed = True
                self.guests.telemetry.settle()
        return self.guests

    def _extension_api(self) -> ExtensionApi | None:
        host = self._host()
        return None if host is None else host.api

    def _on_hull_message(self, message: messages.Message, fds: list[int]) -> None:
        host = self._host()
        if host is not None:
            host.heard(message, fds)
        else:
            for fd in fds:
                os.close(fd)

    def _open_inside(self, listener: socket.socket) -> None:
        """The first connection to the extensions' API: who never asks for it costs nothing."""
        self._loop.remove_reader(listener.fileno())
        self._inside = InsideApi(self._extension_api)
        self._opening = self._loop.create_task(self._inside.open(listener))

    def _close_inside(self) -> None:
        if self.guests is not None:
            self.guests.close()
        if self._inside is not None:
            self._inside.close()
        elif self._api is None and self.crowd is None and self.hull.runtime_api is not None:
            self._loop.remove_reader(self.hull.runtime_api.fileno())
            self.hull.runtime_api.close()

    def _extension_line(self, line: bytes) -> None:
        if self._on_log is not None and self._info is not None:
            self._on_log(self._info, line)

    def _platform_event(self, kind: str, record: Mapping[str, Any]) -> None:
        if self.on_platform is not None and self._info is not None:
            self.on_platform(self._info, kind, record)

    def _extension_failed(self, kind: str, why: str) -> None:
        self.retired = True
        self._fail("extension", why, kind)
        if self.state == "idle" and self.on_broken is not None:
            self.on_broken()

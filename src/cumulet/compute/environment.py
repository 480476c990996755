"""One environment as the platform sees it: made blank, given a function, invoked, frozen, ended."""

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import Callable
from typing import Literal

from cumulet.compute import documents
from cumulet.compute.channel import Frame, FrameChannel
from cumulet.compute.linux import syscalls
from cumulet.compute.linux.cgroup import Group
from cumulet.compute.logs import LogPipe
from cumulet.compute.model import (
    ComputeUnavailable,
    EnvironmentInfo,
    EnvironmentStatus,
    ErrorKind,
    FunctionSpec,
    Invocation,
    OnLog,
    Outcome,
)
from cumulet.compute.runtimes.inside import frames
from cumulet.compute.runtimes.runtime import Runtime
from cumulet.compute.sandbox import messages
from cumulet.compute.supervision import Supervision

_BLANK_TIMEOUT = 30.0
_REPORT_TIMEOUT = 2.0
_FREEZE_AFTER = 0.01
_SIGKILL = 9
_MIN_MEMORY = 16 << 20
_MB = 1 << 20

Ending = Literal["timeout", "crash"]
Closer = Callable[[], None]


class Ended(Exception):
    """The environment's runtime is gone, or must go."""

    def __init__(self, how: Ending) -> None:
        super().__init__(how)
        self.how: Ending = how


class Environment:
    """A sandbox. It serves one invocation at a time; who uses it sees to that."""

    def __init__(self, id_: str, runtime: Runtime, group: Group, baseline: int, supervision: Supervision) -> None:
        self.id = id_
        self.runtime = runtime
        self.key = ""
        self.invocations = 0
        self.state: Literal["starting", "busy", "idle"] = "starting"
        self.retired = False
        self.idle_since = 0.0
        self.started = time.perf_counter()
        self.listeners: list[socket.socket] = []
        self.on_end: list[Closer] = []
        self._group = group
        self._baseline = baseline
        self._supervision = supervision
        self._loop = asyncio.get_running_loop()
        self._report: socket.socket | None = None
        self._pidfd = -1
        self._freezer: int | None = None
        self._freeze_timer: asyncio.TimerHandle | None = None
        self._frozen = False
        self._channel: FrameChannel | None = None
        self._log: LogPipe | None = None
        self._on_log: OnLog | None = None
        self._info: EnvironmentInfo | None = None
        self._ready: asyncio.Future[None] = self._loop.create_future()
        self._frame: asyncio.Future[Frame] | None = None
        self._ending: messages.Message | None = None
        self._ended = asyncio.Event()
        self._killed = False

    async def make_blank(self, tmp_mb: int) -> None:
        """Have the supervisor make it; returns when it waits for a function. Raises ComputeUnavailable."""
        report, their_report = messages.pair()
        channel, their_channel = socket.socketpair()
        reading, writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(reading, False)
        report.setblocking(False)
        channel.setblocking(False)
        self._report, self._log = report, LogPipe(reading, self._log_line)
        order = {"op": "slot", "id": self.id, "runtime": self.runtime.name, "tmp_mb": tmp_mb}
        try:
            self._supervision.order(order, [their_report.fileno(), their_channel.fileno(), writing])
        finally:
            their_report.close()
            their_channel.close()
            os.close(writing)
        self._loop.add_reader(report.fileno(), self._on_report)
        self._loop.add_reader(reading, self._on_log_data)
        self._channel = await FrameChannel.open(channel, self._on_frame, self._on_channel_end)
        try:
            await asyncio.wait_for(self._ready, _BLANK_TIMEOUT)
        except TimeoutError:
            self.kill()
            raise ComputeUnavailable("a sandbox was not ready within 30 s") from None
        except ComputeUnavailable:
            self.kill()
            raise
        self._freezer = self._group.freezer()

    def failed(self, why: str) -> None:
        """The supervisor could not make it."""
        if not self._ready.done():
            self._ready.set_exception(ComputeUnavailable(f"a sandbox could not be made: {why}"))

    async def start(self, spec: FunctionSpec, info: EnvironmentInfo, variables: dict[str, str], on_log: OnLog) -> None:
        """Give it its function and begin loading it; `invoke` may follow at once."""
        self.key, self._info, self._on_log = spec.key, info, on_log
        code = str(spec.code)
        order = {
            "op": "assign",
            "id": self.id,
            "code": code,
            "layers": [str(layer) for layer in spec.layers],
            "tmp_mb": spec.tmp_mb,
            "assignment": {**self.runtime.assignment(spec.handler, code), "environment": variables},
        }
        self._group.limit_memory(max(_MIN_MEMORY, spec.memory_mb * _MB - self._baseline))
        self._frame = self._loop.create_future()
        self._supervision.order(order)

    async def initialise(self, spec: FunctionSpec, limit: float) -> bytes | None:
        """Wait until its handler is loaded; an error document when it cannot be. Raises Ended."""
        kind, payload = await self._next_frame(limit)
        self._group.limit_cpu(spec.memory_mb)  # loading has the machine's full speed, as in Lambda
        if kind == frames.READY:
            return None
        if kind == frames.INIT_ERROR and payload is not None:
            return payload
        raise Ended("crash")

    async def invoke(self, spec: FunctionSpec, invocation: Invocation, limit: float) -> Outcome:
        """Give it an event and wait for the answer. Raises Ended, after which it must be killed."""
        assert self._channel is not None
        assert self._log is not None
        self.invocations += 1
        self._frame = self._loop.create_future()
        started = self.started = time.perf_counter()
        self._channel.invoke(invocation)
        kind, payload = await self._next_frame(limit)
        if kind not in {frames.RESPONSE, frames.ERROR}:
            raise Ended("crash")
        duration = time.perf_counter() - started
        error: ErrorKind | None = "handled" if kind == frames.ERROR else None
        if payload is None:
            payload, error = documents.too_large(invocation), "too_large"
        self._log.drain()
        return Outcome(
            payload=payload,
            environment_id=self.id,
            cold=False,
            duration=duration,
            max_memory=self.max_memory(spec),
            error=error,
            logs=self._log.take(),
        )

    async def end(self) -> messages.Message:
        """Kill it if need be; how its runtime ended ({"signal": n} or {"status": n}, and "oom")."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), 0.0 if self._killed else _REPORT_TIMEOUT)
        out_of_memory = self._group.out_of_memory()
        self.kill()
        return {**(self._ending or {"signal": _SIGKILL}), "oom": out_of_memory}

    def last_logs(self) -> bytes:
        assert self._log is not None
        self._log.drain()
        return self._log.take()

    def max_memory(self, spec: FunctionSpec) -> int:
        """Bytes; what it shares with its zygote counts as its own."""
        return min(self._group.peak_memory() + self._baseline, spec.memory_mb * _MB)

    def rest(self) -> None:
        """Between invocations it makes no progress. Frozen a little later, so that a busy one is left alone."""
        self.state = "idle"
        self.idle_since = self._loop.time()
        if self._freezer is not None:
            self._freeze_timer = self._loop.call_later(_FREEZE_AFTER, self._freeze)

    def wake(self) -> None:
        self.state = "busy"
        if self._freeze_timer is not None:
            self._freeze_timer.cancel()
            self._freeze_timer = None
        if self._frozen and self._freezer is not None:
            os.write(self._freezer, b"0")
            self._frozen = False

    def kill(self) -> None:
        """End it with everything in it; what it leaves is removed once it is gone."""
        if self._killed:
            return
        self._killed = True
        if self._freeze_timer is not None:
            self._freeze_timer.cancel()
        for close in self.on_end:
            close()
        for listener in self.listeners:
            listener.close()
        if self._channel is not None:
            self._channel.close()
        if self._pidfd < 0:
            self._free()
            return
        with contextlib.suppress(ProcessLookupError):
            syscalls.pidfd_send_signal(self._pidfd, _SIGKILL)
        self._loop.add_reader(self._pidfd, self._gone)

    def status(self) -> EnvironmentStatus:
        return EnvironmentStatus(
            id=self.id, key=self.key, runtime=self.runtime.name, state=self.state, invocations=self.invocations
        )

    async def _next_frame(self, limit: float) -> Frame:
        assert self._frame is not None
        frame = self._frame
        timer = self._loop.call_later(limit, self._fail_frame, "timeout")
        try:
            return await frame
        finally:
            timer.cancel()

    def _fail_frame(self, how: Ending) -> None:
        if self._frame is not None and not self._frame.done():
            self._frame.set_exception(Ended(how))

    def _on_frame(self, frame: Frame) -> None:
        if self._frame is None or self._frame.done():
            self.kill()  # only an answer to an event is an answer
        else:
            self._frame.set_result(frame)

    def _on_channel_end(self) -> None:
        self._fail_frame("crash")

    def _on_report(self) -> None:
        assert self._report is not None
        try:
            message, fds = messages.receive(self._report)
        except BlockingIOError:
            return
        except OSError:
            message, fds = None, []
        if message is None:
            self._loop.remove_reader(self._report.fileno())
            self.failed("it ended while starting")
            self._ended.set()
            self._fail_frame("crash")
        elif "ready" in message:
            self._pidfd = fds[0]
            self.listeners = [socket.socket(fileno=fd) for fd in fds[1:]]
            if not self._ready.done():
                self._ready.set_result(None)
        else:
            self._ending = message
            self._ended.set()
            self._fail_frame("crash")

    def _on_log_data(self) -> None:
        assert self._log is not None
        self._log.read()
        if self._log.ended:
            self._loop.remove_reader(self._log.descriptor)

    def _log_line(self, line: bytes) -> None:
        if self._on_log is not None and self._info is not None:
            self._on_log(self._info, line)

    def _freeze(self) -> None:
        assert self._freezer is not None
        os.write(self._freezer, b"1")
        self._frozen = True

    def _gone(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        self._free()

    def _free(self) -> None:
        if self._freezer is not None:
            os.close(self._freezer)
            self._freezer = None
        if self._report is not None:
            self._loop.remove_reader(self._report.fileno())
            self._report.close()
            self._report = None
        if self._log is not None:
            self._loop.remove_reader(self._log.descriptor)
            self._log.close()
            self._log = None
        with contextlib.suppress(ComputeUnavailable):
            self._supervision.order({"op": "free", "id": self.id})

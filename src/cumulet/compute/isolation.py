"""What holds one environment: the port, and the real thing, a sandbox that the supervisor makes."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from cumulet.compute import documents
from cumulet.compute.linux import syscalls
from cumulet.compute.linux.cgroup import Group, read_meter
from cumulet.compute.memory_watch import MemoryWatch
from cumulet.compute.model import ComputeUnavailable, FunctionSpec
from cumulet.compute.runtimes.runtime import Runtime
from cumulet.compute.sandbox import messages
from cumulet.compute.supervision import Supervision

_MAKE_TIMEOUT = 30.0
_SIGKILL = 9
_METER_EVERY = 0.005
"""Seconds in which no function takes so much more memory that a report would have to tell."""
_MIN_MEMORY = 16 << 20
_MB = 1 << 20
_RUNTIME_API_PORT = 9001
_OTHERS = {"extensions", "ended", "socket", "runtime"}
"""What init tells beside how the runtime ended."""


OnMessage = Callable[[messages.Message, list[int]], None]
"""Hears what init tells beside how the runtime ended; the descriptors are its own to close."""


class Isolation(Protocol):
    """One environment's hull: made blank, given a function once, frozen, killed.

    `channel` is the platform's end of the runtime's channel, `log` the reading end of its output (both the user's to
    close), `listeners` what is open inside on the endpoint's ports, `runtime_api` the same on the Runtime API's (9001).
    `ending` gets how the runtime ended:
    {"signal": n}, {"status": n}, or {"failed": why} when the function could not be put into it.
    """

    id: str
    channel: socket.socket
    log: int
    listeners: list[socket.socket]
    runtime_api: socket.socket | None
    on_message: OnMessage | None
    ending: asyncio.Future[messages.Message]

    async def make(self) -> None:
        """Raises ComputeUnavailable."""
        ...

    def assign(self, spec: FunctionSpec, assignment: Mapping[str, Any]) -> None: ...

    def tell(self, message: messages.Message) -> None:
        """Order something of init; see `cumulet.compute.sandbox.environment`. Nobody answers where there is none."""
        ...

    def limit_cpu(self, memory_mb: int) -> None: ...

    @property
    def can_freeze(self) -> bool:
        """Whether freezing it stops what is in it."""
        ...

    def peak_memory(self) -> int:
        """Bytes, what is shared with a zygote included."""
        ...

    def out_of_memory(self) -> bool: ...

    def freeze(self) -> None: ...

    def thaw(self) -> None: ...

    def kill(self) -> None:
        """End it, and remove what it leaves once it is gone."""
        ...


class Sandbox:
    """A hull of namespaces, control groups and filters; see `cumulet.compute.sandbox.environment` for its inside."""

    def __init__(
        self,
        id_: str,
        runtime: Runtime,
        group: Group,
        baseline: int,
        supervision: Supervision,
        start: Mapping[str, object],
    ) -> None:
        self.id = id_
        self.listeners: list[socket.socket] = []
        self.runtime_api: socket.socket | None = None
        self.on_message: OnMessage | None = None
        self.ending: asyncio.Future[messages.Message] = asyncio.get_running_loop().create_future()
        self._runtime = runtime
        self._start = dict(start)
        self._group = group
        self._baseline = baseline
        self._supervision = supervision
        self._loop = asyncio.get_running_loop()
        self._made: asyncio.Future[None] = self._loop.create_future()
        self._pidfd = self._runtime_pidfd = -1
        self._freezer: int | None = None
        self._meter: int | None = None
        self._metered, self._peak = 0.0, 0
        self._watch: MemoryWatch | None = None
        self._starved = False
        self._report: socket.socket | None = None

    async def make(self) -> None:
        """Order it and wait until it can take a function. Raises ComputeUnavailable."""
        self._report, their_report = messages.pair()
        self.channel, their_channel = socket.socketpair()
        self.log, writing = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.log, False)
        self._report.setblocking(False)
        self.channel.setblocking(False)
        self._loop.add_reader(self._report.fileno(), self._on_report, self._report)
        runtime = self._runtime
        ports = [_RUNTIME_API_PORT]
        order = {"op": "slot", "id": self.id, "runtime": runtime.zygote, "start": self._start, "ports": ports}
        try:
            self._supervision.order(order, [their_report.fileno(), their_channel.fileno(), writing])
        finally:
            their_report.close()
            their_channel.close()
            os.close(writing)
        try:
            await asyncio.wait_for(self._made, _MAKE_TIMEOUT)
        except TimeoutError:
            raise ComputeUnavailable(f"a sandbox was not ready within {_MAKE_TIMEOUT:.0f} s") from None
        self._freezer, self._meter = self._group.freezer(), self._group.memory_meter()

    def failed(self, why: str) -> None:
        """The supervisor could not make it, or not put the function into it."""
        if not self._made.done():
            self._made.set_exception(ComputeUnavailable(f"a sandbox could not be made: {why}"))
        elif not self.ending.done():
            self.ending.set_result({"failed": why})

    def assign(self, spec: FunctionSpec, assignment: Mapping[str, Any]) -> None:
        layers = [str(layer) for layer in spec.layers]
        order = {
            "op": "assign",
            "id": self.id,
            "code": "" if spec.image and not spec.image.base else str(spec.code),
            "layers": layers,
            "tmp_mb": spec.tmp_mb,
        }
        if spec.file_systems:
            order["file_systems"] = msgspec.to_builtins(spec.file_systems, enc_hook=str)
        if spec.machine is not None:
            machine = spec.machine
            below = "" if machine.image is None else str(machine.image)
            order |= {
                "tmp_mb": machine.disk_mb,
                "machine": {"layers": [str(one) for one in machine.layers], "image": below},
            }
            order["code"] = str(spec.code) if machine.steps else ""
        if not self._group.counts_memory:
            self._watch = MemoryWatch((self._pidfd, self._runtime_pidfd), spec.memory_mb * _MB, self.kill)
            self._watch.start()
        self._forget_runtime()
        memory = max(_MIN_MEMORY, spec.memory_mb * _MB - self._baseline)
        self._supervision.order({**order, "memory": memory, "assignment": dict(assignment)})

    def limit_cpu(self, memory_mb: int) -> None:
        self._group.limit_cpu(memory_mb)

    def peak_memory(self) -> int:
        if self._watch is not None:
            return self._watch.peak
        now = self._loop.time()
        if self._meter is not None and now >= self._metered + _METER_EVERY:
            self._metered, self._peak = now, read_meter(self._meter)
        return self._peak + self._baseline

    def out_of_memory(self) -> bool:
        if self._watch is not None:
            return self._watch.exceeded
        return self._starved or self._group.out_of_memory()

    @property
    def can_freeze(self) -> bool:
        return self._freezer is not None

    def freeze(self) -> None:
        if self._watch is not None:
            self._watch.stop()
        if self._freezer is not None:
            os.write(self._freezer, b"1")

    def thaw(self) -> None:
        if self._watch is not None:
            self._watch.start()
        if self._freezer is not None:
            os.write(self._freezer, b"0")

    def kill(self) -> None:
        if self._watch is not None:
            self._watch.stop()
        if self._pidfd < 0:
            self._free()
            return
        with contextlib.suppress(ProcessLookupError):
            syscalls.pidfd_send_signal(self._pidfd, _SIGKILL)
        self._loop.add_reader(self._pidfd, self._gone)

    def _on_report(self, report: socket.socket) -> None:
        try:
            message, fds = messages.receive(report)
        except BlockingIOError:
            return
        except OSError:
            message, fds = None, []
        if message is None:
            self._loop.remove_reader(report.fileno())
            if not self._made.done():
                self.failed("it ended while starting")
            message = {"signal": _SIGKILL}
        if "ready" in message:
            self._pidfd, self._runtime_pidfd = fds[:2]
            self.listeners = [socket.socket(fileno=fd) for fd in fds[2:]]
            self.runtime_api = self.listeners.pop(0)
            if not self._made.done():
                self._made.set_result(None)
        elif not self._made.done():
            self.failed(f"it ended while starting ({message.get('why') or documents.ending(message)})")
        elif self.on_message is not None and _OTHERS & message.keys():
            self.on_message(message, fds)
        elif not self.ending.done():
            self.ending.set_result(message)

    def tell(self, message: messages.Message) -> None:
        if self._report is not None:
            with contextlib.suppress(OSError):  # it ended: `ending` says so
                messages.send(self._report, message)

    def _gone(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        self._pidfd = -1
        if self._report is not None and not self.ending.done():
            self._on_report(self._report)  # what it said last, if anything
        if not self.ending.done():
            self.ending.set_result({"signal": _SIGKILL})
        self._free()

    def _forget_runtime(self) -> None:
        if self._runtime_pidfd >= 0:
            os.close(self._runtime_pidfd)
            self._runtime_pidfd = -1

    def _free(self) -> None:
        self._forget_runtime()
        for descriptor in (self._freezer, self._meter):
            if descriptor is not None:
                os.close(descriptor)
        self._freezer = self._meter = None
        if self._report is not None:
            self._loop.remove_reader(self._report.fileno())
            self._report.close()
            self._report = None
        self._starved = self._group.out_of_memory()  # who asks later finds no group any more
        with contextlib.suppress(ComputeUnavailable):
            self._supervision.order({"op": "free", "id": self.id})

"""What lives in an environment beside its runtime: extensions, their processes and output, and what they are told.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from cumulet.compute import documents, records
from cumulet.compute.extension_api import ExtensionApi
from cumulet.compute.extensions import Extension, Extensions
from cumulet.compute.isolation import Isolation
from cumulet.compute.linux import syscalls
from cumulet.compute.logs import LogPipe
from cumulet.compute.model import FunctionSpec, Invocation, Outcome
from cumulet.compute.sandbox import messages
from cumulet.compute.subscriptions import Subscription
from cumulet.compute.telemetry import Telemetry
from cumulet.compute.telemetry_delivery import Delivery

_SHARE_OF_INTERNAL = 0.25
_SHARE_OF_RUNTIME = 0.3
_SHARE_OF_FLUSH = 0.15
"""Of the time there is to end in: all of it where only extensions in the function's own process are told, what the
function itself may take before others are told, and what may be taken to send telemetry that waits."""
_SHOWN_TYPES = {"platform": "Platform", "function": "Function", "extension": "Extension"}


class Listeners:
    """Who hears of what happens: lines extensions write, platform events for the log, and failures (type, what)."""

    def __init__(
        self,
        line: Callable[[bytes], None],
        platform: Callable[[str, Mapping[str, Any]], None],
        failure: Callable[[str, str], None],
    ) -> None:
        self.line = line
        self.platform = platform
        self.failure = failure


class Guests:
    """Of one environment; made when the first extension is started in it, or speaks up."""

    def __init__(self, hull: Isolation, spec: FunctionSpec, began: float, listeners: Listeners) -> None:
        """`began`: when its initialisation did, in seconds since 1970."""
        self.spec = spec
        self._hull = hull
        self._listeners = listeners
        self._loop = asyncio.get_running_loop()
        self._extensions = Extensions(self._on_registered, listeners.failure, self._on_state)
        self._delivery = Delivery(self._make_socket)
        self.telemetry = Telemetry(self._delivery.deliver, time.time)  # noqa: TID251 - functions live in real time
        self.api = ExtensionApi(self)
        self._sockets: dict[int, asyncio.Future[int]] = {}
        self._count = 0
        self._processes: list[int] = []
        self._runtime = -1
        self._runtime_known: asyncio.Future[None] = self._loop.create_future()
        self._outputs: list[LogPipe] = []
        self._gone = asyncio.Event()
        self._closed = False
        self.telemetry.emit("platform.initStart", records.init_start(spec, hull.id), began)

    def host_extensions(self) -> Extensions:
        return self._extensions

    def heard(self, message: messages.Message, fds: list[int]) -> None:
        """A message of the environment's init."""
        if self._closed:
            _close(fds)
        elif "extensions" in message:
            self._take_processes(message["extensions"], fds)
        elif "ended" in message:
            self._extensions.ended(message["ended"], documents.exit_code(message))
            self._gone.set()
        elif "runtime" in message and fds and self._runtime < 0:
            self._runtime = fds[0]
            self._processes += fds
            self._runtime_known.set_result(None)
        elif (waiting := self._sockets.pop(message.get("socket", 0), None)) is not None and not waiting.done():
            if fds:
                waiting.set_result(fds[0])
            else:
                waiting.set_exception(ConnectionRefusedError("it could not be made"))
        else:
            _close(fds)

    def runtime_ready(self, go_on: Callable[[], None]) -> None:
        """The runtime has loaded its function; `go_on` is called when the extensions are ready too."""
        self.telemetry.emit("platform.initRuntimeDone", records.init_runtime_done(self.spec, "init", "success", ""))
        self._extensions.when_ready(go_on)

    def initialised(self, phase: str, duration: float, status: str, error_type: str) -> None:
        """The initialisation is over, well or not. Nobody may register or subscribe from now on."""
        self.telemetry.emit("platform.initReport", records.init_report(self.spec, phase, duration, status, error_type))
        for extension in self._extensions:
            if not extension.over:
                self._on_state(extension)
        self._extensions.closed = True
        self.telemetry.settle()

    def invoke(self, invocation: Invocation) -> None:
        self.began(invocation)
        self._extensions.invoke(invocation)

    def began(self, invocation: Invocation) -> None:
        """An invocation begins, of which extensions learn by telemetry alone."""
        version = self.spec.environment.get("AWS_LAMBDA_FUNCTION_VERSION", "")
        self.telemetry.emit("platform.start", records.start(invocation, version))

    def answered(self, invocation: Invocation, outcome: Outcome) -> None:
        """The runtime has answered."""
        status = records.status(outcome)
        produced = len(outcome.payload)
        record = records.runtime_done(invocation, outcome.duration, produced, status, outcome.error_type)
        self.telemetry.emit("platform.runtimeDone", record)

    def report(self, invocation: Invocation, outcome: Outcome) -> None:
        """The invocation is over."""
        self.telemetry.emit("platform.end", {"requestId": invocation.request_id})
        self.telemetry.emit("platform.report", records.report(invocation, self.spec.memory_mb, outcome))

    @property
    def busy(self) -> bool:
        """Whether one still works at an invocation."""
        return not self._extensions.ready

    def when_ready(self, act: Callable[[], None]) -> None:
        self._extensions.when_ready(act)

    def subscribe(self, extension: Extension, subscription: Subscription, what: str) -> bool:
        if self.telemetry.settled:
            return False
        types = sorted(subscription.types, key=list(_SHOWN_TYPES).index)
        record = {"name": extension.name, "state": "Subscribed", "types": types}
        kind = "platform.telemetrySubscription" if what == "telemetry" else "platform.logsSubscription"
        self.telemetry.subscribe(extension.name, subscription)
        self.telemetry.emit(kind, record)
        self._listeners.platform(kind, {**record, "types": [_SHOWN_TYPES[one] for one in types]})
        return True

    async def shut_down(self, reason: str) -> None:
        """Have everything end in order: the runtime by SIGTERM, then the extensions that want to know.

        https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-shutdown
        """
        if not any(True for _ in self._extensions):
            return
        limit = self.spec.shutdown_timeout
        external = self._extensions.external
        end = self._loop.time() + (limit if external else limit * _SHARE_OF_INTERNAL)
        self._extensions.ending = True
        self.telemetry.resume()
        await self.end_runtime(limit * (_SHARE_OF_RUNTIME if external else _SHARE_OF_INTERNAL))
        await self.telemetry.flush(limit * _SHARE_OF_FLUSH)
        left = end - self._loop.time()
        now = time.time()  # noqa: TID251 - functions live in real time
        leaving = self._extensions.shut_down(reason, int((now + left) * 1000))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                while any(not one.over for one in leaving):
                    self._gone.clear()
                    await self._gone.wait()
        for output in self._outputs:
            output.drain()

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self.telemetry.close()
        self._delivery.close()
        for output in self._outputs:
            output.drain()
            self._loop.remove_reader(output.descriptor)
            output.close()
        for waiting in self._sockets.values():
            if not waiting.done():
                waiting.set_exception(ConnectionRefusedError("the environment has ended"))
        self._sockets.clear()
        _close(self._processes)
        self._processes.clear()
        self._runtime = -1

    async def end_runtime(self, limit: float) -> None:
        """Tell the runtime's process to end, and give it `limit` seconds."""
        if self._hull.ending.done():
            return
        if self._runtime < 0:
            self._hull.tell({"process": True})
            known: set[asyncio.Future[Any]] = {self._runtime_known, self._hull.ending}
            await asyncio.wait(known, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
        if self._runtime < 0:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            syscalls.pidfd_send_signal(self._runtime, signal.SIGTERM)
        await asyncio.wait({self._hull.ending}, timeout=limit)

    def _take_processes(self, told: list[Mapping[str, str]], fds: list[int]) -> None:
        if self._closed:
            _close(fds)
            return
        started = sum(not one["error"] for one in told)
        self._runtime = fds[0]
        self._processes = fds[: 1 + started]
        for fd in fds[1 + started :]:
            os.set_blocking(fd, False)
            output = LogPipe(fd, self._on_line, kept=0)
            self._outputs.append(output)
            self._loop.add_reader(fd, self._on_output, output)
        self._extensions.launched(told)

    def _on_output(self, output: LogPipe) -> None:
        output.read()
        if output.ended:
            self._loop.remove_reader(output.descriptor)

    def _on_line(self, line: bytes) -> None:
        self._listeners.line(line)
        self.telemetry.emit("extension", line.decode(errors="replace") + "\n")

    def _on_registered(self) -> None:
        self._hull.tell({"go": True})

    def _on_state(self, extension: Extension) -> None:
        record = records.extension(extension.name, extension.state, extension.events, extension.error_type)
        self.telemetry.emit("platform.extension", record)
        self._listeners.platform("platform.extension", record)

    async def connect(self, port: int) -> socket.socket:
        """To what listens inside. Raises OSError."""
        return await self._delivery.connect(port)

    async def shell(self, order: Mapping[str, Any]) -> int:
        """A terminal with a program at it. Raises OSError."""
        return await self._ask({"shell": dict(order)})

    async def _make_socket(self) -> socket.socket:
        return socket.socket(fileno=await self._ask({}))

    async def _ask(self, order: Mapping[str, Any]) -> int:
        """A descriptor of something inside, by its number."""
        if self._closed:
            raise ConnectionRefusedError("the environment has ended")
        self._count += 1
        waiting: asyncio.Future[int] = self._loop.create_future()
        self._sockets[self._count] = waiting
        self._hull.tell({"socket": self._count, **order})
        return await waiting


def _close(descriptors: list[int]) -> None:
    for fd in descriptors:
        os.close(fd)

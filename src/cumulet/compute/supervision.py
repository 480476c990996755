"""The node's end of the supervisor: starts it, orders, hears its reports. Never waits for it on the loop."""

import asyncio
import collections
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cumulet.compute.linux.cgroup import Hierarchy
from cumulet.compute.model import ComputeUnavailable, NoSandboxes
from cumulet.compute.sandbox import messages

log = logging.getLogger(__name__)
_END_TIMEOUT = 5.0


class Supervision:
    """The supervisor's process. `on_report` gets every report but `up`, and
    `lost` when it ended unasked and was started again."""

    def __init__(
        self,
        config: dict[str, Any],
        on_report: Callable[[messages.Message], None],
        on_platform: Callable[[list[socket.socket]], None],
    ) -> None:
        """`on_platform` gets, each time that it starts, the sockets of `sandbox.platform_sockets`."""
        self._config = config
        self._on_report = on_report
        self._on_platform = on_platform
        self._waiting: collections.deque[tuple[messages.Message, list[int]]] = collections.deque()
        self._loop = asyncio.get_running_loop()
        self._up: asyncio.Future[Hierarchy] = self._loop.create_future()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; returns before it is up."""
        self._socket, theirs = messages.pair()
        self._socket.setblocking(False)
        launcher = Path(__file__).parent / "sandbox" / "launch.py"
        config = {**self._config, "node": theirs.fileno()}
        argv = [sys.executable, "-I", "-S", str(launcher), "sandbox.supervisor", json.dumps(config)]
        self._process = subprocess.Popen(  # noqa: S603 - our own launcher
            argv,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={"LANG": "C.UTF-8"},
            start_new_session=True,
        )
        theirs.close()
        self._loop.add_reader(self._socket.fileno(), self._read)

    async def up(self) -> Hierarchy:
        """Wait until it takes orders; gives the control groups it uses. Raises ComputeUnavailable."""
        return await asyncio.shield(self._up)

    def order(self, message: messages.Message, descriptors: Sequence[int] = ()) -> None:
        """Send an order; the descriptors are the caller's to close at once. Raises ComputeUnavailable."""
        if self._process is None:
            raise ComputeUnavailable("the supervisor of sandboxes is not running")
        if self._waiting and not messages.fits(message):  # it would block those after it, and never go
            raise ComputeUnavailable(f"an order to make a sandbox is larger than {messages.MAX_BYTES} bytes")
        if self._waiting or not self._send(message, descriptors):
            self._waiting.append((message, [os.dup(fd) for fd in descriptors]))
            self._loop.add_writer(self._socket.fileno(), self._flush)

    async def stop(self) -> None:
        """Have it end every environment and end itself."""
        process, self._process = self._process, None
        if process is None:
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._drop_waiting()
        try:
            await asyncio.wait_for(self._ended(process.pid), _END_TIMEOUT)
        except TimeoutError:
            process.kill()
        process.wait()

    async def _ended(self, pid: int) -> None:
        descriptor = os.pidfd_open(pid)
        over = asyncio.Event()
        self._loop.add_reader(descriptor, over.set)
        try:
            await over.wait()
        finally:
            self._loop.remove_reader(descriptor)
            os.close(descriptor)

    def _send(self, message: messages.Message, descriptors: Sequence[int]) -> bool:
        try:
            messages.send(self._socket, message, descriptors)
        except BlockingIOError:
            return False
        except OSError as error:
            raise ComputeUnavailable(f"the supervisor of sandboxes is gone: {error}") from error
        return True

    def _flush(self) -> None:
        while self._waiting:
            message, descriptors = self._waiting[0]
            if not self._send(message, descriptors):
                return
            self._waiting.popleft()
            for fd in descriptors:
                os.close(fd)
        self._loop.remove_writer(self._socket.fileno())

    def _read(self) -> None:
        while True:
            try:
                message, fds = messages.receive(self._socket)
            except BlockingIOError:
                return
            except OSError:
                message, fds = None, []
            if message is None:
                self._lost()
                return
            if message["report"] == "up":
                self._come_up(message)
            elif message["report"] == "platform":
                self._on_platform([socket.socket(fileno=fd) for fd in fds])
            else:
                self._on_report(message)

    def _come_up(self, message: messages.Message) -> None:
        if message["missing"]:
            self._up.set_exception(NoSandboxes(f"This machine cannot make sandboxes ({message['missing']})."))
            self._up.exception()  # it is not an error that nobody waited
        else:
            self._up.set_result(Hierarchy.from_description(message["groups"]))

    def _lost(self) -> None:
        """It ended unasked: start another, unless this machine never had one."""
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()
        self._drop_waiting()
        process, self._process = self._process, None
        if process is not None:
            process.wait()
        if not self._up.done():
            why = "the supervisor of sandboxes could not start; its own message is on this node's standard error"
            self._up.set_exception(ComputeUnavailable(why))
            self._up.exception()  # it is not an error that nobody waited
        elif self._up.exception() is None:
            log.error("the supervisor of sandboxes ended; starting another")
            self._up = self._loop.create_future()
            self.start()
        self._on_report({"report": "lost"})

    def _drop_waiting(self) -> None:
        for _, descriptors in self._waiting:
            for fd in descriptors:
                os.close(fd)
        self._waiting.clear()

"""The hull that is none: a plain process of this user, for machines that cannot make sandboxes."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cumulet.compute.isolation import OnMessage
from cumulet.compute.model import ComputeUnavailable, FunctionSpec
from cumulet.compute.runtimes.runtime import PlainRuntime, Runtime
from cumulet.compute.sandbox import messages
from cumulet.compute.sandbox.file_systems import FAILED

_MAKE_TIMEOUT = 30.0


class Process:
    """See `Isolation`. Only time, descriptors and core files are limited; the function can do what this user can."""

    can_freeze = False

    def __init__(self, id_: str, runtime: Runtime) -> None:
        if not isinstance(runtime, PlainRuntime):
            raise ComputeUnavailable(f"{runtime.name} runs in sandboxes only, and this machine cannot make them")
        self.id = id_
        self._runtime: PlainRuntime = runtime
        self._loop = asyncio.get_running_loop()
        self.ending: asyncio.Future[messages.Message] = self._loop.create_future()
        self.listeners: list[socket.socket] = []
        self.runtime_api: socket.socket | None = None
        self.on_message: OnMessage | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1

    async def make(self) -> None:
        """Start it and wait until it can take a function. Raises ComputeUnavailable."""
        self._orders, orders = messages.pair()
        self.channel, channel = socket.socketpair()
        self.log, log = os.pipe2(os.O_CLOEXEC)
        self._orders.setblocking(False)
        self.channel.setblocking(False)
        os.set_blocking(self.log, False)
        self.listeners.append(socket.create_server(("127.0.0.1", 0)))
        self.runtime_api = socket.create_server(("127.0.0.1", 0))
        numbers = {"{orders}": orders.fileno(), "{channel}": channel.fileno(), "{log}": log}
        try:
            self._process = self._start(numbers)
        except OSError as error:
            raise ComputeUnavailable(f"an interpreter could not be started: {error}") from error
        finally:
            orders.close()
            channel.close()
            os.close(log)
        self._pidfd = os.pidfd_open(self._process.pid)
        self._loop.add_reader(self._pidfd, self._on_end)
        warm = asyncio.Event()
        self._loop.add_reader(self._orders.fileno(), warm.set)
        self.ending.add_done_callback(lambda _: warm.set())
        try:
            await asyncio.wait_for(warm.wait(), _MAKE_TIMEOUT)
        except TimeoutError:
            raise ComputeUnavailable(f"a process was not ready within {_MAKE_TIMEOUT:.0f} s") from None
        finally:
            self._loop.remove_reader(self._orders.fileno())
        if self.ending.done():
            raise ComputeUnavailable("an interpreter ended while starting")

    def _start(self, numbers: Mapping[str, int]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(  # noqa: S603 - our own launcher
            [_fill(text, numbers) for text in self._runtime.launch_alone()],
            pass_fds=list(numbers.values()),
            stdin=subprocess.DEVNULL,
            env={},
            start_new_session=True,
        )

    def assign(self, spec: FunctionSpec, assignment: Mapping[str, Any]) -> None:
        if spec.file_systems:
            self.ending.set_result({"failed": f"{FAILED}nothing can be mounted where there are no sandboxes"})
            return
        code = str(spec.code)
        alone = self._runtime.alone(code, [str(layer) for layer in spec.layers])
        environment = {**assignment["environment"], **alone.pop("variables", {}), "LAMBDA_TASK_ROOT": code}
        if self.runtime_api is not None:
            environment["AWS_LAMBDA_RUNTIME_API"] = "{}:{}".format(*self.runtime_api.getsockname())
        with contextlib.suppress(OSError):  # it ended: `ending` says so
            messages.send(self._orders, {**assignment, **alone, "environment": environment})

    def tell(self, message: messages.Message) -> None:
        """There is no init, and no network but this one."""
        if "socket" in message and self.on_message is not None:
            self.on_message(message, [socket.socket().detach()])

    def limit_cpu(self, memory_mb: int) -> None:
        """Nothing can."""

    def peak_memory(self) -> int:
        with contextlib.suppress(OSError, ValueError, IndexError):
            status = Path(f"/proc/{self._process.pid if self._process else 0}/status").read_text()
            return int(status.partition("VmHWM:")[2].split()[0]) * 1024
        return 0

    def out_of_memory(self) -> bool:
        return False

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)
        self._orders.close()

    def _signal(self, number: int) -> None:
        if self._process is not None and not self.ending.done():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _on_end(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)  # what it left running
        status = self._process.wait()
        self.ending.set_result({"signal": -status} if status < 0 else {"status": status})


def _fill(text: str, numbers: Mapping[str, int]) -> str:
    for name, number in numbers.items():
        text = text.replace(name, str(number))
    return text

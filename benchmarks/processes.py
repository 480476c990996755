"""Servers under measurement: started, watched and ended with everything they started."""

import contextlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A server started by a command in which `{port}` and `{data}` are filled in; it gets a process group of its own.

    `folder` is where its data is, and stays; by default a new one, which `remove` deletes.
    """

    def __init__(
        self, name: str, command: str, environment: dict[str, str] | None = None, folder: Path | None = None
    ) -> None:
        self.name = name
        self._command = command
        self._environment = environment or {}
        self._kept = folder is not None
        self._folder = folder or Path(tempfile.mkdtemp(prefix=f"bench-{name}-"))
        self._folder.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def data(self) -> Path:
        """Its data folder, if its command has one."""
        return self._folder / "data"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, answers: Callable[[], bool], patience: float = 60.0) -> float:
        """Start and wait until `answers` is true; gives the seconds that took. Raises RuntimeError."""
        command = self._command.format(port=self.port, data=self._folder / "data")
        environment = {key: value.format(port=self.port) for key, value in self._environment.items()}
        started = time.perf_counter()
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                shlex.split(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | environment,
            )
        while time.perf_counter() - started < patience:
            with contextlib.suppress(Exception):  # whatever is wrong before it answers
                if answers():
                    return time.perf_counter() - started
            if self._process.poll() is not None:
                break
            time.sleep(0.002)
        raise RuntimeError(f"{self.name} did not answer: {(self._folder / 'log').read_text()[-1000:]}")

    def stop(self) -> None:
        """End the whole process group."""
        if self._process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(15)
                break
        self._process = None

    def remove(self) -> None:
        """Stop, and delete its folder unless it was given."""
        self.stop()
        if not self._kept:
            shutil.rmtree(self._folder, ignore_errors=True)

    def tree(self) -> set[int]:
        """The server's processes."""
        found, waiting = set(), [self.pid]
        while waiting:
            pid = waiting.pop()
            found.add(pid)
            with contextlib.suppress(OSError):
                for task in Path(f"/proc/{pid}/task").iterdir():
                    waiting += [int(child) for child in (task / "children").read_text().split()]
        return found

    def cpu(self) -> float:
        """Seconds of processor time of the tree so far, ended children included."""
        total = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                total += sum(map(int, fields[11:15]))
        return total / _TICKS

    def memory(self) -> float:
        """Megabytes of memory of the tree, shared pages counted in parts (PSS)."""
        kilobytes = 0
        for pid in self.tree():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        kilobytes += int(line.split()[1])
        return kilobytes / 1024


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])

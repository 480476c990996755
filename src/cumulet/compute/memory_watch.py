"""Memory limits where no control group can hold them: an environment that has grown too large is ended."""

import asyncio
from collections.abc import Callable
from pathlib import Path

_PERIOD = 0.1
_PAGE = 4096


class MemoryWatch:
    """Looks ten times a second at what an environment's processes hold, while it works. `limit` is in bytes.

    `pidfds` are of the first process of its pid namespace, which orphans are left to, and of its runtime's.
    """

    def __init__(self, pidfds: tuple[int, int], limit: int, on_exceeded: Callable[[], None]) -> None:
        self._init, self._runtime = map(_pid_of, pidfds)
        self._limit = limit
        self._on_exceeded = on_exceeded
        self._timer: asyncio.TimerHandle | None = None
        self._peak = 0
        self.exceeded = False

    @property
    def peak(self) -> int:
        """The most bytes seen, now included."""
        held = sum(_anonymous(pid) for pid in (self._runtime, *_below(self._runtime), *_below(self._init)))
        self._peak = max(self._peak, held)
        return self._peak

    def start(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_PERIOD, self._look)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self.peak > self._limit:
            self.exceeded = True
            self._on_exceeded()
        else:
            self.start()


def _pid_of(pidfd: int) -> int:
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        if line.startswith("Pid:"):
            return int(line.split()[1])
    return 0


def _below(pid: int) -> list[int]:
    """The processes under `pid`, itself not included."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return children + [further for child in children for further in _below(child)]


def _anonymous(pid: int) -> int:
    """Bytes in memory that no file backs; what a process shares with the one it was forked from counts as its own."""
    try:
        _, resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[:3]
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE

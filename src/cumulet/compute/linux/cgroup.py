"""Control groups, version 1 and 2: what one environment may use, what it has used, freezing and killing it.

Works with whatever controllers the machine has; `Hierarchy.controllers` names them.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

MEMORY, CPU, PIDS, FREEZE = "memory", "cpu", "pids", "freeze"
_CPU_PERIOD = 20_000
"""Microseconds: who has used up its share waits for the rest of one. With the kernel's usual 100,000, a
function of 128 MB that works for 8 ms waits for 92."""
_MB_PER_CPU = 1769
_V1 = (MEMORY, CPU, PIDS)
_OF_NODES = "cumulet-*"


class Hierarchy:
    """Where a node's groups live: one folder a controller in version 1, one in all in version 2."""

    def __init__(self, v1: dict[str, Path], v2: Path | None, v2_controllers: frozenset[str]) -> None:
        self.v1 = v1
        self.v2 = v2
        self._v2_controllers = v2_controllers
        self._held: list[int] = []

    @property
    def controllers(self) -> frozenset[str]:
        """Of memory, cpu, pids and freeze, those that work here."""
        return frozenset(self.v1) | self._v2_controllers

    @property
    def folders(self) -> list[Path]:
        return [*self.v1.values(), *([self.v2] if self.v2 else [])]

    def describe(self) -> dict[str, object]:
        """As JSON, for `from_description` in another process."""
        v1 = {name: str(path) for name, path in self.v1.items()}
        return {"v1": v1, "v2": str(self.v2) if self.v2 else None, "v2_controllers": sorted(self._v2_controllers)}

    @classmethod
    def from_description(cls, described: dict[str, object]) -> Hierarchy:
        v1, v2, controllers = described["v1"], described["v2"], described["v2_controllers"]
        assert isinstance(v1, dict)
        assert isinstance(controllers, list)
        return cls(
            {name: Path(path) for name, path in v1.items()}, Path(str(v2)) if v2 else None, frozenset(controllers)
        )

    def group(self, name: str) -> Group:
        return Group(self, name)

    def sweep(self) -> int:
        """Kill and remove every group an earlier node of this name left; gives their number."""
        names = {
            child.name for folder in self.folders if folder.is_dir() for child in folder.iterdir() if child.is_dir()
        }
        for name in names:
            group = self.group(name)
            group.kill()
            group.remove(tries=100)
        return len(names)

    def hold(self) -> bool:
        """Have `sweep_abandoned` of other nodes leave this one's groups alone, as long as this process or a fork of it has the
        descriptors. False when one of them has just removed some: they have to be found again."""
        with contextlib.suppress(FileNotFoundError):
            self._held = [os.open(folder, os.O_RDONLY | os.O_CLOEXEC) for folder in self.folders]
            for fd in self._held:
                fcntl.flock(fd, fcntl.LOCK_SH)
            return all(map(os.path.samestat, map(os.fstat, self._held), [folder.stat() for folder in self.folders]))
        return False

    def sweep_abandoned(self, before: float) -> None:
        """Remove the groups, made before a moment, of nodes that nobody holds any more. What has processes stays."""
        for own in self.folders:
            for folder in own.parent.glob(_OF_NODES):
                with contextlib.suppress(OSError):  # held, in use, or gone meanwhile
                    if folder != own and folder.stat().st_mtime < before:
                        _remove_abandoned(folder, before)

    def remove(self) -> None:
        """Remove the node's own folders, once its groups are gone; not those that another node of its name holds."""
        with contextlib.suppress(BlockingIOError):
            for fd in self._held:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for folder in self.folders:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        for fd in self._held:
            os.close(fd)
        self._held = []


class Group:
    """The control group of one environment. Its paths are plain text: many of them are made, and quickly."""

    def __init__(self, hierarchy: Hierarchy, name: str) -> None:
        self._v1 = {controller: f"{path}/{name}" for controller, path in hierarchy.v1.items()}
        self._v2 = f"{hierarchy.v2}/{name}" if hierarchy.v2 else None
        self._controllers = hierarchy.controllers
        self._v2_memory = MEMORY not in hierarchy.v1

    @property
    def _folders(self) -> list[str]:
        return [*self._v1.values(), *([self._v2] if self._v2 else [])]

    def create(self, max_processes: int) -> None:
        for folder in self._folders:
            os.mkdir(folder)  # noqa: PTH102
        if PIDS in self._controllers:
            _write(self._folder(PIDS) + "/pids.max", str(max_processes))

    def entries(self) -> list[int]:
        """Descriptors to which a process writes `0` to join."""
        return [os.open(folder + "/cgroup.procs", os.O_WRONLY | os.O_CLOEXEC) for folder in self._folders]

    def limit_memory(self, amount: int) -> None:
        """Bytes; swap is not given beyond it."""
        if MEMORY not in self._controllers:
            return
        folder = self._folder(MEMORY)
        if not self._v2_memory:
            _write(folder + "/memory.limit_in_bytes", str(amount))
            for name, value in (("memory.swappiness", "0"), ("memory.memsw.limit_in_bytes", str(amount))):
                with contextlib.suppress(OSError):  # not every kernel accounts swap
                    _write(f"{folder}/{name}", value)
            return
        _write(folder + "/memory.max", str(amount))
        for name, value in (("memory.swap.max", "0"), ("memory.oom.group", "0")):
            with contextlib.suppress(OSError):
                _write(f"{folder}/{name}", value)

    def limit_cpu(self, memory_mb: int) -> None:
        """CPU in proportion to memory, as Lambda gives it: 1769 MB is one processor.

        What was left over of one period may be used in the next: an invocation after a pause waits less, the share stays.
        https://docs.kernel.org/scheduler/sched-bwc.html
        """
        if CPU not in self._controllers:
            return
        quota = max(1000, _CPU_PERIOD * memory_mb // _MB_PER_CPU)
        folder = self._folder(CPU)
        if CPU not in self._v1:
            _write(folder + "/cpu.max", f"{quota} {_CPU_PERIOD}")
        else:
            _write(folder + "/cpu.cfs_period_us", str(_CPU_PERIOD))
            _write(folder + "/cpu.cfs_quota_us", str(quota))
        with contextlib.suppress(OSError):  # older kernels have none
            _write(folder + ("/cpu.cfs_burst_us" if CPU in self._v1 else "/cpu.max.burst"), str(quota))

    @property
    def counts_memory(self) -> bool:
        """Whether it limits and counts memory."""
        return MEMORY in self._controllers

    def memory_meter(self) -> int | None:
        """A descriptor that `read_meter` reads the most bytes used at once so far from; None where nothing counts them."""
        if MEMORY not in self._controllers:
            return None
        names = ("memory.peak", "memory.current") if self._v2_memory else ("memory.max_usage_in_bytes",)
        for name in names:
            with contextlib.suppress(OSError):
                return os.open(f"{self._folder(MEMORY)}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        return None

    def out_of_memory(self) -> bool:
        """Whether the kernel has killed something of this group for want of memory."""
        if MEMORY not in self._controllers:
            return False
        name = "memory.events" if self._v2_memory else "memory.oom_control"
        with contextlib.suppress(OSError):
            for line in Path(self._folder(MEMORY), name).read_text().splitlines():
                if line.startswith("oom_kill "):
                    return int(line.split()[1]) > 0
        return False

    def freezer(self) -> int | None:
        """A descriptor to write `1` (freeze) and `0` (go on) to; None where the machine cannot."""
        if self._v2 is None or FREEZE not in self._controllers:
            return None
        return os.open(self._v2 + "/cgroup.freeze", os.O_WRONLY | os.O_CLOEXEC)

    def processes(self) -> list[int]:
        for folder in self._folders:
            with contextlib.suppress(OSError):
                return [int(pid) for pid in Path(folder, "cgroup.procs").read_text().split()]
        return []

    def kill(self) -> None:
        """Kill every process in it."""
        if self._v2 is not None:
            try:
                _write(self._v2 + "/cgroup.kill", "1")
            except OSError:
                pass
            else:
                return
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)

    def end(self) -> bool:
        """Kill every process in it, and remove it; False while they are still leaving."""
        self.kill()
        return self.remove()

    def remove(self, tries: int = 1) -> bool:
        """Remove it; False while processes are still leaving. Only start-up, which has nothing else to do, retries."""
        for _ in range(tries):
            remaining = [folder for folder in self._folders if not _remove(folder)]
            if not remaining:
                return True
            if tries > 1:
                os.sched_yield()
        return False

    def _folder(self, controller: str) -> str:
        folder = self._v1.get(controller, self._v2)
        assert folder is not None
        return folder


def find(name: str) -> Hierarchy:
    """The groups this process can make for a node called `name`, found by making them. Raises nothing."""
    v1_mounts, v2_mount = _mounts()
    own = _own_groups()
    v1: dict[str, Path] = {}
    for controller in _V1:
        if controller in v1_mounts and (base := _first_usable(v1_mounts[controller], own.get(controller, "/"), name)):
            v1[controller] = base
    if v2_mount is None or (base := _v2_base(v2_mount, own.get("", "/"), name)) is None:
        return Hierarchy(v1, None, frozenset())
    return Hierarchy(v1, base, _v2_abilities(base))


def _remove_abandoned(folder: Path, before: float) -> None:
    """Raises OSError where that cannot be, or somebody holds it."""
    held = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        groups = [group for group in folder.iterdir() if group.is_dir()]
        if any(_has_processes(group) for group in (folder, *groups)):
            return  # of a node that does not know how to hold it
        for group in groups:
            if group.stat().st_mtime < before:
                group.rmdir()
        folder.rmdir()
    finally:
        os.close(held)


def _has_processes(group: Path) -> bool:
    try:
        return (group / "cgroup.procs").read_text() != ""
    except FileNotFoundError:
        return False


def _mounts() -> tuple[dict[str, Path], Path | None]:
    v1: dict[str, Path] = {}
    v2 = None
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, options = line.split()[:4]
        if kind == "cgroup":
            for option in options.split(","):
                if option in _V1:
                    v1[option] = Path(place)
        elif kind == "cgroup2" and v2 is None:
            v2 = Path(place)
    return v1, v2


def _own_groups() -> dict[str, str]:
    """The group of this process by controller; version 2's under the empty name."""
    groups: dict[str, str] = {}
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups[controller] = path
    return groups


def _first_usable(mount: Path, own: str, name: str) -> Path | None:
    """The node's folder below its own group, or at the top where that is refused."""
    for base in (mount / own.lstrip("/"), mount):
        folder = base / name
        try:
            folder.mkdir(exist_ok=True)
        except OSError:
            continue
        return folder
    return None


def _v2_base(mount: Path, own: str, name: str) -> Path | None:
    """Version 2 gives controllers only to groups without processes: the node moves into a leaf of its own if needed."""
    bases = [mount / own.lstrip("/")] + ([mount] if os.getuid() == 0 else [])
    for base in bases:
        folder = base / name
        try:
            folder.mkdir(exist_ok=True)
        except OSError:
            continue
        _delegate(base, name)
        with contextlib.suppress(OSError):
            _enable(folder)
        return folder
    return None


def _delegate(base: Path, name: str) -> None:
    with contextlib.suppress(OSError):
        _enable(base)
        return
    with contextlib.suppress(OSError):
        leaf = base / f"{name}-node"
        leaf.mkdir(exist_ok=True)
        for pid in (base / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                _write(leaf / "cgroup.procs", pid)
        _enable(base)


def _enable(folder: Path) -> None:
    available = (folder / "cgroup.controllers").read_text().split()
    for controller in _V1:
        if controller in available:
            _write(folder / "cgroup.subtree_control", f"+{controller}")


def _v2_abilities(base: Path) -> frozenset[str]:
    found: set[str] = set()
    with contextlib.suppress(FileNotFoundError):  # another node has just removed the folder, as `hold` will tell
        found |= {*(base / "cgroup.subtree_control").read_text().split()} & {*_V1}
    if (base / "cgroup.freeze").exists():
        found.add(FREEZE)
    return frozenset(found)


def _write(path: Path | str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def read_meter(descriptor: int) -> int:
    """Bytes; 0 once the group is gone."""
    try:
        return int(os.pread(descriptor, 32, 0))
    except OSError:
        return 0


def _remove(folder: str) -> bool:
    try:
        os.rmdir(folder)  # noqa: PTH106
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True

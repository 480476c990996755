"""What this machine lets a process do, found by doing it in a forked child."""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from cumulet.compute.linux import cgroup, seccomp, syscalls
from cumulet.compute.sandbox import network

_PRIVATE_MOUNTS = syscalls.MS_REC | syscalls.MS_PRIVATE


def enter_user_namespace() -> None:
    """Become root of a user namespace of one's own."""
    uid, gid = os.getuid(), os.getgid()
    syscalls.unshare(syscalls.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _privileged() -> None:
    if os.getuid() != 0:
        enter_user_namespace()


def _mounts() -> None:
    _privileged()
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount(None, "/", None, _PRIVATE_MOUNTS)
    syscalls.mount("tmpfs", "/mnt", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "size=1m")
    Path("/mnt/usr").mkdir()
    fd = syscalls.open_tree("/usr")
    syscalls.restrict_mount(fd, syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV)
    syscalls.move_mount(fd, "/mnt/usr")
    os.chdir("/mnt")
    syscalls.pivot_root(".", ".")
    syscalls.unmount(".")


def _processes() -> None:
    _privileged()
    syscalls.unshare(syscalls.CLONE_NEWPID | syscalls.CLONE_NEWNS)
    in_child(_mount_proc)


def _mount_proc() -> None:
    syscalls.mount(None, "/", None, _PRIVATE_MOUNTS)
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.mount("proc", "/proc", "proc", flags)


def _network() -> None:
    _privileged()
    syscalls.unshare(syscalls.CLONE_NEWNET)
    syscalls.loopback_up()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 80))


def _hosts() -> None:
    _privileged()
    syscalls.unshare(syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS)
    syscalls.sethostname("probe")


def _filter() -> None:
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.Filter(seccomp.program()).install()
    try:
        syscalls.unshare(syscalls.CLONE_NEWUTS)
    except PermissionError:
        return
    raise OSError("the filter does not hold")


def _other_users() -> None:
    os.setgroups([])
    os.setresgid(200_000, 200_000, 200_000)
    os.setresuid(200_000, 200_000, 200_000)


def _loop_devices() -> None:
    for name in ("/dev/loop-control",):
        os.close(os.open(name, os.O_RDWR))


def _outbound(name: str, tool_path: str) -> None:
    root = os.getuid() == 0
    _privileged()
    network.check(
        {
            "name": name,
            "tool_path": tool_path,
            "root": root,
            "internal_ports": [],
            "platform_ports": [],
            "name_servers": [],
        }
    )


OUTBOUND = "outbound network"

ESSENTIAL: dict[str, Callable[[], None]] = {
    "mount namespaces": _mounts,
    "pid namespaces": _processes,
    "network namespaces": _network,
    "ipc and uts namespaces": _hosts,
    "system call filter": _filter,
}
"""Without all of these there is no sandbox."""

_FURTHER: dict[str, Callable[[], None]] = {
    "a user for each environment": _other_users,
    "disk-backed /tmp": _loop_devices,
}


def in_child(work: Callable[[], None]) -> None:
    """Run `work` in a forked child. Raises OSError with its reason when it fails there."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - the parent must hear of everything
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        reason = pipe.read().decode()
    os.waitpid(pid, 0)
    if reason:
        raise OSError(reason)


def failure(work: Callable[[], None]) -> str:
    """Why `work` cannot be done here; empty when it can."""
    try:
        in_child(work)
    except OSError as error:
        return str(error)
    return ""


def missing() -> str:
    """Why there can be no sandbox here; empty when there can. All is tried in one process, each only if that fails."""
    if not failure(_everything):
        return ""
    for name, work in ESSENTIAL.items():
        if reason := failure(work):
            return f"{name}: {reason}"
    return ""


def _everything() -> None:
    _privileged()
    for work in (_hosts, _network, _processes, _mounts, _filter):
        work()


def report(name: str, tool_path: str) -> dict[str, str]:
    """Every ability, and why it is not there (empty when it is). `name` is used for trial control groups."""
    found = {ability: failure(work) for ability, work in {**ESSENTIAL, **_FURTHER}.items()}
    found[OUTBOUND] = failure(lambda: _outbound(name, tool_path))
    hierarchy = cgroup.find(name)
    for controller in (cgroup.MEMORY, cgroup.CPU, cgroup.PIDS, cgroup.FREEZE):
        here = controller in hierarchy.controllers
        found[f"control group: {controller}"] = "" if here else "no control group of this process has it"
    hierarchy.remove()
    return found


def main(config: dict[str, str]) -> None:
    """Print the report as JSON."""
    sys.stdout.write(json.dumps(report(config["name"], config["tool_path"])))

"""One environment from the inside: how the process that runs the function is confined.

It is forked from a zygote into namespaces that are made already. It gives up everything before a function is known;
what a function needs mounted, the supervisor mounts. Whatever is the same for every environment, the zygote has done
to itself: each page that is touched here is copied for each of them.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
from typing import Callable

from cumulet.compute.linux import seccomp, syscalls
from cumulet.compute.sandbox import after_fork, messages

_LIMITS = (
    (resource.RLIMIT_NOFILE, 1024),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_MEMLOCK, 64 * 1024),
    (resource.RLIMIT_MSGQUEUE, 819_200),
)
_MAX_PROCESSES = 1024
_PROC_FLAGS = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
_IGNORED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
)  # by the supervisor, or by what started the node
"""By the supervisor and the zygote, not by functions."""
_FILTER = syscalls.Filter(seccomp.program())

StartRuntime = Callable[[socket.socket, socket.socket, messages.Message], None]
"""Runs a runtime in the confined process: (where its assignment comes from, its channel to the platform, what it is told
at once). It sends a message on the first when it is ready for one."""


def prepare(*, root: bool) -> None:
    """In a zygote: what environments inherit."""
    nothing = os.open("/dev/null", os.O_RDWR)
    os.dup2(nothing, 0)
    os.close(nothing)
    for limit, amount in _LIMITS:
        resource.setrlimit(limit, (amount, amount))
    if root:
        resource.setrlimit(resource.RLIMIT_NPROC, (_MAX_PROCESSES, _MAX_PROCESSES))
    syscalls.drop_bounding_set()
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)


def run(order: messages.Message, fds: list[int], start_runtime: StartRuntime) -> None:
    """The life of the runtime's process. `fds`: where orders come from, its channel, its output, control groups."""
    orders, channel, log, *groups = fds
    join(groups)
    syscalls.mount("proc", "/proc", "proc", _PROC_FLAGS)
    confine(order["uid"], log)
    syscalls.close_all_but([0, 1, 2, orders, channel])
    after_fork.give()
    start_runtime(socket.socket(fileno=orders), socket.socket(fileno=channel), order["start"])
    os._exit(0)


def join(groups: list[int]) -> None:
    """Enter the control groups of these descriptors."""
    for fd in groups:
        os.write(fd, b"0")


def confine(uid: int | None, output: int) -> None:
    """Make this process, which has what `prepare` does, one of the function's, which writes to `output`."""
    os.setsid()
    if uid is not None:
        os.fchown(output, uid, uid)  # or it could not open /dev/stdout
    os.dup2(output, 1)
    os.dup2(output, 2)
    for number in _IGNORED:
        syscalls.reset_signal(number)
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    give_up()


def give_up() -> None:
    """No capability, no way to one, and only the system calls of the list."""
    syscalls.drop_capabilities()
    _FILTER.install()
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)

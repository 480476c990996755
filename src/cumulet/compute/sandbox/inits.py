"""The first processes of environments' pid namespaces, made by a process of its own, which has nothing.

Such a process only waits, in the C library: it shares nearly all of its memory, ends what is in its namespace when it
is killed, and has the kernel reap whatever is left to it. It runs no Python, so whatever it may not have, the process
that it is a copy of must not have either: files, descriptors, privileges but the one to make namespaces.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket

from cumulet.compute.linux import syscalls
from cumulet.compute.sandbox import messages

_PLACE = "/mnt"
_STACK = 64 * 1024
_AT_ONCE = 4
"""After each copy, what this process touches is copied: less for several made in a row."""


class Inits:
    """The supervisor's side."""

    def __init__(self) -> None:
        self._channel, theirs = messages.pair()
        self._ready: list[int] = []
        if os.fork() == 0:
            try:
                syscalls.close_all_but([theirs.fileno()])
                _give_up()
                _serve(theirs)
            finally:
                os._exit(98)
        theirs.close()

    def make(self) -> int:
        """A process that is the first of a new pid namespace, as a descriptor. Raises OSError."""
        if not self._ready:
            messages.send(self._channel, {})
            answer, self._ready = messages.receive(self._channel)
            if answer is None or not self._ready:
                raise OSError("no process can be made in a pid namespace of its own")
        return self._ready.pop()


def _give_up() -> None:
    syscalls.name_process("cumulet-init")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel, here and in every copy
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount("tmpfs", _PLACE, "tmpfs", syscalls.MS_RDONLY | syscalls.MS_NOSUID | syscalls.MS_NODEV, "size=4k")
    os.chdir(_PLACE)
    syscalls.pivot_root(".", ".")
    syscalls.unmount(".")
    os.chdir("/")
    syscalls.drop_bounding_set()
    syscalls.keep_capability(syscalls.CAP_SYS_ADMIN)
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)


def _serve(orders: socket.socket) -> None:
    stack = ctypes.create_string_buffer(_STACK)
    at_once = 1  # a node at rest has one environment
    while True:
        order, _ = messages.receive(orders)
        if order is None:
            return
        made: list[int] = []
        with contextlib.suppress(OSError):
            while len(made) < at_once:
                made.append(syscalls.clone_waiting(syscalls.CLONE_NEWPID, stack))
        fds = [syscalls.pidfd_open(pid) for pid in made]
        messages.send(orders, {}, fds)
        for fd in fds:
            os.close(fd)
        at_once = _AT_ONCE

"""The first processes of environments' pid namespaces, made by a process of its own, which has nothing.

Such a process only waits, in the C library: it shares nearly all of its memory, ends what is in its namespace when it
is killed, and has the kernel reap whatever is left to it. It runs no Python, so whatever it may not have, the process
that it is a copy of must not have either: files, descriptors, privileges but the one to make namespaces.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

from cumulet.compute.linux import syscalls
from cumulet.compute.sandbox import messages

_PLACE = "/mnt"
_STACK = 64 * 1024
_AT_ONCE = 4
"""Asking for them costs more than they do."""
_NEEDED = ("libc.", "libc-", "ld-", "ld.")
"""The C library and the loader, which is the C library of musl."""
_LARGE = 1 << 20


class Inits:
    """The supervisor's side."""

    def __init__(self) -> None:
        self._channel, theirs = messages.pair()
        self._ready: list[int] = []
        if os.fork() == 0:
            try:
                syscalls.close_all_but([theirs.fileno()])
                keep_to_itself()
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


def keep_to_itself(needed: tuple[str, ...] = _NEEDED) -> bool:
    """Leave the interpreter out of copies, where they do without: making one that has none of it takes a fifth of the time.

    False where copies need more than the files that are `needed`, as on a machine that is emulated: they get everything.
    """
    parts: list[tuple[int, int]] = []
    try:
        parts += _interpreter(needed)
        for first, length in parts:
            syscalls.keep_from_copies(first, length)
        if _copies_live():
            return True
    except OSError:
        pass  # copies may have more than they need
    for first, length in parts:
        syscalls.leave_to_copies(first, length)
    return False


def _interpreter(needed: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Where it is in this process's memory: all but the C library, with what is small and without a name, where the C library
    keeps its own, and what the kernel gives."""
    storage = syscalls.thread_storage()
    for line in Path("/proc/self/maps").read_text().splitlines():
        place, _, _, _, _, *names = line.split(maxsplit=5)
        first, end = (int(number, 16) for number in place.split("-"))
        name = names[0].rpartition("/")[2] if names else ""
        kept = name.startswith(("[", *needed)) if name else end - first < _LARGE
        if name == "[heap]" or not (kept or first <= storage < end):
            yield first, end - first


def _copies_live() -> bool:
    """Whether a copy does what all are for, which this one does for no time at all."""
    syscalls.reset_signal(signal.SIGCHLD)  # nobody hears of the end of what the kernel reaps
    _, status = os.waitpid(syscalls.clone_waiting(0, _stack(), 0), 0)
    return status == 0


def _stack() -> ctypes.Array[ctypes.c_char]:
    """Of a copy: no part of the interpreter's memory."""
    memory = mmap.mmap(-1, _STACK, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return (ctypes.c_char * _STACK).from_buffer(memory)


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
    stack = _stack()
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

"""The namespaces of an environment, made by the supervisor before there is a process in them.

It makes them in its own place, and goes back: a process forked for an environment would copy every page that it touches
meanwhile, which takes longer than the work.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Sequence

from cumulet.compute.linux import syscalls
from cumulet.compute.sandbox import platform_sockets

_KINDS = {
    "mnt": syscalls.CLONE_NEWNS,
    "ipc": syscalls.CLONE_NEWIPC,
    "uts": syscalls.CLONE_NEWUTS,
    "net": syscalls.CLONE_NEWNET,
}
_MADE = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS
_HOST_NAME = "169.254.100.6"
_FIRST_TMP_MB = 16
_MAX_INODES = 65_536


class World:
    """Descriptors of namespaces by name, in the order of `enter`, and sockets that listen in the network's."""

    def __init__(self, namespaces: list[int], listeners: list[socket.socket]) -> None:
        self.namespaces = namespaces
        self.listeners = listeners

    @property
    def mounts(self) -> int:
        return self.namespaces[0]

    @property
    def network(self) -> int:
        return self.namespaces[-1]

    def close_listeners(self) -> None:
        for listener in self.listeners:
            listener.close()
        self.listeners = []

    def keep_network(self) -> None:
        """What is needed of it once its function has been mounted."""
        for fd in self.namespaces[:-1]:
            os.close(fd)
        del self.namespaces[:-1]

    def close(self) -> None:
        self.close_listeners()
        for fd in self.namespaces:
            os.close(fd)
        self.namespaces = []


def enter(namespaces: Sequence[int]) -> None:
    """Go into those of a world, or back to one's own."""
    for fd, kind in zip(namespaces, _KINDS.values()):
        syscalls.setns(fd, kind)


class Own:
    """The supervisor's own namespaces. Where it cannot come back to them, it ends."""

    def __init__(self) -> None:
        self._processes = os.open("/proc", os.O_PATH | os.O_CLOEXEC)
        self._root = os.open("/", os.O_PATH | os.O_CLOEXEC)
        self.pids = self._open("pid")
        self._namespaces = [self._open(name) for name in _KINDS]

    def make(
        self,
        root: int,
        tmp: int | None,
        network: int,
        uid: int | None,
        ports: Sequence[int],
        platform_ports: Sequence[int],
    ) -> World:
        """`root` is the mount namespace with a runtime's files, `tmp` a detached mount for /tmp, `network` a network
        namespace that leads out or -1: then what listens on `ports` is followed by sockets of the platform's own.
        Raises OSError."""
        with self._away():
            syscalls.setns(root, syscalls.CLONE_NEWNS)
            syscalls.unshare(_MADE)
            _enter_network(network)
            if tmp is None:
                mount_memory_tmp(_FIRST_TMP_MB)
            else:
                syscalls.move_mount(tmp, "/tmp")  # noqa: S108 - the sandbox's own
            if uid is not None:
                _name_user(uid)
            syscalls.sethostname(_HOST_NAME)
            listeners = [platform_sockets.listen("127.0.0.1", port) for port in ports]
            if network < 0:
                platform_sockets.take_address()
                listeners += platform_sockets.open_sockets(platform_ports)
            return World([self._open(name) for name in _KINDS], listeners)

    @contextlib.contextmanager
    def inside(self, namespace: int, kind: int) -> Iterator[None]:
        """Be in a mount or network namespace meanwhile. Raises OSError."""
        with self._away():
            syscalls.setns(namespace, kind)
            yield

    def here(self) -> list[int]:
        """In a fork of the supervisor: descriptors of the namespaces it is in, its pid namespace first."""
        return [self.pids, *(self._open(name) for name in _KINDS)]

    def _open(self, name: str) -> int:
        """A namespace that this process is in, wherever that is."""
        return os.open(f"self/ns/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._processes)

    @contextlib.contextmanager
    def _away(self) -> Iterator[None]:
        try:
            yield
        finally:
            try:
                enter(self._namespaces)
                os.fchdir(self._root)
                os.chroot(".")
            except OSError as error:
                raise SystemExit(f"the supervisor cannot return to its own namespaces: {error}") from error


def mount_memory_tmp(size_mb: int) -> None:
    """A /tmp that is memory, of the caller's mount namespace."""
    options = f"size={size_mb}m,mode=1777,nr_inodes={_MAX_INODES}"
    syscalls.mount("tmpfs", "/tmp", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, options)  # noqa: S108


def _enter_network(made: int) -> None:
    """The one that leads out or, where there is none, one that does not."""
    if made < 0:
        syscalls.unshare(syscalls.CLONE_NEWNET)
        syscalls.loopback_up()
    else:
        syscalls.setns(made, syscalls.CLONE_NEWNET)


def _name_user(uid: int) -> None:
    """Have the user that the function runs as known, by the name and home that Lambda gives it."""
    users = "/tmp/.passwd"  # noqa: S108 - the sandbox's own
    fd = os.open(users, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o444)
    text = f"root:x:0:0:root:/:/sbin/nologin\nsbx_user1051:x:{uid}:{uid}::/home/sbx_user1051:/sbin/nologin\n"
    os.write(fd, text.encode())
    os.close(fd)
    syscalls.mount(users, "/etc/passwd", None, syscalls.MS_BIND)
    os.unlink(users)  # noqa: PTH108

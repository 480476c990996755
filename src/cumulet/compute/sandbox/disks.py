"""Disks for /tmp, made ahead by a process of its own: mounting one takes milliseconds that nobody should wait for."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

from cumulet.compute.linux import loop, syscalls
from cumulet.compute.sandbox import messages

USUAL_MB = 512
_AHEAD = 2
_MOST_AHEAD = 8

Taker = Callable[[int], None]
"""Takes a detached mount, which stays the giver's to close; -1 where there can be none."""


class Disks:
    """The supervisor's side. `channel` becomes readable when a disk is ready: then call `receive`."""

    def __init__(self, folder: str, *, possible: bool) -> None:
        self.channel, theirs = messages.pair()
        self._ready: list[int] = []
        self._asked = 0
        self._waiting: dict[int, list[Taker]] = {}
        self._possible = possible
        if possible:
            self._start(folder, theirs)
            for _ in range(_AHEAD):
                self._ask(USUAL_MB)
        theirs.close()

    def take(self) -> int | None:
        """A disk of the usual size if one is ready; the caller closes it."""
        if not self._possible:
            return None
        if self._asked < _MOST_AHEAD:
            self._ask(USUAL_MB)
        return self._ready.pop() if self._ready else None

    def make(self, size_mb: int, taker: Taker) -> None:
        """Have a disk of another size made, and given to `taker`."""
        if not self._possible:
            taker(-1)
            return
        self._waiting.setdefault(size_mb, []).append(taker)
        self._ask(size_mb)

    def receive(self) -> bool:
        """Take what is ready. False: nothing will come any more, so the channel need not be watched."""
        try:
            message, fds = messages.receive(self.channel)
        except OSError:
            message, fds = None, []
        if message is None or not fds:
            self._give_up()
            return message is not None
        size, fd = message["size_mb"], fds[0]
        takers = self._waiting.get(size)
        if takers:
            takers.pop(0)(fd)
            os.close(fd)
            return True
        self._asked -= 1
        if len(self._ready) < _MOST_AHEAD:
            self._ready.append(fd)
        else:
            os.close(fd)
        return True

    def _ask(self, size_mb: int) -> None:
        if size_mb == USUAL_MB:
            self._asked += 1
        messages.send(self.channel, {"size_mb": size_mb})

    def _give_up(self) -> None:
        """This machine cannot: everybody goes on with memory."""
        self._possible = False
        for takers in self._waiting.values():
            for taker in takers:
                taker(-1)
        self._waiting.clear()

    def _start(self, folder: str, theirs: socket.socket) -> None:
        if os.fork() == 0:
            try:
                syscalls.name_process("cumulet-disks")
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                syscalls.close_all_but([0, 1, 2, theirs.fileno()])
                _serve(loop.Images(f"{folder}/images", f"{folder}/image"), theirs)
            finally:
                os._exit(0)


def _serve(images: loop.Images, orders: socket.socket) -> None:
    while True:
        order, _ = messages.receive(orders)
        if order is None:
            return
        try:
            fd = images.make(order["size_mb"])
        except OSError as error:
            messages.send(orders, {"failed": str(error)})
            return
        messages.send(orders, order, [fd])
        os.close(fd)

"""A program at a terminal, beside what runs in an environment and confined as that is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
import termios
from collections.abc import Sequence

from cumulet.compute.linux import syscalls
from cumulet.compute.sandbox import attendant, environment, messages, worlds


def start(
    order: messages.Message, init: int, own_pids: int, namespaces: Sequence[int], groups: Sequence[int], uid: int | None
) -> int:
    """The platform's end of the terminal. `order`: `programs` (the first that is there is run), `environment`, `folder`, `rows`
    and `columns`. The other arguments are of the environment: descriptors, and its user. Raises OSError."""
    terminal, inside = os.openpty()
    try:
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", order["rows"], order["columns"], 0, 0))

        def run() -> None:
            worlds.enter(namespaces)
            environment.join(list(groups))
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            environment.prepare(root=uid is not None)
            os.dup2(inside, 0)
            environment.confine(uid, 0)
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            syscalls.close_all_but([0, 1, 2])
            _become(order)

        attendant.start(init, own_pids, run)
    except BaseException:
        os.close(terminal)
        raise
    finally:
        os.close(inside)
    return terminal


def _become(order: messages.Message) -> None:
    variables = order["environment"]
    try:
        os.chdir(order["folder"])
    except OSError:
        os.chdir("/")
    for program in order["programs"]:
        with contextlib.suppress(OSError):
            os.execve(program, [program, "-i"], variables)  # noqa: S606 - a shell is what is wanted
    os.write(2, b"There is no shell in this image.\r\n")

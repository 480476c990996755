"""The Java runtime's process: a JVM that waits for its function, or starts with it."""

from __future__ import annotations

import fcntl
import os
import socket

from cumulet.compute.linux import syscalls
from cumulet.compute.runtimes.inside import command
from cumulet.compute.sandbox import messages

READY, ENVIRONMENT = command.CHANNEL, command.ORDERS
"""The descriptors of the JVM's pipes."""
_ROOT = "/var/task"
_FIRST_FREE = 10
_ROOM = {f"_{number:04}": "." * 10 for number in range(2100)}
"""Variables whose place a function's take: of 4 KB there are fewer, and with Lambda's own they are shorter."""


def warm(config: messages.Message) -> None:
    """Nothing to warm: a JVM shares nothing with the zygote."""


def run(orders: socket.socket, channel: socket.socket, start: messages.Message) -> None:
    """See `command.run`. A JVM that is started ahead cannot change its own folder, so a process that shares it does."""
    if not start:
        command.run(orders, channel, start)
        return
    command.restore_signals()
    ready, tell_ready = os.pipe()
    environment, give_environment = os.pipe()
    if syscalls.fork_with_same_folder() == 0:
        try:
            syscalls.close_all_but([0, 1, 2, orders.fileno(), ready, give_environment])
            _take_function(orders, ready, give_environment)
        finally:
            os._exit(0)
    os.chdir(_ROOT)
    spares = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for fd in (tell_ready, environment)]
    os.dup2(spares[0], READY)
    os.dup2(spares[1], ENVIRONMENT)
    os.execve(start["argv"][0], start["argv"], {**start["environment"], **_ROOM})  # noqa: S606 - no shell is wanted


def _take_function(orders: socket.socket, ready: int, give: int) -> None:
    """Wait for the JVM, then for the function; go to its folder, and give the JVM its environment."""
    if not os.read(ready, 1):
        return
    messages.send(orders, {})
    assignment, _ = messages.receive(orders)
    if assignment is None:
        return
    os.chdir(_ROOT)
    text = "".join(f"{name}={value}\0" for name, value in assignment["environment"].items()).encode()
    while text:
        text = text[os.write(give, text) :]

"""Messages between the platform, the supervisor, zygotes and environments: one JSON object and some descriptors each.

They travel on SOCK_SEQPACKET sockets, so a message arrives whole or not at all.
"""

from __future__ import annotations

import array
import errno
import json
import os
import socket
from collections.abc import Iterable
from typing import Any, Dict

MAX_BYTES = 1 << 16
_MAX_DESCRIPTORS = 32

Message = Dict[str, Any]


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def fits(message: Message) -> bool:
    """Whether `send` takes it."""
    return len(json.dumps(message)) <= MAX_BYTES


def send(channel: socket.socket, message: Message, descriptors: Iterable[int] = ()) -> None:
    """Raises OSError when the other side is gone or does not read, and for messages larger than MAX_BYTES."""
    fds = array.array("i", descriptors)
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)] if fds else []
    data = json.dumps(message).encode()
    if len(data) > MAX_BYTES:  # the other side would take a part of it
        raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
    channel.sendmsg([data], rights)


def receive(channel: socket.socket) -> tuple[Message | None, list[int]]:
    """The next message and its descriptors, which close on exec; None at the end of the channel."""
    space = socket.CMSG_SPACE(_MAX_DESCRIPTORS * 4)
    data, ancillary, _, _ = channel.recvmsg(MAX_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    fds = array.array("i")
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    return (json.loads(data) if data else None), list(fds)


def ending(status: int) -> Message:
    """How a process ended, from what `wait` gave: {"signal": n} or {"status": n}."""
    return {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"status": os.WEXITSTATUS(status)}

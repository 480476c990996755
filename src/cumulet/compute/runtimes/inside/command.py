"""Runtimes that are programs of their own: this becomes them, ahead of their function or once it is known."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from cumulet.compute.runtimes.inside import frames
from cumulet.compute.sandbox import messages

CHANNEL, ORDERS = 3, 4
"""The descriptors a program gets that speaks frames."""
_FIRST_FREE = 10
_NOT_FOUND = 127
"""How the shell ends that starts wrapper scripts on Lambda, where there is none."""


def warm(config: messages.Message) -> None:
    """Nothing to warm: what is exec'ed shares nothing with the zygote."""


def run(orders: socket.socket, channel: socket.socket, start: messages.Message) -> None:
    """Become the program now if `start` has one (`argv`, `environment`), else the one that the assignment names.

    An assignment has `programs` (the first that is there is run), `arguments`, `frames` (whether the program speaks
    them: it then finds the assignment at ORDERS) and `environment`.
    """
    restore_signals()
    if start:
        _hand_over(channel.fileno(), orders.fileno())
        os.execve(start["argv"][0], start["argv"], start["environment"])  # noqa: S606 - no shell is wanted
    messages.send(orders, {})
    assignment, _ = messages.receive(orders)
    if assignment is None:
        return
    environment = assignment["environment"]
    reason = _enter(assignment.get("folder") or environment["LAMBDA_TASK_ROOT"])
    program = next((path for path in assignment["programs"] if Path(path).is_file()), None)
    if program is None:
        reason = (
            reason
            or assignment.get("missing")
            or f"Couldn't find valid bootstrap(s): [{' '.join(assignment['programs'])}]"
        )
    elif not reason:
        spare = fcntl.fcntl(channel.fileno(), fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
        if assignment["frames"]:
            _hand_over(channel.fileno(), _as_pipe(assignment))
        channel = socket.socket(fileno=spare)
        reason = _execute(program, [assignment.get("name") or program, *assignment["arguments"]], environment)
    frames.Frames(channel).send(frames.NOT_STARTED, reason.encode())


def give(assignment: messages.Message, channel: socket.socket) -> None:
    """Put the assignment and the channel where the program that is started next looks for them."""
    _hand_over(channel.fileno(), _as_pipe(assignment))


def restore_signals() -> None:
    """What Python ignores by habit, programs expect as the kernel has it."""
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_DFL)


def _enter(folder: str) -> str:
    """Why it could not be; empty when it was."""
    try:
        os.chdir(folder)
    except OSError as error:
        return f"chdir {folder}: {os.strerror(error.errno or errno.EIO).lower()}"
    return ""


def _execute(program: str, argv: list[str], environment: Mapping[str, str]) -> str:
    """Why it could not be."""
    try:
        os.execve(program, argv, environment)  # noqa: S606 - no shell is wanted
    except OSError as error:
        return f"fork/exec {program}: {os.strerror(error.errno or errno.EIO).lower()}"
    except ValueError:  # a zero byte in what it is to be told
        return f"fork/exec {program}: {os.strerror(errno.EINVAL).lower()}"


def _as_pipe(assignment: messages.Message) -> int:
    """A descriptor to read the assignment from; one message fits into a pipe."""
    reading, writing = os.pipe()
    os.write(writing, json.dumps(assignment).encode())
    os.close(writing)
    return reading


def _hand_over(channel: int, orders: int) -> None:
    """Put both where the program looks for them; whatever else is open closes when it starts."""
    spares = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE) for fd in (channel, orders)]
    os.dup2(spares[0], CHANNEL)
    os.dup2(spares[1], ORDERS)

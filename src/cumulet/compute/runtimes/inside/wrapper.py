"""Wrapper scripts: they start a function's runtime in its place, with other arguments or another environment.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-modify.html#runtime-wrapper
"""

from __future__ import annotations

import errno
import os
import socket
import sys

from cumulet.compute.runtimes.inside import command
from cumulet.compute.sandbox import messages

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""How the shell that starts a runtime on Lambda ends when it cannot start the script."""


def begin(assignment: messages.Message, channel: socket.socket) -> None:
    """Become the function's wrapper script, which starts an interpreter of its own; does not return."""
    argv = [assignment["wrapper"], assignment["interpreter"], assignment["bootstrap"]]
    os.chdir(assignment["root"])
    command.restore_signals()
    command.give(assignment, channel)
    try:
        os.execve(argv[0], argv, assignment["environment"])  # noqa: S606 - no shell is wanted
    except OSError as error:
        end(argv[0], error)


def end(path: str, error: OSError) -> None:
    """Say why the script could not be started, and end as the shell that would have started it."""
    print(f"{path}: {os.strerror(error.errno or errno.EIO)}", file=sys.stderr, flush=True)  # noqa: T201 - the function's log
    os._exit(_NOT_FOUND if error.errno == errno.ENOENT else _NOT_EXECUTABLE)

"""External extensions from the inside: started by an environment's attendant, before its runtime goes on.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-extensions-api.html
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from cumulet.compute.linux import syscalls
from cumulet.compute.sandbox import messages

FOLDER = "/opt/extensions"
MOST = 10
_OF_THE_RUNTIME = frozenset({
    "AWS_EXECUTION_ENV", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT", "_AWS_XRAY_DAEMON_ADDRESS",
    "_AWS_XRAY_DAEMON_PORT", "_HANDLER",
})  # fmt: skip
"""Variables that extensions do not get."""


class Member:
    """An extension's process; `error` says why it could not be started (its pid is 0 then)."""

    def __init__(self, name: str, pid: int, output: int, error: str) -> None:
        self.name = name
        self.pid = pid
        self.output = output
        self.error = error


def find() -> list[str]:
    """The files in /opt/extensions, in order of their names."""
    try:
        names = sorted(os.listdir(FOLDER))  # noqa: PTH208 - one module less in every environment
    except OSError:
        return []
    return [name for name in names if not os.path.isdir(f"{FOLDER}/{name}")]  # noqa: PTH112


def launch(names: list[str], environment: dict[str, str], confine: Callable[[int], None]) -> list[Member]:
    """Start each; `confine`, called in the new process with where its output goes, gives up what an extension may not."""
    variables = {name: value for name, value in environment.items() if name not in _OF_THE_RUNTIME}
    return [_launch(name, variables, confine) for name in names]


def report(channel: socket.socket, runtime: int, members: list[Member]) -> None:
    """Tell the platform of the runtime's and the extensions' processes, with a way to watch, end and hear each.

    `runtime` is a descriptor of its process.
    """
    started = [member for member in members if member.pid]
    processes = [syscalls.pidfd_open(member.pid) for member in started]
    outputs = [member.output for member in started]
    told = [{"name": member.name, "error": member.error} for member in members]
    messages.send(channel, {"extensions": told}, [runtime, *processes, *outputs])
    for fd in (*processes, *outputs):
        os.close(fd)


def _launch(name: str, environment: dict[str, str], confine: Callable[[int], None]) -> Member:
    reading, writing = os.pipe()
    failing, failed = os.pipe()  # closes when the program starts; a number comes when it does not
    pid = os.fork()
    if pid == 0:
        try:
            confine(writing)
            os.chdir("/")
            path = f"{FOLDER}/{name}"
            os.execve(path, [path], environment)  # noqa: S606 - no shell is wanted
        except OSError as error:
            os.write(failed, str(error.errno or errno.EIO).encode())
        finally:
            os._exit(1)
    os.close(writing)
    os.close(failed)
    number = os.read(failing, 16)
    os.close(failing)
    if not number:
        return Member(name, pid, reading, "")
    os.close(reading)
    os.waitpid(pid, 0)
    return Member(name, 0, -1, "PermissionDenied" if int(number) == errno.EACCES else "UnknownError")

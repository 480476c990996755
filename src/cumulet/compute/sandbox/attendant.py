"""What an environment with extensions has beside its runtime: the process that starts them and tells how they end.

It is forked by the supervisor into the namespaces of the runtime's process, and only where a function brings extensions.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable

from cumulet.compute.linux import syscalls
from cumulet.compute.sandbox import environment, extensions, messages


def start(init: int, own_pids: int, work: Callable[[], None]) -> None:
    """Fork a process into the pid namespace of `init` that does `work`, and ends."""
    syscalls.setns(init, syscalls.CLONE_NEWPID)
    try:
        if os.fork() == 0:
            try:
                work()
            except BaseException:  # noqa: BLE001 - nothing may return into the supervisor's loop
                traceback.print_exc(file=sys.stderr)
            finally:
                os._exit(0)
    finally:
        syscalls.setns(own_pids, syscalls.CLONE_NEWPID)


def run(
    report: socket.socket, runtime: int, groups: list[int], uid: int | None, names: list[str], variables: dict[str, str]
) -> None:
    """In the namespaces of the environment. `runtime` is a descriptor of its process, `groups` those of control groups."""
    environment.join(groups)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    syscalls.close_all_but([0, 1, 2, report.fileno(), runtime])
    environment.prepare(root=uid is not None)
    members = extensions.launch(names, variables, lambda output: environment.confine(uid, output))
    environment.give_up()
    extensions.report(report, runtime, members)
    os.close(runtime)
    running = {member.pid: member.name for member in members if member.pid}
    while running:
        pid, status = os.waitpid(-1, 0)
        if pid in running:
            messages.send(report, {"ended": running.pop(pid), **messages.ending(status)})

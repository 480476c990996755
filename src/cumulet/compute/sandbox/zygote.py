"""A warmed process that environments are forked from: one for each runtime, inside that runtime's root file system.

It has one thread, no open sockets but its own, and never runs a function's code. Another one that has more loaded can
grow from it, as a fork.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable

from cumulet.compute.linux import syscalls
from cumulet.compute.sandbox import environment, messages


def main(config: messages.Message) -> None:
    """Serve orders from the supervisor until it is gone. `config`: control (fd), runtime (module), preload (modules)."""
    syscalls.die_with_parent()
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)  # environments stay below it, however they are forked
    syscalls.name_process("cumulet-zygote")
    control = socket.socket(fileno=config["control"])
    syscalls.close_all_but([0, 1, 2, control.fileno(), config["pid_namespace"]])
    _serve(config, control)


def _serve(config: messages.Message, control: socket.socket) -> None:
    runtime = importlib.import_module(config["runtime"])
    runtime.warm(config)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by the kernel; who cares has a pidfd
    own_pids = config["pid_namespace"]
    gc.collect()
    gc.disable()
    gc.freeze()
    messages.send(control, {"ready": True, "baseline": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024})
    while True:
        order, fds = messages.receive(control)
        if order is None:
            return
        if "grow" in order:
            _fork_zygote({**config, **order["grow"]}, fds[0], control)
        else:
            _fork_environment(order, fds, own_pids, control, runtime.run)
        for fd in fds:
            os.close(fd)


def _fork_zygote(config: messages.Message, control: int, own: socket.socket) -> None:
    def child() -> None:
        syscalls.die_with_parent()
        own.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        gc.enable()
        _serve(config, socket.socket(fileno=control))

    _fork(child)


def _fork_environment(
    order: messages.Message, fds: list[int], own_pids: int, control: socket.socket, start: environment.StartRuntime
) -> None:
    def child() -> None:
        control.close()
        os.close(own_pids)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        environment.run(order, fds, start)

    if order["uid"] is None:  # a user namespace's root may not return to the pid namespace it came from
        _fork(lambda: _fork_in_new_namespace(child))
    else:
        _fork_in_new_namespace(child)
        syscalls.setns(own_pids, syscalls.CLONE_NEWPID)


def _fork_in_new_namespace(child: Callable[[], None]) -> None:
    syscalls.unshare(syscalls.CLONE_NEWPID)
    _fork(child)


def _fork(child: Callable[[], None]) -> int:
    """Fork a child that runs `child` and ends, whatever happens in it."""
    pid = os.fork()
    if pid == 0:
        try:
            child()
        except BaseException:  # noqa: BLE001 - nothing may return into the zygote's loop
            traceback.print_exc(file=sys.stderr)
        finally:
            os._exit(98)
    return pid

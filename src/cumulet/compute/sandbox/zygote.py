"""A warmed process that environments are forked from: one for each runtime, inside that runtime's root file system.

It has one thread, no open sockets but its own, and never runs a function's code. Another one that has more loaded can
grow from it, as a fork.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable

from cumulet.compute.linux import syscalls
from cumulet.compute.sandbox import after_fork, environment, messages, worlds

_OTHERS = 5


def main(config: messages.Message) -> None:
    """Serve orders from the supervisor until it is gone.

    `config`: control (fd), namespaces (its own: pid, mount, ipc, uts, net), root (whether it is), runtime (module).
    """
    syscalls.name_process("cumulet-zygote")
    control = socket.socket(fileno=config["control"])
    syscalls.close_all_but([0, 1, 2, control.fileno(), *config["namespaces"]])
    environment.prepare(root=config["root"])
    after_fork.keep()
    _serve(config, control)


def _serve(config: messages.Message, control: socket.socket) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    runtime = importlib.import_module(config["runtime"])
    runtime.warm(config)
    gc.collect()
    gc.disable()
    gc.freeze()
    try:
        messages.send(control, {"ready": True, "baseline": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024})
        Zygote(config, control, runtime.run).serve()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the supervisor is gone


class Zygote:
    """`start` runs the runtime in an environment. A function may leave it children that it did not fork."""

    def __init__(self, config: messages.Message, control: socket.socket, start: environment.StartRuntime) -> None:
        self._config = config
        self._control = control
        self._start = start
        self._own_pids, *self._own = config["namespaces"]
        self._environments: dict[int, str] = {}
        """The ids of those that run, by the pids of their runtimes."""

    def serve(self) -> None:
        """Take orders until the supervisor is gone."""
        self._reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        waiting = select.poll()
        waiting.register(self._reading, select.POLLIN)
        waiting.register(self._control.fileno(), select.POLLIN)
        while True:
            for fd, _ in waiting.poll():
                if fd == self._reading:
                    os.read(fd, 4096)
                    self._reap()
                elif not self._obey():
                    return

    def _obey(self) -> bool:
        try:
            order, fds = messages.receive(self._control)
        except ConnectionError:  # it went without hearing all that was said to it
            return False
        if order is None:
            return False
        if "grow" in order:
            self._fork(lambda: self._grow({**self._config, **order["grow"]}, fds[0]))
        else:
            self._fork_environment(order, fds)
        for fd in fds:
            os.close(fd)
        return True

    def _grow(self, config: messages.Message, control: int) -> None:
        syscalls.close_all_but([0, 1, 2, control, self._own_pids, *self._own])
        gc.enable()
        _serve(config, socket.socket(fileno=control))

    def _fork_environment(self, order: messages.Message, fds: list[int]) -> None:
        """The first descriptors are of the first process of its pid namespace, and of its other namespaces."""
        ended = {"ended": order["id"], "signal": 9}
        try:
            syscalls.setns(fds[0], syscalls.CLONE_NEWPID)
            worlds.enter(fds[1:_OTHERS])
            pid = self._fork(lambda: environment.run(order, fds[_OTHERS:], self._start))
        except OSError as error:  # that process has been killed
            messages.send(self._control, {**ended, "why": str(error)})
            return
        finally:
            syscalls.setns(self._own_pids, syscalls.CLONE_NEWPID)
            worlds.enter(self._own)
        self._environments[pid] = order["id"]
        itself = syscalls.pidfd_open(pid)
        messages.send(self._control, {"forked": order["id"]}, [itself])
        os.close(itself)

    def _reap(self) -> None:
        """Everything that has ended, and say so of environments' runtimes."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            id_ = self._environments.pop(pid, None)
            if id_ is not None:
                messages.send(self._control, {"ended": id_, **messages.ending(status)})

    def _fork(self, child: Callable[[], None]) -> int:
        """Fork a child that runs `child` and ends, whatever happens in it."""
        pid = os.fork()
        if pid == 0:
            try:
                signal.set_wakeup_fd(-1)
                syscalls.reset_signal(signal.SIGCHLD)
                self._control.close()
                child()
            except BaseException:  # noqa: BLE001 - nothing may return into the zygote's loop
                traceback.print_exc(file=sys.stderr)
            finally:
                os._exit(98)
        return pid

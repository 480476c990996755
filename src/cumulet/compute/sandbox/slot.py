"""One environment as the supervisor has it, from its order until it is freed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Sequence

from cumulet.compute.linux import cgroup, syscalls
from cumulet.compute.sandbox import attendant, extensions, file_systems, machine, messages, shell, worlds


class Slot:
    """`channels` are the ways to the node and to the runtime's process, `init` is the descriptor of the first process of
    its pid namespace, `own` the supervisor's place."""

    def __init__(
        self,
        group: cgroup.Group,
        zygote: str,
        channels: tuple[socket.socket, socket.socket],
        init: int,
        world: worlds.World,
        uid: int | None,
        own: worlds.Own,
        *,
        on_disk: bool,
    ) -> None:
        self.zygote = zygote
        self.report = channels[0]
        self.orders: socket.socket | None = channels[1]
        self.on_disk = on_disk
        self.group = group
        self._init = init
        self._world = world
        self._uid = uid
        self._own = own
        self._runtime = -1
        self._ready = False
        self._assignment: messages.Message | None = None
        self._extended = False
        self._machine: machine.FileSystem | None = None

    @property
    def uid(self) -> int | None:
        """The user on the machine that it runs as; None where that is the only one there is."""
        return self._uid

    def forked(self, runtime: int) -> None:
        """It has a process now, of this descriptor."""
        self._runtime = runtime
        self._tell_ready()

    def hear_runtime(self) -> bool:
        """Take the message that its process is ready. False: no more will come."""
        assert self.orders is not None
        with contextlib.suppress(OSError):
            self._ready = messages.receive(self.orders)[0] is not None
            self._tell_ready()
        return False

    def hear_node(self) -> bool:
        """Do what the node asks of this environment. False when it is done with it."""
        try:
            order, _ = messages.receive(self.report)
        except OSError:
            order = None
        if order is None:
            return False
        if "shell" in order:
            self._give_shell(order)
        elif "socket" in order:
            self._give_socket(order)
        elif "process" in order:
            self._tell({"runtime": True}, [self._runtime])
        elif "go" in order and self._assignment is not None:
            self._go(self._assignment)
        return True

    def assign(self, mounts: Sequence[tuple[str, int]], tmp_in_memory: int, assignment: messages.Message) -> None:
        """Mount the function's folders and let its process go on, once extensions that it brings have registered."""
        self._check_ready()
        with self._own.inside(self._world.mounts, syscalls.CLONE_NEWNS):
            file_systems.make_places([target for target, _ in mounts])
            for target, fd in mounts:
                syscalls.move_mount(fd, target)
            if tmp_in_memory:
                worlds.mount_memory_tmp(tmp_in_memory)
            names = extensions.find()
        if names:
            self._start_extensions(names, assignment)
        else:
            self._go(assignment)

    def become(self, made: machine.FileSystem, code: int, assignment: messages.Message) -> None:
        """Have it run in a file system of its own, with the folder `code` mounted where that is one, and let its process go on."""
        self._check_ready()
        self._machine = made
        with self._own.inside(self._world.mounts, syscalls.CLONE_NEWNS):
            made.enter(code)
        self._go(assignment)

    @property
    def machine(self) -> machine.FileSystem | None:
        """Its own file system, where it has one."""
        return self._machine

    def _check_ready(self) -> None:
        if self.orders is None or not self._ready:
            raise OSError("it ended before it had a function")

    def ended(self, how: messages.Message) -> None:
        """Its runtime's process is gone. What else runs in it goes too, except that extensions are given time."""
        self._tell(how)
        if not self._extended:
            self.kill()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            syscalls.pidfd_send_signal(self._init, signal.SIGKILL)

    def close(self) -> None:
        self.kill()
        self.report.close()
        if self.orders is not None:
            self.orders.close()
        self._world.close()
        if self._machine is not None:
            self._machine.close()
        _close([fd for fd in (self._init, self._runtime) if fd >= 0])

    def _tell_ready(self) -> None:
        if self._ready and self._runtime >= 0:
            listeners = [listener.fileno() for listener in self._world.listeners]
            self._tell({"ready": True}, [self._init, self._runtime, *listeners])
            self._world.close_listeners()

    def _go(self, assignment: messages.Message) -> None:
        assert self.orders is not None
        orders, self.orders, self._assignment = self.orders, None, None
        if self._machine is None:
            self._world.keep_network()
        with contextlib.suppress(OSError), orders:  # it ended: that is told
            messages.send(orders, assignment)

    def _start_extensions(self, names: list[str], assignment: messages.Message) -> None:
        self._extended = True
        self._assignment = assignment
        groups = self.group.entries()
        variables = assignment["environment"]

        def attend() -> None:
            worlds.enter(self._world.namespaces)
            attendant.run(self.report, self._runtime, groups, self._uid, names, variables)

        attendant.start(self._init, self._own.pids, attend)
        _close(groups)

    def _give_socket(self, order: messages.Message) -> None:
        """A socket of the environment's network, which the node connects with its own patience."""
        try:
            with self._own.inside(self._world.network, syscalls.CLONE_NEWNET), socket.socket() as made:
                self._tell({"socket": order["socket"]}, [made.fileno()])
        except OSError:
            self._tell({"socket": order["socket"]})

    def _give_shell(self, order: messages.Message) -> None:
        """A terminal at which a program of the order has been started, in a machine alone."""
        try:
            terminal = self._start_shell(order["shell"])
        except OSError:
            self._tell({"socket": order["socket"]})
            return
        self._tell({"socket": order["socket"]}, [terminal])
        os.close(terminal)

    def _start_shell(self, order: messages.Message) -> int:
        if self._machine is None:
            raise OSError("shells are for machines")
        groups = self.group.entries()
        try:
            return shell.start(order, self._init, self._own.pids, self._world.namespaces, groups, self._uid)
        finally:
            _close(groups)

    def _tell(self, message: messages.Message, fds: Sequence[int] = ()) -> None:
        with contextlib.suppress(OSError):  # the node is done with it
            messages.send(self.report, message, fds)


def _close(descriptors: Sequence[int]) -> None:
    for fd in descriptors:
        os.close(fd)

"""The process that makes environments: it alone holds the machine's view of the file system and the control groups.

The node orders over one socket; zygotes, one a runtime, fork what it orders. It ends when the node does, and takes
everything with it.

Orders (`op`): `runtime` starts a zygote; `end` ends one; `grow` has one fork another that loads more; `slot` makes an
environment's groups and has a zygote fork it; `assign` mounts a function's folders into one; `free` removes what a dead
environment leaves. Reports to the node: `up`, `zygote`, `failed`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import json
import os
import resource
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Mapping

from cumulet.compute.linux import cgroup, probe, rootfs, syscalls
from cumulet.compute.sandbox import capture, disks, file_systems, inits, machine, messages, network, slot, worlds

_FIRST_UID = 200_000
_UIDS = 60_000
_MAX_PROCESSES = 1024
_REMOVE_RETRY = 0.02
_ABANDONED_AFTER = 60.0
"""Seconds: a folder whose node has yet to hold it is younger."""
_ENDING_TIMEOUT = 30.0
"""Seconds for the processes of environments to be gone: on a busy machine some take long."""
_READ_ONLY = syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV


class Zygote:
    """The supervisor's end of a zygote, and the mount namespace with its runtime's files."""

    def __init__(self, control: socket.socket, root: int = -1) -> None:
        self.control = control
        self.root = root

    def close(self) -> None:
        self.control.close()
        if self.root >= 0:
            os.close(self.root)


class Supervisor:
    """State: the zygotes by runtime, and the environments."""

    def __init__(
        self, config: messages.Message, node: socket.socket, hierarchy: cgroup.Hierarchy, networks: socket.socket
    ) -> None:
        self._node = node
        self._root: bool = config["root"]
        self._ports: list[int] = config["ports"]
        self._platform_ports: list[int] = config["platform_ports"]
        self._resolver: str = config["resolver"]
        self._binds: list[tuple[str, str]] = config["binds"]
        self._hierarchy = hierarchy
        self._zygotes: dict[str, Zygote] = {}
        self._slots: dict[str, slot.Slot] = {}
        self._leaving: list[cgroup.Group] = []
        self._count = 0
        self._selector = selectors.DefaultSelector()
        self._own = worlds.Own()
        self._inits = inits.Inits()
        self._place = f"{config['folder']}/root"
        os.makedirs(self._place, exist_ok=True)  # noqa: PTH103 - keeps start-up free of more modules
        memory_counts = cgroup.MEMORY in hierarchy.controllers  # if not, /tmp may as well be memory
        self._disks = disks.Disks(config["folder"], possible=self._root and memory_counts)
        self._networks = network.Networks(networks, self._on_platform)
        self._ordered: set[str] = set()

    def serve(self) -> None:
        """Take orders until the node closes its end."""
        self._selector.register(self._node, selectors.EVENT_READ, self._on_order)
        for maker in (self._disks, self._networks):
            self._selector.register(maker.channel, selectors.EVENT_READ, functools.partial(self._on_maker, maker))
        running = True
        while running:
            for key, _ in self._selector.select(_REMOVE_RETRY if self._leaving else None):
                running = key.data() and running
            self._leaving = [group for group in self._leaving if not group.remove()]

    def close(self) -> None:
        """End every zygote, which ends every environment, and remove their groups: none else, which a node that has
        this one's name by now may have made."""
        groups = [*self._leaving, *(one.group for one in self._slots.values())]
        for one in self._slots.values():
            one.close()
        for zygote in self._zygotes.values():
            zygote.close()
        self._networks.close()
        deadline = time.monotonic() + _ENDING_TIMEOUT
        while (groups := [group for group in groups if not group.end()]) and time.monotonic() < deadline:
            time.sleep(_REMOVE_RETRY)
        self._hierarchy.remove()

    def _on_order(self) -> bool:
        order, fds = messages.receive(self._node)
        if order is None:
            return False
        try:
            getattr(self, "_op_" + order["op"])(order, fds)
        except OSError as error:
            self._failed(order, error)
        finally:
            for fd in fds:
                os.close(fd)
        return True

    def _failed(self, order: messages.Message, error: OSError) -> None:
        messages.send(self._node, {"report": "failed", "of": order["op"], "id": order["id"], "why": str(error)})

    def _op_runtime(self, order: messages.Message, fds: list[int]) -> None:
        del fds
        here, there = messages.pair()
        if os.fork() == 0:
            try:
                self._become_zygote(order, there)
            except BaseException as error:  # noqa: BLE001 - nothing may return into the supervisor's loop
                messages.send(there, {"ready": False, "why": str(error)})
            finally:
                os._exit(98)
        there.close()
        self._know(str(order["id"]), Zygote(here))

    def _op_end(self, order: messages.Message, fds: list[int]) -> None:
        """A zygote that is not wanted any more; its end is heard as of one that ended by itself."""
        del fds
        zygote = self._zygotes.get(order["id"])
        if zygote is not None:
            zygote.control.shutdown(socket.SHUT_RDWR)

    def _op_grow(self, order: messages.Message, fds: list[int]) -> None:
        del fds
        lean = self._zygotes.get(order["lean"])
        if lean is None:
            raise OSError(f"no zygote runs for {order['lean']}")
        here, there = messages.pair()
        with there:
            messages.send(lean.control, {"grow": order["config"]}, [there.fileno()])
        self._know(str(order["id"]), Zygote(here, os.dup(lean.root)))

    def _know(self, name: str, zygote: Zygote) -> None:
        self._zygotes[name] = zygote
        self._selector.register(zygote.control, selectors.EVENT_READ, lambda: self._on_zygote(name, zygote.control))

    def _become_zygote(self, order: messages.Message, control: socket.socket) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        loaded = None
        if not order["argv"]:  # what it needs is loaded before the machine's files are gone
            runtime = importlib.import_module("cumulet.compute.runtimes.inside." + order["module"])
            loaded = importlib.import_module("cumulet.compute.sandbox.zygote"), runtime.__name__
        if order["root"]:
            rootfs.build_image(self._place, order["root"], self._resolver, keep_proc=not self._root)
        else:
            rootfs.build(self._place, [*order["binds"], *self._binds], self._resolver, keep_proc=not self._root)
        namespaces = self._own.here()
        messages.send(control, {"root": True}, [namespaces[1]])
        if loaded is not None:
            zygote, name = loaded
            config = {"control": control.detach(), "runtime": name, "root": self._root, "namespaces": namespaces}
            zygote.main(config)
            return
        for fd in (control.fileno(), *namespaces):
            os.set_inheritable(fd, True)
        values = {"{control}": control.fileno(), "{namespaces}": namespaces, "{root}": self._root}
        argv = [_fill(text, values) for text in order["argv"]]
        os.execve(argv[0], argv, order["environment"])  # noqa: S606 - no shell is wanted

    def _on_zygote(self, name: str, control: socket.socket) -> bool:
        try:
            message, fds = messages.receive(control)
        except OSError:
            message, fds = None, []
        if message is not None and "ready" not in message:
            if "root" in message:
                self._zygotes[name].root = fds[0]
            else:
                self._on_environment(message, fds)
            return True
        if message is None:
            message = {"ready": False, "why": "the zygote ended"}
        if not message["ready"]:
            self._selector.unregister(control)
            self._zygotes.pop(name).close()
            for one in self._slots.values():
                if one.zygote == name:
                    one.ended({"signal": 9})
        messages.send(self._node, {"report": "zygote", "id": name, **message})
        return True

    def _on_environment(self, message: messages.Message, fds: list[int]) -> None:
        """A zygote has forked one's process, or that has ended."""
        one = self._slots.get(message.pop("ended", None) or message.pop("forked", None))
        if one is None:
            for fd in fds:
                os.close(fd)
        elif fds:
            one.forked(fds[0])
        else:
            one.ended(message)

    def _on_maker(self, maker: disks.Disks | network.Networks) -> bool:
        if not maker.receive():
            # At its end a channel stays readable: watched on, it would keep a processor busy for nothing.
            self._selector.unregister(maker.channel)
        return True

    def _on_platform(self, fds: list[int]) -> None:
        messages.send(self._node, {"report": "platform"}, fds)

    def _op_slot(self, order: messages.Message, fds: list[int]) -> None:
        """Waits for a network, so keeps copies of the descriptors."""
        kept = [os.dup(fd) for fd in fds]
        self._ordered.add(order["id"])

        def go_on(network: int) -> None:
            try:
                if order["id"] in self._ordered:
                    self._ordered.remove(order["id"])
                    self._slot(order, kept, network)
            except OSError as error:
                self._failed(order, error)
            finally:
                for fd in kept:
                    os.close(fd)

        self._networks.take(go_on)

    def _slot(self, order: messages.Message, fds: list[int], network: int) -> None:
        zygote = self._zygotes.get(order["runtime"])
        if zygote is None:
            raise OSError(f"no zygote runs for {order['runtime']}")
        group = self._hierarchy.group(order["id"])
        group.create(_MAX_PROCESSES)
        report, channel, log = fds
        self._count += 1
        uid = _FIRST_UID + self._count % _UIDS if self._root else None
        disk = self._disks.take()
        try:
            ports = [*order["ports"], *self._ports]
            world = self._own.make(zygote.root, disk, network, uid, ports, self._platform_ports)
        finally:
            if disk is not None:
                os.close(disk)
        here, there = messages.pair()
        init, reporting = self._inits.make(), socket.socket(fileno=os.dup(report))
        zygote_name, on_disk = order["runtime"], disk is not None
        made = slot.Slot(group, zygote_name, (reporting, here), init, world, uid, self._own, on_disk=on_disk)
        self._slots[order["id"]] = made
        entries = group.entries()
        told = {"id": order["id"], "uid": uid, "start": order["start"]}
        try:
            given = [init, *world.namespaces, there.fileno(), channel, log, *entries]
            messages.send(zygote.control, told, given)
        finally:
            there.close()
            for fd in entries:
                os.close(fd)
        self._selector.register(here, selectors.EVENT_READ, lambda: self._on_slot(here, made.hear_runtime))
        self._selector.register(made.report, selectors.EVENT_READ, lambda: self._on_slot(made.report, made.hear_node))

    def _on_slot(self, channel: socket.socket, hear: Callable[[], bool]) -> bool:
        if not hear():
            with contextlib.suppress(KeyError, ValueError):  # freed since it was found readable
                self._selector.unregister(channel)
        return True

    def _op_assign(self, order: messages.Message, fds: list[int]) -> None:
        del fds
        on_disk = self._slots[order["id"]].on_disk
        if not on_disk:
            self._assign(order, "memory", -1)
        elif "machine" in order:
            self._disks.make(order["tmp_mb"], lambda fd: self._assign(order, "memory" if fd < 0 else "disk", fd))
        elif order["tmp_mb"] == disks.USUAL_MB:
            self._assign(order, "disk", -1)
        else:
            self._disks.make(order["tmp_mb"], lambda fd: self._assign(order, "memory" if fd < 0 else "disk", fd))

    def _assign(self, order: messages.Message, tmp: str, disk: int) -> None:
        """Mount the function's folders and start it; /tmp in memory is allowed on top of the function's own."""
        one = self._slots.get(order["id"])
        if one is None:
            return
        if "machine" in order:
            self._assign_machine(one, order, disk)
            return
        in_memory = order["tmp_mb"] if tmp == "memory" else 0
        mounts: list[tuple[str, int]] = [("/tmp", disk)] if disk >= 0 else []  # noqa: S108 - the sandbox's own
        try:
            self._hierarchy.group(order["id"]).limit_memory(order["memory"] + (in_memory << 20))
            if order["code"]:  # an image has its own
                mounts.append(("/var/task", _read_only_tree(order["code"])))
            if order["layers"]:
                mounts.append(("/opt", self._layers(order["layers"])))
            mounts += file_systems.open_mounts(order.get("file_systems", ()), one.uid)
            one.assign(mounts, in_memory, order["assignment"])
        except OSError as error:
            self._failed(order, error)
        finally:
            for _, fd in mounts:
                if fd != disk:
                    os.close(fd)

    def _assign_machine(self, one: slot.Slot, order: messages.Message, disk: int) -> None:
        """A file system of its own, on a disk or, where there are none, in memory beyond the program's own."""
        code = -1
        try:
            in_memory = 0 if disk >= 0 else order["tmp_mb"]
            self._hierarchy.group(order["id"]).limit_memory(order["memory"] + (in_memory << 20))
            made = machine.make(self._place, disk, in_memory, order["machine"], one.uid)
            if order["code"]:
                code = _read_only_tree(order["code"])
            try:
                one.become(made, code, order["assignment"])
            except BaseException:
                made.close()
                raise
        except OSError as error:
            self._failed(order, error)
        finally:
            if code >= 0:
                os.close(code)

    def _op_capture(self, order: messages.Message, fds: list[int]) -> None:
        """Copy what a machine has written, in a process of its own, which tells of its end."""
        del fds
        one = self._slots.get(order["id"])
        if one is None or one.machine is None:
            raise OSError("there is no such machine")
        if os.fork() == 0:
            told = {"report": "captured", "id": order["id"], "why": "it could not be copied", "size": 0}
            try:
                told |= {"size": capture.copy(one.machine.disk, order["to"], order["limit"]), "why": ""}
            except (OSError, ValueError, RecursionError) as error:
                told["why"] = str(error) or type(error).__name__
            finally:
                with contextlib.suppress(OSError):
                    messages.send(self._node, told)
                os._exit(0)

    def _layers(self, layers: list[str]) -> int:
        if len(layers) == 1:
            return _read_only_tree(layers[0])
        lower = ":".join(reversed(layers))
        syscalls.mount("overlay", self._place, "overlay", syscalls.MS_RDONLY, f"lowerdir={lower}")
        try:
            return _read_only_tree(self._place)
        finally:
            syscalls.unmount(self._place)

    def _op_free(self, order: messages.Message, fds: list[int]) -> None:
        del fds
        self._ordered.discard(order["id"])
        gone = self._slots.pop(order["id"], None)
        if gone is not None:
            for channel in (gone.report, gone.orders):
                if channel is not None and channel.fileno() in self._selector.get_map():
                    self._selector.unregister(channel)
            gone.close()
        group = self._hierarchy.group(order["id"])
        if not group.remove():
            group.kill()
            self._leaving.append(group)


def _fill(text: str, values: Mapping[str, object]) -> str:
    for name, value in values.items():
        text = text.replace(name, json.dumps(value))
    return text


def _read_only_tree(path: str) -> int:
    fd = syscalls.open_tree(path)
    try:
        syscalls.restrict_mount(fd, _READ_ONLY)
    except OSError:
        os.close(fd)
        raise
    return fd


def main(config: messages.Message) -> None:
    """Run until the node ends. `config`: node (fd), name, root, ports, resolver, folder, and what
    `network.Router` takes.

    The supervisor is the first of a pid namespace: when it ends, however that comes, so does everything that it made.
    The process that was started makes networks, and cleans up after them.
    """
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    node = socket.socket(fileno=config["node"])
    node.set_inheritable(False)  # nobody else may speak to the node as the supervisor
    if missing := probe.missing():
        messages.send(node, {"report": "up", "missing": missing})
        return
    _raise_descriptors()
    hierarchy = cgroup.find(config["name"])
    while not hierarchy.hold():
        hierarchy = cgroup.find(config["name"])
    hierarchy.sweep()
    if not config["root"]:
        probe.enter_user_namespace()
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    networks, orders = messages.pair()
    pid = syscalls.fork_in_new_pid_namespace()
    if pid == 0:
        try:
            orders.close()
            _supervise(config, node, hierarchy, networks)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the node is gone
        except BaseException:  # noqa: BLE001 - nothing may return from here
            traceback.print_exc(file=sys.stderr)
        finally:
            os._exit(0)
    networks.close()
    node.close()
    network.serve(config, orders)
    os.waitpid(pid, 0)


def _supervise(
    config: messages.Message, node: socket.socket, hierarchy: cgroup.Hierarchy, networks: socket.socket
) -> None:
    syscalls.die_with_parent()
    syscalls.name_process("cumulet-super")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # what is left to it is reaped by the kernel
    if not config["root"]:  # nobody but root may come back to the machine's
        syscalls.unshare(syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWNET)
    supervisor = Supervisor(config, node, hierarchy, networks)
    messages.send(node, {"report": "up", "missing": "", "groups": hierarchy.describe()})
    hierarchy.sweep_abandoned(time.time() - _ABANDONED_AFTER)  # noqa: TID251 - as the kernel dates folders
    try:
        supervisor.serve()
    finally:
        supervisor.close()


def _raise_descriptors() -> None:
    """A few for each environment."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

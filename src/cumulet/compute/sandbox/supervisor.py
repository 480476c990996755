"""The process that makes environments: it alone holds the machine's view of the file system and the control groups.

The node orders over one socket; zygotes, one a runtime, fork what it orders. It ends when the node does, and takes
everything with it.

Orders (`op`): `runtime` starts a zygote; `grow` has one fork another that loads more; `slot` makes an environment's
groups and has a zygote fork it; `assign` mounts a function's folders into one; `free` removes what a dead environment
leaves. Reports to the node: `up`, `zygote`, `failed`.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import selectors
import signal
import socket
import time

from cumulet.compute.linux import cgroup, probe, rootfs, syscalls
from cumulet.compute.sandbox import disks, messages, network

_FIRST_UID = 200_000
_UIDS = 60_000
_MAX_PROCESSES = 1024
_REMOVE_RETRY = 0.02
_READ_ONLY = syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV


class Zygote:
    """The supervisor's end of a zygote; without `pid` where it grew from another, which it ends with."""

    def __init__(self, control: socket.socket, pid: int | None = None) -> None:
        self.control = control
        self.pid = pid


class Blank:
    """The way into an environment that has no function yet; whether its /tmp is a disk."""

    def __init__(self, orders: socket.socket, *, on_disk: bool) -> None:
        self.orders = orders
        self.on_disk = on_disk


class Supervisor:
    """State: the zygotes by runtime, and the way into each environment that has no function yet."""

    def __init__(self, config: messages.Message, node: socket.socket, hierarchy: cgroup.Hierarchy) -> None:
        self._node = node
        self._root: bool = config["root"]
        self._ports: list[int] = config["ports"]
        self._resolver: str = config["resolver"]
        self._hierarchy = hierarchy
        self._zygotes: dict[str, Zygote] = {}
        self._blanks: dict[str, Blank] = {}
        self._leaving: list[cgroup.Group] = []
        self._count = 0
        self._selector = selectors.DefaultSelector()
        self._pid_namespace = os.open("/proc/self/ns/pid", os.O_RDONLY)
        self._place = f"{config['folder']}/root"
        os.makedirs(self._place, exist_ok=True)  # noqa: PTH103 - keeps start-up free of more modules
        memory_counts = cgroup.MEMORY in hierarchy.controllers  # if not, /tmp may as well be memory
        self._disks = disks.Disks(config["folder"], possible=self._root and memory_counts)
        self._networks = network.Networks(config)
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
        """End every zygote, which ends every environment, and remove the groups."""
        for zygote in self._zygotes.values():
            zygote.control.close()
            if zygote.pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(zygote.pid, signal.SIGKILL)
        self._networks.close()
        deadline = time.monotonic() + 2.0
        while self._hierarchy.sweep() and time.monotonic() < deadline:
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
        pid = os.fork()
        if pid == 0:
            try:
                self._become_zygote(order, there)
            except BaseException as error:  # noqa: BLE001 - nothing may return into the supervisor's loop
                messages.send(there, {"ready": False, "why": str(error)})
            finally:
                os._exit(98)
        there.close()
        self._know(str(order["id"]), Zygote(here, pid))

    def _op_end(self, order: messages.Message, fds: list[int]) -> None:
        """A zygote that is not wanted any more; its end is heard as of one that ended by itself."""
        del fds
        zygote = self._zygotes.get(order["id"])
        if zygote is not None and zygote.pid is not None:
            os.kill(zygote.pid, signal.SIGKILL)

    def _op_grow(self, order: messages.Message, fds: list[int]) -> None:
        del fds
        lean = self._zygotes.get(order["lean"])
        if lean is None:
            raise OSError(f"no zygote runs for {order['lean']}")
        here, there = messages.pair()
        with there:
            messages.send(lean.control, {"grow": order["config"]}, [there.fileno()])
        self._know(str(order["id"]), Zygote(here))

    def _know(self, name: str, zygote: Zygote) -> None:
        self._zygotes[name] = zygote
        self._selector.register(zygote.control, selectors.EVENT_READ, lambda: self._on_zygote(name, zygote.control))

    def _become_zygote(self, order: messages.Message, control: socket.socket) -> None:
        syscalls.die_with_parent()
        if not order["argv"]:  # what it needs is loaded before the machine's files are gone
            zygote = importlib.import_module("cumulet.compute.sandbox.zygote")
            runtime = importlib.import_module("cumulet.compute.runtimes.inside." + order["module"])
            if order["root"]:
                rootfs.build_image(self._place, order["root"], self._resolver, keep_proc=not self._root)
            else:
                rootfs.build(self._place, order["binds"], self._resolver, keep_proc=not self._root)
            config = {"control": control.detach(), "pid_namespace": self._pid_namespace, "runtime": runtime.__name__}
            zygote.main(config)
            return
        rootfs.build(self._place, order["binds"], self._resolver, keep_proc=not self._root)
        for fd in (control.fileno(), self._pid_namespace):
            os.set_inheritable(fd, True)
        argv = [
            text.replace("{control}", str(control.fileno())).replace("{pids}", str(self._pid_namespace))
            for text in order["argv"]
        ]
        os.execve(argv[0], argv, order["environment"])  # noqa: S606 - no shell is wanted

    def _on_zygote(self, name: str, control: socket.socket) -> bool:
        try:
            message, _ = messages.receive(control)
        except OSError:
            message = None
        if message is None:
            message = {"ready": False, "why": "the zygote ended"}
        if not message["ready"]:
            self._selector.unregister(control)
            control.close()
            zygote = self._zygotes.pop(name)
            if zygote.pid is not None:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(zygote.pid, 0)
        messages.send(self._node, {"report": "zygote", "id": name, **message})
        return True

    def _on_maker(self, maker: disks.Disks | network.Networks) -> bool:
        if not maker.receive():
            # At its end a channel stays readable: watched on, it would keep a processor busy for nothing.
            self._selector.unregister(maker.channel)
        return True

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
        entries = group.entries()
        here, there = messages.pair()
        report, channel, log = fds
        self._count += 1
        uid = _FIRST_UID + self._count % _UIDS if self._root else None
        disk = self._disks.take()
        tmp = [] if disk is None else [disk]
        ports = [*self._ports, *order["ports"]]
        networks = [] if network < 0 else [network]
        slot = {"uid": uid, "ports": ports, "start": order["start"]}
        slot |= {"tmp_mounts": len(tmp), "networks": len(networks)}
        try:
            messages.send(zygote.control, slot, [report, there.fileno(), channel, log, *tmp, *networks, *entries])
        finally:
            there.close()
            for fd in (*tmp, *entries):
                os.close(fd)
        self._blanks[order["id"]] = Blank(here, on_disk=disk is not None)

    def _op_assign(self, order: messages.Message, fds: list[int]) -> None:
        del fds
        blank = self._blanks.pop(order["id"])
        if not blank.on_disk:
            self._assign(blank, order, "memory", -1)
        elif order["tmp_mb"] == disks.USUAL_MB:
            self._assign(blank, order, "disk", -1)
        else:
            self._disks.make(order["tmp_mb"], lambda fd: self._assign(blank, order, "memory" if fd < 0 else "disk", fd))

    def _assign(self, blank: Blank, order: messages.Message, tmp: str, disk: int) -> None:
        """Mount the function's folders and start it; /tmp in memory is allowed on top of the function's own."""
        in_memory = order["tmp_mb"] if tmp == "memory" else 0
        mounts: list[tuple[str, int]] = [("/tmp", disk)] if disk >= 0 else []  # noqa: S108 - the sandbox's own
        try:
            self._hierarchy.group(order["id"]).limit_memory(order["memory"] + (in_memory << 20))
            if order["code"]:  # an image has its own
                mounts.append(("/var/task", _read_only_tree(order["code"])))
            if order["layers"]:
                mounts.append(("/opt", self._layers(order["layers"])))
            message = {
                "mounts": [target for target, _ in mounts],
                "tmp_mb": in_memory,
                "assignment": order["assignment"],
            }
            messages.send(blank.orders, message, [fd for _, fd in mounts])
        except OSError as error:
            self._failed(order, error)
        finally:
            blank.orders.close()
            for _, fd in mounts:
                if fd != disk:
                    os.close(fd)

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
        blank = self._blanks.pop(order["id"], None)
        if blank is not None:
            blank.orders.close()
        group = self._hierarchy.group(order["id"])
        if not group.remove():
            group.kill()
            self._leaving.append(group)


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
    `network.Router` takes."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    syscalls.name_process("cumulet-super")
    node = socket.socket(fileno=config["node"])
    node.set_inheritable(False)  # nobody else may speak to the node as the supervisor
    if missing := probe.missing():
        messages.send(node, {"report": "up", "missing": missing})
        return
    hierarchy = cgroup.find(config["name"])
    hierarchy.sweep()
    if not config["root"]:
        probe.enter_user_namespace()
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
    supervisor = Supervisor(config, node, hierarchy)
    messages.send(node, {"report": "up", "missing": "", "groups": hierarchy.describe()})
    try:
        supervisor.serve()
    finally:
        supervisor.close()

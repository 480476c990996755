"""Networks for environments, made ahead by a process of its own.

Each environment has a network namespace with one link to the router, a namespace that only this process is in. The router
has one link to the machine: an interface pair as root, `pasta` for other users. When the process ends, however that comes,
the router goes and every link with it; what is left then are the machine's packet filter rules, which the next node
that starts removes.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from cumulet.compute.linux import firewall, netlink, syscalls
from cumulet.compute.sandbox import messages, platform_sockets

_AHEAD = 4
_MOST_AHEAD = 16
_FIRST_INDEX = 1000
_NETWORKS = 63 * 256
_LINKS = 64 * 64
_UPLINK_TIMEOUT = 5.0
_PLACE = "/mnt"
_TUN = "/dev/net/tun"

Taker = Callable[[int], None]
"""Takes a network namespace, which stays the giver's to close; -1 where there is no outbound network."""


class Networks:
    """The supervisor's side. `channel` becomes readable when a network is ready: then call `receive`."""

    def __init__(self, channel: socket.socket, on_platform: Callable[[list[int]], None]) -> None:
        """`on_platform` gets the sockets of `platform_sockets`, which stay the giver's to close."""
        self.channel = channel
        self._on_platform = on_platform
        self._ready: list[int] = []
        self._waiting: list[Taker] = []
        self._asked = 0
        self._possible = True
        for _ in range(_AHEAD):
            self._ask()

    def take(self, taker: Taker) -> None:
        """Give a network to `taker`: at once if one is ready, else as soon as one is."""
        if self._ready:
            fd = self._ready.pop()
            self._ask()
            taker(fd)
            os.close(fd)
        elif self._possible:
            self._waiting.append(taker)
            self._ask()
        else:
            taker(-1)

    def receive(self) -> bool:
        """Take what is ready. False: nothing will come any more, so the channel need not be watched."""
        try:
            message, fds = messages.receive(self.channel)
        except OSError:
            message, fds = None, []
        if message is None or not fds:
            self._give_up()
            return message is not None
        if "platform" in message:
            self._on_platform(fds)
            for fd in fds:
                os.close(fd)
            return True
        self._asked -= 1
        if self._waiting:
            self._waiting.pop(0)(fds[0])
            os.close(fds[0])
        else:
            self._ready.append(fds[0])
        return True

    def close(self) -> None:
        """Have the process leave the machine as it found it, and end."""
        self.channel.close()

    def _ask(self) -> None:
        if self._possible and self._asked < max(_MOST_AHEAD, len(self._waiting)):
            self._asked += 1
            with contextlib.suppress(OSError):  # gone: that is heard by `receive`
                messages.send(self.channel, {})

    def _give_up(self) -> None:
        """There is no outbound network on this machine, or no longer: everybody goes on without."""
        self._possible = False
        waiting, self._waiting = self._waiting, []
        for taker in waiting:
            taker(-1)


class Router:
    """The namespace between the environments and the machine. Made from the machine's namespace, and leaves it."""

    def __init__(self, config: messages.Message) -> None:
        self._root: bool = config["root"]
        self._ports: list[int] = config["internal_ports"]
        self._platform_ports: list[int] = config["platform_ports"]
        self._firewall = firewall.Firewall(
            config["tool_path"], config["name_servers"], self._ports, config["platform_ports"]
        )
        self._pasta = "" if self._root else firewall.find_tool("pasta", config["tool_path"])
        if not self._root and not self._pasta:
            raise OSError("no outbound network: install passt (pasta), or run as root")
        if not self._root and not os.access(_TUN, os.R_OK | os.W_OK):
            raise OSError(f"no outbound network: this user may not open {_TUN}, which pasta needs")
        self._machine_netlink = netlink.Netlink()
        self._watching = netlink.Netlink(watching=True)
        self._machine = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._link = _choose_link(f"{config['name']}:{os.getpid()}", self._machine_netlink.addresses())
        self._mtu = _usual_mtu()
        self._count = 0
        self._opened = False
        self._closed: list[str] = []
        self._pasta_pid = 0

    def open(self) -> None:
        """Raises OSError with the reason why there is no way out."""
        start_pasta = None if self._root else self._prepare_pasta()
        syscalls.unshare(syscalls.CLONE_NEWNET)
        self._namespace = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._netlink = netlink.Netlink()
        for name in ("all", "default"):
            _set(f"ipv6/conf/{name}/disable_ipv6", "1")
            _set(f"ipv4/conf/{name}/rp_filter", "1")
            _set(f"ipv4/conf/{name}/send_redirects", "0")
        _set("ipv4/ip_forward", "1")
        self._netlink.do(netlink.loopback_up(), netlink.address(1, firewall.GATEWAY, 32))
        platform_sockets.take_address()
        self._firewall.guard_router(self._link.machine)
        if start_pasta is None:
            self._connect()
        else:
            self.update_machine_addresses()
            start_pasta()

    def platform(self) -> list[socket.socket]:
        """Where environments find the platform; see `platform_sockets`."""
        syscalls.setns(self._namespace, syscalls.CLONE_NEWNET)
        return platform_sockets.open_sockets(self._platform_ports)

    def make(self) -> int:
        """A network namespace with a way out; its descriptor."""
        syscalls.unshare(syscalls.CLONE_NEWNET)
        made = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _set("ipv6/conf/default/disable_ipv6", "1")
        inside = netlink.Netlink()
        try:
            index, ip = self._pair(inside)
            inside.do(netlink.loopback_up(), netlink.address(2, ip, 32), netlink.default_route(2, firewall.GATEWAY))
            self._netlink.do(netlink.up(index), netlink.route(index, ip, 32))
        except OSError:
            os.close(made)
            raise
        finally:
            inside.close()
        return made

    def watch(self) -> int | None:
        """A descriptor that is readable when the machine's addresses changed: then call `update_machine_addresses`."""
        return None if self._root else self._watching.fileno()

    def update_machine_addresses(self) -> None:
        """Rootless, where functions' connections are those of a program of this machine, its addresses are refused."""
        self._watching.drain()
        addresses = self._machine_netlink.addresses()
        syscalls.setns(self._namespace, syscalls.CLONE_NEWNET)
        self._firewall.set_machine_addresses([one for one in addresses if not one.startswith("127.")])

    def close(self) -> None:
        """Leave nothing on the machine."""
        if self._pasta_pid:
            os.kill(self._pasta_pid, signal.SIGKILL)
        if self._opened:
            syscalls.setns(self._machine, syscalls.CLONE_NEWNET)
            with contextlib.suppress(OSError):
                self._firewall.leave_machine(self._link.name)
            with contextlib.suppress(OSError):
                self._machine_netlink.do(netlink.delete(socket.if_nametoindex(self._link.name)))
            self._stop_forwarding()

    def _stop_forwarding(self) -> None:
        """As before nodes came, unless something else has come that may need it; a node that comes meanwhile does."""
        if self._closed and not _links() and not set(_interfaces()) - set(self._closed):
            _set("ipv4/ip_forward", "0")
            if _links():
                _set("ipv4/ip_forward", "1")

    def _pair(self, inside: netlink.Netlink) -> tuple[int, str]:
        """A link between a namespace and the router: its index there, and the address of the environment."""
        while True:
            number = self._count % _NETWORKS
            self._count += 1
            index = _FIRST_INDEX + number
            try:
                inside.do(netlink.veth(("eth0", 2), (f"e{number}", index), self._namespace, self._mtu))
            except FileExistsError:
                continue  # an environment of long ago still has it
            return index, f"169.254.{1 + number // 256}.{number % 256}"

    def _connect(self) -> None:
        """A link to the machine, and the machine's part of it."""
        link, machine = self._link, self._machine_netlink
        machine.do(netlink.veth((link.name, 0), (firewall.UPLINK, 2), self._namespace, self._mtu))
        self._netlink.do(netlink.up(2), netlink.address(2, link.router, 30), netlink.default_route(2, link.machine))
        syscalls.setns(self._machine, syscalls.CLONE_NEWNET)
        self._opened = True
        machine.do(netlink.address(socket.if_nametoindex(link.name), link.machine, 30, netlink.LINK))
        _set(f"ipv6/conf/{link.name}/disable_ipv6", "1")
        _set(f"ipv4/conf/{link.name}/send_redirects", "0")
        if self._ports:
            _set(f"ipv4/conf/{link.name}/route_localnet", "1")
        forwards = _get("ipv4/ip_forward") == "1" and not self._firewall.keeps_closed()
        self._closed = [] if forwards else _interfaces()
        self._firewall.sweep()
        self._firewall.guard_machine(link, self._closed)
        _set("ipv4/ip_forward", "1")

    def _prepare_pasta(self) -> Callable[[], None]:
        """Fork what becomes pasta while the machine's namespace is here; it starts when what is returned is called."""
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.mount(None, "/", None, syscalls.MS_REC | syscalls.MS_PRIVATE)
        syscalls.mount("tmpfs", _PLACE, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "size=1m")
        named = Path(_PLACE, "router")
        named.touch()
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            syscalls.die_with_parent()
            os.close(writing)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # ignored from the start, pasta takes it for a failure
            os.read(reading, 1)
            os.execv(self._pasta, _pasta_command(self._pasta, self._link, str(named)))  # noqa: S606 - no shell is wanted
        os.close(reading)
        self._pasta_pid = pid

        def start() -> None:
            syscalls.mount("/proc/self/ns/net", str(named), None, syscalls.MS_BIND)
            os.close(writing)
            deadline = time.monotonic() + _UPLINK_TIMEOUT
            while not Path(f"/proc/sys/net/ipv4/conf/{firewall.UPLINK}").exists():
                if os.waitpid(pid, os.WNOHANG)[0] or time.monotonic() > deadline:
                    self._pasta_pid = 0
                    raise OSError("no outbound network: pasta did not start")
                time.sleep(0.01)

        return start


def check(config: messages.Message) -> None:
    """Raises OSError with the reason why functions have no outbound network here. To be called in a forked child."""
    if config["root"]:
        syscalls.unshare(syscalls.CLONE_NEWNET)  # stands in for the machine's, which is left alone
    router = Router(config)
    try:
        router.open()
        router.platform()
        os.close(router.make())
    finally:
        router.close()


def serve(config: messages.Message, orders: socket.socket) -> None:
    """Make networks until the supervisor is gone, and clean up then."""
    syscalls.name_process("cumulet-net")
    syscalls.close_all_but([0, 1, 2, orders.fileno()])
    router = None
    try:
        router = Router(config)
        router.open()
        _make(router, orders)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the supervisor is gone
    except OSError as error:
        if router is not None:
            print(f"cumulet: {error}", file=sys.stderr)  # noqa: T201 - the node's standard error
    finally:
        orders.close()  # nobody need wait for more
        if router is not None:
            router.close()


def _make(router: Router, orders: socket.socket) -> None:
    platform = router.platform()
    messages.send(orders, {"platform": True}, [one.fileno() for one in platform])
    for one in platform:
        one.close()
    poll = select.poll()
    poll.register(orders.fileno(), select.POLLIN)
    watched = router.watch()
    if watched is not None:
        poll.register(watched, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == watched:
                router.update_machine_addresses()
                continue
            order, _ = messages.receive(orders)
            if order is None:
                return
            made = router.make()
            messages.send(orders, {}, [made])
            os.close(made)


def _pasta_command(pasta: str, link: firewall.Link, namespace: str) -> list[str]:
    """The gateway's address is the machine's loopback, of which the router lets the listed ports through."""
    return [
        pasta, "--foreground", "--quiet", "--ipv4-only", "--config-net", "--ns-ifname", firewall.UPLINK,
        "--address", link.router, "--netmask", "30", "--gateway", link.machine,
        "--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none", "--netns", namespace,
    ]  # fmt: skip


def _choose_link(seed: str, taken: Sequence[str]) -> firewall.Link:
    """A name and addresses that no other node's link has on this machine."""
    number = zlib.crc32(seed.encode())
    while True:
        first = number % _LINKS * 4
        machine, router = (f"169.254.{64 + first // 256}.{first % 256 + last}" for last in (1, 2))
        name = f"{firewall.PREFIX}{number:08x}"
        if not Path(f"/sys/class/net/{name}").exists() and machine not in taken:
            return firewall.Link(name, machine, router)
        number = (number + 1) & 0xFFFFFFFF


def _interfaces() -> list[str]:
    """Of this namespace, but those of nodes and the loopback."""
    names = (name for _, name in socket.if_nameindex())
    return [name for name in names if name != "lo" and not name.startswith(firewall.PREFIX)]


def _links() -> list[str]:
    """Of this namespace, those of nodes."""
    return [name for _, name in socket.if_nameindex() if name.startswith(firewall.PREFIX)]


def _usual_mtu() -> int:
    """Of the interface that leads out, so that no packet is too large on the way."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/net/route").read_text().splitlines()[1:]:
            name, destination = line.split()[:2]
            if destination == "00000000":
                return int(Path(f"/sys/class/net/{name}/mtu").read_text())
    return 1500


def _set(name: str, value: str) -> None:
    Path(f"/proc/sys/net/{name}").write_text(value)


def _get(name: str) -> str:
    return Path(f"/proc/sys/net/{name}").read_text().strip()

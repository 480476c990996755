"""What functions may reach: packet filter rules and address translation, by nftables.

Two places have rules. The router, a network namespace between the environments and the machine, tells environments
apart and refuses what no function may reach. The machine lets the router's one link out and keeps it from itself.
Rules of the machine are in a table called as that link, so that a table without its link is one of a dead node.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

GATEWAY = "169.254.0.1"
"""The router as environments see it: where they reach the listed ports of the machine."""
GATEWAY_NAME = "host.cumulet.internal"
PLATFORM = "169.254.0.2"
"""Where AWS's names lead to in environments, and whom they ask for names."""
NAMES_PORT = 53
UPLINK = "up"
PREFIX = "cml"
_NEVER = "0.0.0.0/8, 127.0.0.0/8, 169.254.0.0/16, 240.0.0.0/4"
_NOT_UNICAST = "local, broadcast, multicast, anycast"
_REJECT = "reject with icmp admin-prohibited"


class Link:
    """The way from the router to the machine: its name there, and the addresses of its two ends."""

    def __init__(self, name: str, machine: str, router: str) -> None:
        self.name = name
        self.machine = machine
        self.router = router


class Firewall:
    """Rules by the `nft` of this machine. Raises OSError with what to install, or what nft said."""

    def __init__(
        self, tool_path: str, resolvers: Sequence[str], ports: Sequence[int], platform_ports: Sequence[int]
    ) -> None:
        self._nft = find_tool("nft", tool_path)
        if not self._nft:
            raise OSError("no outbound network: install nftables (nft)")
        self._iptables = find_tool("iptables", tool_path)
        self._resolvers = resolvers
        self._ports = ports
        self._platform = ", ".join(map(str, {NAMES_PORT, *platform_ports}))

    def guard_router(self, target: str) -> None:
        """In the router's namespace. Listed ports are at `target` from there."""
        self._load(f"""
            table ip cumulet {{
                set machine {{ type ipv4_addr; }}
                chain first {{
                    type filter hook prerouting priority raw
                    iifname "{UPLINK}" accept
                    fib saddr . iif oif missing drop
                    {self._listed(f"ip daddr {GATEWAY}", "accept")}
                    {self._to_platform()}
                    fib daddr type {{ {_NOT_UNICAST} }} {_REJECT}
                    {self._name_servers("")}
                    ip daddr {{ {_NEVER} }} {_REJECT}
                    ip daddr @machine {_REJECT}
                }}
                chain listed {{
                    type nat hook prerouting priority dstnat
                    {self._listed(f'iifname != "{UPLINK}" ip daddr {GATEWAY}', f"dnat to {target}")}
                }}
                chain forward {{
                    type filter hook forward priority filter; policy drop
                    iifname != "{UPLINK}" oifname "{UPLINK}" accept
                    iifname "{UPLINK}" ct state established,related accept
                    {_REJECT}
                }}
                chain input {{
                    type filter hook input priority filter; policy drop
                    iifname "lo" accept
                    {self._to_platform()}
                    iifname "{UPLINK}" ct state established,related accept
                }}
                chain out {{
                    type nat hook postrouting priority srcnat
                    oifname "{UPLINK}" masquerade
                }}
            }}
        """)

    def set_machine_addresses(self, addresses: Sequence[str]) -> None:
        """In the router's namespace: addresses that are the machine's own, where it cannot tell by itself."""
        elements = f"add element ip cumulet machine {{ {', '.join(addresses)} }}" if addresses else ""
        self._load(f"flush set ip cumulet machine\n{elements}")

    def guard_machine(self, link: Link, closed: Sequence[str]) -> None:
        """In the machine's namespace. `closed` are interfaces from which nothing was forwarded so far, nor shall be."""
        names = ", ".join(f'"{name}"' for name in closed)
        guard = f"iifname {{ {names} }} ct state new ct status != dnat drop" if closed else ""
        only = f'iifname "{link.name}"'
        self._load(f"""
            table ip {link.name} {{
                chain first {{
                    type filter hook prerouting priority raw
                    {only} ip saddr != {link.router} drop
                    {self._listed(f"{only} ip daddr {link.machine}", "accept")}
                    {self._name_servers(only)}
                    {only} fib daddr type {{ {_NOT_UNICAST} }} {_REJECT}
                    {only} ip daddr {{ {_NEVER} }} {_REJECT}
                }}
                chain listed {{
                    type nat hook prerouting priority dstnat
                    {self._listed(f"{only} ip daddr {link.machine}", "dnat to 127.0.0.1")}
                }}
                chain forward {{
                    type filter hook forward priority filter
                    oifname "{link.name}" ct state established,related accept
                    oifname "{link.name}" drop
                    {guard}
                }}
                chain out {{
                    type nat hook postrouting priority srcnat
                    oifname != "{link.name}" ip saddr {link.router} masquerade
                }}
            }}
        """)
        for rule in self._holes(link.name):
            _run([self._iptables, "-w", "-I", *rule])

    def leave_machine(self, name: str) -> None:
        """In the machine's namespace: remove what `guard_machine` made for the link of this name."""
        self._load(f"delete table ip {name}")
        for rule in self._holes(name):
            _run([self._iptables, "-w", "-D", *rule])

    def sweep(self) -> None:
        """In the machine's namespace: remove what nodes left whose links are gone. Others may do so at the same time."""
        for name in self._tables():
            if not Path(f"/sys/class/net/{name}").exists():
                with contextlib.suppress(OSError):
                    self.leave_machine(name)

    def keeps_closed(self) -> bool:
        """Whether some node closes interfaces: then this machine did not forward before nodes came."""
        return any("ct status != dnat drop" in self._rules(name) for name in self._tables())

    def _rules(self, table: str) -> str:
        """Nothing of a table whose node ends just now."""
        try:
            return _run([self._nft, "list", "table", "ip", table])
        except OSError:
            return ""

    def _tables(self) -> list[str]:
        words = [line.split() for line in _run([self._nft, "list", "tables", "ip"]).splitlines()]
        return [name for _, _, name in words if name.startswith(PREFIX)]

    def _listed(self, match: str, verdict: str) -> str:
        ports = ", ".join(map(str, self._ports))
        return f"{match} tcp dport {{ {ports} }} {verdict}" if ports else ""

    def _to_platform(self) -> str:
        match = f'iifname != "{UPLINK}" ip daddr {PLATFORM}'
        return f"{match} tcp dport {{ {self._platform} }} accept\n{match} udp dport {NAMES_PORT} accept"

    def _name_servers(self, match: str) -> str:
        addresses = ", ".join(self._resolvers)
        return f"{match} ip daddr {{ {addresses} }} meta l4proto {{ tcp, udp }} th dport 53 accept" if addresses else ""

    def _holes(self, name: str) -> list[list[str]]:
        """Rules for a machine whose iptables refuse what they do not know: ours are refused or let pass by nftables."""
        if not self._iptables:
            return []
        rules = {
            "FORWARD": [["FORWARD", "-i", name, "-j", "ACCEPT"], ["FORWARD", "-o", name, "-j", "ACCEPT"]],
            "INPUT": [["INPUT", "-i", name, "-j", "ACCEPT"]],
        }
        found = []
        for chain, wanted in rules.items():
            if f"-P {chain} ACCEPT" not in _run([self._iptables, "-w", "-S", chain]):
                found += wanted
        return found

    def _load(self, rules: str) -> None:
        _run([self._nft, "-f", "-"], rules)


def find_tool(name: str, tool_path: str) -> str:
    """Where a program is; empty when nowhere."""
    places = (f"{folder}/{name}" for folder in tool_path.split(os.pathsep) if folder)
    return next((place for place in places if os.access(place, os.X_OK)), "")


def _run(argv: list[str], given: str = "") -> str:
    """What a program says. Without the module subprocess, whose memory the process would keep."""
    source, answer, complaint = (os.memfd_create(name, os.MFD_CLOEXEC) for name in ("in", "out", "err"))
    try:
        os.write(source, given.encode())
        os.lseek(source, 0, os.SEEK_SET)
        streams = [(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate((source, answer, complaint))]
        pid = os.posix_spawn(argv[0], argv, {"LANG": "C.UTF-8"}, file_actions=streams)
        _, status = os.waitpid(pid, 0)
        said, why = (os.pread(fd, os.fstat(fd).st_size, 0).decode() for fd in (answer, complaint))
    finally:
        for fd in (source, answer, complaint):
            os.close(fd)
    if status:
        raise OSError(f"{Path(argv[0]).name}: {why.strip().partition(chr(10))[0]}")
    return said

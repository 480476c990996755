"""Name servers: this machine's own that a sandbox can reach, and what a sandbox is told."""

import contextlib
import ipaddress
from pathlib import Path

from cumulet.compute.linux.firewall import PLATFORM

_UPSTREAM = ("/run/systemd/resolve/resolv.conf", "/run/NetworkManager/no-stub-resolv.conf")
"""Where those that run a resolver on the loopback write down whom it asks."""


def resolver(files: tuple[str, ...] = ("/etc/resolv.conf", *_UPSTREAM)) -> str:
    """The text of a resolv.conf for sandboxes, from the first file with a name server that can be reached from one.

    That is one with an IPv4 address which is not of the loopback. Empty when there is none: then names are not found.
    """
    for file in files:
        with contextlib.suppress(OSError):
            lines = Path(file).read_text().splitlines()
            if name_servers("\n".join(lines)):
                kept = [line for line in lines if not line.startswith("nameserver") or name_servers(line)]
                return "".join(
                    f"{line}\n" for line in kept if line.split()[:1] in (["nameserver"], ["search"], ["options"])
                )
    return ""


def text_inside(text: str) -> str:
    """The resolv.conf of sandboxes, whose name server is the platform, from the text that `resolver` gave."""
    others = [line for line in text.splitlines() if not line.startswith("nameserver")]
    return "".join(f"{line}\n" for line in (f"nameserver {PLATFORM}", *others))


def name_servers(text: str) -> list[str]:
    """The addresses of a resolv.conf's name servers that a sandbox can reach."""
    words = (line.split() for line in text.splitlines())
    named = [line[1] for line in words if len(line) > 1 and line[0] == "nameserver"]
    return [address for address in named if _reachable(address)]


def _reachable(address: str) -> bool:
    try:
        return not ipaddress.IPv4Address(address).is_loopback
    except ValueError:
        return False

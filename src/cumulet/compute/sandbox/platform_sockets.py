"""Where sandboxes find the platform by AWS's names: sockets at an address of the platform's own.

Sandboxes with a way out share those of the router; one without has its own.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from cumulet.compute.linux import firewall, netlink

_LOOPBACK = 1
_BACKLOG = 1024


def take_address() -> None:
    """Give the address to the loopback of the network namespace that the caller is in. Raises OSError."""
    messages = netlink.Netlink()
    try:
        messages.do(netlink.address(_LOOPBACK, firewall.PLATFORM, 32))
    finally:
        messages.close()


def open_sockets(ports: Sequence[int]) -> list[socket.socket]:
    """In the caller's network namespace: for questions for names by datagram and by connection, then one for each port."""
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind((firewall.PLATFORM, firewall.NAMES_PORT))
    return [datagrams, *(listen(firewall.PLATFORM, port) for port in (firewall.NAMES_PORT, *ports))]


def listen(address: str, port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(_BACKLOG)
    return listener

"""Links, addresses and routes by rtnetlink: the few messages that the network of sandboxes needs.

A socket stays in the network namespace it was opened in. https://docs.kernel.org/userspace-api/netlink/specs.html
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterator
from typing import Tuple

_ERROR = 2
_NEWLINK, _DELLINK, _NEWADDR, _NEWROUTE = 16, 17, 20, 24
_REQUEST, _ACK, _EXCL, _CREATE = 0x1, 0x4, 0x200, 0x400
_MAKE = _REQUEST | _EXCL | _CREATE

_GETADDR, _DUMP, _DONE = 22, 0x300, 3
_BUFFER = 1 << 16
_REST_OF_HEADER = 10
_IPV4_ADDRESSES = 0x10

_IFNAME, _MTU, _LINKINFO, _NET_NS_FD = 3, 4, 18, 28
_INFO_KIND, _INFO_DATA, _VETH_PEER = 1, 2, 1
_ADDRESS, _LOCAL = 1, 2
_DST, _OIF, _GATEWAY = 1, 4, 5
_UP = 1
_TABLE_MAIN, _PROTOCOL_STATIC, _UNICAST, _ONLINK = 254, 4, 1, 4
_LOOPBACK = 1
GLOBAL, LINK = 0, 253
"""Scopes of addresses and routes."""

Message = Tuple[int, int, bytes]
"""What to do: a kind, flags, and what follows the header."""


class Netlink:
    """A socket in the caller's network namespace; with `watching` it is readable when the IPv4 addresses there change."""

    def __init__(self, *, watching: bool = False) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._socket.bind((0, _IPV4_ADDRESSES if watching else 0))

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def do(self, *messages: Message) -> None:
        """Send all at once; what follows a refused one is done all the same. Raises OSError for the first refused."""
        parts = []
        for kind, flags, body in messages:
            parts.append(struct.pack("IHHII", 16 + len(body), kind, flags | _ACK, 0, 0) + body)
        self._socket.send(b"".join(parts))
        refused = answered = 0
        while answered < len(messages):
            for kind, body in self._receive():
                if kind == _ERROR:
                    answered += 1
                    refused = refused or -struct.unpack_from("i", body)[0]
        if refused:
            raise OSError(refused, f"network interface: {os.strerror(refused)}")

    def addresses(self) -> list[str]:
        """The IPv4 addresses of the namespace."""
        request = struct.pack("BBBBI", socket.AF_INET, 0, 0, 0, 0)
        self._socket.send(struct.pack("IHHII", 16 + len(request), _GETADDR, _REQUEST | _DUMP, 0, 0) + request)
        found: list[str] = []
        while True:
            for kind, body in self._receive():
                if kind == _DONE:
                    return found
                found += [socket.inet_ntoa(value) for name, value in _attributes(body[8:]) if name == _LOCAL]

    def drain(self) -> None:
        """Drop what was heard by watching."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(_BUFFER, socket.MSG_DONTWAIT)

    def _receive(self) -> list[tuple[int, bytes]]:
        """Messages, each its kind and what follows its header."""
        return [(kind, body[_REST_OF_HEADER:]) for kind, body in _split(self._socket.recv(_BUFFER), "IH")]


def veth(here: tuple[str, int], there: tuple[str, int], namespace: int, mtu: int) -> Message:
    """A pair of interfaces: `here`, up, and `there`, down, in the namespace of a descriptor; each (name, index).

    An index of 0 leaves it to the kernel.
    """
    peer = _link(there[1], 0) + _attribute(_IFNAME, _name(there[0])) + _attribute(_MTU, struct.pack("I", mtu))
    peer += _attribute(_NET_NS_FD, struct.pack("I", namespace))
    info = _attribute(_INFO_KIND, b"veth") + _attribute(_INFO_DATA, _attribute(_VETH_PEER, peer))
    own = _attribute(_IFNAME, _name(here[0])) + _attribute(_MTU, struct.pack("I", mtu))
    return _NEWLINK, _MAKE, _link(here[1], _UP) + own + _attribute(_LINKINFO, info)


def up(index: int) -> Message:
    return _NEWLINK, _REQUEST, _link(index, _UP)


def loopback_up() -> Message:
    return up(_LOOPBACK)


def delete(index: int) -> Message:
    return _DELLINK, _REQUEST, _link(index, 0)


def address(index: int, ip: str, prefix: int, scope: int = GLOBAL) -> Message:
    raw = socket.inet_aton(ip)
    header = struct.pack("BBBBI", socket.AF_INET, prefix, 0, scope, index)
    return _NEWADDR, _MAKE, header + _attribute(_LOCAL, raw) + _attribute(_ADDRESS, raw)


def route(index: int, ip: str, prefix: int) -> Message:
    """Addresses that are on the link of this interface."""
    attributes = _attribute(_DST, socket.inet_aton(ip)) + _attribute(_OIF, struct.pack("I", index))
    return _NEWROUTE, _MAKE, _route(prefix, LINK, 0) + attributes


def default_route(index: int, gateway: str) -> Message:
    """Everything else by way of a gateway on the link of this interface, whatever its address."""
    attributes = _attribute(_GATEWAY, socket.inet_aton(gateway)) + _attribute(_OIF, struct.pack("I", index))
    return _NEWROUTE, _MAKE, _route(0, GLOBAL, _ONLINK) + attributes


def _link(index: int, flags: int) -> bytes:
    return struct.pack("BxHiII", socket.AF_UNSPEC, 0, index, flags, flags)


def _route(prefix: int, scope: int, flags: int) -> bytes:
    return struct.pack("BBBBBBBBI", socket.AF_INET, prefix, 0, 0, _TABLE_MAIN, _PROTOCOL_STATIC, scope, _UNICAST, flags)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def _name(text: str) -> bytes:
    return text.encode() + b"\0"


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    return _split(data, "HH")


def _split(data: bytes, header: str) -> Iterator[tuple[int, bytes]]:
    """(kind, rest) of things that begin with their length and kind, each at a multiple of four bytes."""
    while data:
        length, kind = struct.unpack_from(header, data)
        yield kind, data[struct.calcsize(header) : length]
        data = data[(length + 3) & ~3 :]

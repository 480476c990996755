"""Accepts connections on a socket that many clients share, none of which may take it from the others."""

import asyncio
import collections
import contextlib
import socket
import ssl as tls
from collections.abc import Callable

from cumulet.gateway.connection import Connection

_HANDSHAKE = 5.0
_AT_ONCE = 32


class Doorman:
    """At most `most` connections from each address, those in a TLS handshake included; more are closed at once.

    `make` gives the protocol of a new connection; `gone` is to be called when such a one has ended.
    """

    def __init__(
        self, sock: socket.socket, make: Callable[[], Connection], ssl: tls.SSLContext | None, most: int
    ) -> None:
        self._socket = sock
        self._make = make
        self._tls = ssl
        self._most = most
        self._open: collections.Counter[str] = collections.Counter()
        self._from: dict[Connection, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self._accept)

    def gone(self, connection: Connection) -> None:
        address = self._from.pop(connection, None)
        if address is not None:
            self._open[address] -= 1
            if not self._open[address]:
                del self._open[address]

    def close(self) -> None:
        """Accept no more."""
        if self._socket.fileno() >= 0:
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()
        for task in self._tasks:
            task.cancel()

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                accepted, (address, _port) = self._socket.accept()
            except OSError:  # there is none any more, or no descriptor for one
                return
            if self._open[address] >= self._most:
                accepted.close()
                continue
            accepted.setblocking(False)
            self._open[address] += 1
            connection = self._make()
            self._from[connection] = address
            task = self._loop.create_task(self._connect(accepted, connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _connect(self, accepted: socket.socket, connection: Connection) -> None:
        limit = None if self._tls is None else _HANDSHAKE
        with contextlib.suppress(OSError, tls.SSLError, TimeoutError):
            try:
                await self._loop.connect_accepted_socket(
                    lambda: connection, accepted, ssl=self._tls, ssl_handshake_timeout=limit
                )
            except BaseException:
                self.gone(connection)
                accepted.close()
                raise

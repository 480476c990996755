"""Accepts connections on a socket that many clients share, none of which may take it from the others."""

import asyncio
import collections
import contextlib
import socket
import ssl as tls
from collections.abc import Awaitable, Callable

from cumulet.gateway import hello
from cumulet.gateway.connection import Connection

_HANDSHAKE = 5.0
_AT_ONCE = 32
_SOON, _LATER = 0.002, 0.05
_PLAIN = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 33\r\nConnection: close\r\n\r\n"
    b"this port speaks https, not http\n"
)
Choose = Callable[[str], Awaitable[tls.SSLContext]]
"""The context for the name that a client asks for, empty for none. Raises OSError when the client cannot be served."""


class Doorman:
    """At most `most` connections from each address, those in a TLS handshake included; more are closed at once.

    `make` gives the protocol of a new connection; `gone` is to be called when such a one has ended. TLS is by `ssl`, or by what
    `choose` says about the name that the client asks for.
    """

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], Connection],
        ssl: tls.SSLContext | None,
        most: int,
        choose: Choose | None = None,
    ) -> None:
        self._socket = sock
        self._make = make
        self._tls = ssl
        self._choose = choose
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
                accepted, peer = self._socket.accept()
            except OSError:  # there is none any more, or no descriptor for one
                return
            address = peer[0]
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
        with contextlib.suppress(OSError, tls.SSLError, TimeoutError):
            try:
                context = self._tls
                if self._choose is not None:
                    connection.server_name = await self._greeted(accepted)
                    context = await self._choose(connection.server_name)
                limit = None if context is None else _HANDSHAKE
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await self._loop.connect_accepted_socket(
                    lambda: connection, accepted, ssl=context, ssl_handshake_timeout=limit
                )
            except BaseException:
                self.gone(connection)
                accepted.close()
                raise

    async def _greeted(self, accepted: socket.socket) -> str:
        """The name that the client asks for; what it sent is still to be read. Raises OSError for what is no TLS."""
        async with asyncio.timeout(_HANDSHAKE):
            seen, pause = 0, _SOON
            while True:
                await self._readable(accepted)
                data = accepted.recv(hello.MOST, socket.MSG_PEEK)
                if not data or not hello.is_tls(data):
                    if data[:1].isalpha():
                        accepted.send(_PLAIN)
                    raise ConnectionError("no TLS")
                name = hello.server_name(data)
                if name is not None or len(data) >= hello.MOST:
                    return name or ""
                # There is something to read all the time: look again when more of it can be there.
                pause = _SOON if len(data) > seen else min(2 * pause, _LATER)
                seen = len(data)
                await asyncio.sleep(pause)

    async def _readable(self, sock: socket.socket) -> None:
        ready: asyncio.Future[None] = self._loop.create_future()
        self._loop.add_reader(sock.fileno(), _tell, ready)
        try:
            await ready
        finally:
            self._loop.remove_reader(sock.fileno())


def _tell(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)

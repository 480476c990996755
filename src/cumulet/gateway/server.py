"""Listeners, and the life of their connections."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl as tls
from collections.abc import Iterator
from pathlib import Path

from cumulet.gateway.budget import Budget
from cumulet.gateway.connection import Connection, Handler
from cumulet.gateway.doorman import Choose, Doorman
from cumulet.gateway.head import Dates
from cumulet.gateway.limits import Limits

_BACKLOG = 1024
_RESERVE = 4
"""The part of the memory for bodies, a quarter, that is there beside it for what runs on the node."""


class Listener:
    """One listening socket with its handler and limits."""

    def __init__(self, server: "Server", handler: Handler, limits: Limits, budget: Budget | None = None) -> None:
        self._server = server
        self.handler = handler
        self.limits = limits
        self.budget = budget or server.budget
        self.dates = server.dates
        self.draining = False
        self.connections: set[Connection] = set()
        self._listening: asyncio.AbstractServer | None = None
        self._doormen: list[Doorman] = []
        self._path: Path | None = None
        self.address: tuple[str, int] = ("", 0)

    def attach(self, listening: asyncio.Server, path: Path | None = None) -> None:
        """The socket is open; `path` is the file to remove at the end."""
        self._listening = listening
        self._path = path
        name = listening.sockets[0].getsockname()
        if isinstance(name, tuple):
            self.address = (name[0], name[1])

    def guard(self, doorman: Doorman) -> None:
        """The socket is open, and accepts so."""
        self._doormen.append(doorman)

    def opened(self, connection: Connection) -> bool:
        """Count a connection in; False when it is one too many."""
        self.connections.add(connection)
        self._server.watch()
        return len(self.connections) <= self.limits.connections

    def closed(self, connection: Connection) -> None:
        """Count a connection out."""
        self.connections.discard(connection)
        for doorman in self._doormen:
            doorman.gone(connection)
        self._server.changed.set()

    def stop(self) -> None:
        """Accept no more; connections without a request close, the others after their answer."""
        self.draining = True
        if self._listening is not None:
            self._listening.close()
            self._listening = None
        for doorman in self._doormen:
            doorman.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            self._path = None
        for connection in tuple(self.connections):
            connection.drain()

    async def close(self) -> None:
        """Accept no more, and end every connection now; running handlers are cancelled and awaited."""
        self.stop()
        self._server.listeners.discard(self)
        tasks = [connection.task for connection in self.connections if connection.task is not None]
        for connection in tuple(self.connections):
            connection.abort()
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


class Server:
    """Serves HTTP/1.1 to `handler` on any number of listeners. Use within one running event loop."""

    def __init__(self, handler: Handler, limits: Limits | None = None) -> None:
        self._handler = handler
        self._limits = limits or Limits()
        bodies, patience = self._limits.bodies, self._limits.bodies_time
        self.inside = Budget(bodies + bodies // _RESERVE, patience)
        """For what runs on the node: a request outside that has its body in memory may be waiting for it."""
        self.budget = Budget(bodies, patience, before=self.inside)
        self._timer: asyncio.TimerHandle | None = None
        self.dates = Dates()
        self.listeners: set[Listener] = set()
        self.changed = asyncio.Event()

    @contextlib.contextmanager
    def _listener(
        self, handler: Handler | None, limits: Limits | None, budget: Budget | None = None
    ) -> Iterator[Listener]:
        listener = Listener(self, handler or self._handler, limits or self._limits, budget)
        self.listeners.add(listener)
        try:
            yield listener
        except BaseException:
            self.listeners.discard(listener)
            raise

    async def listen_tcp(
        self,
        host: str,
        port: int,
        *,
        ssl: tls.SSLContext | None = None,
        handler: Handler | None = None,
        limits: Limits | None = None,
    ) -> Listener:
        """Accept on an address (port 0: any free one, see `address`). Raises OSError, as when the port is taken."""
        if (family := _family(host)) is not None:
            with contextlib.ExitStack() as opened:
                sock = opened.enter_context(_tcp_socket(family))
                sock.bind((host, port))
                listener = await self.listen_socket(sock, ssl=ssl, handler=handler, limits=limits)
                opened.pop_all()
                return listener
        with self._listener(handler, limits) as listener:
            listening = await asyncio.get_running_loop().create_server(
                lambda: Connection(listener), host, port, ssl=ssl, backlog=_BACKLOG
            )
            listener.attach(listening)
            return listener

    async def listen_unix(
        self, path: Path, *, handler: Handler | None = None, limits: Limits | None = None, mode: int = 0o600
    ) -> Listener:
        """Accept on a unix socket, made with `mode`; a stale socket file is replaced. Raises OSError."""
        sock = _unix_socket(path, mode)
        try:
            return await self.listen_socket(sock, handler=handler, limits=limits, path=path)
        except BaseException:
            sock.close()
            raise

    async def listen_socket(
        self,
        sock: socket.socket,
        *,
        ssl: tls.SSLContext | None = None,
        handler: Handler | None = None,
        limits: Limits | None = None,
        path: Path | None = None,
        budget: Budget | None = None,
    ) -> Listener:
        """Accept on a bound socket of ours, or one passed out of a sandbox; the listener owns it from here on.

        `path` is a socket file to remove with the listener. `budget` is `inside` for clients that run on the node.
        """
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        with self._listener(handler, limits, budget) as listener:
            create = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
            listener.attach(await create(lambda: Connection(listener), sock=sock, ssl=ssl, backlog=_BACKLOG), path)
            return listener

    def listen_shared(
        self,
        sock: socket.socket,
        per_address: int,
        *,
        ssl: tls.SSLContext | None = None,
        handler: Handler | None = None,
        budget: Budget | None = None,
    ) -> Listener:
        """Accept on a listening socket that many clients reach: no more than `per_address` connections of each."""
        sock.setblocking(False)
        with self._listener(handler, None, budget) as listener:
            listener.guard(Doorman(sock, lambda: Connection(listener), ssl, per_address))
            return listener

    async def listen_tls(self, host: str, port: int, choose: Choose) -> Listener:
        """Accept TLS on an address (port 0: any free one), by the context that `choose` has for the name a client asks for.

        Raises OSError.
        """
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        with self._listener(None, None) as listener, contextlib.ExitStack() as opened:
            for family, _, _, _, address in found:
                sock = opened.enter_context(_tcp_socket(family))
                sock.bind((address[0], listener.address[1] or port, *address[2:]))
                sock.listen(_BACKLOG)
                name = sock.getsockname()
                listener.address = (listener.address[0] or name[0], name[1])
                listener.guard(Doorman(sock, lambda: Connection(listener), None, listener.limits.connections, choose))
            opened.pop_all()
            return listener

    async def drain(self, seconds: float) -> bool:
        """Accept no more and wait for running requests, at most `seconds`; whether all ended by themselves.

        What still runs then is ended by `close`.
        """
        for listener in tuple(self.listeners):
            listener.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(listener.connections for listener in self.listeners):
                    self.changed.clear()
                    await self.changed.wait()
        return not any(listener.connections for listener in self.listeners)

    async def close(self) -> None:
        """End everything now."""
        await asyncio.gather(*(listener.close() for listener in tuple(self.listeners)))
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def watch(self) -> None:
        """Check the connections' times now and then, as long as there are any."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval(), self._check)

    def _interval(self) -> float:
        shortest = min(
            min(each.limits.header_time, each.limits.idle_time, each.limits.stall_time, each.limits.linger_time)
            for each in self.listeners or [Listener(self, self._handler, self._limits)]
        )
        return min(1.0, max(0.01, shortest / 4))

    def _check(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        for listener in tuple(self.listeners):
            for connection in tuple(listener.connections):
                connection.check(now)
        if any(listener.connections for listener in self.listeners):
            self.watch()


def _family(host: str) -> int | None:
    """Of an address; None for a name. Looking up what needs no look-up takes four threads and the tables of Unicode."""
    try:
        return socket.AF_INET if ipaddress.ip_address(host).version == 4 else socket.AF_INET6
    except ValueError:
        return None


def _tcp_socket(family: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.setblocking(False)
    return sock


def _unix_socket(path: Path, mode: int) -> socket.socket:
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        path.chmod(mode)
    except BaseException:
        sock.close()
        raise
    return sock

"""A way in for debuggers: a port of this machine's loopback that leads to one inside an environment."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

log = logging.getLogger(__name__)

_CHUNK = 1 << 16
_BACKLOG = 4
_REST = 1.0

Connect = Callable[[], Awaitable[socket.socket]]
"""Gives a connection to what listens inside. Raises OSError, TimeoutError."""


class Door:
    """Open until it is closed; each connection is handed on by a connection of its own."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    def open(self, port: int) -> int:
        """The port it listens on. Raises OSError when that is taken."""
        listener = socket.socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            listener.listen(_BACKLOG)
            listener.setblocking(False)
        except OSError:
            listener.close()
            raise
        self._listener = listener
        self._start(self._accept(listener))
        number: int = listener.getsockname()[1]
        return number

    def close(self) -> None:
        """No more connections, and an end to those there are."""
        for task in list(self._tasks):
            task.cancel()
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                outside, _ = await self._loop.sock_accept(listener)
            except OSError as error:
                log.warning("a debugger could not be let in: %s", error)
                await asyncio.sleep(_REST)
                continue
            outside.setblocking(False)
            self._start(self._join(outside))

    async def _join(self, outside: socket.socket) -> None:
        with outside:
            try:
                inside = await self._connect()
            except (OSError, TimeoutError) as error:
                log.warning("a debugger found nothing to connect to: %s", error)
                return
            with inside:
                both = {
                    self._loop.create_task(self._copy(outside, inside)),
                    self._loop.create_task(self._copy(inside, outside)),
                }
                try:
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in both:
                        task.cancel()
                    await asyncio.gather(*both, return_exceptions=True)

    async def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := await self._loop.sock_recv(source, _CHUNK):
                await self._loop.sock_sendall(sink, data)

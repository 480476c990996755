"""Sending telemetry to a listener inside an environment: bounded in time and in what is read, for nobody there is trusted."""

import asyncio
import contextlib
import itertools
import re
import socket
from collections.abc import Awaitable, Callable

from cumulet.compute.subscriptions import Destination

_PATIENCE = 5.0
_MOST_ANSWER = 1 << 16
_REFUSED = 400
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")

Deliver = Callable[[Destination, list[bytes]], Awaitable[None]]
"""Sends a batch of encoded events. Raises OSError, TimeoutError or ValueError when it was not taken."""


class Delivery:
    """Of one environment. `make_socket` gives an unconnected socket that is inside."""

    def __init__(self, make_socket: Callable[[], Awaitable[socket.socket]]) -> None:
        self._make_socket = make_socket
        self._loop = asyncio.get_running_loop()
        self._streams: dict[int, socket.socket] = {}
        self._numbers = itertools.count(1)

    async def deliver(self, destination: Destination, batch: list[bytes]) -> None:
        async with asyncio.timeout(_PATIENCE):
            if destination.protocol == "TCP":
                await self._stream(destination.port, batch)
            else:
                await self._post(destination, batch)

    def close(self) -> None:
        for stream in self._streams.values():
            stream.close()
        self._streams.clear()

    async def connect(self, port: int) -> socket.socket:
        """A connection to what listens inside. Raises OSError."""
        outgoing = await self._make_socket()
        try:
            outgoing.setblocking(False)
            await self._loop.sock_connect(outgoing, ("127.0.0.1", port))
        except BaseException:
            outgoing.close()
            raise
        return outgoing

    async def _post(self, destination: Destination, batch: list[bytes]) -> None:
        body = b"[" + b",".join(batch) + b"]"
        head = (
            f"POST {destination.path} HTTP/1.1\r\nHost: {destination.host}\r\nContent-Type: application/json\r\n"
            f"Lambda-Extension-Sequence-Id: {next(self._numbers)}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        outgoing = await self.connect(destination.port)
        try:
            await self._loop.sock_sendall(outgoing, head.encode() + body)
            answer = b""
            while b"\r\n" not in answer and len(answer) < _MOST_ANSWER:
                data = await self._loop.sock_recv(outgoing, 4096)
                if not data:
                    break
                answer += data
        finally:
            outgoing.close()
        status = _STATUS.match(answer)
        if status is None:
            raise ValueError("the extension's answer is no HTTP")
        if int(status[1]) >= _REFUSED:
            raise ValueError(f"the extension answered {int(status[1])}")

    async def _stream(self, port: int, batch: list[bytes]) -> None:
        stream = self._streams.pop(port, None) or await self.connect(port)
        try:
            await self._loop.sock_sendall(stream, b"".join(event + b"\n" for event in batch))
        except BaseException:
            with contextlib.suppress(OSError):
                stream.close()
            raise
        self._streams[port] = stream

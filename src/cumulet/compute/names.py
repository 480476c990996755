"""The name server of sandboxes: the platform's own names are answered here, others by this machine's name servers.

It asks those only that sandboxes are let through to anyway. Whose question it is, its source address tells, which
the router sees to; what one sandbox can have in the air is bounded.
"""

import asyncio
import collections
import contextlib
import logging
import secrets
import socket
from collections.abc import Coroutine, Sequence
from typing import Any

from cumulet.compute import dns
from cumulet.compute.linux.firewall import PLATFORM

log = logging.getLogger(__name__)

_LOOPBACK_NAMES = ("localhost", "localhost.localstack.cloud")
_PLATFORM_NAMES = ("amazonaws.com", "api.aws", "on.aws")
_PORT = 53
_AT_ONCE = 32
_MOST_ASKED = 32
_MOST_A_SECOND = 1000
_MOST_CONNECTIONS = 8
_TIMEOUT = 3.0
_IDLE = 10.0
_MAX_QUERY = 4096
_MAX_ANSWER = 1 << 16


class Names:
    """Answers on the sockets it is given, until it is closed. `servers` are the addresses of name servers."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = servers
        self._loop = asyncio.get_running_loop()
        self._asking: collections.Counter[str] = collections.Counter()
        self._connections: collections.Counter[str] = collections.Counter()
        self._asked: collections.Counter[str] = collections.Counter()
        self._second = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, datagrams: socket.socket, streams: socket.socket, *, alone: bool = False) -> "Serving":
        """Answer on these two, which belong to it from here on. `alone`: other names are not to be found from there."""
        return Serving(self, datagrams, streams, () if alone else self._servers)

    def paced(self, source: str) -> bool:
        """Whether that sandbox may ask one question more this second: what is over is as if it were lost."""
        second = int(self._loop.time())
        if second != self._second:
            self._second = second
            self._asked.clear()
        self._asked[source] += 1
        return self._asked[source] <= _MOST_A_SECOND

    def close(self) -> None:
        for task in self._tasks:
            task.cancel()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @contextlib.contextmanager
    def counted(self, source: str, *, connection: bool = False) -> Any:
        """Gives whether one more is allowed to that sandbox."""
        counter, most = (self._connections, _MOST_CONNECTIONS) if connection else (self._asking, _MOST_ASKED)
        counter[source] += 1
        try:
            yield counter[source] <= most
        finally:
            counter[source] -= 1
            if not counter[source]:
                del counter[source]


class Serving:
    """One pair of sockets that questions come to."""

    def __init__(self, names: Names, datagrams: socket.socket, streams: socket.socket, servers: Sequence[str]) -> None:
        self._names = names
        self._datagrams = datagrams
        self._streams = streams
        self._servers = servers
        self._loop = asyncio.get_running_loop()
        datagrams.setblocking(False)
        streams.setblocking(False)
        self._loop.add_reader(datagrams.fileno(), self._read)
        self._loop.add_reader(streams.fileno(), self._accept)

    def close(self) -> None:
        for one in (self._datagrams, self._streams):
            if one.fileno() >= 0:
                self._loop.remove_reader(one.fileno())
                one.close()

    def _read(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                message, address = self._datagrams.recvfrom(_MAX_QUERY)
            except BlockingIOError:
                return
            except OSError:
                continue  # an earlier answer did not arrive
            if not self._names.paced(address[0]):
                continue
            asked = dns.question(message)
            if asked is None:
                continue
            answer = own_answer(asked)
            if answer is None and not self._servers:
                answer = dns.response(asked, code=dns.NO_SUCH_NAME)
            if answer is not None:
                self._send(answer, address)
            else:
                self._names.start(self._forward(message, asked, address))

    def _send(self, answer: bytes, address: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):  # who asked is gone, or does not read
            if self._datagrams.fileno() >= 0:
                self._datagrams.sendto(answer, address)

    async def _forward(self, message: bytes, asked: dns.Question, address: tuple[str, int]) -> None:
        with self._names.counted(address[0]) as allowed:
            answer = await self._found(message, asked, _by_datagram) if allowed else None
        self._send(answer or dns.response(asked, code=dns.SERVER_FAILURE), address)

    async def _found(self, message: bytes, asked: dns.Question, ask: Any) -> bytes | None:
        """What the first name server says that says anything."""
        for server in self._servers:
            id_ = secrets.randbelow(1 << 16)
            with contextlib.suppress(OSError, TimeoutError, EOFError):
                async with asyncio.timeout(_TIMEOUT):
                    answer: bytes = await ask(server, dns.with_id(message, id_), asked, id_)
                return dns.with_id(answer, asked.id)
        return None

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection, address = self._streams.accept()
            connection.setblocking(False)
            self._names.start(self._converse(connection, address[0]))

    async def _converse(self, connection: socket.socket, source: str) -> None:
        with (
            connection,
            self._names.counted(source, connection=True) as allowed,
            contextlib.suppress(OSError, TimeoutError),
        ):
            while allowed and await self._exchange(connection, source):
                pass

    async def _exchange(self, connection: socket.socket, source: str) -> bool:
        """One question by TCP. False when there was none."""
        async with asyncio.timeout(_IDLE):
            size = int.from_bytes(await self._exactly(connection, 2), "big")
            if not 0 < size <= _MAX_QUERY:
                return False
            message = await self._exactly(connection, size)
        asked = dns.question(message)
        if asked is None:
            return False
        answer = own_answer(asked)
        if answer is None and self._servers:
            with self._names.counted(source) as allowed:
                answer = await self._found(message, asked, _by_stream) if allowed else None
            answer = answer or dns.response(asked, code=dns.SERVER_FAILURE)
        answer = answer or dns.response(asked, code=dns.NO_SUCH_NAME)
        async with asyncio.timeout(_IDLE):
            await self._loop.sock_sendall(connection, len(answer).to_bytes(2, "big") + answer)
        return True

    async def _exactly(self, connection: socket.socket, size: int) -> bytes:
        """Empty at the end of the connection."""
        data = b""
        while len(data) < size:
            more = await self._loop.sock_recv(connection, size - len(data))
            if not more:
                return b""
            data += more
        return data


def own_answer(asked: dns.Question) -> bytes | None:
    """Of the platform's own names; None for every other."""
    address = _own_address(asked.name)
    if address is None or not asked.of_internet:
        return None
    return dns.response(asked, [address] if asked.type == dns.A else [])


def _own_address(name: str) -> str | None:
    if _is_of(name, _LOOPBACK_NAMES):
        return "127.0.0.1"
    return PLATFORM if is_platforms(name) else None


def is_platforms(name: str) -> bool:
    """Whether a host, in lower case, is one that AWS answers at."""
    return _is_of(name, _PLATFORM_NAMES)


def _is_of(name: str, domains: Sequence[str]) -> bool:
    return any(name.endswith(domain) and name[-len(domain) - 1 : -len(domain)] in ("", ".") for domain in domains)


async def _by_datagram(server: str, message: bytes, asked: dns.Question, id_: int) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setblocking(False)
        asking.connect((server, _PORT))  # from elsewhere it hears nothing
        asking.send(message)
        while True:
            answer = await loop.sock_recv(asking, _MAX_ANSWER)
            if dns.answers(answer, asked, id_):
                return answer


async def _by_stream(server: str, message: bytes, asked: dns.Question, id_: int) -> bytes:
    reader, writer = await asyncio.open_connection(server, _PORT)
    try:
        writer.write(len(message).to_bytes(2, "big") + message)
        answer = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    finally:
        writer.close()
    if not dns.answers(answer, asked, id_):
        raise OSError("a name server answered something else")
    return answer

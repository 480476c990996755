"""Replays requests that were built and signed beforehand, over keep-alive connections, from one thread.

The driver's own processor time is reported beside the server's: where it is the larger, the server was not the bottleneck,
and the server's time per operation is the figure to read.
"""

import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Check = Callable[[bytes], bool]


@dataclass
class Result:
    """What a run of requests gave. Latencies in seconds, in the order of the answers."""

    latencies: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    errors: int = 0
    first_error: str = ""
    seconds: float = 0.0
    client_cpu: float = 0.0

    @property
    def done(self) -> int:
        return len(self.latencies)

    def percentile(self, percent: float) -> float:
        """In seconds; 0 when nothing was answered."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] if ordered else 0.0


class Connection:
    """One connection with at most one request under way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.socket = socket.create_connection(address, timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.started = 0.0
        self._received = bytearray()
        self._end = -1
        self._chunked = False
        self._body = 0

    def send(self, request: bytes) -> None:
        self._received.clear()
        self._end, self._chunked, self._body = -1, False, 0
        self.started = time.perf_counter()
        self.socket.sendall(request)

    def feed(self) -> bool:
        """Read what there is; True when the answer is whole. Raises ConnectionError when it never will be."""
        piece = self.socket.recv(1 << 20)
        if not piece:
            raise ConnectionError("the server closed the connection")
        self._received += piece
        if self._body == 0 and not self._read_head():
            return False
        if self._chunked:
            return self._received.endswith(b"0\r\n\r\n")
        return len(self._received) >= self._end

    def _read_head(self) -> bool:
        head_end = self._received.find(b"\r\n\r\n")
        if head_end < 0:
            return False
        self._body = head_end + 4
        head = bytes(self._received[:head_end]).lower()
        at = head.find(b"\r\ncontent-length:")
        self._chunked = at < 0 and b"\r\ntransfer-encoding: chunked" in head
        length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        self._end = self._body + length
        return True

    @property
    def status(self) -> int:
        return int(self._received[9:12])

    @property
    def answer(self) -> bytes:
        return bytes(self._received)

    @property
    def body(self) -> bytes:
        return bytes(self._received[self._body :])


def replay(
    address: tuple[str, int],
    requests: Sequence[bytes],
    count: int,
    clients: int = 1,
    *,
    seconds: float = 10.0,
    check: Check | None = None,
    keep: bool = False,
) -> Result:
    """Send `count` requests, cycling through `requests`, from `clients` connections; stop after `seconds`.

    An answer counts as an error when its status is 300 or more, when a function failed, or when `check` says so of the
    whole answer. `keep` collects the bodies.
    """
    result = Result()
    poll = select.epoll()
    connections = {}
    for _ in range(clients):
        connection = Connection(address)
        connections[connection.socket.fileno()] = connection
        poll.register(connection.socket.fileno(), select.EPOLLIN)
    cpu, started = time.process_time(), time.perf_counter()
    sent = 0

    def send(connection: Connection) -> bool:
        nonlocal sent
        if sent >= count or time.perf_counter() - started > seconds:
            return False
        connection.send(requests[sent % len(requests)])
        sent += 1
        return True

    busy = sum(send(connection) for connection in connections.values())
    while busy and (events := poll.poll(60)):
        for number, _ in events:
            connection = connections[number]
            try:
                if not connection.feed():
                    continue
            except OSError as error:
                result.errors += 1
                result.first_error = result.first_error or str(error)
                poll.unregister(number)
                busy -= 1
                continue
            result.latencies.append(time.perf_counter() - connection.started)
            _judge(result, connection, check, keep)
            busy -= not send(connection)
    result.seconds = time.perf_counter() - started
    result.client_cpu = time.process_time() - cpu
    for connection in connections.values():
        connection.socket.close()
    poll.close()
    return result


def _judge(result: Result, connection: Connection, check: Check | None, keep: bool) -> None:
    answer = connection.answer
    failed = connection.status >= 300 or b"x-amz-function-error" in answer[:2048].lower()
    if failed or (check is not None and not check(answer)):
        result.errors += 1
        result.first_error = result.first_error or answer[:400].decode(errors="replace")
    elif keep:
        result.bodies.append(connection.body)

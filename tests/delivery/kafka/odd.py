"""A cluster of one server that answers what a test tells it to: enough of Kafka's protocol for a group's only member.

https://kafka.apache.org/protocol
"""

import asyncio
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiokafka.record.util import calc_crc32c

TOPIC = "odd"
_FETCH, _OFFSETS, _METADATA, _COMMIT, _OFFSET_FETCH = 1, 2, 3, 8, 9
_COORDINATOR, _JOIN, _HEARTBEAT, _LEAVE, _SYNC, _VERSIONS = 10, 11, 12, 13, 14, 18
_OFFERED = {
    _FETCH: 4,
    _OFFSETS: 1,
    _METADATA: 1,
    _COMMIT: 2,
    _OFFSET_FETCH: 1,
    _COORDINATOR: 0,
    _JOIN: 2,
    _HEARTBEAT: 0,
    _LEAVE: 0,
    _SYNC: 0,
    _VERSIONS: 0,
}


class OddCluster:
    """`address` is where it is. `batches` are what its one partition holds, `says` the places it names for its server.

    `answers` are bytes sent in place of an answer, length and all, by the number of the API that was asked.
    """

    def __init__(self, batches: bytes = b"", says: tuple[str, int] | None = None) -> None:
        self.address = ""
        self.batches = batches
        self.says = says
        self.answers: dict[int, bytes] = {}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                (size,) = struct.unpack(">i", await reader.readexactly(4))
                key, _, correlation = struct.unpack(">hhi", (await reader.readexactly(size))[:8])
                if key in self.answers:
                    writer.write(self.answers[key])
                else:
                    body = struct.pack(">i", correlation) + await self._answer(key)
                    writer.write(struct.pack(">i", len(body)) + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def _answer(self, key: int) -> bytes:  # noqa: C901  # a line for each API
        named, port = self.says or (self.address.rpartition(":")[0], int(self.address.rpartition(":")[2]))
        host = text(named)
        if key == _VERSIONS:
            return struct.pack(">hi", 0, len(_OFFERED)) + b"".join(
                struct.pack(">hhh", each, version, version) for each, version in _OFFERED.items()
            )
        if key == _METADATA:
            servers = struct.pack(">ii", 1, 1) + host + struct.pack(">ih", port, -1)
            partition = struct.pack(">ihiiiiii", 1, 0, 0, 1, 1, 1, 1, 1)
            return servers + struct.pack(">iih", 1, 1, 0) + text(TOPIC) + b"\0" + partition
        if key == _COORDINATOR:
            return struct.pack(">hi", 0, 1) + host + struct.pack(">i", port)
        if key == _JOIN:
            return (
                struct.pack(">ihi", 0, 0, 1)
                + text("roundrobin")
                + text("leader")
                + text("member")
                + struct.pack(">i", 0)
            )
        if key == _SYNC:
            dealt = struct.pack(">hi", 0, 1) + text(TOPIC) + struct.pack(">iii", 1, 0, 0)
            return struct.pack(">hi", 0, len(dealt)) + dealt
        if key == _OFFSET_FETCH:
            return _partition(struct.pack(">iq", 0, 0) + text("") + struct.pack(">h", 0))
        if key == _COMMIT:
            return _partition(struct.pack(">ih", 0, 0))
        if key == _OFFSETS:
            return _partition(struct.pack(">ihqq", 0, 0, -1, 0))
        if key == _FETCH:
            if not self.batches:
                await asyncio.sleep(0.5)
            head = struct.pack(">ihqqi", 0, 0, 1, 1, 0)
            return struct.pack(">i", 0) + _partition(head + struct.pack(">i", len(self.batches)) + self.batches)
        return struct.pack(">h", 0)


def text(value: str) -> bytes:
    return struct.pack(">h", len(value)) + value.encode()


def _partition(answer: bytes) -> bytes:
    return struct.pack(">i", 1) + text(TOPIC) + struct.pack(">i", 1) + answer


def batch(records: bytes, codec: int = 0, count: int = 1) -> bytes:
    """A record batch as Kafka keeps it: `records` are compressed as `codec` says (1 gzip, 2 snappy, 3 lz4, 4 zstd)."""
    told = struct.pack(">hiqqqhii", codec, count - 1, 0, 0, -1, -1, -1, count) + records
    rest = struct.pack(">ibI", 0, 2, calc_crc32c(told)) + told
    return struct.pack(">qi", 0, len(rest)) + rest


def record(value: bytes, headers: bytes = b"\0") -> bytes:
    """One record without a key; `headers` are their number and themselves."""
    body = b"\0\0\0" + varint(-1) + varint(len(value)) + value + headers
    return varint(len(body)) + body


def varint(value: int) -> bytes:
    left, found = (value << 1) ^ (value >> 63), bytearray()
    while left > 127:
        found.append(left & 127 | 128)
        left >>= 7
    found.append(left)
    return bytes(found)


@contextmanager
def running(cluster: OddCluster) -> Iterator[OddCluster]:
    """The cluster, served from a thread."""
    loop, ready = asyncio.new_event_loop(), threading.Event()
    stop: list[Callable[[], None]] = []

    async def serve() -> None:
        ended = asyncio.Event()
        stop.append(ended.set)
        server = await asyncio.start_server(cluster.serve, "127.0.0.1", 0)
        cluster.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await ended.wait()
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        ready.wait()
        yield cluster
    finally:
        loop.call_soon_threadsafe(stop[0])
        thread.join()
        loop.close()

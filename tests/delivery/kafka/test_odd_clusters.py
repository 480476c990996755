"""What a cluster answers can take its client's memory and time; the node is told why, and has lost neither."""

import asyncio
import gzip
import socket
import struct
import zlib
from collections.abc import Callable
from contextlib import closing, suppress

import cramjam
import msgspec
import pytest
from tests.delivery.kafka.odd import TOPIC, OddCluster, batch, record, running, varint

from cumulet.delivery.kafka.addresses import GuardedLoop
from cumulet.delivery.kafka.messages import Found
from cumulet.delivery.kafka.process import Client
from cumulet.delivery.kafka.wire import Gone, Settings

_MEMORY = 256 * 1024 * 1024
_UNPACKED = 320 * 1024 * 1024
pytestmark = pytest.mark.timeout(300)


def read(cluster: OddCluster) -> list[Found]:
    """The first records of the topic. Raises Gone."""

    async def story() -> list[Found]:
        client = Client(Settings((cluster.address,), TOPIC, "group", "member", "TRIM_HORIZON", _MEMORY))
        try:
            await client.begin()
            assert await client.ask("partitions") == [0]
            start = (await client.ask("positions"))[0]
            while not (found := await client.ask("read", 0, start, 10)):
                await client.ask("wait", 0, 2.0)
            return msgspec.convert(found, list[Found])
        finally:
            await client.close()

    return asyncio.run(story())


def gzipped() -> bytes:
    one = gzip.compress(bytes(16 << 20))
    return one * (_UNPACKED >> 24)


def snapped() -> bytes:
    """It says how much it unpacks to, and need not be right."""
    size, found = _UNPACKED, bytearray()
    while size > 127:
        found.append(size & 127 | 128)
        size >>= 7
    return bytes(found) + bytes([size, 0, 0])


def many_headers() -> bytes:
    """16 MB that are eight million headers without names and values."""
    count = 8 << 20
    return zlib.compress(record(b"", varint(count) + b"\0\1" * count), wbits=31)


@pytest.mark.parametrize(
    ("codec", "packed"),
    [
        (1, gzipped),
        (2, snapped),
        (3, lambda: bytes(cramjam.lz4.compress(bytes(_UNPACKED), level=1))),
        (4, lambda: bytes(cramjam.zstd.compress(bytes(_UNPACKED)))),
        (1, many_headers),
    ],
)
def test_a_batch_that_unpacks_to_more_than_there_is(codec: int, packed: Callable[[], bytes]) -> None:
    with running(OddCluster(batch(packed(), codec))) as cluster, pytest.raises(Gone, match="memory"):
        read(cluster)


def test_a_batch_that_is_as_it_should_be() -> None:
    packed = zlib.compress(record(b"value", varint(1) + varint(1) + b"h" + varint(1) + b"\xff"), wbits=31)
    with running(OddCluster(batch(packed, 1))) as cluster:
        (found,) = read(cluster)
    shown = msgspec.json.decode(found.shown)
    assert (found.offset, shown["value"], shown["headers"]) == (0, "dmFsdWU=", [{"h": [-1]}])


@pytest.mark.parametrize(
    ("asked", "answer", "problem"),
    [
        (1, struct.pack(">i", 2**31 - 1), "2147483647 bytes"),
        (3, struct.pack(">i", -1), "bytes"),
        (3, struct.pack(">iiiii", 16, 1, 2**31 - 1, -1, 2**30), "bootstrap"),
        (1, struct.pack(">iiiii", 16, 1, 2**31 - 1, -1, 2**30), "Failed fetch"),
    ],
)
def test_answers_that_are_none(asked: int, answer: bytes, problem: str) -> None:
    with running(OddCluster()) as cluster:
        cluster.answers[asked] = answer
        with pytest.raises(Gone, match=problem):
            read(cluster)


@pytest.mark.parametrize("host", ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254"])
def test_servers_where_clouds_serve_credentials(host: str) -> None:
    with running(OddCluster(says=(host, 80))) as cluster, pytest.raises(Gone, match="link-local"):
        read(cluster)


def test_servers_that_are_the_nodes_own_machine() -> None:
    """They may be when one that the user named is, too."""

    def refused(*permitted: str) -> str:
        async def story() -> None:
            await loop.permit(permitted)
            with socket.socket() as sock, suppress(OSError):
                sock.setblocking(False)
                await loop.sock_connect(sock, ("0.0.0.0", 1))

        with closing(GuardedLoop()) as loop:
            loop.run_until_complete(story())
            return loop.refused

    assert "the node's own machine" in refused("192.0.2.1:9092")
    assert refused("192.0.2.1:9092", "127.0.0.1:9092") == ""

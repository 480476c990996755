"""How a cluster is reached: with TLS where it has it, and not at all where it is not there."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.services.lambda_.sources.kafka.conftest import Broker

from cumulet.delivery.kafka.probe import Unreachable, speaks_plainly
from cumulet.services.lambda_.sources.kafka.rules import Topic
from cumulet.services.lambda_.sources.kafka.source import KafkaSource
from cumulet.services.lambda_.sources.port import SourceGone

pytestmark = [pytest.mark.xdist_group("kafka"), pytest.mark.timeout(300)]


def with_server(answer: bytes, work: Callable[[str], Awaitable[None]]) -> None:
    """Runs `work` with the address of a server that answers whatever it is asked."""

    async def story() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            writer.write(answer)
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            await work(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("answer", "plain"),
    [
        (b"\0\0\0\x0a\0\0\0\x01\0\0\0\0\0\0", True),
        (b"\x15\x03\x03\0\x02\x02\x0a" + b"\0" * 8, False),  # TLS: what was sent was no greeting
        (b"", False),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", False),
    ],
)
def test_a_server_that_does_not_answer_as_kafka_is_spoken_to_by_tls(answer: bytes, plain: bool) -> None:
    async def work(server: str) -> None:
        assert await speaks_plainly(["127.0.0.1:1", server]) is plain

    with_server(answer, work)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
        asyncio.run(speaks_plainly(["127.0.0.1:1"]))


def _read(server: str, topic: str) -> list[str]:
    async def story() -> list[str]:
        source = KafkaSource(Topic((server,), topic, "group"), "member", "TRIM_HORIZON")
        try:
            (shard,) = await source.shards()
            after = str((await source.positions())[shard.id] - 1)
            while not (found := (await source.read(shard.id, after, 10)).records):
                await source.wait(shard.id, 30)
            return [record.sequence for record in found]
        finally:
            await source.close()

    return asyncio.run(story())


def test_a_cluster_with_tls(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    topic = broker.create("tls")
    broker.send(topic, b"1", b"2")
    monkeypatch.setenv("SSL_CERT_FILE", str(broker.authority))
    assert _read(broker.tls, topic) == ["0", "1"]


def test_a_cluster_whose_certificate_nobody_trusts(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    topic = broker.create("untrusted")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nobody.pem"))
    with pytest.raises(SourceGone):
        _read(broker.tls, topic)

"""A broker of Apache Kafka on loopback, in a JVM with little memory; what is missing skips the tests that need it."""

import asyncio
import base64
import contextlib
import datetime as dt
import ipaddress
import random
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.compute.java_client import machines
from tests.conftest import ending_with_tests
from tests.services.lambda_.sources.conftest import until

_JARS = Path(__file__).parents[5] / "build" / "kafka"
_JAVA = 17
_MEMORY = ("-Xmx256m", "-Xss512k", "-XX:MaxMetaspaceSize=192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_START = 240.0
_SETTINGS = """
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{plain},SSL://127.0.0.1:{tls},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT
log.dirs={folder}/logs
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
"""


class Broker:
    """A broker, seen by its tests."""

    def __init__(self, plain: str, tls: str, authority: Path) -> None:
        self.plain, self.tls, self.authority = plain, tls, authority

    def create(self, topic: str, partitions: int = 1) -> str:
        async def make() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.plain)
            await admin.start()
            try:
                await admin.create_topics([NewTopic(topic, partitions, 1)])
            finally:
                await admin.close()

        asyncio.run(make())
        return topic

    def send(self, topic: str, *values: bytes | None, partition: int = 0, **members: Any) -> None:
        """Values one after the other into one partition; `key`, `headers` and `timestamp_ms` go with each."""

        async def produce(producer: Any) -> None:
            for value in values:
                await producer.send(topic, value, partition=partition, **members)
            await producer.flush()

        asyncio.run(self._with(lambda: AIOKafkaProducer(bootstrap_servers=self.plain, linger_ms=5), produce))

    def committed(self, group: str, topic: str, partition: int = 0) -> int | None:
        """The offset that a group goes on with."""
        found: list[int | None] = []

        async def ask(consumer: Any) -> None:
            found.append(await consumer.committed(TopicPartition(topic, partition)))

        def make() -> Any:
            consumer = AIOKafkaConsumer(bootstrap_servers=self.plain, group_id=group, enable_auto_commit=False)
            consumer.assign([TopicPartition(topic, partition)])
            return consumer

        asyncio.run(self._with(make, ask))
        return found[0]

    def read(self, topic: str, count: int) -> list[tuple[bytes | None, bytes | None]]:
        """The first keys and values of a topic."""
        found: list[tuple[bytes | None, bytes | None]] = []

        async def take(consumer: Any) -> None:
            async with asyncio.timeout(60):
                while len(found) < count:
                    message = await consumer.getone()
                    found.append((message.key, message.value))

        def make() -> Any:
            return AIOKafkaConsumer(topic, bootstrap_servers=self.plain, auto_offset_reset="earliest")

        asyncio.run(self._with(make, take))
        return found

    @staticmethod
    async def _with(make: Callable[[], Any], work: Callable[[Any], Awaitable[None]]) -> None:
        client = make()  # here, as clients belong to a loop
        await client.start()
        try:
            await work(client)
        finally:
            await client.stop()


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker for all tests, each with topics of its own."""
    java = _java()
    folder = tmp_path_factory.mktemp("kafka")
    plain, tls, controller = _ports(3)
    authority = _certificates(folder)
    settings = folder / "server.properties"
    settings.write_text(_SETTINGS.format(plain=plain, tls=tls, controller=controller, folder=folder))
    argv = [str(java), *_MEMORY, "-cp", f"{_jars()}/*"]
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    done = subprocess.run(
        [*argv, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(settings)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    with (folder / "broker.log").open("wb") as log:
        process = subprocess.Popen(ending_with_tests([*argv, "kafka.Kafka", str(settings)]), stdout=log, stderr=log)
    try:
        _wait_for(process, plain, folder / "broker.log")
        yield Broker(f"127.0.0.1:{plain}", f"127.0.0.1:{tls}", authority)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def follow(functions: Any, broker: Broker) -> Callable[..., str]:
    """`follow("topic", "function", BatchSize=1)` makes a mapping that reads from the beginning, and gives its UUID."""

    def create(topic: str, function: str, **members: Any) -> str:
        uuid_: str = functions.create_event_source_mapping(
            **source(broker.plain), Topics=[topic], FunctionName=function, **members
        )["UUID"]
        until(lambda: functions.get_event_source_mapping(UUID=uuid_)["State"] == "Enabled")
        return uuid_

    return create


def source(*servers: str) -> dict[str, Any]:
    """What names a cluster in CreateEventSourceMapping."""
    return {
        "SelfManagedEventSource": {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": list(servers)}},
        "SourceAccessConfigurations": [{"Type": "VPC_SUBNET", "URI": "subnet:subnet-1"}],
    }


def values(event: Any) -> list[str]:
    """The values of an event's records, as text."""
    return [base64.b64decode(record["value"]).decode() for records in event["records"].values() for record in records]


def _java() -> Path:
    found = [path for major, path in sorted(machines().items()) if major >= _JAVA]
    if not found:
        pytest.skip(f"no Java {_JAVA} or later for a broker of Kafka")
    return found[0] / "bin" / "java"


def _jars() -> Path:
    """The broker's jars, fetched once from Maven Central by the machine's `mvn`."""
    if (_JARS / "done").exists():
        return _JARS
    mvn = shutil.which("mvn")
    if mvn is None:
        pytest.skip(f"no mvn on the PATH to fetch a broker of Kafka into {_JARS}")
    _JARS.mkdir(parents=True, exist_ok=True)
    pom = Path(__file__).with_name("pom.xml")
    argv = [mvn, "--batch-mode", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={_JARS}"]
    done = subprocess.run([*argv, f"-DbuildDirectory={_JARS}"], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"a broker of Kafka cannot be fetched: {(done.stdout + done.stderr)[-500:]}")
    (_JARS / "done").touch()
    return _JARS


def _ports(count: int) -> Sequence[int]:
    """Free ports, of those that nobody is given who asks for any."""
    found: list[int] = []
    with contextlib.ExitStack() as held:
        while len(found) < count:
            port = random.randrange(15_000, 30_000)
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
    return found


def _wait_for(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        else:
            return


def _certificates(folder: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, for the broker; the same certificate, for those who trust it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "server.pem").write_bytes(private + certificate)
    authority = folder / "authority.pem"
    authority.write_bytes(certificate)
    return authority

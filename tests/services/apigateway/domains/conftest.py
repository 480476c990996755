"""A node with TLS, and certificates for its clients."""

import contextlib
import datetime as dt
import http.client
import json
import socket
import ssl
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.conftest import NodeProcess
from tests.services.apigateway.http.conftest import Answer

PEM = serialization.Encoding.PEM
_DAY = dt.timedelta(days=1)


class TlsNode(NodeProcess):
    """A node that speaks https; its clients trust what it says they should."""

    @staticmethod
    def get(url: str) -> Any:
        with urllib.request.urlopen(url, timeout=60, context=ssl._create_unverified_context()) as answer:
            return json.load(answer)

    @property
    def trusted(self) -> Path:
        return self.data / "tls.crt"

    @property
    def port(self) -> int:
        return urlsplit(self.endpoint).port or 0

    def client(self, service: str, account: str, region: str = "us-east-1", **options: Any) -> Any:
        return super().client(service, account, region, verify=str(self.trusted), **options)

    def connect(
        self, name: str, shown: Path | None = None, *, newest: bool | None = None, suites: str = ""
    ) -> ssl.SSLSocket:
        """A connection by a name; raises ssl.SSLError when one side does not trust the other. `suites`: the client's of TLS 1.2."""
        context = ssl.create_default_context(cafile=self.trusted)
        if newest is not None:
            version = ssl.TLSVersion.TLSv1_3 if newest else ssl.TLSVersion.TLSv1_2
            context.minimum_version = context.maximum_version = version
        if suites:
            context.set_ciphers(suites)
        if shown is not None:
            context.load_cert_chain(shown)
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        try:
            return context.wrap_socket(raw, server_hostname=name)
        except BaseException:
            raw.close()
            raise

    def call(self, name: str, path: str, shown: Path | None = None, *, host: str = "") -> Answer:
        """GET a path at a name, whose Host header may be another."""
        with contextlib.closing(self.connect(name, shown)) as connected:
            connection = http.client.HTTPConnection(name)
            connection.sock = connected
            connection.request("GET", path, headers={"Host": host or f"{name}:{self.port}"})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())


class Person(NamedTuple):
    """Somebody with a certificate."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(PEM).decode()

    def write(self, path: Path) -> Path:
        """Key and certificate in one file."""
        secret = self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(secret + self.pem.encode())
        return path


def certify(
    name: str,
    by: Person | None = None,
    *,
    authority: bool = False,
    days: int = 30,
    serial: int | None = None,
    hosts: tuple[str, ...] = (),
) -> Person:
    """A new certificate, by itself or somebody."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Pets, Inc."),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.certificate.subject if by is not None else subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(now - 400 * _DAY)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts]), False)
    return Person(builder.sign(by.key if by is not None else key, hashes.SHA256()), key)


@pytest.fixture(scope="session")
def tls_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsNode]:
    node = TlsNode(tmp_path_factory.mktemp("tls") / "data", "--tls")
    yield node
    if node.process.poll() is None:
        node.stop()


@pytest.fixture
def node(tls_node: TlsNode) -> TlsNode:
    """Every client here is of the node with TLS."""
    return tls_node


@pytest.fixture
def name(account: str) -> str:
    """A domain name that no other test uses."""
    return f"api{account}.example.com"


@pytest.fixture
def trusted(client: Callable[..., Any], account: str) -> Callable[..., str]:
    """`trusted(pem)` puts a truststore into S3 and gives its address."""

    def put(*pem: str) -> str:
        s3 = client("s3")
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=f"trust-{account}")
        s3.put_object(Bucket=f"trust-{account}", Key="store.pem", Body="\n".join(pem).encode())
        return f"s3://trust-{account}/store.pem"

    return put


@pytest.fixture
def start_tls_node(tmp_path: Path) -> Iterator[Callable[[], TlsNode]]:
    """Starts a node with a folder of its own."""
    nodes: list[TlsNode] = []

    def start() -> TlsNode:
        nodes.append(TlsNode(tmp_path / "data", "--tls"))
        return nodes[-1]

    yield start
    for node in nodes:
        node.stop()

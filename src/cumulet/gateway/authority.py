"""Certificates for AWS's names, which functions trust: so that what speaks https to AWS finds this node.

Made once a data folder, by a process of its own that ends: the node itself loads what it needs when the first such connection
comes. The authority's key is forgotten at once, and it is good for AWS's names alone.
"""

import asyncio
import datetime as dt
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

from cumulet.gateway.tls import context, write
from cumulet.kernel.clock import real_time

_DAY = 86_400
_LIFE = 825 * _DAY
_RENEW = 90 * _DAY
_DOMAINS = ("amazonaws.com", "api.aws", "on.aws")
_REGIONS = (  # noqa: SIM905 -- a list of 36 lines is no easier to read
    "af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1 "
    "ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1 "
    "eu-central-1 eu-central-2 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 il-central-1 me-central-1 "
    "me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-west-1 us-west-2"
).split()
_BELOW = (
    "{}.amazonaws.com",
    "s3.{}.amazonaws.com",
    "lambda-url.{}.on.aws",
    "execute-api.{}.amazonaws.com",
    "{}.api.aws",
)
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
AUTHORITY, BUNDLE = "ca-cert.pem", "ca-bundle.pem"


class Authority:
    """Of a node, in `folder`. `trusted` is a folder of public files: the AUTHORITY, and BUNDLE, that and whom this machine
    trusts.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._context: ssl.SSLContext | None = None
        self.trusted = folder / "trusted"

    def prepare(self, now: float) -> bool:
        """Have the trusted files be what they can be yet; False when the certificates have to be made. `now` is real time."""
        self.trusted.mkdir(parents=True, exist_ok=True)
        self._bundle()
        certificate = self._folder / "platform.crt"
        return certificate.exists() and certificate.stat().st_mtime > now - _LIFE + _RENEW

    async def make(self) -> None:
        """Make them, in a process of its own. Raises OSError."""
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", __name__, str(self._folder))
        if await process.wait():
            raise OSError("certificates for AWS's names could not be made: functions reach them by http only")
        self._bundle()

    def server(self) -> ssl.SSLContext:
        """The side of the node in connections by those names; a client that names no host is refused."""
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.minimum_version = ssl.TLSVersion.TLSv1_2
        made.set_alpn_protocols(["http/1.1"])
        made.sni_callback = self._choose
        return made

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if name is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        if self._context is None:
            try:
                self._context = context(self._folder / "platform.crt", self._folder / "platform.key")
            except OSError:  # not made yet
                return ssl.ALERT_DESCRIPTION_INTERNAL_ERROR
        connection.context = self._context
        return None

    def _bundle(self) -> None:
        bundle = self.trusted / BUNDLE
        system = (path for path in map(Path, _SYSTEM_BUNDLES) if path.is_file())
        parts = [path for path in (next(system, None), self.trusted / AUTHORITY) if path is not None and path.is_file()]
        newest = max((part.stat().st_mtime for part in parts), default=0.0)
        if not bundle.exists() or bundle.stat().st_mtime <= newest:
            write(bundle, b"".join(part.read_bytes() for part in parts), 0o644)


def make(folder: Path, now: float) -> None:
    """Make an authority and a certificate for AWS's names by it, into `folder`."""
    from cryptography import x509  # noqa: PLC0415 -- a tenth of a second that the node does not pay
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 -- as before
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 -- as before
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415 -- as before

    def builder(name: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, one)]) for one in (name, issuer)]
        return (
            x509.CertificateBuilder()
            .subject_name(names[0])
            .issuer_name(names[1])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(dt.datetime.fromtimestamp(now - _DAY, dt.UTC))
            .not_valid_after(dt.datetime.fromtimestamp(now + _LIFE, dt.UTC))
        )

    def usage(*, signs: bool) -> x509.KeyUsage:
        others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
        unset = dict.fromkeys((*others, "crl_sign", "encipher_only", "decipher_only"), False)
        return x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, **unset)

    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    title = "Cumulet, for functions of this node"
    identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())
    authority = (
        builder(title, title, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs=True), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(x509.NameConstraints([x509.DNSName(one) for one in _DOMAINS], None), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    certificate = (
        builder("amazonaws.com", title, key)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names()]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    folder.joinpath("trusted").mkdir(parents=True, exist_ok=True)
    write(folder / "platform.key", secret, 0o600)
    write(folder / "platform.crt", certificate.public_bytes(pem), 0o644)
    write(folder / "trusted" / AUTHORITY, authority.public_bytes(pem), 0o644)


def names() -> Sequence[str]:
    """What the certificate is for."""
    below = [pattern.format(region) for region in _REGIONS for pattern in _BELOW]
    return [name for domain in ("amazonaws.com", "s3.amazonaws.com", *below) for name in (domain, f"*.{domain}")]


if __name__ == "__main__":
    make(Path(sys.argv[1]), real_time())

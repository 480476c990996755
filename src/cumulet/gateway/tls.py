"""A certificate of the node's own, for clients that insist on https."""

import datetime as dt
import ipaddress
import os
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.x509 import GeneralName

_DAY = 86_400
_LIFE = 825 * _DAY  # the most that clients take
_RENEW = 30 * _DAY


def context(certificate: Path, key: Path) -> ssl.SSLContext:
    """The server side of TLS 1.2 and later with the given PEM files. Raises OSError or ssl.SSLError when they do not do."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    made.load_cert_chain(certificate, key)
    return made


def self_signed(folder: Path, names: Sequence[str], now: float) -> ssl.SSLContext:
    """A context with a certificate for `names` (hosts and addresses), kept in `folder` and renewed before it runs out.

    Clients trust it through `folder/tls.crt`. Other names make another certificate. `now` is real time.
    """
    certificate, key = folder / "tls.crt", folder / "tls.key"
    if not _serves(certificate, key, names, now):
        folder.mkdir(parents=True, exist_ok=True)
        _make(certificate, key, names, now)
    return context(certificate, key)


def _serves(certificate: Path, key: Path, names: Sequence[str], now: float) -> bool:
    from cryptography import x509  # noqa: PLC0415 -- a tenth of a second that plain http does not pay

    if not (certificate.exists() and key.exists()):
        return False
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
        held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    kept = {*held.get_values_for_type(x509.DNSName), *map(str, held.get_values_for_type(x509.IPAddress))}
    return set(names) <= kept and found.not_valid_after_utc.timestamp() - _RENEW > now


def _make(certificate: Path, key: Path, names: Sequence[str], now: float) -> None:
    from cryptography import x509  # noqa: PLC0415 -- see _serves
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 -- see _serves
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 -- see _serves

    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cumulet")])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime.fromtimestamp(now - _DAY, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(now + _LIFE, dt.UTC))
        .add_extension(x509.SubjectAlternativeName([_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write(key, pem, 0o600)
    write(certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)


def _name(name: str) -> "GeneralName":
    from cryptography import x509  # noqa: PLC0415 -- see _serves

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def write(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole or not at all, and never readable by others for a moment."""
    temporary = path.with_suffix(path.suffix + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    temporary.replace(path)

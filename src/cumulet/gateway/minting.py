"""Makes certificates, in a process of its own that ends: so the node loads no cryptography for them.

`python -m cumulet.gateway.minting platform FOLDER`: an authority whose key is forgotten at once, and a certificate for AWS's names.
`python -m cumulet.gateway.minting names FOLDER FILE NAME...`: a certificate for names of this node by the node's own authority, which
is made first where there is none. Its key stays in FOLDER, as domain names to come need it.
"""

import datetime as dt
import ipaddress
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from cumulet.gateway.authority import AUTHORITY, DOMAINS, NODE_AUTHORITY, NODE_KEY, names
from cumulet.gateway.tls import LIFE, write
from cumulet.kernel.clock import real_time

_DAY = 86_400
_AUTHORITY_LIFE = 3650 * _DAY
_PEM = serialization.Encoding.PEM


def platform(folder: Path, now: float) -> None:
    """Make an authority and a certificate for AWS's names by it, into `folder`."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    permitted = x509.NameConstraints([x509.DNSName(one) for one in DOMAINS], None)
    authority = _authority("Cumulet, for functions of this node", authority_key, now, LIFE, permitted)
    certificate = _certificate("amazonaws.com", names(), key, authority, authority_key, now)
    folder.joinpath("trusted").mkdir(parents=True, exist_ok=True)
    write(folder / "platform.key", _secret(key), 0o600)
    write(folder / "platform.crt", certificate.public_bytes(_PEM), 0o644)
    write(folder / "trusted" / AUTHORITY, authority.public_bytes(_PEM), 0o644)


def issue(folder: Path, file: str, hosts: Sequence[str], now: float) -> None:
    """Write `file` in `folder`: a key, and a certificate for `hosts` (names and addresses) by the authority there."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority, authority_key = _node_authority(folder, now)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate("cumulet", hosts, key, authority, authority_key, now)
    write(folder / file, _secret(key) + certificate.public_bytes(_PEM), 0o600)


def _node_authority(folder: Path, now: float) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate_file, key_file = folder / NODE_AUTHORITY, folder / NODE_KEY
    if certificate_file.exists() and key_file.exists():
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if isinstance(key, ec.EllipticCurvePrivateKey) and certificate.not_valid_after_utc.timestamp() > now + LIFE:
            return certificate, key
    key = ec.generate_private_key(ec.SECP256R1())
    # Each has a name of its own: a machine may trust the authorities of several nodes.
    made = _authority(f"Cumulet, node {x509.random_serial_number() >> 128:08x}", key, now, _AUTHORITY_LIFE, None)
    write(key_file, _secret(key), 0o600)
    write(certificate_file, made.public_bytes(_PEM), 0o644)
    return made, key


def _authority(
    title: str, key: ec.EllipticCurvePrivateKey, now: float, life: float, constraints: x509.NameConstraints | None
) -> x509.Certificate:
    builder = (
        _builder(title, _name(title), key, now, life)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if constraints is not None:
        builder = builder.add_extension(constraints, critical=True)
    return builder.sign(key, hashes.SHA256())


def _certificate(
    title: str,
    hosts: Sequence[str],
    key: ec.EllipticCurvePrivateKey,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: float,
) -> x509.Certificate:
    identifier = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    return (
        _builder(title, authority.subject, key, now, LIFE)
        .add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(by, critical=False)
        .sign(authority_key, hashes.SHA256())
    )


def _builder(
    title: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: float, life: float
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(title))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(dt.datetime.fromtimestamp(now - _DAY, dt.UTC))
        .not_valid_after(dt.datetime.fromtimestamp(now + life, dt.UTC))
    )


def _name(title: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, title)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    others = ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    unset: dict[str, Any] = dict.fromkeys((*others, "crl_sign", "encipher_only", "decipher_only"), False)
    return x509.KeyUsage(digital_signature=not signs, key_cert_sign=signs, **unset)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _secret(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


if __name__ == "__main__":
    if sys.argv[1] == "platform":
        platform(Path(sys.argv[2]), real_time())
    else:
        issue(Path(sys.argv[2]), sys.argv[3], sys.argv[4:], real_time())

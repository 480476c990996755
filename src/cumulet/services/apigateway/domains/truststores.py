"""Truststores: the authorities by which clients of a domain with mutual TLS must be certified.

https://docs.aws.amazon.com/apigateway/latest/developerguide/rest-api-mutual-tls.html
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from cumulet.api import apigateway as api
from cumulet.delivery.objects import NotReadable, is_uri, read_uri
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls

if TYPE_CHECKING:
    from cryptography import x509

_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\s*")
_LARGEST_MB = 1
_MOST = 1_000


class BadTruststore(Exception):
    """It cannot be read, or no client could be trusted by it."""


class Truststore(Struct, frozen=True):
    """The good certificates of a store (PEM), and what is to be said about the others."""

    pem: str
    warnings: list[str]


async def read(calls: Calls, call: Call, domain: api.DomainName, now: float) -> str:
    """The good certificates (PEM) of a domain's truststore, whose warnings the domain gets; empty where it has no mutual TLS.

    The object is read as the caller. Raises BadTruststore.
    """
    trust = domain.mutual_tls_authentication
    if trust is None:
        return ""
    found = await _load(calls, call, trust, now)
    trust.truststore_warnings = found.warnings or None
    return found.pem


async def _load(calls: Calls, call: Call, trust: api.MutualTlsAuthentication, now: float) -> Truststore:
    uri, version = trust.truststore_uri or "", trust.truststore_version
    if not is_uri(uri):
        raise BadTruststore("Invalid truststore URI. It must be an S3 location such as s3://bucket/key")
    try:
        data = await read_uri(calls, call, uri, what="truststore", limit_mb=_LARGEST_MB, version=version)
    except NotReadable as error:
        raise BadTruststore(str(error)) from error
    return check(data.decode("ascii", "replace"), uri, now)


def same(one: api.MutualTlsAuthentication, other: api.MutualTlsAuthentication) -> bool:
    """Whether both name the same object."""
    return (one.truststore_uri, one.truststore_version) == (other.truststore_uri, other.truststore_version)


def check(text: str, uri: str, now: float) -> Truststore:
    """The certificates of a text; raises BadTruststore when none of them is good for anything."""
    found = _CERTIFICATE.findall(text)
    if len(found) > _MOST:
        raise BadTruststore(f"The truststore {uri} has more than {_MOST:,} certificates")
    good: list[str] = []
    warnings: list[str] = []
    for number, pem in enumerate(found, 1):
        usable, warning = _look(pem, number, now)
        if usable:
            good.append(pem.strip())
        if warning:
            warnings.append(warning)
    if not good:
        raise BadTruststore(f"The truststore {uri} has no valid certificate in PEM")
    return Truststore("\n".join([*good, ""]), warnings)


def _look(pem: str, number: int, now: float) -> tuple[bool, str]:
    """Whether a certificate can be used, and what is wrong with it."""
    from cryptography import x509  # noqa: PLC0415  seldom needed, and slow to import
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415

    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        subject = certificate.subject.rfc4514_string()
        authority = _is_authority(certificate)
    except ValueError as error:
        return False, f"Certificate {number} cannot be read: {error}"
    moment = datetime.fromtimestamp(now, UTC)
    which = f"Certificate {number} ({subject})"
    if moment > certificate.not_valid_after_utc:
        return True, f"{which} has expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if moment < certificate.not_valid_before_utc:
        return True, f"{which} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
    if not authority:
        return True, f"{which} is not of a certificate authority"
    if isinstance(certificate.signature_hash_algorithm, hashes.MD5 | hashes.SHA1):
        return True, f"{which} has an insecure signature algorithm"
    return True, ""


def _is_authority(certificate: x509.Certificate) -> bool:
    from cryptography import x509  # noqa: PLC0415  as before

    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False

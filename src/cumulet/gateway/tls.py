"""What every TLS connection of the node is made with."""

import os
import ssl
from pathlib import Path
from typing import Any

from cumulet.kernel.web import ClientCertificate

_DAY = 86_400
LIFE = 825 * _DAY
"""Seconds that a certificate is good for: the most that clients take."""
RENEW = 90 * _DAY
"""Seconds before its end when it is made anew."""


def context(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """The server side of TLS 1.2 and later with the given PEM files; without `key` it is in the certificate's file.

    Raises OSError or ssl.SSLError when they do not do.
    """
    made = bare_context()
    made.load_cert_chain(certificate, key)
    return made


def bare_context() -> ssl.SSLContext:
    """The server side without a certificate."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.set_alpn_protocols(["http/1.1"])
    return made


def shown_certificate(connection: ssl.SSLObject) -> ClientCertificate | None:
    """The verified certificate of the client; None where none was asked for."""
    der = connection.getpeercert(binary_form=True)
    if der is None:
        return None
    found: dict[str, Any] = connection.getpeercert() or {}
    return ClientCertificate(
        pem=ssl.DER_cert_to_PEM_cert(der),
        subject=tuple(pair for part in found.get("subject", ()) for pair in part),
        issuer=tuple(pair for part in found.get("issuer", ()) for pair in part),
        serial=found.get("serialNumber", ""),
        not_before=found.get("notBefore", ""),
        not_after=found.get("notAfter", ""),
    )


def is_fresh(file: Path, now: float) -> bool:
    """Whether the file is there, and was written so lately that its certificate need not be made anew. `now` is real time."""
    try:
        return file.stat().st_mtime > now - LIFE + RENEW
    except OSError:
        return False


def write(path: Path, data: bytes, mode: int) -> None:
    """Write a file whole or not at all, and never readable by others for a moment."""
    temporary = path.with_suffix(path.suffix + ".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
    temporary.replace(path)

"""Certificates of clients as events and `$context` have them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

from typing import Any

from cumulet.kernel.web import ClientCertificate

_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "userId": "UID",
}
_SPECIAL = str.maketrans({character: f"\\{character}" for character in '\\,+"<>;'})
_SMALL = 16
"""Hexadecimal digits of a serial number that is shown as a number."""


def shown(certificate: ClientCertificate) -> dict[str, Any]:
    """`clientCert`: names from the country to the person, small serial numbers as such."""
    return {
        "clientCertPem": certificate.pem.strip(),
        "subjectDN": _name(certificate.subject),
        "issuerDN": _name(certificate.issuer),
        "serialNumber": _serial(certificate.serial),
        "validity": {"notBefore": certificate.not_before, "notAfter": certificate.not_after},
    }


def _name(parts: tuple[tuple[str, str], ...]) -> str:
    return ",".join([f"{_SHORT.get(kind, kind)}={value.translate(_SPECIAL)}" for kind, value in parts])


def _serial(digits: str) -> str:
    """As OpenSSL prints it: a number where eight bytes hold it, else its bytes."""
    if len(digits) <= _SMALL:
        return str(int(digits or "0", 16))
    digits = digits.lower()
    return ":".join([digits[at : at + 2] for at in range(0, len(digits), 2)])

"""The certificates that stages show to their backends.

https://docs.aws.amazon.com/apigateway/latest/developerguide/getting-started-client-side-ssl-authentication.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cumulet.services.apigateway.rest.certificates.keys import CertificateKeyStore
from cumulet.services.apigateway.rest.owned_store import OwnedStore

if TYPE_CHECKING:
    from cumulet.api import apigateway as api


class Certificates:
    """Certificates with their keys, by owner and id."""

    def __init__(self, certificates: OwnedStore[api.ClientCertificate], keys: CertificateKeyStore) -> None:
        self._certificates = certificates
        self._keys = keys

    async def pem(self, account: str, region: str, id: str) -> str:
        """Certificate and key in one text; empty when there is no such certificate."""
        certificate = await self._certificates.get(account, region, id)
        key = await self._keys.get(account, region, id)
        if certificate is None or key is None or not certificate.pem_encoded_certificate:
            return ""
        return f"{certificate.pem_encoded_certificate.rstrip()}\n{key}"

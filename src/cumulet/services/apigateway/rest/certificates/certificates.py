"""Client certificates, by which backends know that a request comes from the gateway: really made, and really used.

https://docs.aws.amazon.com/apigateway/latest/developerguide/getting-started-client-side-ssl-authentication.html
"""

from __future__ import annotations

import asyncio
import math

from msgspec.structs import replace

from cumulet.api import apigateway as api
from cumulet.kernel.call import Call
from cumulet.services.apigateway.errors import bad_request, limit_exceeded, not_found
from cumulet.services.apigateway.rest.apis.fresh import part_id
from cumulet.services.apigateway.rest.pages import page
from cumulet.services.apigateway.rest.patch import Rules, value
from cumulet.services.apigateway.state import ApiGateway
from cumulet.services.apigateway.tags import check_tags
from cumulet.storage.database import Transaction

_YEAR = 365 * 86_400
_RULES = Rules({"/description": value("description", ops=("replace", "remove"))}, listing=True)


async def generate_client_certificate(
    gateway: ApiGateway, call: Call, request: api.GenerateClientCertificateRequest
) -> api.ClientCertificate:
    check_tags(request.tags, gateway.limits)
    if await gateway.certificates.count(call.account, call.region) >= gateway.limits.client_certificates:
        raise limit_exceeded(
            "Maximum number of client certificates for this account has been reached. Please contact AWS if you need more."
        )
    now = float(math.floor(gateway.clock.now()))
    key, pem = await asyncio.to_thread(_make, now)  # a key takes a tenth of a second
    certificate = api.ClientCertificate(
        client_certificate_id=part_id(),
        description=request.description,
        pem_encoded_certificate=pem,
        created_date=now,
        expiration_date=now + _YEAR,
        tags=request.tags or None,
    )
    id = certificate.client_certificate_id or ""
    async with gateway.db.transaction() as tx:
        await gateway.certificates.put(tx, call.account, call.region, id, certificate)
        await gateway.certificate_keys.add(tx, call.account, call.region, id, key)
    return certificate


async def get_client_certificate(
    gateway: ApiGateway, call: Call, request: api.GetClientCertificateRequest
) -> api.ClientCertificate:
    return _shown(await _need(gateway, call, request.client_certificate_id))


async def get_client_certificates(
    gateway: ApiGateway, call: Call, request: api.GetClientCertificatesRequest
) -> api.ClientCertificates:
    found, position = await page(
        lambda after, limit: gateway.certificates.page(call.account, call.region, after, limit),
        lambda certificate: certificate.client_certificate_id,
        request.position,
        request.limit,
    )
    return api.ClientCertificates(items=found, position=position)


async def update_client_certificate(
    gateway: ApiGateway, call: Call, request: api.UpdateClientCertificateRequest
) -> api.ClientCertificate:
    async with gateway.db.transaction() as tx:
        certificate = await _need(gateway, call, request.client_certificate_id, tx)
        _RULES.apply(certificate, request.patch_operations)
        await gateway.certificates.put(tx, call.account, call.region, request.client_certificate_id, certificate)
    return _shown(certificate)


async def delete_client_certificate(
    gateway: ApiGateway, call: Call, request: api.DeleteClientCertificateRequest
) -> None:
    """Not while a stage uses it."""
    id = request.client_certificate_id
    async with gateway.db.transaction() as tx:
        await _need(gateway, call, id, tx)
        for rest_api in await gateway.rest.apis.list(call.account, call.region, "", -1, tx):
            for stage in await gateway.rest.stages.list(rest_api.id or "", tx):
                if stage.client_certificate_id == id:
                    raise bad_request(
                        f"Client certificate {id} is in use by stage {stage.stage_name} of API {rest_api.id}"
                    )
        await gateway.certificates.delete(tx, call.account, call.region, id)
        await gateway.certificate_keys.delete(tx, call.account, call.region, id)


def _make(now: float) -> tuple[str, str]:
    """A private key and a certificate of its own, valid for a year from `now` (seconds since 1970), both as PEM."""
    from datetime import UTC, datetime, timedelta  # noqa: PLC0415  with what follows, seldom needed

    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415
    from cryptography.x509.oid import NameOID  # noqa: PLC0415

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "Washington"),
            x509.NameAttribute(NameOID.LOCALITY_NAME, "Seattle"),
            x509.NameAttribute(NameOID.COMMON_NAME, "ApiGateway"),
        ]
    )
    begin = datetime.fromtimestamp(now, UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(seconds=_YEAR))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private.decode(), certificate.public_bytes(serialization.Encoding.PEM).decode()


def _shown(certificate: api.ClientCertificate) -> api.ClientCertificate:
    return certificate if certificate.tags is not None else replace(certificate, tags={})


async def _need(gateway: ApiGateway, call: Call, id: str, within: Transaction | None = None) -> api.ClientCertificate:
    certificate = await gateway.certificates.get(call.account, call.region, id, within)
    if certificate is None:
        raise not_found("Invalid Client Certificate identifier specified")
    return certificate

"""Public keys, and secrets that two sides come to share."""

from __future__ import annotations

from cumulet.api import kms as api
from cumulet.kernel.call import Call
from cumulet.services.kms.encrypting import check_algorithm, check_usage, refuse_recipient, stop_if_dry
from cumulet.services.kms.model import check_usable, metadata
from cumulet.services.kms.specs import AGREE, ENCAPSULATE
from cumulet.services.kms.state import Kms
from cumulet.services.kms.tags import Invalid


async def get_public_key(kms: Kms, call: Call, request: api.GetPublicKeyRequest) -> api.GetPublicKeyResponse:
    key = await kms.key(call, request.key_id)
    check_usable(key)
    if not key.public:
        raise api.UnsupportedOperationException(
            f"{key.arn} key spec is {key.spec} which is not valid for GetPublicKey."
        )
    shown = metadata(key)
    return api.GetPublicKeyResponse(
        key_id=key.arn,
        public_key=key.public,
        customer_master_key_spec=key.spec,
        key_spec=key.spec,
        key_usage=key.usage,
        encryption_algorithms=shown.encryption_algorithms,
        signing_algorithms=shown.signing_algorithms,
        key_agreement_algorithms=shown.key_agreement_algorithms,
        encapsulation_algorithms=shown.encapsulation_algorithms,
    )


async def derive_shared_secret(
    kms: Kms, call: Call, request: api.DeriveSharedSecretRequest
) -> api.DeriveSharedSecretResponse:
    from cumulet.services.kms.crypto import asymmetric  # noqa: PLC0415  cryptography is loaded when a key is used

    refuse_recipient(request.recipient)
    key = await kms.usable(call, request.key_id)
    check_usage(key, AGREE, "DeriveSharedSecret")
    check_algorithm(key, request.key_agreement_algorithm)
    try:
        secret = asymmetric.derive(await kms.vault.private(key), request.public_key)
    except asymmetric.WrongKey:
        raise Invalid from None
    stop_if_dry(request.dry_run)
    return api.DeriveSharedSecretResponse(
        key_id=key.arn,
        shared_secret=secret,
        key_agreement_algorithm=request.key_agreement_algorithm,
        key_origin=key.origin,
    )


async def encapsulate(kms: Kms, call: Call, request: api.EncapsulateRequest) -> api.EncapsulateResponse:
    from cumulet.services.kms.crypto import asymmetric  # noqa: PLC0415  cryptography is loaded when a key is used

    key = await kms.usable(call, request.key_id)
    check_usage(key, ENCAPSULATE, "Encapsulate")
    check_algorithm(key, request.encapsulation_algorithm)
    secret, ciphertext = asymmetric.encapsulate(await kms.vault.private(key))
    stop_if_dry(request.dry_run)
    return api.EncapsulateResponse(
        key_id=key.arn,
        shared_secret=secret,
        shared_secret_ciphertext_blob=ciphertext,
        encapsulation_algorithm=request.encapsulation_algorithm,
    )


async def decapsulate(kms: Kms, call: Call, request: api.DecapsulateRequest) -> api.DecapsulateResponse:
    from cumulet.services.kms.crypto import asymmetric  # noqa: PLC0415  cryptography is loaded when a key is used

    key = await kms.usable(call, request.key_id)
    check_usage(key, ENCAPSULATE, "Decapsulate")
    check_algorithm(key, request.encapsulation_algorithm)
    try:
        secret = asymmetric.decapsulate(await kms.vault.private(key), request.shared_secret_ciphertext_blob)
    except asymmetric.WrongKey:
        raise api.InvalidCiphertextException from None
    stop_if_dry(request.dry_run)
    return api.DecapsulateResponse(
        key_id=key.arn, shared_secret=secret, encapsulation_algorithm=request.encapsulation_algorithm
    )

"""Keys for data: given out in the clear and encrypted, to be used outside of KMS. And random bytes.

Answers do not tell the material that encrypted (KeyMaterialId): AWS's recorded answers have none here, Decrypt's have.
"""

from __future__ import annotations

import os

from cumulet.api import kms as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.kernel.service import prompt
from cumulet.services.kms import vault
from cumulet.services.kms.encrypting import check_usage, encrypt_with, refuse_recipient, stop_if_dry
from cumulet.services.kms.model import Key
from cumulet.services.kms.specs import ENCRYPT, SPECS, SYMMETRIC
from cumulet.services.kms.state import Kms
from cumulet.services.kms.tags import Invalid

_BYTES = {"AES_256": 32, "AES_128": 16}


async def _encrypting(kms: Kms, call: Call, key_id: str, operation: str) -> Key:
    """A symmetric key that may be used."""
    key = await kms.usable(call, key_id)
    check_usage(key, ENCRYPT, operation)
    if not key.symmetric:
        raise api.InvalidKeyUsageException(f"{key.arn} key spec is {key.spec} which is not valid for {operation}.")
    return key


def _size(spec: str | None, number: int | None) -> int:
    if (spec is None) == (number is None):
        raise Invalid("Please specify either number of bytes or key spec.")
    return _BYTES[spec] if spec is not None else number or 0


@prompt
async def generate_data_key(kms: Kms, call: Call, request: api.GenerateDataKeyRequest) -> api.GenerateDataKeyResponse:
    refuse_recipient(request.recipient)
    key = await _encrypting(kms, call, request.key_id, "GenerateDataKey")
    plaintext = os.urandom(_size(request.key_spec, request.number_of_bytes))
    blob = await encrypt_with(kms, key, SYMMETRIC, request.encryption_context, plaintext)
    stop_if_dry(request.dry_run)
    return api.GenerateDataKeyResponse(ciphertext_blob=blob, plaintext=plaintext, key_id=key.arn)


async def generate_data_key_without_plaintext(
    kms: Kms, call: Call, request: api.GenerateDataKeyWithoutPlaintextRequest
) -> api.GenerateDataKeyWithoutPlaintextResponse:
    key = await _encrypting(kms, call, request.key_id, "GenerateDataKeyWithoutPlaintext")
    plaintext = os.urandom(_size(request.key_spec, request.number_of_bytes))
    blob = await encrypt_with(kms, key, SYMMETRIC, request.encryption_context, plaintext)
    stop_if_dry(request.dry_run)
    return api.GenerateDataKeyWithoutPlaintextResponse(ciphertext_blob=blob, key_id=key.arn)


async def generate_data_key_pair(
    kms: Kms, call: Call, request: api.GenerateDataKeyPairRequest
) -> api.GenerateDataKeyPairResponse:
    refuse_recipient(request.recipient)
    key = await _encrypting(kms, call, request.key_id, "GenerateDataKeyPair")
    private, public = await _pair(request.key_pair_spec, request.dry_run)
    blob = await encrypt_with(kms, key, SYMMETRIC, request.encryption_context, private)
    return api.GenerateDataKeyPairResponse(
        private_key_ciphertext_blob=blob,
        private_key_plaintext=private,
        public_key=public,
        key_id=key.arn,
        key_pair_spec=request.key_pair_spec,
    )


async def generate_data_key_pair_without_plaintext(
    kms: Kms, call: Call, request: api.GenerateDataKeyPairWithoutPlaintextRequest
) -> api.GenerateDataKeyPairWithoutPlaintextResponse:
    key = await _encrypting(kms, call, request.key_id, "GenerateDataKeyPairWithoutPlaintext")
    private, public = await _pair(request.key_pair_spec, request.dry_run)
    return api.GenerateDataKeyPairWithoutPlaintextResponse(
        private_key_ciphertext_blob=await encrypt_with(kms, key, SYMMETRIC, request.encryption_context, private),
        public_key=public,
        key_id=key.arn,
        key_pair_spec=request.key_pair_spec,
    )


async def _pair(spec: str, dry_run: bool | None) -> tuple[bytes, bytes]:
    if spec not in SPECS:
        raise NotImplementedHere(f"Key pairs of spec {spec} are not there in Cumulet. See docs/services/kms.md.")
    stop_if_dry(dry_run)
    return await vault.generate(spec)


async def generate_random(kms: Kms, call: Call, request: api.GenerateRandomRequest) -> api.GenerateRandomResponse:
    refuse_recipient(request.recipient)
    if request.custom_key_store_id is not None:
        raise NotImplementedHere("Custom key stores are not there in Cumulet. See docs/services/kms.md.")
    if request.number_of_bytes is None:
        raise Invalid("NumberOfBytes is required.")
    return api.GenerateRandomResponse(plaintext=os.urandom(request.number_of_bytes))

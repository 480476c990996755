"""Encrypt, Decrypt, ReEncrypt: data of up to 4 KB, with a key that never leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from cumulet.api import kms as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.kernel.service import prompt
from cumulet.policy import ciphertexts
from cumulet.services.kms import names
from cumulet.services.kms.model import Key, check_usable
from cumulet.services.kms.names import Name
from cumulet.services.kms.specs import ENCRYPT, SYMMETRIC
from cumulet.services.kms.state import Kms
from cumulet.services.kms.tags import Invalid

_PREFIX = 32
"""Characters of a material's id that are in a ciphertext's header."""


def stop_if_dry(dry_run: bool | None) -> None:
    """Where a dry run ends: everything was checked, nothing was done."""
    if dry_run:
        raise api.DryRunOperationException("The request would have succeeded, but the DryRun option is set.")


def refuse_recipient(recipient: object) -> None:
    """Answers for Nitro Enclaves are encrypted for the enclave, whose attestation cannot be checked here."""
    if recipient is not None:
        raise NotImplementedHere("Recipient (Nitro Enclaves) is not there in Cumulet. See docs/services/kms.md.")


def check_usage(key: Key, usage: str, operation: str) -> None:
    """Raises InvalidKeyUsageException."""
    if key.usage != usage:
        raise api.InvalidKeyUsageException(f"{key.arn} key usage is {key.usage} which is not valid for {operation}.")


def check_algorithm(key: Key, algorithm: str) -> None:
    """Raises InvalidKeyUsageException."""
    if algorithm not in key.algorithms:
        raise api.InvalidKeyUsageException(f"Algorithm {algorithm} is incompatible with key spec {key.spec}.")


async def encrypt_with(
    kms: Kms, key: Key, algorithm: str, context: Mapping[str, str] | None, plaintext: bytes
) -> bytes:
    """The ciphertext of a key whose usage was checked."""
    check_algorithm(key, algorithm)
    if key.symmetric:
        from cumulet.services.kms.crypto import symmetric  # noqa: PLC0415  cryptography is loaded when a key is used

        header = ciphertexts.Header(key.account, key.id, bytes.fromhex(key.material[:_PREFIX]))
        return symmetric.encrypt(await kms.vault.current(key), header, context, plaintext)
    _refuse_context(context)
    from cumulet.services.kms.crypto import asymmetric  # noqa: PLC0415  cryptography is loaded when a key is used

    most = asymmetric.most_bytes(key.spec, algorithm)
    if len(plaintext) > most:
        raise Invalid(f"Algorithm {algorithm} and key spec {key.spec} cannot encrypt data larger than {most} bytes.")
    return asymmetric.encrypt(await kms.vault.private(key), algorithm, plaintext)


class Opened(NamedTuple):
    """What a ciphertext held. `material` is the id of what it was encrypted with, of a symmetric key."""

    key: Key
    plaintext: bytes
    material: str | None


async def decrypt_with(
    kms: Kms, call: Call, named: str | None, algorithm: str | None, context: Mapping[str, str] | None, blob: bytes
) -> Opened:
    """Raises InvalidCiphertextException, IncorrectKeyException, and what is wrong with the key."""
    algorithm = algorithm or SYMMETRIC
    header = ciphertexts.read(blob) if algorithm == SYMMETRIC else None
    if named is not None:
        key = await kms.key(call, named)
    elif header is None:
        raise api.InvalidCiphertextException
    else:
        found = await kms.find(header.account, call.region, header.key_id)
        if found is None:
            raise names.not_found(Name(header.account, call.region, header.key_id))
        key = found
    check_usable(key)
    if key.usage != ENCRYPT:
        raise _incorrect()
    check_algorithm(key, algorithm)
    if not key.symmetric:
        _refuse_context(context)
        return Opened(key, await _decrypt_asymmetric(kms, key, algorithm, blob), None)
    if header is None:
        raise api.InvalidCiphertextException
    if (header.account, header.key_id) != (key.account, key.id):
        raise _incorrect()
    material = await kms.vault.open(key, header.material.hex())
    if material is None:
        raise api.InvalidCiphertextException
    from cumulet.services.kms.crypto import symmetric  # noqa: PLC0415  cryptography is loaded when a key is used

    try:
        return Opened(key, symmetric.decrypt(material.secret, context, blob), material.id)
    except symmetric.Unopened:
        raise api.InvalidCiphertextException from None


def _refuse_context(context: Mapping[str, str] | None) -> None:
    """Standard asymmetric algorithms have no place for one."""
    if context:
        raise Invalid("An encryption context can be used with symmetric encryption keys only.")


def _incorrect() -> api.IncorrectKeyException:
    return api.IncorrectKeyException(
        "The key ID in the request does not identify a CMK that can perform this operation."
    )


async def _decrypt_asymmetric(kms: Kms, key: Key, algorithm: str, blob: bytes) -> bytes:
    from cumulet.services.kms.crypto import asymmetric  # noqa: PLC0415  cryptography is loaded when a key is used

    try:
        return await asyncio.to_thread(asymmetric.decrypt, await kms.vault.private(key), algorithm, blob)
    except asymmetric.WrongKey:
        raise api.InvalidCiphertextException from None


@prompt
async def encrypt(kms: Kms, call: Call, request: api.EncryptRequest) -> api.EncryptResponse:
    key = await kms.usable(call, request.key_id)
    check_usage(key, ENCRYPT, "Encrypt")
    algorithm = request.encryption_algorithm or SYMMETRIC
    blob = await encrypt_with(kms, key, algorithm, request.encryption_context, request.plaintext)
    stop_if_dry(request.dry_run)
    return api.EncryptResponse(ciphertext_blob=blob, key_id=key.arn, encryption_algorithm=algorithm)


@prompt
async def decrypt(kms: Kms, call: Call, request: api.DecryptRequest) -> api.DecryptResponse:
    refuse_recipient(request.recipient)
    if request.ciphertext_blob is None:
        raise Invalid("CiphertextBlob is required.")
    opened = await decrypt_with(
        kms, call, request.key_id, request.encryption_algorithm, request.encryption_context, request.ciphertext_blob
    )
    stop_if_dry(request.dry_run)
    return api.DecryptResponse(
        key_id=opened.key.arn,
        plaintext=opened.plaintext,
        encryption_algorithm=request.encryption_algorithm or SYMMETRIC,
        key_material_id=opened.material,
    )


async def re_encrypt(kms: Kms, call: Call, request: api.ReEncryptRequest) -> api.ReEncryptResponse:
    if request.ciphertext_blob is None:
        raise Invalid("CiphertextBlob is required.")
    source_algorithm = request.source_encryption_algorithm or SYMMETRIC
    opened = await decrypt_with(
        kms, call, request.source_key_id, source_algorithm, request.source_encryption_context, request.ciphertext_blob
    )
    key = await kms.usable(call, request.destination_key_id)
    check_usage(key, ENCRYPT, "ReEncryptTo")
    algorithm = request.destination_encryption_algorithm or SYMMETRIC
    blob = await encrypt_with(kms, key, algorithm, request.destination_encryption_context, opened.plaintext)
    stop_if_dry(request.dry_run)
    return api.ReEncryptResponse(
        ciphertext_blob=blob,
        source_key_id=opened.key.arn,
        key_id=key.arn,
        source_encryption_algorithm=source_algorithm,
        destination_encryption_algorithm=algorithm,
        source_key_material_id=opened.material,
        destination_key_material_id=key.material if key.symmetric else None,
    )

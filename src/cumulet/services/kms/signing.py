"""Signatures and message authentication codes."""

from __future__ import annotations

import asyncio
import hmac

from cumulet.api import kms as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.kms.encrypting import check_algorithm, check_usage, stop_if_dry
from cumulet.services.kms.model import Key
from cumulet.services.kms.specs import DIGEST_BYTES, MAC, SIGN, digest_of
from cumulet.services.kms.state import Kms
from cumulet.services.kms.tags import Invalid

_MU_BYTES = 64


async def sign(kms: Kms, call: Call, request: api.SignRequest) -> api.SignResponse:
    from cumulet.services.kms.crypto import asymmetric  # noqa: PLC0415  cryptography is loaded when a key is used

    key = await _signing(kms, call, request, "Sign")
    algorithm, kind = request.signing_algorithm, request.message_type or "RAW"
    stop_if_dry(request.dry_run)
    private = await kms.vault.private(key)
    if key.spec.startswith("RSA"):
        signature = await asyncio.to_thread(asymmetric.sign, private, algorithm, request.message, kind)
    else:
        signature = asymmetric.sign(private, algorithm, request.message, kind)
    return api.SignResponse(key_id=key.arn, signature=signature, signing_algorithm=algorithm)


async def verify(kms: Kms, call: Call, request: api.VerifyRequest) -> api.VerifyResponse:
    from cumulet.services.kms.crypto import asymmetric  # noqa: PLC0415  cryptography is loaded when a key is used

    key = await _signing(kms, call, request, "Verify")
    algorithm, kind = request.signing_algorithm, request.message_type or "RAW"
    private = await kms.vault.private(key)
    if not asymmetric.verify(private, algorithm, request.message, kind, request.signature):
        raise api.KMSInvalidSignatureException
    stop_if_dry(request.dry_run)
    return api.VerifyResponse(key_id=key.arn, signature_valid=True, signing_algorithm=algorithm)


async def _signing(kms: Kms, call: Call, request: api.SignRequest | api.VerifyRequest, operation: str) -> Key:
    """The key, once everything about the request is right."""
    key = await kms.usable(call, request.key_id)
    check_usage(key, SIGN, operation)
    algorithm = request.signing_algorithm
    check_algorithm(key, algorithm)
    if algorithm == "ED25519_PH_SHA_512":
        raise NotImplementedHere("ED25519_PH_SHA_512 is not there in Cumulet. See docs/services/kms.md.")
    kind = request.message_type or "RAW"
    if algorithm in ("ML_DSA_SHAKE_256", "ED25519_SHA_512"):
        allowed = ("RAW", "EXTERNAL_MU") if algorithm.startswith("ML") else ("RAW",)
        if kind not in allowed:
            raise Invalid(f"MessageType {kind} is not valid for algorithm {algorithm}.")
        if kind == "EXTERNAL_MU" and len(request.message) != _MU_BYTES:
            raise Invalid(f"Message is invalid length for algorithm {algorithm}.")
    elif kind == "EXTERNAL_MU":
        raise Invalid(f"MessageType {kind} is not valid for algorithm {algorithm}.")
    elif kind == "DIGEST" and len(request.message) != DIGEST_BYTES[digest_of(algorithm)]:
        raise Invalid(f"Digest is invalid length for algorithm {algorithm}.")
    return key


async def generate_mac(kms: Kms, call: Call, request: api.GenerateMacRequest) -> api.GenerateMacResponse:
    key, mac = await _mac(kms, call, request, "GenerateMac")
    stop_if_dry(request.dry_run)
    return api.GenerateMacResponse(mac=mac, mac_algorithm=request.mac_algorithm, key_id=key.arn)


async def verify_mac(kms: Kms, call: Call, request: api.VerifyMacRequest) -> api.VerifyMacResponse:
    key, mac = await _mac(kms, call, request, "VerifyMac")
    if not hmac.compare_digest(mac, request.mac):
        raise api.KMSInvalidMacException
    stop_if_dry(request.dry_run)
    return api.VerifyMacResponse(key_id=key.arn, mac_valid=True, mac_algorithm=request.mac_algorithm)


async def _mac(
    kms: Kms, call: Call, request: api.GenerateMacRequest | api.VerifyMacRequest, operation: str
) -> tuple[Key, bytes]:
    key = await kms.usable(call, request.key_id)
    check_usage(key, MAC, operation)
    check_algorithm(key, request.mac_algorithm)
    digest = request.mac_algorithm.removeprefix("HMAC_").replace("_", "").lower()
    return key, hmac.digest(await kms.vault.current(key), request.message, digest)

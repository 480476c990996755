"""SSE-KMS: each object's bytes are encrypted under a data key of its own, which a key of KMS encrypts.

What is kept with the object is the encrypted data key, so reading it takes `kms:Decrypt` on that key, by whoever reads. The bytes
themselves are enciphered as those under a customer's key are (`cipher.py`).
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec
from msgspec.structs import replace

from cumulet.api import kms as api
from cumulet.kernel.call import Call
from cumulet.kernel.errors import AwsError
from cumulet.services.s3.errors import error, invalid_argument
from cumulet.services.s3.model import Bucket, Facts
from cumulet.services.s3.state import S3

METHODS = ("aws:kms", "aws:kms:dsse")
_OWN_KEY = "alias/aws/s3"
_CONTEXT_HEADER = "x-amz-server-side-encryption-context"


async def new_key(s3: S3, call: Call, bucket: Bucket, key: str, facts: Facts, request: Any) -> bytes:
    """The data key of a new object or upload, noted in its facts; empty when KMS has no part in its encryption."""
    if facts.encryption not in METHODS:
        return b""
    facts.kms_context = _context_of(request)
    wanted = api.GenerateDataKeyRequest(
        key_id=facts.kms_key or _OWN_KEY, key_spec="AES_256", encryption_context=_context(bucket, key, facts)
    )
    made = await _ask(s3, call, bucket, "GenerateDataKey", wanted)
    facts.kms_key, facts.kms_data_key = made.key_id, base64.b64encode(made.ciphertext_blob).decode()
    return bytes(made.plaintext)


async def open_key(s3: S3, call: Call, bucket: Bucket, key: str, facts: Facts) -> bytes:
    """The data key of an object or upload that is there; empty when it has none."""
    if not facts.kms_data_key:
        return b""
    sealed = api.DecryptRequest(
        ciphertext_blob=base64.b64decode(facts.kms_data_key), encryption_context=_context(bucket, key, facts)
    )
    return bytes((await _ask(s3, call, bucket, "Decrypt", sealed)).plaintext)


def _context(bucket: Bucket, key: str, facts: Facts) -> dict[str, str]:
    return {**facts.kms_context, "aws:s3:arn": f"arn:aws:s3:::{bucket.name}/{key}"}


def _context_of(request: Any) -> dict[str, str]:
    """The encryption context that a request adds: base 64 of JSON."""
    header = request.ssekms_encryption_context
    if header is None:
        return {}
    try:
        return msgspec.json.decode(base64.b64decode(header, validate=True), type=dict[str, str])
    except (binascii.Error, ValueError):
        raise invalid_argument(
            "The header 'x-amz-server-side-encryption-context' shall be Base64-encoded UTF-8 string holding JSON which "
            "represents a string-string map",
            _CONTEXT_HEADER,
            header,
        ) from None


async def _ask(s3: S3, call: Call, bucket: Bucket, operation: str, request: Any) -> Any:
    """Ask KMS in the caller's name, through S3; what it refuses is told as S3 tells it."""
    asking = replace(call, region=bucket.region, source_arn=f"arn:aws:s3:::{bucket.name}")
    try:
        return await s3.calls.run(asking, "kms", operation, request)
    except AwsError as refused:
        if refused.code == "AccessDeniedException":
            raise error(403, "AccessDenied", refused.message) from None
        if refused.status >= 500:
            raise
        raise error(400, f"KMS.{refused.code}", refused.message) from None

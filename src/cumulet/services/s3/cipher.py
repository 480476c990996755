"""SSE-C: AES-256 in counter mode under the customer's key, so that any range can be read alone.

The key itself is never kept: only its MD5, by which a wrong key is refused, and a nonce for each run of bytes.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html
"""

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from cumulet.kernel.ids import token
from cumulet.services.s3.errors import error, invalid_argument

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers import CipherContext

_HEADER = "x-amz-server-side-encryption"
_BLOCK = 16
_KEY_BYTES = 32
WRONG_KEY = (
    "Requests specifying Server Side Encryption with Customer provided keys must provide the correct secret key."
)


class Encryption:
    """Encrypts one run of bytes; `nonce` must be kept with it."""

    def __init__(self, key: bytes) -> None:
        self.nonce = token(_BLOCK)
        self._context = _context(key, self.nonce, 0)

    def update(self, data: bytes) -> bytes:
        return self._context.update(data)


async def decrypted(pieces: AsyncIterator[bytes], key: bytes, nonce: str, start: int) -> AsyncIterator[bytes]:
    """The plain bytes of `pieces`, which begin `start` bytes into their run."""
    context = _context(key, nonce, start)
    async for piece in pieces:
        yield context.update(piece)


def _context(key: bytes, nonce: str, start: int) -> "CipherContext":
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: PLC0415  20 ms and 4 MB that few nodes need

    counter = (int(nonce, 16) + start // _BLOCK) % (1 << 128)
    context = Cipher(algorithms.AES(key), modes.CTR(counter.to_bytes(_BLOCK, "big"))).encryptor()
    context.update(bytes(start % _BLOCK))
    return context


def customer_key(algorithm: str | None, key: str | None, key_md5: str | None, *, reading: bool = False) -> bytes:
    """The key in the SSE-C members of a request, empty when there is none; raises InvalidArgument as S3 does."""
    if algorithm is None and key is None:
        return b""
    if algorithm is None:
        raise invalid_argument(
            "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption "
            "algorithm.",
            _HEADER,
        )
    if algorithm != "AES256":
        raise error(
            400,
            "InvalidEncryptionAlgorithmError",
            "The Encryption request you specified is not valid. Supported value: AES256.",
            ArgumentName=_HEADER,
            ArgumentValue=algorithm,
        )
    if not key:
        raise invalid_argument(
            "Requests specifying Server Side Encryption with Customer provided keys must provide an appropriate secret "
            "key.",
            _HEADER,
        )
    try:
        raw = base64.b64decode(key, validate=True)
    except ValueError:
        raw = b""
    if key_md5 is None or len(raw) != _KEY_BYTES:
        if reading:  # it cannot be the key of the object, whatever that is
            raise error(403, "AccessDenied", WRONG_KEY)
        raise invalid_argument("The secret key was invalid for the specified algorithm.", _HEADER)
    if key_digest(raw) != key_md5:
        raise invalid_argument("The calculated MD5 hash of the key did not match the hash that was provided.", _HEADER)
    return raw


def key_digest(key: bytes) -> str:
    return base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode()


def key_of(request: Any, prefix: str = "sse", *, reading: bool = False) -> bytes:
    """The customer key of a request; `prefix` is `copy_source_sse` for the source of a copy."""
    return customer_key(
        getattr(request, f"{prefix}_customer_algorithm"),
        getattr(request, f"{prefix}_customer_key"),
        getattr(request, f"{prefix}_customer_key_md5"),
        reading=reading,
    )

"""Iterators and tokens that clients keep for the service, sealed so that nobody else can make them."""

import base64
import hashlib
import hmac

from cumulet.policy import shard_iterators


class Tokens:
    """Makes them with a key of its own, from the node's `secret`."""

    def __init__(self, secret: bytes) -> None:
        self._key = hmac.digest(secret, b"cumulet kinesis tokens", hashlib.sha256)

    def make(self, made: float, arn: str, content: bytes) -> str:
        """`made` in seconds since 1970; `arn` is the stream's, or empty."""
        data = shard_iterators.pack(int(made * 1000), arn, content)
        return base64.b64encode(self._seal(data) + data).decode()

    def read(self, text: str) -> tuple[float, str, bytes] | None:
        """When it was made, the stream's ARN and the content; None when it was not made here."""
        found = shard_iterators.decode(text)
        if found is None:
            return None
        seal, data = found[: shard_iterators.SEAL], found[shard_iterators.SEAL :]
        if not hmac.compare_digest(seal, self._seal(data)):
            return None
        made, arn, content = shard_iterators.unpack(data)
        return made / 1000, arn, content

    def _seal(self, data: bytes) -> bytes:
        return hashlib.blake2b(data, digest_size=shard_iterators.SEAL, key=self._key).digest()

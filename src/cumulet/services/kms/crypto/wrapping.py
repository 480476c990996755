"""Key material on its way here: wrapped for a key pair of ours, by RSA alone or by AES whose key RSA wraps."""

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

from cumulet.services.kms.crypto.asymmetric import oaep


class Unwrapped(Exception):
    """The material does not come out."""


def unwrap(private: bytes, algorithm: str, wrapped: bytes) -> bytes:
    """The material; `private` is our wrapping key, DER. Raises Unwrapped."""
    key = serialization.load_der_private_key(private, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    try:
        if not algorithm.startswith("RSA_AES_KEY_WRAP"):
            return key.decrypt(wrapped, oaep(algorithm))
        size = key.key_size // 8
        return aes_key_unwrap_with_padding(key.decrypt(wrapped[:size], oaep(algorithm)), wrapped[size:])
    except (ValueError, InvalidUnwrap):
        raise Unwrapped from None

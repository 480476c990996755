"""RSA, elliptic curves and lattices: keys as PKCS 8 and X.509 SubjectPublicKeyInfo, both DER, as AWS gives them out."""

from collections.abc import Callable
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa, utils

from cumulet.kernel.errors import NotImplementedHere
from cumulet.services.kms.specs import digest_of

Private = Any
"""A private key of `cryptography`, of whatever kind: its methods are those of its spec."""

_HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "SHA_1": hashes.SHA1,
    "SHA_256": hashes.SHA256,
    "SHA_384": hashes.SHA384,
    "SHA_512": hashes.SHA512,
}
_CURVES: dict[str, Callable[[], ec.EllipticCurve]] = {
    "ECC_NIST_P256": ec.SECP256R1,
    "ECC_NIST_P384": ec.SECP384R1,
    "ECC_NIST_P521": ec.SECP521R1,
    "ECC_SECG_P256K1": ec.SECP256K1,
}
_EXPONENT = 65_537
_OAEP_OVERHEAD = {"RSAES_OAEP_SHA_1": 42, "RSAES_OAEP_SHA_256": 66}


class WrongKey(Exception):
    """Bytes that are no key, or one of another spec."""


def generate(spec: str) -> tuple[bytes, bytes]:
    """A new key pair: private and public, both DER."""
    key = _generate(spec)
    return _private_bytes(key), public_bytes(key)


def _generate(spec: str) -> Private:
    if spec.startswith("RSA_"):
        return rsa.generate_private_key(_EXPONENT, int(spec[4:]))
    if spec in _CURVES:
        return ec.generate_private_key(_CURVES[spec]())
    if spec == "ECC_NIST_EDWARDS25519":
        return ed25519.Ed25519PrivateKey.generate()
    kind = _lattice(spec)
    try:
        return kind.generate()
    except UnsupportedAlgorithm:
        raise _not_here(spec) from None


def _lattice(spec: str) -> Any:
    """The class of a post-quantum spec; those came with later versions of the library."""
    try:
        if spec.startswith("ML_DSA_"):
            from cryptography.hazmat.primitives.asymmetric import mldsa  # noqa: PLC0415

            return getattr(mldsa, f"MLDSA{spec[7:]}PrivateKey")
        from cryptography.hazmat.primitives.asymmetric import mlkem  # noqa: PLC0415

        return getattr(mlkem, f"MLKEM{spec[7:]}PrivateKey")
    except (ImportError, AttributeError):
        raise _not_here(spec) from None


def _not_here(spec: str) -> NotImplementedHere:
    return NotImplementedHere(
        f"Keys of spec {spec} need a later version of the cryptography package. See docs/services/kms.md."
    )


def _private_bytes(key: Private) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return bytes(key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption()))


def public_bytes(key: Private) -> bytes:
    """The public half of a private key."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_key().public_bytes(serialization.Encoding.DER, form))


def load(private: bytes) -> Private:
    """A private key of ours."""
    return serialization.load_der_private_key(private, None)


def check_imported(spec: str, private: bytes) -> bytes:
    """The public half of a key that was imported; raises WrongKey unless it is of this spec."""
    try:
        key: Any = serialization.load_der_private_key(private, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise WrongKey from None
    if spec.startswith("RSA_"):
        fits = isinstance(key, rsa.RSAPrivateKey) and key.key_size == int(spec[4:])
    elif spec in _CURVES:
        fits = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == _CURVES[spec]().name
    elif spec == "ECC_NIST_EDWARDS25519":
        fits = isinstance(key, ed25519.Ed25519PrivateKey)
    else:
        fits = isinstance(key, _lattice(spec))
    if not fits:
        raise WrongKey
    return public_bytes(key)


def most_bytes(spec: str, algorithm: str) -> int:
    """How much an RSA key of a spec encrypts."""
    return int(spec[4:]) // 8 - _OAEP_OVERHEAD[algorithm]


def oaep(algorithm: str) -> padding.OAEP:
    """The padding of an algorithm whose name ends with its digest."""
    digest = _HASHES["SHA_1" if algorithm.endswith("SHA_1") else "SHA_256"]
    return padding.OAEP(mgf=padding.MGF1(digest()), algorithm=digest(), label=None)


def encrypt(key: Private, algorithm: str, plaintext: bytes) -> bytes:
    """By the public half."""
    return bytes(key.public_key().encrypt(plaintext, oaep(algorithm)))


def decrypt(key: Private, algorithm: str, ciphertext: bytes) -> bytes:
    """Raises WrongKey when it does not open."""
    try:
        return bytes(key.decrypt(ciphertext, oaep(algorithm)))
    except ValueError:
        raise WrongKey from None


def sign(key: Private, algorithm: str, message: bytes, message_type: str) -> bytes:
    """`message_type` is RAW, DIGEST or (ML-DSA) EXTERNAL_MU: what the message is already."""
    if algorithm == "ML_DSA_SHAKE_256":
        return bytes(key.sign_mu(message) if message_type == "EXTERNAL_MU" else key.sign(message))
    if algorithm == "ED25519_SHA_512":
        return bytes(key.sign(message))
    return bytes(key.sign(message, *_scheme(algorithm, message_type)))


def verify(key: Private, algorithm: str, message: bytes, message_type: str, signature: bytes) -> bool:
    """Whether the signature is this key's."""
    public = key.public_key()
    try:
        if algorithm == "ML_DSA_SHAKE_256":
            (public.verify_mu if message_type == "EXTERNAL_MU" else public.verify)(signature, message)
        elif algorithm == "ED25519_SHA_512":
            public.verify(signature, message)
        else:
            public.verify(signature, message, *_scheme(algorithm, message_type))
    except InvalidSignature:
        return False
    return True


def _scheme(algorithm: str, message_type: str) -> tuple[Any, ...]:
    """What `cryptography` wants after the message."""
    digest = _HASHES[digest_of(algorithm)]()
    hashed = utils.Prehashed(digest) if message_type == "DIGEST" else digest
    if algorithm.startswith("ECDSA"):
        return (ec.ECDSA(hashed),)
    if algorithm.startswith("RSASSA_PKCS1"):
        return (padding.PKCS1v15(), hashed)
    return (padding.PSS(mgf=padding.MGF1(digest), salt_length=digest.digest_size), hashed)


def derive(key: Private, public: bytes) -> bytes:
    """ECDH's shared secret with another's public key (DER); raises WrongKey for one that is none on this curve."""
    try:
        other = serialization.load_der_public_key(public)
        return bytes(key.exchange(ec.ECDH(), other))
    except (ValueError, TypeError, AttributeError, UnsupportedAlgorithm):
        raise WrongKey from None


def encapsulate(key: Private) -> tuple[bytes, bytes]:
    """A new shared secret, and the ciphertext that carries it to this key's owner."""
    secret, ciphertext = key.public_key().encapsulate()
    return bytes(secret), bytes(ciphertext)


def decapsulate(key: Private, ciphertext: bytes) -> bytes:
    """The shared secret in a ciphertext; raises WrongKey for one of another length."""
    try:
        return bytes(key.decapsulate(ciphertext))
    except ValueError:
        raise WrongKey from None

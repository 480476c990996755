"""Which kinds of key there are, what each may be used for, and by which algorithms.

https://docs.aws.amazon.com/kms/latest/developerguide/symm-asymm-choose-key-spec.html
"""

from collections.abc import Mapping

ENCRYPT, SIGN, MAC = "ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC"
AGREE, ENCAPSULATE = "KEY_AGREEMENT", "ENCAPSULATE_DECAPSULATE"
SYMMETRIC = "SYMMETRIC_DEFAULT"

_RSA_SIGNING = (
    "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
    "RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
)  # fmt: skip
_RSA = {ENCRYPT: ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"), SIGN: _RSA_SIGNING}
_LATTICE_SIGNING = {SIGN: ("ML_DSA_SHAKE_256",)}
_LATTICE = {ENCAPSULATE: ("ML_KEM",)}

SPECS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    SYMMETRIC: {ENCRYPT: (SYMMETRIC,)},
    "RSA_2048": _RSA,
    "RSA_3072": _RSA,
    "RSA_4096": _RSA,
    "ECC_NIST_P256": {SIGN: ("ECDSA_SHA_256",), AGREE: ("ECDH",)},
    "ECC_NIST_P384": {SIGN: ("ECDSA_SHA_384",), AGREE: ("ECDH",)},
    "ECC_NIST_P521": {SIGN: ("ECDSA_SHA_512",), AGREE: ("ECDH",)},
    "ECC_SECG_P256K1": {SIGN: ("ECDSA_SHA_256",)},
    "ECC_NIST_EDWARDS25519": {SIGN: ("ED25519_PH_SHA_512", "ED25519_SHA_512")},
    "HMAC_224": {MAC: ("HMAC_SHA_224",)},
    "HMAC_256": {MAC: ("HMAC_SHA_256",)},
    "HMAC_384": {MAC: ("HMAC_SHA_384",)},
    "HMAC_512": {MAC: ("HMAC_SHA_512",)},
    "ML_DSA_44": _LATTICE_SIGNING,
    "ML_DSA_65": _LATTICE_SIGNING,
    "ML_DSA_87": _LATTICE_SIGNING,
    "ML_KEM_768": _LATTICE,
    "ML_KEM_1024": _LATTICE,
}
"""By spec: the usages it can have, each with its algorithms."""

SECRET_BYTES: Mapping[str, int] = {SYMMETRIC: 32, "HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
"""Bytes of material, for specs whose material is nothing but random."""

DIGEST_BYTES: Mapping[str, int] = {"SHA_256": 32, "SHA_384": 48, "SHA_512": 64}


def digest_of(algorithm: str) -> str:
    """The digest in the name of a signing algorithm: `SHA_256`."""
    return algorithm[-7:]

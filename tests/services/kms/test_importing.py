"""Material that was made elsewhere."""

import os
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from tests.services.kms.test_encryption import refused

FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


def wrapped(kms: Any, key: str, secret: bytes) -> dict[str, Any]:
    given = kms.get_parameters_for_import(KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048")
    public: Any = serialization.load_der_public_key(given["PublicKey"])
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    return {"KeyId": key, "ImportToken": given["ImportToken"], "EncryptedKeyMaterial": public.encrypt(secret, oaep)}


def test_material_comes_goes_and_comes_again(kms: Any) -> None:
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    refused("KMSInvalidStateException", kms.encrypt, KeyId=key, Plaintext=b"words")
    secret = os.urandom(32)
    first = wrapped(kms, key, secret)
    refused("ValidationException", kms.import_key_material, **first)
    refused("InvalidImportTokenException", kms.import_key_material, **first | FOREVER | {"ImportToken": b"x" * 60})
    refused(
        "InvalidCiphertextException", kms.import_key_material, **first | FOREVER | {"EncryptedKeyMaterial": b"x" * 256}
    )
    id = kms.import_key_material(**first, **FOREVER)["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
    kms.delete_imported_key_material(KeyId=key)
    refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=blob)
    refused("IncorrectKeyMaterialException", kms.import_key_material, **wrapped(kms, key, os.urandom(32)), **FOREVER)
    assert kms.import_key_material(**wrapped(kms, key, secret), **FOREVER)["KeyMaterialId"] == id
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"words"


def test_wrong_lengths_and_origins(kms: Any, key: str) -> None:
    refused(
        "UnsupportedOperationException",
        kms.get_parameters_for_import,
        KeyId=key,
        WrappingAlgorithm="RSAES_OAEP_SHA_256",
        WrappingKeySpec="RSA_2048",
    )
    mine = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    refused("IncorrectKeyMaterialException", kms.import_key_material, **wrapped(kms, mine, b"short"), **FOREVER)


def test_material_expires(kms: Any, advance: Callable[[float], None], node: Any) -> None:
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    # Other tests of this node move its clock: what it shows is when the key came.
    now = kms.describe_key(KeyId=key)["KeyMetadata"]["CreationDate"].timestamp()
    kms.import_key_material(**wrapped(kms, key, os.urandom(32)), ValidTo=now + 3_600)
    blob = kms.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
    advance(3_700)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "PendingImport"
    refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=blob)


def test_an_imported_key_rotates_to_what_was_imported(kms: Any) -> None:
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    kms.import_key_material(**wrapped(kms, key, os.urandom(32)), **FOREVER)
    refused("KMSInvalidStateException", kms.rotate_key_on_demand, KeyId=key)
    before = kms.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
    new = kms.import_key_material(**wrapped(kms, key, os.urandom(32)), **FOREVER, ImportType="NEW_KEY_MATERIAL")
    kms.rotate_key_on_demand(KeyId=key)
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] == new["KeyMaterialId"]
    assert kms.decrypt(CiphertextBlob=before)["Plaintext"] == b"words"

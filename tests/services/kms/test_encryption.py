"""Encryption with keys that stay here."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding


def refused(code: str, call: Callable[..., Any], **members: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(**members)
    error = raised.value.response["Error"]
    assert error["Code"] == code, error
    return str(error["Message"])


def test_a_key_goes_by_four_names(kms: Any) -> None:
    made = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/mine", TargetKeyId=made["KeyId"])
    alias = made["Arn"].replace(f"key/{made['KeyId']}", "alias/mine")
    for name in (made["KeyId"], made["Arn"], "alias/mine", alias):
        blob = kms.encrypt(KeyId=name, Plaintext=b"words")["CiphertextBlob"]
        assert kms.decrypt(CiphertextBlob=blob, KeyId=name)["Plaintext"] == b"words"
        assert kms.decrypt(CiphertextBlob=blob)["KeyId"] == made["Arn"]


def test_another_key_context_or_byte_opens_nothing(kms: Any, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"words", EncryptionContext={"a": "b"})["CiphertextBlob"]
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"words"
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob)
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob, EncryptionContext={"a": "c"})
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=b"whatever")
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=blob[:-1], EncryptionContext={"a": "b"})
    refused("IncorrectKeyException", kms.decrypt, CiphertextBlob=blob, KeyId=other, EncryptionContext={"a": "b"})


def test_reencryption_moves_to_another_key_and_context(kms: Any, key: str) -> None:
    other = kms.create_key()["KeyMetadata"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
    moved = kms.re_encrypt(
        CiphertextBlob=blob, DestinationKeyId=other["KeyId"], DestinationEncryptionContext={"now": "there"}
    )
    assert moved["KeyId"] == other["Arn"]
    opened = kms.decrypt(CiphertextBlob=moved["CiphertextBlob"], EncryptionContext={"now": "there"})
    assert (opened["KeyId"], opened["Plaintext"]) == (other["Arn"], b"words")


def test_data_keys(kms: Any, key: str) -> None:
    given = kms.generate_data_key(KeyId=key, KeySpec="AES_256", EncryptionContext={"for": "it"})
    assert len(given["Plaintext"]) == 32
    opened = kms.decrypt(CiphertextBlob=given["CiphertextBlob"], EncryptionContext={"for": "it"})
    assert opened["Plaintext"] == given["Plaintext"]
    assert len(kms.generate_data_key(KeyId=key, NumberOfBytes=5)["Plaintext"]) == 5
    hidden = kms.generate_data_key_without_plaintext(KeyId=key, KeySpec="AES_128")
    assert len(kms.decrypt(CiphertextBlob=hidden["CiphertextBlob"])["Plaintext"]) == 16
    refused("ValidationException", kms.generate_data_key, KeyId=key)
    refused("ValidationException", kms.generate_data_key, KeyId=key, KeySpec="AES_256", NumberOfBytes=3)
    refused("DryRunOperationException", kms.generate_data_key, KeyId=key, KeySpec="AES_256", DryRun=True)


def test_a_pair_of_data_keys_fits_together(kms: Any, key: str) -> None:
    pair = kms.generate_data_key_pair(KeyId=key, KeyPairSpec="ECC_NIST_P256")
    private: Any = serialization.load_der_private_key(pair["PrivateKeyPlaintext"], None)
    public: Any = serialization.load_der_public_key(pair["PublicKey"])
    public.verify(private.sign(b"x", ec.ECDSA(hashes.SHA256())), b"x", ec.ECDSA(hashes.SHA256()))
    assert kms.decrypt(CiphertextBlob=pair["PrivateKeyCiphertextBlob"])["Plaintext"] == pair["PrivateKeyPlaintext"]


def test_rsa_encrypts_as_anybody_with_the_public_key_does(kms: Any) -> None:
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    public: Any = serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    oaep = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)
    named = {"KeyId": key, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    assert kms.decrypt(CiphertextBlob=public.encrypt(b"words", oaep), **named)["Plaintext"] == b"words"
    blob = kms.encrypt(Plaintext=b"words", **named)["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob, **named)["Plaintext"] == b"words"
    assert "190 bytes" in refused("ValidationException", kms.encrypt, Plaintext=b"x" * 191, **named)
    refused("InvalidCiphertextException", kms.decrypt, CiphertextBlob=b"x" * 256, **named)
    refused("InvalidKeyUsageException", kms.encrypt, KeyId=key, Plaintext=b"words")


@pytest.mark.parametrize(
    ("spec", "algorithm", "kind"),
    [
        ("ECC_NIST_P521", "ECDSA_SHA_512", "RAW"),
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512", "RAW"),
        ("ML_DSA_65", "ML_DSA_SHAKE_256", "RAW"),
        ("RSA_2048", "RSASSA_PSS_SHA_384", "RAW"),
    ],
)
def test_signatures(kms: Any, spec: str, algorithm: str, kind: str) -> None:
    key = kms.create_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    how = {"KeyId": key, "SigningAlgorithm": algorithm, "MessageType": kind}
    signature = kms.sign(Message=b"words", **how)["Signature"]
    assert kms.verify(Message=b"words", Signature=signature, **how)["SignatureValid"]
    refused("KMSInvalidSignatureException", kms.verify, Message=b"other", Signature=signature, **how)
    refused("InvalidKeyUsageException", kms.encrypt, KeyId=key, Plaintext=b"words")


def test_macs(kms: Any) -> None:
    key = kms.create_key(KeySpec="HMAC_384", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    how = {"KeyId": key, "MacAlgorithm": "HMAC_SHA_384", "Message": b"words"}
    mac = kms.generate_mac(**how)["Mac"]
    assert len(mac) == 48
    assert kms.verify_mac(Mac=mac, **how)["MacValid"]
    refused("KMSInvalidMacException", kms.verify_mac, Mac=mac[:-1] + b"x", **how)


def test_both_sides_derive_one_secret(kms: Any) -> None:
    key = kms.create_key(KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
    theirs: Any = serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    mine = ec.generate_private_key(ec.SECP384R1())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public = mine.public_key().public_bytes(serialization.Encoding.DER, form)
    derived = kms.derive_shared_secret(KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=public)
    assert derived["SharedSecret"] == mine.exchange(ec.ECDH(), theirs)
    other = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(serialization.Encoding.DER, form)
    refused("ValidationException", kms.derive_shared_secret, KeyId=key, KeyAgreementAlgorithm="ECDH", PublicKey=other)


def test_encapsulated_secrets_come_out(kms: Any) -> None:
    key = kms.create_key(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyMetadata"]["KeyId"]
    made = kms.encapsulate(KeyId=key, EncapsulationAlgorithm="ML_KEM")
    opened = kms.decapsulate(
        KeyId=key, EncapsulationAlgorithm="ML_KEM", SharedSecretCiphertextBlob=made["SharedSecretCiphertextBlob"]
    )
    assert opened["SharedSecret"] == made["SharedSecret"]
    refused(
        "InvalidCiphertextException",
        kms.decapsulate,
        KeyId=key,
        EncapsulationAlgorithm="ML_KEM",
        SharedSecretCiphertextBlob=b"x",
    )


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": "cks-1"}, "NotImplemented"),
        ({"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"}, "NotImplemented"),
        ({"KeySpec": "RSA_2048"}, "ValidationException"),
        ({"KeySpec": "HMAC_256", "KeyUsage": "SIGN_VERIFY"}, "ValidationException"),
        ({"Policy": "{}"}, "MalformedPolicyDocumentException"),
        ({"Tags": [{"TagKey": "aws:a", "TagValue": "b"}]}, "TagException"),
    ],
)
def test_keys_that_cannot_be(kms: Any, members: dict[str, Any], code: str) -> None:
    refused(code, kms.create_key, **members)
    assert kms.list_keys()["Keys"] == []


def test_what_is_not_there_says_so(kms: Any, key: str) -> None:
    refused("NotImplemented", kms.create_custom_key_store, CustomKeyStoreName="mine")
    refused("NotImplemented", kms.generate_random, NumberOfBytes=4, Recipient={"AttestationDocument": b"x"})

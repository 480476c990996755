"""Keys at rest, and after a power cut."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError


def test_keys_survive_a_kill_and_lie_sealed(start_node: Callable[..., Any]) -> None:
    node = start_node()
    kms = node.client("kms", "000000000001")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    mac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"words", EncryptionContext={"a": "b"})["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=key)
    how = {"KeyId": signing, "SigningAlgorithm": "ECDSA_SHA_256", "Message": b"words"}
    signature = kms.sign(**how)["Signature"]
    code = kms.generate_mac(KeyId=mac, MacAlgorithm="HMAC_SHA_256", Message=b"words")["Mac"]
    node.kill()
    node.restart()
    kms = node.client("kms", "000000000001")
    assert kms.decrypt(CiphertextBlob=blob, EncryptionContext={"a": "b"})["Plaintext"] == b"words"
    assert kms.verify(Signature=signature, **how)["SignatureValid"]
    assert kms.generate_mac(KeyId=mac, MacAlgorithm="HMAC_SHA_256", Message=b"words")["Mac"] == code
    node.stop()
    stored = b"".join(path.read_bytes() for path in (node.data / "records").glob("kms.db*"))
    assert key.encode() in stored
    assert b"MIGHAgEAMBMGByqGSM49" not in stored  # how a private key of P-256 begins in base 64


def test_another_nodes_key_opens_nothing(start_node: Callable[..., Any]) -> None:
    node = start_node()
    key = node.client("kms", "000000000001").create_key()["KeyMetadata"]["KeyId"]
    node.stop()
    (node.data / "key").write_bytes(b"another key of thirty-two bytes!")
    node.restart()
    kms = node.client("kms", "000000000001")
    with pytest.raises(ClientError) as raised:
        kms.encrypt(KeyId=key, Plaintext=b"words")
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 500

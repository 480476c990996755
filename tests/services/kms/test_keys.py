"""The life of a key: states, deletion, rotation, aliases, regions."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.kms.test_encryption import refused

DAY = 86_400


def state(kms: Any, key: str) -> str:
    return str(kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"])


def test_a_disabled_key_is_of_no_use_until_it_is_enabled(kms: Any, key: str) -> None:
    blob = kms.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
    kms.disable_key(KeyId=key)
    assert "is disabled." in refused("DisabledException", kms.decrypt, CiphertextBlob=blob)
    refused("DisabledException", kms.generate_data_key, KeyId=key, KeySpec="AES_256")
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"words"


def test_deletion_comes_with_time(kms: Any, key: str, advance: Callable[[float], None]) -> None:
    kms.create_alias(AliasName="alias/goes", TargetKeyId=key)
    blob = kms.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
    refused("ValidationException", kms.schedule_key_deletion, KeyId=key, PendingWindowInDays=6)
    assert kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["KeyState"] == "PendingDeletion"
    refused("KMSInvalidStateException", kms.decrypt, CiphertextBlob=blob)
    refused("KMSInvalidStateException", kms.enable_key, KeyId=key)
    kms.cancel_key_deletion(KeyId=key)
    assert state(kms, key) == "Disabled"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    advance(7 * DAY + 60)
    refused("NotFoundException", kms.describe_key, KeyId=key)
    refused("NotFoundException", kms.decrypt, CiphertextBlob=blob)
    assert kms.list_aliases()["Aliases"] == []
    assert kms.list_keys()["Keys"] == []


def test_what_was_encrypted_before_a_rotation_still_opens(kms: Any, key: str, advance: Callable[[float], None]) -> None:
    blobs = [kms.encrypt(KeyId=key, Plaintext=b"0")["CiphertextBlob"]]
    kms.enable_key_rotation(KeyId=key, RotationPeriodInDays=90)
    status = kms.get_key_rotation_status(KeyId=key)
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 90)
    advance(91 * DAY)
    blobs.append(kms.encrypt(KeyId=key, Plaintext=b"1")["CiphertextBlob"])
    kms.rotate_key_on_demand(KeyId=key)
    blobs.append(kms.encrypt(KeyId=key, Plaintext=b"2")["CiphertextBlob"])
    opened = [kms.decrypt(CiphertextBlob=blob) for blob in blobs]
    assert [answer["Plaintext"] for answer in opened] == [b"0", b"1", b"2"]
    ids = [answer["KeyMaterialId"] for answer in opened]
    assert len(set(ids)) == 3
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["CurrentKeyMaterialId"] == ids[2]
    rotations = kms.list_key_rotations(KeyId=key)["Rotations"]
    assert [(one["RotationType"], one["KeyMaterialId"]) for one in rotations] == [
        ("AUTOMATIC", ids[1]),
        ("ON_DEMAND", ids[2]),
    ]
    everything = kms.list_key_rotations(KeyId=key, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert [one["KeyMaterialState"] for one in everything] == ["NON_CURRENT", "NON_CURRENT", "CURRENT"]


def test_aliases_move_and_are_listed(kms: Any, key: str) -> None:
    other = kms.create_key()["KeyMetadata"]["KeyId"]
    mac = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/a", TargetKeyId=key)
    kms.create_alias(AliasName="alias/b", TargetKeyId=key)
    refused("AlreadyExistsException", kms.create_alias, AliasName="alias/a", TargetKeyId=other)
    refused("NotAuthorizedException", kms.create_alias, AliasName="alias/aws/mine", TargetKeyId=key)
    refused("ValidationException", kms.create_alias, AliasName="mine", TargetKeyId=key)
    refused("ValidationException", kms.update_alias, AliasName="alias/a", TargetKeyId=mac)
    kms.update_alias(AliasName="alias/a", TargetKeyId=other)
    assert kms.describe_key(KeyId="alias/a")["KeyMetadata"]["KeyId"] == other
    first = kms.list_aliases(Limit=1)
    assert first["Truncated"] is True
    second = kms.list_aliases(Limit=1, Marker=first["NextMarker"])
    assert [page["Aliases"][0]["AliasName"] for page in (first, second)] == ["alias/a", "alias/b"]
    assert second["Truncated"] is False
    refused("InvalidMarkerException", kms.list_aliases, Marker="?")
    kms.delete_alias(AliasName="alias/b")
    refused("NotFoundException", kms.describe_key, KeyId="alias/b")


def test_awss_own_keys_are_made_when_they_are_asked_for(kms: Any) -> None:
    assert kms.list_aliases()["Aliases"] == []
    made = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (made["KeyManager"], made["Description"]) == (
        "AWS",
        "Default key that protects my S3 objects when no other key is defined",
    )
    assert kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["KeyId"] == made["KeyId"]
    assert [alias["AliasName"] for alias in kms.list_aliases()["Aliases"]] == ["alias/aws/s3"]
    refused("AccessDeniedException", kms.schedule_key_deletion, KeyId=made["KeyId"])
    refused("NotFoundException", kms.describe_key, KeyId="alias/aws/nobody")


def test_a_replica_opens_what_its_primary_encrypted(
    kms: Any, client: Callable[..., Any], advance: Callable[[float], None]
) -> None:
    there = client("kms", region="eu-west-1")
    key = kms.create_key(MultiRegion=True)["KeyMetadata"]["KeyId"]
    before = kms.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
    refused("NotFoundException", there.decrypt, CiphertextBlob=before)
    kms.replicate_key(KeyId=key, ReplicaRegion="eu-west-1", Description="there")
    refused("AlreadyExistsException", kms.replicate_key, KeyId=key, ReplicaRegion="eu-west-1")
    refused("UnsupportedOperationException", there.replicate_key, KeyId=key, ReplicaRegion="eu-west-2")
    kms.rotate_key_on_demand(KeyId=key)
    after = kms.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
    assert [there.decrypt(CiphertextBlob=blob)["Plaintext"] for blob in (before, after)] == [b"words"] * 2
    kms.update_primary_region(KeyId=key, PrimaryRegion="eu-west-1")
    config = there.describe_key(KeyId=key)["KeyMetadata"]["MultiRegionConfiguration"]
    assert config["MultiRegionKeyType"] == "PRIMARY"
    assert [replica["Region"] for replica in config["ReplicaKeys"]] == ["us-east-1"]
    assert there.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)["KeyState"] == "PendingReplicaDeletion"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    advance(7 * DAY + 60)
    refused("NotFoundException", kms.describe_key, KeyId=key)
    assert state(there, key) == "PendingDeletion"
    advance(7 * DAY + 60)
    refused("NotFoundException", there.describe_key, KeyId=key)


def test_tags_and_descriptions(kms: Any, key: str) -> None:
    kms.tag_resource(KeyId=key, Tags=[{"TagKey": "b", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}])
    kms.untag_resource(KeyId=key, TagKeys=["b"])
    assert kms.list_resource_tags(KeyId=key)["Tags"] == [{"TagKey": "a", "TagValue": "2"}]
    kms.update_key_description(KeyId=key, Description="mine")
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Description"] == "mine"


@pytest.mark.parametrize("limit", [1, 2, 10])
def test_every_key_is_on_one_page(kms: Any, limit: int) -> None:
    made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(3)}
    pages = kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": limit})
    listed = [entry["KeyId"] for page in pages for entry in page["Keys"]]
    assert sorted(listed) == sorted(made)

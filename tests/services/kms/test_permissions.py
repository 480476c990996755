"""Who may use a key, where permissions are enforced: key policies, grants, conditions."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.kms.test_encryption import refused

ACCOUNT = "000000000042"


@pytest.fixture(scope="module")
def strict(start_node: Callable[..., Any]) -> Iterator[Any]:
    node = start_node("--iam", "enforce")
    yield node
    node.stop()


@pytest.fixture
def root(strict: Any) -> Any:
    return strict.client("kms", ACCOUNT)


def user(node: Any, name: str, policy: dict[str, Any] | None = None) -> tuple[str, Any]:
    """A user's ARN, and a client of KMS that it signs."""
    iam = node.client("iam", ACCOUNT)
    arn = iam.create_user(UserName=name)["User"]["Arn"]
    if policy is not None:
        document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
        iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    client = node.client(
        "kms", ACCOUNT, aws_access_key_id=made["AccessKeyId"], aws_secret_access_key=made["SecretAccessKey"]
    )
    return arn, client


def test_the_default_policy_leaves_it_to_the_account(strict: Any, root: Any) -> None:
    key = root.create_key()["KeyMetadata"]
    allowed = {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": key["Arn"]}
    _, may = user(strict, "may", allowed)
    _, may_not = user(strict, "may-not")
    blob = may.encrypt(KeyId=key["KeyId"], Plaintext=b"words")["CiphertextBlob"]
    refused("AccessDeniedException", may.decrypt, CiphertextBlob=blob)
    refused("AccessDeniedException", may_not.encrypt, KeyId=key["KeyId"], Plaintext=b"words")
    root.create_alias(AliasName="alias/shared", TargetKeyId=key["KeyId"])
    assert may.encrypt(KeyId="alias/shared", Plaintext=b"words")["KeyId"] == key["Arn"]
    refused("AccessDeniedException", may_not.encrypt, KeyId="alias/shared", Plaintext=b"words")


def test_names_of_nothing(strict: Any, root: Any) -> None:
    _, may = user(strict, "asks", {"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
    for name in ("arn:aws:kms", "arn:aws:s3:::b", "arn:aws:kms:us-east-1:x:thing", "alias/nobody", "nobody"):
        for client in (may, root):
            with pytest.raises(ClientError) as raised:
                client.describe_key(KeyId=name)
            assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400, name


def test_a_key_policy_alone_lets_in_and_keeps_out(strict: Any, root: Any) -> None:
    arn, only = user(strict, "only")
    _, powerful = user(strict, "powerful", {"Effect": "Allow", "Action": "kms:*", "Resource": "*"})
    key = root.create_key()["KeyMetadata"]["KeyId"]
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "kms:*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    refused("MalformedPolicyDocumentException", root.put_key_policy, KeyId=key, Policy=policy)
    root.put_key_policy(KeyId=key, Policy=policy, BypassPolicyLockoutSafetyCheck=True)
    blob = only.encrypt(KeyId=key, Plaintext=b"words")["CiphertextBlob"]
    refused("AccessDeniedException", powerful.decrypt, CiphertextBlob=blob)
    refused("AccessDeniedException", root.describe_key, KeyId=key)


def test_a_grant_is_for_its_operations_and_context(strict: Any, root: Any) -> None:
    arn, grantee = user(strict, "grantee")
    key = root.create_key()["KeyMetadata"]["KeyId"]
    grant = root.create_grant(
        KeyId=key,
        GranteePrincipal=arn,
        Operations=["Encrypt", "Decrypt"],
        Constraints={"EncryptionContextSubset": {"Team": "a"}},
    )
    context = {"Team": "a", "more": "b"}
    blob = grantee.encrypt(KeyId=key, Plaintext=b"words", EncryptionContext=context)["CiphertextBlob"]
    assert grantee.decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"words"
    refused("AccessDeniedException", grantee.encrypt, KeyId=key, Plaintext=b"words")
    refused("AccessDeniedException", grantee.generate_data_key, KeyId=key, KeySpec="AES_256", EncryptionContext=context)
    root.revoke_grant(KeyId=key, GrantId=grant["GrantId"])
    refused("AccessDeniedException", grantee.decrypt, CiphertextBlob=blob, EncryptionContext=context)


def test_equal_contexts_and_who_may_retire(strict: Any, root: Any) -> None:
    arn, grantee = user(strict, "exact")
    retirer_arn, retirer = user(strict, "retirer")
    key = root.create_key()["KeyMetadata"]["KeyId"]
    grants = [
        root.create_grant(
            KeyId=key,
            GranteePrincipal=arn,
            Operations=["Encrypt"],
            Constraints={"EncryptionContextEquals": {"a": "b"}},
            **more,
        )
        for more in ({"RetiringPrincipal": retirer_arn}, {"Name": "stays"})
    ]
    grantee.encrypt(KeyId=key, Plaintext=b"words", EncryptionContext={"a": "b"})
    refused("AccessDeniedException", grantee.encrypt, KeyId=key, Plaintext=b"x", EncryptionContext={"a": "b", "c": "d"})
    listed = root.list_retirable_grants(RetiringPrincipal=retirer_arn)["Grants"]
    assert [grant["GrantId"] for grant in listed] == [grants[0]["GrantId"]]
    refused("AccessDeniedException", retirer.retire_grant, GrantToken=grants[1]["GrantToken"])
    retirer.retire_grant(GrantToken=grants[0]["GrantToken"])
    assert [grant["GrantId"] for grant in root.list_grants(KeyId=key)["Grants"]] == [grants[1]["GrantId"]]


def test_the_same_grant_twice_is_one(root: Any) -> None:
    key = root.create_key()["KeyMetadata"]["KeyId"]
    members = {
        "KeyId": key,
        "GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:root",
        "Operations": ["Decrypt"],
        "Name": "one",
    }
    assert root.create_grant(**members)["GrantId"] == root.create_grant(**members)["GrantId"]
    refused("ValidationException", root.create_grant, **members | {"Operations": ["Sign"]})
    refused("InvalidArnException", root.create_grant, **members | {"GranteePrincipal": "somebody"})

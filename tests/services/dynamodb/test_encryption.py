"""The key of a table's encryption."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

TABLE: dict[str, Any] = {
    "KeySchema": [{"AttributeName": "k", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "k", "AttributeType": "S"}],
    "BillingMode": "PAY_PER_REQUEST",
}


def test_tables_have_the_key_that_is_named_or_dynamodbs_own(client: Callable[..., Any]) -> None:
    dynamodb, kms = client("dynamodb"), client("kms")
    made = dynamodb.create_table(TableName="own", **TABLE, SSESpecification={"Enabled": True})["TableDescription"]
    own = kms.describe_key(KeyId="alias/aws/dynamodb")["KeyMetadata"]["Arn"]
    assert made["SSEDescription"] == {"Status": "ENABLED", "SSEType": "KMS", "KMSMasterKeyArn": own}
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/table", TargetKeyId=key["KeyId"])
    wanted = {"Enabled": True, "SSEType": "KMS", "KMSMasterKeyId": "alias/table"}
    dynamodb.update_table(TableName="own", SSESpecification=wanted)
    shown = dynamodb.describe_table(TableName="own")["Table"]["SSEDescription"]
    assert (shown["Status"], shown["KMSMasterKeyArn"]) == ("ENABLED", key["Arn"])


def test_keys_that_cannot_encrypt_a_table(client: Callable[..., Any]) -> None:
    dynamodb, kms = client("dynamodb"), client("kms")
    signing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    disabled = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.disable_key(KeyId=disabled)
    for key in ("alias/nobody", signing, disabled):
        with pytest.raises(ClientError, match="KMS validation error"):
            dynamodb.create_table(TableName="none", **TABLE, SSESpecification={"Enabled": True, "KMSMasterKeyId": key})
    assert dynamodb.list_tables()["TableNames"] == []

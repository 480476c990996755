"""Members of a function's configuration that are kept for others to read, and what a node makes of them."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.services.lambda_.conftest import package, payload

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
READS = "import os\n\ndef handler(event, context):\n    return os.environ['SECRET']\n"


def test_a_vpc_is_kept_and_shown(make: Callable[..., Any], functions: Any) -> None:
    created = make("inside", VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]})["VpcConfig"]

    assert (created["SubnetIds"], created["SecurityGroupIds"]) == (["subnet-1"], ["sg-1"])
    assert created["VpcId"].startswith("vpc-")
    assert created["Ipv6AllowedForDualStack"] is False
    assert payload(functions.invoke(FunctionName="inside", Payload=b"1")) == 1
    left = functions.update_function_configuration(
        FunctionName="inside", VpcConfig={"SubnetIds": [], "SecurityGroupIds": []}
    )
    assert left["VpcConfig"] == {
        "SubnetIds": [],
        "SecurityGroupIds": [],
        "VpcId": "",
        "Ipv6AllowedForDualStack": False,
    }
    with pytest.raises(functions.exceptions.InvalidParameterValueException, match="must coexist"):
        make("half", VpcConfig={"SubnetIds": ["subnet-1"]})


def test_with_a_key_the_environment_is_encrypted_at_rest(
    make: Callable[..., Any], functions: Any, node: Any, account: str
) -> None:
    secret = f"secret-{account}"
    open_, closed = ({"Variables": {"SECRET": f"{name}-{secret}"}} for name in ("open", "closed"))
    make("open", READS, Environment=open_)
    created = make("closed", READS, Environment=closed, KMSKeyArn=KEY)

    assert (created["KMSKeyArn"], created["Environment"]) == (KEY, closed)
    assert functions.get_function_configuration(FunctionName="closed")["Environment"] == closed
    assert payload(functions.invoke(FunctionName="closed")) == f"closed-{secret}"
    assert functions.publish_version(FunctionName="closed")["Environment"] == closed
    assert [function["Environment"] for function in functions.list_functions()["Functions"]] == [closed, open_]
    data = b"".join(file.read_bytes() for file in (node.data / "records").glob("lambda*"))
    assert f"open-{secret}".encode() in data
    assert f"closed-{secret}".encode() not in data
    plain = functions.update_function_configuration(FunctionName="closed", KMSKeyArn="")
    assert "KMSKeyArn" not in plain
    assert plain["Environment"] == closed


def test_code_may_be_named_rather_than_copied(
    make: Callable[..., Any], functions: Any, client: Callable[..., Any], account: str
) -> None:
    bucket = client("s3")
    bucket.create_bucket(Bucket=f"named-{account}")
    bucket.put_bucket_versioning(Bucket=f"named-{account}", VersioningConfiguration={"Status": "Enabled"})
    put = bucket.put_object(Bucket=f"named-{account}", Key="a.zip", Body=package("handler = lambda e, c: 7\n"))
    code = {"S3Bucket": f"named-{account}", "S3Key": "a.zip", "SourceKMSKeyArn": KEY}
    make("named", Code=code | {"S3ObjectStorageMode": "REFERENCE"})

    assert payload(functions.invoke(FunctionName="named")) == 7
    found = functions.get_function(FunctionName="named")["Code"]
    assert found["ResolvedS3Object"] == {
        "S3Bucket": f"named-{account}",
        "S3Key": "a.zip",
        "S3ObjectVersion": put["VersionId"],
    }
    assert found["SourceKMSKeyArn"] == KEY
    assert functions.get_account_settings()["AccountUsage"]["TotalCodeSize"] == 0
    functions.update_function_code(FunctionName="named", S3Bucket=f"named-{account}", S3Key="a.zip")
    assert "ResolvedS3Object" not in functions.get_function(FunctionName="named")["Code"]
    assert functions.get_account_settings()["AccountUsage"]["TotalCodeSize"] > 0

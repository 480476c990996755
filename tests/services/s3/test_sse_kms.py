"""SSE-KMS: objects are really encrypted, by data keys that a key of KMS guards."""

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

MARK = b"a text that nobody else has written " * 4


@pytest.fixture
def s3(client: Callable[..., Any]) -> Any:
    return client("s3")


@pytest.fixture
def kms(client: Callable[..., Any]) -> Any:
    return client("kms")


@pytest.fixture
def bucket(s3: Any, account: str) -> str:
    s3.create_bucket(Bucket=f"kms-{account}")
    return f"kms-{account}"


def code_of(call: Callable[..., Any], **members: Any) -> str:
    with pytest.raises(ClientError) as raised:
        call(**members)
    return str(raised.value.response["Error"]["Code"])


def test_objects_open_as_long_as_their_key_does(s3: Any, kms: Any, bucket: str, node: Any) -> None:
    key = kms.create_key()["KeyMetadata"]
    how = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key["KeyId"]}
    large = MARK * 2_000
    for name, body in (("small", MARK), ("large", large)):
        assert s3.put_object(Bucket=bucket, Key=name, Body=body, **how)["SSEKMSKeyId"] == key["Arn"]
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == body
    part = s3.get_object(Bucket=bucket, Key="large", Range="bytes=70001-70100")
    assert part["Body"].read() == large[70_001:70_101]
    stored = [path for folder in ("records", "blobs") for path in (node.data / folder).rglob("*") if path.is_file()]
    assert all(MARK not in path.read_bytes() for path in stored)
    kms.disable_key(KeyId=key["KeyId"])
    assert code_of(s3.get_object, Bucket=bucket, Key="small") == "KMS.DisabledException"
    assert code_of(s3.put_object, Bucket=bucket, Key="new", Body=b"x", **how) == "KMS.DisabledException"
    assert s3.head_object(Bucket=bucket, Key="small")["ServerSideEncryption"] == "aws:kms"


def test_copies_and_parts_have_keys_of_their_own(s3: Any, kms: Any, bucket: str) -> None:
    keys = [kms.create_key()["KeyMetadata"] for _ in range(2)]
    body = MARK * 40_000
    how = [{"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key["Arn"]} for key in keys]
    begun = s3.create_multipart_upload(Bucket=bucket, Key="parts", **how[0])
    named = {"Bucket": bucket, "Key": "parts", "UploadId": begun["UploadId"]}
    parts = [
        {"PartNumber": number, "ETag": s3.upload_part(Body=piece, PartNumber=number, **named)["ETag"]}
        for number, piece in ((1, body), (2, MARK))
    ]
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **named)
    assert s3.get_object(Bucket=bucket, Key="parts")["Body"].read() == body + MARK
    source = {"Bucket": bucket, "Key": "parts"}
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source, **how[1])
    s3.copy_object(Bucket=bucket, Key="plain", CopySource=source)
    kms.disable_key(KeyId=keys[0]["KeyId"])
    for name in ("copy", "plain"):
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == body + MARK
    assert code_of(s3.copy_object, Bucket=bucket, Key="again", CopySource=source) == "KMS.DisabledException"


def test_a_buckets_default_and_s3s_own_key(s3: Any, kms: Any, bucket: str) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    own = kms.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    assert s3.put_object(Bucket=bucket, Key="k", Body=MARK)["SSEKMSKeyId"] == own
    got = s3.get_object(Bucket=bucket, Key="k")
    assert (got["Body"].read(), got["SSEKMSKeyId"], got["BucketKeyEnabled"]) == (MARK, own, True)


def test_keys_and_contexts_that_cannot_be(s3: Any, bucket: str) -> None:
    how = {"Bucket": bucket, "Key": "k", "Body": b"x", "ServerSideEncryption": "aws:kms"}
    assert code_of(s3.put_object, **how, SSEKMSKeyId="nobody") == "KMS.NotFoundException"
    assert code_of(s3.put_object, **how, SSEKMSEncryptionContext="?") == "InvalidArgument"
    assert code_of(s3.get_object, Bucket=bucket, Key="k") == "NoSuchKey"
    context = base64.b64encode(json.dumps({"team": "a"}).encode()).decode()
    s3.put_object(**how, SSEKMSEncryptionContext=context)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"

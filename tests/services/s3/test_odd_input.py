"""Settings, headers and tokens that no client sends: refused with S3's error, and never in the way of later requests."""

import base64
import datetime as dt
import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def bucket(client: Callable[..., Any], account: str) -> str:
    name = f"odd-{account}"
    client("s3").create_bucket(Bucket=name)
    return name


def _code(call: Callable[..., Any], **arguments: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize(
    "policy",
    [
        '{"Statement":[{"Effect":[],"Principal":"*","Action":"*","Resource":"*"}]}',
        '{"Statement":' + "[" * 10_000 + "]" * 10_000 + "}",
        '{"Statement":[{"Effect":{},"Principal":{"AWS":[{}]}}]}',
    ],
)
def test_policies(client: Callable[..., Any], bucket: str, policy: str) -> None:
    s3 = client("s3")
    assert _code(s3.put_bucket_policy, Bucket=bucket, Policy=policy) == "MalformedPolicy"
    assert _code(s3.get_bucket_policy, Bucket=bucket) == "NoSuchBucketPolicy"


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Principal": {"Service": [{"a": 1}]}},
        {"Effect": "Allow", "Principal": 5},
        {"Effect": "Allow", "Principal": "*", "Condition": [1]},
        {"Effect": "Allow", "Principal": "*", "Condition": {"ArnLike": ["aws:SourceArn"]}},
        {"Effect": "Allow", "Principal": "*", "Condition": {"ArnLike": {"aws:SourceArn": [1, None]}}},
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_policies_of_a_notifications_target(
    client: Callable[..., Any], bucket: str, account: str, statement: dict[str, Any], listed: bool
) -> None:
    policy = json.dumps({"Statement": [statement] if listed else statement})
    client("sqs").create_queue(QueueName="target", Attributes={"Policy": policy})
    arn = f"arn:aws:sqs:us-east-1:{account}:target"
    wanted = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    notify = client("s3").put_bucket_notification_configuration
    assert _code(notify, Bucket=bucket, NotificationConfiguration=wanted) == "InvalidArgument"


def test_a_target_whose_policy_has_one_statement(client: Callable[..., Any], bucket: str, account: str) -> None:
    policy = json.dumps({"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": "*"}})
    client("sqs").create_queue(QueueName="target", Attributes={"Policy": policy})
    arn = f"arn:aws:sqs:us-east-1:{account}:target"
    wanted = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wanted)


def test_a_rule_that_expires_after_the_end_of_all_calendars(client: Callable[..., Any], bucket: str) -> None:
    s3 = client("s3")
    rule = {"ID": "late", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 2**31 - 1}}
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [rule]})
    put = s3.put_object(Bucket=bucket, Key="kept", Body=b"x")
    assert put["Expiration"] == 'expiry-date="Fri, 31 Dec 9999 00:00:00 GMT", rule-id="late"'
    assert s3.get_object(Bucket=bucket, Key="kept")["Body"].read() == b"x"


def test_tokens(client: Callable[..., Any]) -> None:
    list_buckets = client("s3").list_buckets
    for token in ("é", "\ufffd", base64.b64encode(b"\xff").decode()):
        assert _code(list_buckets, ContinuationToken=token) == "InvalidArgument"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Content-MD5": "é"}, "InvalidDigest"),
        ({"x-amz-checksum-crc32": "é"}, "InvalidRequest"),
        (
            {
                "x-amz-server-side-encryption-customer-algorithm": "AES256",
                "x-amz-server-side-encryption-customer-key": "é",
                "x-amz-server-side-encryption-customer-key-md5": "é",
            },
            "InvalidArgument",
        ),
    ],
)
def test_headers_that_are_not_ascii(
    client: Callable[..., Any], endpoint: str, account: str, bucket: str, headers: dict[str, str], code: str
) -> None:
    now = f"{dt.datetime.now(dt.UTC):%Y%m%dT%H%M%SZ}"
    names = ";".join(sorted({"host", "x-amz-date", "x-amz-content-sha256", *map(str.lower, headers)}))
    scope = f"{account}/{now[:8]}/us-east-1/s3/aws4_request"
    sent = {name: value.encode("latin-1") for name, value in headers.items()} | {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders={names}, Signature={'0' * 64}",
        "X-Amz-Date": now,
        "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD",
    }
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=60)
    connection.request("PUT", f"/{bucket}/new", b"x", sent)
    answer = connection.getresponse()
    assert f"<Code>{code}</Code>" in answer.read().decode()
    connection.close()
    assert _code(client("s3").head_object, Bucket=bucket, Key="new") == "404"


def test_ranges_of_very_many_digits_are_no_ranges(client: Callable[..., Any], bucket: str) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key="a", Body=b"0123")
    for sent in ("bytes=0-" + "9" * 5000, "bytes=-" + "9" * 5000, "bytes=" + "9" * 5000 + "-"):
        assert s3.get_object(Bucket=bucket, Key="a", Range=sent)["Body"].read() == b"0123"


def test_a_large_document(client: Callable[..., Any], bucket: str) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key="kept")
    s3.put_object(Bucket=bucket, Key="0-" + "k" * 200)
    keys = [{"Key": f"{number}-" + "k" * 200} for number in range(1_000)]
    assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": keys})["Deleted"]) == 1_000
    assert [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["kept"]
    delete = {"Objects": [*keys, {"Key": "kept"}]}
    assert _code(s3.delete_objects, Bucket=bucket, Delete=delete) == "MalformedXML"


def test_mfa_delete(client: Callable[..., Any], bucket: str) -> None:
    s3 = client("s3")
    wanted = {"Status": "Enabled", "MFADelete": "Enabled"}
    code = _code(s3.put_bucket_versioning, Bucket=bucket, MFA="serial 123456", VersioningConfiguration=wanted)
    assert code == "InvalidRequest"
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)

import base64
import hashlib
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.config import Config

SMALL = b"hello"
LARGE = bytes(range(256)) * 2000


@pytest.mark.parametrize("body", [b"", SMALL, b"x" * 65_536, b"x" * 65_537, LARGE], ids=len)
def test_what_is_put_is_got(s3: Any, bucket: str, body: bytes) -> None:
    put = s3.put_object(Bucket=bucket, Key="a/b c/ü", Body=body)
    assert put["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert put["ServerSideEncryption"] == "AES256"
    got = s3.get_object(Bucket=bucket, Key="a/b c/ü")
    assert got["Body"].read() == body
    assert (got["ContentLength"], got["ContentType"], got["ETag"]) == (len(body), "binary/octet-stream", put["ETag"])
    head = s3.head_object(Bucket=bucket, Key="a/b c/ü")
    assert (head["ContentLength"], head["AcceptRanges"]) == (len(body), "bytes")


def test_overwriting_changes_everything(s3: Any, bucket: str) -> None:
    for body in (LARGE, SMALL, LARGE + b"!", b""):
        s3.put_object(Bucket=bucket, Key="k", Body=body, Metadata={"size": str(len(body))})
        got = s3.get_object(Bucket=bucket, Key="k")
        assert (got["Body"].read(), got["Metadata"]) == (body, {"size": str(len(body))})


def test_metadata_comes_back(s3: Any, bucket: str) -> None:
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=SMALL,
        ContentType="text/plain",
        CacheControl="no-cache",
        ContentDisposition="attachment",
        ContentEncoding="gzip",
        ContentLanguage="de",
        Expires=expires,
        Metadata={"Colour": "blue"},
        StorageClass="STANDARD_IA",
        WebsiteRedirectLocation="/elsewhere",
    )
    head = s3.head_object(Bucket=bucket, Key="k")
    assert head["ContentType"] == "text/plain"
    assert head["CacheControl"] == "no-cache"
    assert head["ContentDisposition"] == "attachment"
    assert head["ContentEncoding"] == "gzip"
    assert head["ContentLanguage"] == "de"
    assert head["Metadata"] == {"colour": "blue"}
    assert head["StorageClass"] == "STANDARD_IA"
    assert head["WebsiteRedirectLocation"] == "/elsewhere"
    got = s3.get_object(Bucket=bucket, Key="k", ResponseContentType="a/b", ResponseCacheControl="max-age=1")
    assert (got["ContentType"], got["CacheControl"]) == ("a/b", "max-age=1")


@pytest.mark.parametrize("body", [b"0123456789", b"0123456789" * 20_000], ids=["inline", "blob"])
@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("bytes=2-4", 2, 5), ("bytes=7-", 7, None), ("bytes=-3", -3, None), ("bytes=0-999999", 0, None)],
)
def test_ranges(s3: Any, bucket: str, body: bytes, asked: str, start: int, end: int | None) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=body)
    got = s3.get_object(Bucket=bucket, Key="k", Range=asked)
    expected = body[start:end]
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["Body"].read() == expected
    first = start if start >= 0 else len(body) + start
    assert got["ContentRange"] == f"bytes {first}-{first + len(expected) - 1}/{len(body)}"


def test_a_range_past_the_end(s3: Any, bucket: str, refused: Any) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=SMALL)
    error = refused("InvalidRange", 416, s3.get_object, Bucket=bucket, Key="k", Range="bytes=5-9")
    assert (error["ActualObjectSize"], error["RangeRequested"]) == ("5", "bytes=5-9")
    assert s3.get_object(Bucket=bucket, Key="k", Range="bytes=3-1")["Body"].read() == SMALL


def test_a_missing_key(s3: Any, bucket: str, refused: Any) -> None:
    assert refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="none")["Key"] == "none"
    refused("404", 404, s3.head_object, Bucket=bucket, Key="none")
    s3.delete_object(Bucket=bucket, Key="none")


def test_deleting_many(s3: Any, bucket: str) -> None:
    for key in "abc":
        s3.put_object(Bucket=bucket, Key=key, Body=LARGE)
    wanted = [{"Key": "a"}, {"Key": "b"}, {"Key": "nothing"}]
    deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": wanted})["Deleted"]
    assert sorted(one["Key"] for one in deleted) == ["a", "b", "nothing"]
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["c"]


def test_content_md5(s3: Any, bucket: str, refused: Any) -> None:
    good = base64.b64encode(hashlib.md5(SMALL).digest()).decode()
    s3.put_object(Bucket=bucket, Key="k", Body=SMALL, ContentMD5=good)
    refused("BadDigest", 400, s3.put_object, Bucket=bucket, Key="k", Body=b"other", ContentMD5=good)
    refused("InvalidDigest", 400, s3.put_object, Bucket=bucket, Key="k", Body=SMALL, ContentMD5="bad")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == SMALL


@pytest.mark.parametrize("algorithm", ["CRC32", "SHA1", "SHA256"])
def test_checksums_are_kept(s3: Any, bucket: str, algorithm: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="k", Body=LARGE, ChecksumAlgorithm=algorithm)
    member = f"Checksum{algorithm}"
    got = s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got["Body"].read() == LARGE
    assert got[member] == put[member]
    assert got["ChecksumType"] == "FULL_OBJECT"


def test_s3_computes_a_checksum_when_none_is_sent(client: Any, bucket: str) -> None:
    quiet = client("s3", config=Config(request_checksum_calculation="when_required"))
    assert quiet.put_object(Bucket=bucket, Key="k", Body=b"hello")["ChecksumCRC64NVME"] == "M3eFcAZSQlc="


def test_a_wrong_checksum_keeps_nothing(s3: Any, bucket: str, refused: Any) -> None:
    wrong = base64.b64encode(bytes(32)).decode()
    refused("BadDigest", 400, s3.put_object, Bucket=bucket, Key="k", Body=LARGE, ChecksumSHA256=wrong)
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="k")


def test_tags_with_the_object(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=SMALL, Tagging="a=1&b=two%20words")
    tags = s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"]
    assert tags == [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "two words"}]
    assert s3.head_object(Bucket=bucket, Key="k")["TagCount"] == 2


def test_bad_writes_are_refused(s3: Any, bucket: str, refused: Any) -> None:
    refused("KeyTooLongError", 400, s3.put_object, Bucket=bucket, Key="k" * 1025, Body=b"")
    refused("InvalidStorageClass", 400, s3.put_object, Bucket=bucket, Key="k", StorageClass="PLASTIC")
    refused("MetadataTooLarge", 400, s3.put_object, Bucket=bucket, Key="k", Metadata={"a": "x" * 2048})
    refused("InvalidArgument", 400, s3.put_object, Bucket=bucket, Key="k", Tagging="a=1&a=2")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_customers_key(s3: Any, bucket: str, refused: Any) -> None:
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": "k" * 32}
    put = s3.put_object(Bucket=bucket, Key="k", Body=LARGE, **key)
    assert "ServerSideEncryption" not in put
    assert s3.get_object(Bucket=bucket, Key="k", **key)["Body"].read() == LARGE
    assert (
        s3.get_object(Bucket=bucket, Key="k", Range="bytes=70001-70100", **key)["Body"].read() == LARGE[70_001:70_101]
    )
    refused("InvalidRequest", 400, s3.get_object, Bucket=bucket, Key="k")
    wrong = {**key, "SSECustomerKey": "w" * 32}
    refused("AccessDenied", 403, s3.get_object, Bucket=bucket, Key="k", **wrong)
    longer = {**key, "SSECustomerKey": "k" * 44}  # wrong to who reads, no key at all to who writes
    refused("AccessDenied", 403, s3.get_object, Bucket=bucket, Key="k", **longer)
    refused("InvalidArgument", 400, s3.put_object, Bucket=bucket, Key="k", Body=b"", **longer)


def test_attributes(s3: Any, bucket: str) -> None:
    put = s3.put_object(Bucket=bucket, Key="k", Body=SMALL)
    wanted = ["ETag", "Checksum", "ObjectSize", "StorageClass", "ObjectParts"]
    got = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=wanted)
    assert got["ETag"] == put["ETag"].strip('"')
    assert (got["ObjectSize"], got["StorageClass"]) == (5, "STANDARD")
    assert got["Checksum"]["ChecksumCRC32"] == put["ChecksumCRC32"]
    assert "ObjectParts" not in got

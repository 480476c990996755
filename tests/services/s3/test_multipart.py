import base64
import hashlib
from typing import Any

import pytest

PART = 5 * 1024 * 1024


def begin(s3: Any, bucket: str, **options: Any) -> dict[str, Any]:
    """The members that name an upload."""
    made = s3.create_multipart_upload(Bucket=bucket, Key="k", **options)
    return {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"]}


def send(s3: Any, upload: dict[str, Any], number: int, body: bytes, **options: Any) -> dict[str, Any]:
    """Upload a part; gives what CompleteMultipartUpload wants to hear of it."""
    answer = s3.upload_part(**upload, PartNumber=number, Body=body, **options)
    return {"PartNumber": number, "ETag": answer["ETag"]}


def test_parts_become_an_object(s3: Any, bucket: str, refused: Any) -> None:
    upload = begin(s3, bucket, Metadata={"a": "b"}, ContentType="text/x")
    bodies = {1: b"a" * PART, 5: b"b" * PART, 9: b"end"}
    parts = [send(s3, upload, number, body) for number, body in bodies.items()]
    send(s3, upload, 7, b"left out" * 10_000)
    assert [part["PartNumber"] for part in s3.list_parts(**upload)["Parts"]] == [1, 5, 7, 9]
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    digests = b"".join(hashlib.md5(body).digest() for body in bodies.values())
    assert done["ETag"] == f'"{hashlib.md5(digests).hexdigest()}-3"'
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"".join(bodies.values())
    assert (got["Metadata"], got["ContentType"]) == ({"a": "b"}, "text/x")
    across = s3.get_object(Bucket=bucket, Key="k", Range=f"bytes={PART - 2}-{PART + 1}")
    assert across["Body"].read() == b"aabb"
    second = s3.get_object(Bucket=bucket, Key="k", PartNumber=9)
    assert (second["Body"].read(), second["PartsCount"]) == (b"end", 3)
    refused("NoSuchUpload", 404, s3.list_parts, **upload)
    again = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
    assert again["ETag"] == done["ETag"]


def test_bad_completions_change_nothing(s3: Any, bucket: str, refused: Any) -> None:
    upload = begin(s3, bucket)
    one, two = send(s3, upload, 1, b"small"), send(s3, upload, 2, b"last")

    def complete(code: str, *parts: dict[str, Any]) -> dict[str, Any]:
        return dict(refused(code, 400, s3.complete_multipart_upload, **upload, MultipartUpload={"Parts": list(parts)}))

    complete("InvalidPartOrder", two, one)
    complete("InvalidPart", {"PartNumber": 3, "ETag": one["ETag"]})
    complete("InvalidPart", {**one, "ETag": "0" * 32})
    error = complete("EntityTooSmall", one, two)
    assert (error["PartNumber"], error["ProposedSize"]) == ("1", "5")
    refused("InvalidArgument", 400, s3.upload_part, **upload, PartNumber=10_001, Body=b"")
    refused("NoSuchKey", 404, s3.get_object, Bucket=bucket, Key="k")
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [two]})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"last"


def test_aborting(s3: Any, bucket: str, refused: Any) -> None:
    upload = begin(s3, bucket)
    send(s3, upload, 1, b"x" * 100_000)
    assert [one["UploadId"] for one in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload["UploadId"]]
    s3.abort_multipart_upload(**upload)
    refused("NoSuchUpload", 404, s3.upload_part, **upload, PartNumber=1, Body=b"")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)
    s3.delete_bucket(Bucket=bucket)


@pytest.mark.parametrize("kind", ["COMPOSITE", "FULL_OBJECT"])
def test_checksums_of_both_kinds(s3: Any, bucket: str, kind: str) -> None:
    import zlib

    upload = begin(s3, bucket, ChecksumAlgorithm="CRC32", ChecksumType=kind)
    bodies = [b"a" * PART, b"b"]
    parts = []
    for number, body in enumerate(bodies, 1):
        answer = s3.upload_part(**upload, PartNumber=number, Body=body, ChecksumAlgorithm="CRC32")
        parts.append({"PartNumber": number, "ETag": answer["ETag"], "ChecksumCRC32": answer["ChecksumCRC32"]})
    done = s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, ChecksumType=kind)
    crcs = [zlib.crc32(body).to_bytes(4, "big") for body in bodies]
    if kind == "COMPOSITE":
        expected = base64.b64encode(zlib.crc32(b"".join(crcs)).to_bytes(4, "big")).decode() + "-2"
    else:
        expected = base64.b64encode(zlib.crc32(b"".join(bodies)).to_bytes(4, "big")).decode()
    assert (done["ChecksumCRC32"], done["ChecksumType"]) == (expected, kind)
    head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"] == expected


def test_parts_from_another_object(s3: Any, bucket: str, refused: Any) -> None:
    s3.put_object(Bucket=bucket, Key="source", Body=b"0123456789" * 10_000)
    upload = begin(s3, bucket)
    source = {**upload, "PartNumber": 1, "CopySource": f"{bucket}/source"}
    copied = s3.upload_part_copy(**source, CopySourceRange="bytes=65530-65545")["CopyPartResult"]
    refused("InvalidArgument", 400, s3.upload_part_copy, **source, CopySourceRange="bytes=5-")
    part = {"PartNumber": 1, "ETag": copied["ETag"]}
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [part]})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"0123456789012345"


def test_a_key_written_meanwhile_is_a_conflict(s3: Any, bucket: str, refused: Any) -> None:
    upload = begin(s3, bucket)
    part = send(s3, upload, 1, b"1")
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"other")["ETag"]
    done = {**upload, "MultipartUpload": {"Parts": [part]}}
    refused("PreconditionFailed", 412, s3.complete_multipart_upload, **done, IfNoneMatch="*")
    refused("ConditionalRequestConflict", 409, s3.complete_multipart_upload, **done, IfMatch=etag)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"other"


def test_copies(s3: Any, bucket: str, refused: Any) -> None:
    s3.put_object(Bucket=bucket, Key="a b", Body=b"x" * 100_000, Metadata={"m": "1"}, Tagging="t=1", ContentType="a/b")
    source = {"Bucket": bucket, "Key": "a b"}
    s3.copy_object(Bucket=bucket, Key="same", CopySource=source)
    same = s3.get_object(Bucket=bucket, Key="same")
    assert same["Body"].read() == b"x" * 100_000
    assert (same["Metadata"], same["ContentType"], same["TagCount"]) == ({"m": "1"}, "a/b", 1)
    s3.copy_object(
        Bucket=bucket,
        Key="new",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"n": "2"},
        TaggingDirective="REPLACE",
        Tagging="u=2&v=3",
    )
    new = s3.head_object(Bucket=bucket, Key="new")
    assert (new["Metadata"], new["ContentType"], new["TagCount"]) == ({"n": "2"}, "binary/octet-stream", 2)
    refused("InvalidRequest", 400, s3.copy_object, Bucket=bucket, Key="a b", CopySource=source)
    refused("NoSuchKey", 404, s3.copy_object, Bucket=bucket, Key="z", CopySource={"Bucket": bucket, "Key": "none"})

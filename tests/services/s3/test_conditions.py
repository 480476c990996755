from datetime import timedelta
from typing import Any


def test_reads(s3: Any, bucket: str, refused: Any) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    modified = s3.head_object(Bucket=bucket, Key="k")["LastModified"]
    key = {"Bucket": bucket, "Key": "k"}
    assert s3.get_object(**key, IfMatch=etag)["ETag"] == etag
    assert refused("PreconditionFailed", 412, s3.get_object, **key, IfMatch='"no"')["Condition"] == "If-Match"
    refused("304", 304, s3.get_object, **key, IfNoneMatch=etag)
    refused("304", 304, s3.head_object, **key, IfModifiedSince=modified)
    s3.head_object(**key, IfModifiedSince=modified - timedelta(seconds=1))
    refused("412", 412, s3.head_object, **key, IfUnmodifiedSince=modified - timedelta(seconds=1))


def test_writes(s3: Any, bucket: str, refused: Any) -> None:
    key = {"Bucket": bucket, "Key": "k"}
    refused("NoSuchKey", 404, s3.put_object, **key, Body=b"1", IfMatch="x")
    etag = s3.put_object(**key, Body=b"1", IfNoneMatch="*")["ETag"]
    refused("PreconditionFailed", 412, s3.put_object, **key, Body=b"2", IfNoneMatch="*")
    refused("PreconditionFailed", 412, s3.put_object, **key, Body=b"2", IfMatch='"other"')
    s3.put_object(**key, Body=b"2", IfMatch=etag)
    assert s3.get_object(**key)["Body"].read() == b"2"
    refused("NotImplemented", 501, s3.put_object, **key, Body=b"", IfMatch="*")


def test_deletions(s3: Any, bucket: str, refused: Any) -> None:
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"1")["ETag"]
    refused("PreconditionFailed", 412, s3.delete_object, Bucket=bucket, Key="k", IfMatch='"other"')
    s3.delete_object(Bucket=bucket, Key="k", IfMatch=etag)
    refused("NoSuchKey", 404, s3.delete_object, Bucket=bucket, Key="k", IfMatch=etag)


def test_copies(s3: Any, bucket: str, refused: Any) -> None:
    etag = s3.put_object(Bucket=bucket, Key="from", Body=b"1")["ETag"]
    copy = {"Bucket": bucket, "Key": "to", "CopySource": f"{bucket}/from"}
    refused("PreconditionFailed", 412, s3.copy_object, **copy, CopySourceIfNoneMatch=etag)
    s3.copy_object(**copy, CopySourceIfMatch=etag, IfNoneMatch="*")
    refused("PreconditionFailed", 412, s3.copy_object, **copy, IfNoneMatch="*")

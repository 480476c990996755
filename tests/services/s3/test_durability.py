"""What S3 said it has is there after a power cut, and what nobody names any more is not."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SMALL = b"small"
LARGE = b"large" * 50_000


def blobs(data: Path) -> list[Path]:
    return [path for path in (data / "blobs").rglob("*") if path.is_file()]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 200
    while not condition():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.05)


def test_everything_acknowledged_survives_a_kill(start_node: Callable[..., Any], account: str, name: str) -> None:
    node = start_node()
    s3 = node.client("s3", account)
    s3.create_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="small", Body=SMALL, Metadata={"a": "b"})
    s3.put_object(Bucket=name, Key="large", Body=LARGE)
    s3.put_object(Bucket=name, Key="gone", Body=LARGE)
    s3.delete_object(Bucket=name, Key="gone")
    upload = s3.create_multipart_upload(Bucket=name, Key="parts")
    named = {"Bucket": name, "Key": "parts", "UploadId": upload["UploadId"]}
    part = s3.upload_part(**named, PartNumber=1, Body=LARGE)
    orphan = node.data / "blobs" / "ff" / ("0" * 30)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"a blob whose row was never written")
    node.kill()
    node.start()
    s3 = node.client("s3", account)
    small = s3.get_object(Bucket=name, Key="small")
    assert (small["Body"].read(), small["Metadata"]) == (SMALL, {"a": "b"})
    assert s3.get_object(Bucket=name, Key="large")["Body"].read() == LARGE
    s3.complete_multipart_upload(**named, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]})
    assert s3.get_object(Bucket=name, Key="parts")["Body"].read() == LARGE
    assert [one["Key"] for one in s3.list_objects_v2(Bucket=name)["Contents"]] == ["large", "parts", "small"]
    until(lambda: not orphan.exists() and len(blobs(node.data)) == 2)
    node.stop()


def test_bytes_that_nobody_names_are_removed(start_node: Callable[..., Any], account: str, name: str) -> None:
    node = start_node()
    s3 = node.client("s3", account)
    s3.create_bucket(Bucket=name)
    for _ in range(3):
        s3.put_object(Bucket=name, Key="k", Body=LARGE)
    until(lambda: len(blobs(node.data)) == 1)
    slow = s3.get_object(Bucket=name, Key="k")["Body"]
    first = slow.read(10)
    s3.put_object(Bucket=name, Key="k", Body=SMALL)
    until(lambda: not blobs(node.data))
    assert first + slow.read() == LARGE
    node.stop()

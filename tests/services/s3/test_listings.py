from typing import Any

import pytest

KEYS = ["a", "b/1", "b/2", "b/c/3", "b0", "d/4", "ü", "\U0001f600"]


@pytest.fixture
def filled(s3: Any, bucket: str) -> str:
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=b"1")
    return bucket


def keys(answer: dict[str, Any]) -> list[str]:
    return [one["Key"] for one in answer.get("Contents", [])]


def prefixes(answer: dict[str, Any]) -> list[str]:
    return [one["Prefix"] for one in answer.get("CommonPrefixes", [])]


def test_keys_come_in_bytewise_order(s3: Any, filled: str) -> None:
    answer = s3.list_objects_v2(Bucket=filled)
    assert keys(answer) == sorted(KEYS, key=str.encode)
    assert (answer["KeyCount"], answer["IsTruncated"]) == (len(KEYS), False)
    assert keys(s3.list_objects(Bucket=filled)) == keys(answer)


def test_a_delimiter_rolls_up(s3: Any, filled: str) -> None:
    answer = s3.list_objects_v2(Bucket=filled, Delimiter="/")
    assert keys(answer) == ["a", "b0", "ü", "\U0001f600"]
    assert prefixes(answer) == ["b/", "d/"]
    below = s3.list_objects_v2(Bucket=filled, Delimiter="/", Prefix="b/")
    assert (keys(below), prefixes(below)) == (["b/1", "b/2"], ["b/c/"])


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_pages_join_up(s3: Any, filled: str, size: int, delimiter: str, operation: str) -> None:
    options = {"Delimiter": delimiter} if delimiter else {}
    pages = list(s3.get_paginator(operation).paginate(Bucket=filled, PaginationConfig={"PageSize": size}, **options))
    whole = s3.list_objects_v2(Bucket=filled, **options)
    assert [key for page in pages for key in keys(page)] == keys(whole)
    assert [prefix for page in pages for prefix in prefixes(page)] == prefixes(whole)
    assert all(len(keys(page)) + len(prefixes(page)) <= size for page in pages)


def test_start_after_and_no_keys(s3: Any, filled: str, refused: Any) -> None:
    assert keys(s3.list_objects_v2(Bucket=filled, StartAfter="b/2"))[0] == "b/c/3"
    none = s3.list_objects_v2(Bucket=filled, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"]) == (0, False)
    refused("InvalidArgument", 400, s3.list_objects_v2, Bucket=filled, MaxKeys=-1)
    refused("InvalidArgument", 400, s3.list_objects_v2, Bucket=filled, ContinuationToken="")


def test_deep_prefixes_are_skipped_over(s3: Any, bucket: str) -> None:
    for i in range(120):
        s3.put_object(Bucket=bucket, Key=f"{i % 3}/{i}", Body=b"")
    assert prefixes(s3.list_objects_v2(Bucket=bucket, Delimiter="/")) == ["0/", "1/", "2/"]


def test_versions_newest_first(s3: Any, versioned: str) -> None:
    ids = [s3.put_object(Bucket=versioned, Key="k", Body=b"%d" % i)["VersionId"] for i in range(3)]
    marker = s3.delete_object(Bucket=versioned, Key="k")["VersionId"]
    s3.put_object(Bucket=versioned, Key="j", Body=b"")
    answer = s3.list_object_versions(Bucket=versioned, Prefix="k")
    assert [one["VersionId"] for one in answer["Versions"]] == ids[::-1]
    assert [(one["VersionId"], one["IsLatest"]) for one in answer["DeleteMarkers"]] == [(marker, True)]
    assert "Contents" not in s3.list_objects_v2(Bucket=versioned, Prefix="k")


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_of_versions_join_up(s3: Any, versioned: str, size: int) -> None:
    made = []
    for key in ("a", "b", "c"):
        of_key = [s3.put_object(Bucket=versioned, Key=key, Body=b"")["VersionId"] for _ in range(3)]
        made += of_key[::-1]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=versioned, PaginationConfig={"PageSize": size})
    assert [one["VersionId"] for page in pages for one in page.get("Versions", [])] == made

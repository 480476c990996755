import urllib.error
import urllib.request
from typing import Any

import pytest


def test_a_bucket_is_created_found_listed_and_deleted(s3: Any, name: str, refused: Any) -> None:
    created = s3.create_bucket(Bucket=name)
    assert (created["Location"], created["BucketArn"]) == (f"/{name}", f"arn:aws:s3:::{name}")
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    assert [one["Name"] for one in s3.list_buckets()["Buckets"]] == [name]
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    s3.delete_bucket(Bucket=name)
    refused("404", 404, s3.head_bucket, Bucket=name)
    error = refused("NoSuchBucket", 404, s3.list_objects_v2, Bucket=name)
    assert error["BucketName"] == name


@pytest.mark.parametrize("host", ["s3.amazonaws.com", "example.com", "localhost"])
def test_strangers_are_shown_nobodys_buckets(endpoint: str, host: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(urllib.request.Request(f"{endpoint}/", headers={"Host": host}), timeout=60)
    with caught.value as answer:
        assert (answer.code, "<Code>AccessDenied</Code>" in answer.read().decode()) == (403, True)


def test_a_bucket_in_another_region(client: Any, name: str, refused: Any) -> None:
    s3 = client("s3", "eu-central-1")
    refused("IllegalLocationConstraintException", 400, s3.create_bucket, Bucket=name)
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] == "eu-central-1"
    home = client("s3")
    error = refused(
        "InvalidLocationConstraint",
        400,
        home.create_bucket,
        Bucket=name + "-2",
        CreateBucketConfiguration={"LocationConstraint": "nowhere-1"},
    )
    assert error["LocationConstraint"] == "nowhere-1"


def test_names_are_taken_once(client: Any, bucket: str, refused: Any) -> None:
    client("s3").create_bucket(Bucket=bucket)  # in us-east-1 the owner may repeat itself
    west = client("s3", "us-west-2")
    constraint = {"LocationConstraint": "us-west-2"}
    refused("BucketAlreadyOwnedByYou", 409, west.create_bucket, Bucket=bucket, CreateBucketConfiguration=constraint)
    other = client("s3", account="999988887777")
    refused("BucketAlreadyExists", 409, other.create_bucket, Bucket=bucket)


@pytest.mark.parametrize("bad", ["UPPER", "ab..cd", "192.168.0.1", "xn--abc", "under_score"])
def test_bad_names_are_refused(client: Any, bad: str, refused: Any) -> None:
    s3 = client("s3")
    s3.meta.events.unregister("before-parameter-build.s3", _checker(s3))
    assert refused("InvalidBucketName", 400, s3.create_bucket, Bucket=bad)["BucketName"] == bad


def _checker(s3: Any) -> Any:
    from botocore.handlers import validate_bucket_name

    return validate_bucket_name


def test_a_bucket_with_objects_stays(s3: Any, versioned: str, refused: Any) -> None:
    s3.put_object(Bucket=versioned, Key="a", Body=b"1")
    s3.delete_object(Bucket=versioned, Key="a")
    error = refused("BucketNotEmpty", 409, s3.delete_bucket, Bucket=versioned)
    assert "all versions" in error["Message"]


def test_listing_in_pages(s3: Any, name: str) -> None:
    names = [f"{name}-{letter}" for letter in "abc"]
    for one in names:
        s3.create_bucket(Bucket=one)
    first = s3.list_buckets(MaxBuckets=2, Prefix=name)
    assert [one["Name"] for one in first["Buckets"]] == names[:2]
    rest = s3.list_buckets(MaxBuckets=2, Prefix=name, ContinuationToken=first["ContinuationToken"])
    assert [one["Name"] for one in rest["Buckets"]] == names[2:]
    assert "ContinuationToken" not in rest


def test_the_expected_owner_is_checked(s3: Any, bucket: str, account: str, refused: Any) -> None:
    s3.head_bucket(Bucket=bucket, ExpectedBucketOwner=account)
    refused("AccessDenied", 403, s3.get_bucket_tagging, Bucket=bucket, ExpectedBucketOwner="123456789012")
    refused("InvalidBucketOwnerAWSAccountID", 400, s3.get_bucket_tagging, Bucket=bucket, ExpectedBucketOwner="nobody")

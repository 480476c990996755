from typing import Any


def test_old_versions_stay_readable(s3: Any, versioned: str, refused: Any) -> None:
    first = s3.put_object(Bucket=versioned, Key="k", Body=b"1" * 100_000)["VersionId"]
    second = s3.put_object(Bucket=versioned, Key="k", Body=b"2")["VersionId"]
    assert s3.get_object(Bucket=versioned, Key="k")["VersionId"] == second
    assert s3.get_object(Bucket=versioned, Key="k", VersionId=first)["Body"].read() == b"1" * 100_000
    refused("InvalidArgument", 400, s3.get_object, Bucket=versioned, Key="k", VersionId="made-up")


def test_a_delete_marker_hides_and_comes_off(s3: Any, versioned: str, refused: Any) -> None:
    s3.put_object(Bucket=versioned, Key="k", Body=b"1")
    deleted = s3.delete_object(Bucket=versioned, Key="k")
    assert deleted["DeleteMarker"] is True
    refused("NoSuchKey", 404, s3.get_object, Bucket=versioned, Key="k")
    refused("MethodNotAllowed", 405, s3.get_object, Bucket=versioned, Key="k", VersionId=deleted["VersionId"])
    s3.delete_object(Bucket=versioned, Key="k", VersionId=deleted["VersionId"])
    assert s3.get_object(Bucket=versioned, Key="k")["Body"].read() == b"1"


def test_deleting_the_current_version_brings_the_one_before_back(s3: Any, versioned: str, refused: Any) -> None:
    first = s3.put_object(Bucket=versioned, Key="k", Body=b"1")["VersionId"]
    second = s3.put_object(Bucket=versioned, Key="k", Body=b"2")["VersionId"]
    s3.delete_object(Bucket=versioned, Key="k", VersionId=second)
    assert s3.get_object(Bucket=versioned, Key="k")["VersionId"] == first
    refused("NoSuchVersion", 404, s3.get_object, Bucket=versioned, Key="k", VersionId=second)
    s3.delete_object(Bucket=versioned, Key="k", VersionId=first)
    s3.delete_bucket(Bucket=versioned)


def test_the_null_version(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"versioned")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"before"
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_object(Bucket=bucket, Key="k", Body=b"after")
    assert s3.get_object(Bucket=bucket, Key="k", VersionId="null")["Body"].read() == b"after"
    versions = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert len(versions) == 2
    assert versions[0]["VersionId"] == "null"


def test_object_lock(s3: Any, name: str, refused: Any) -> None:
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    put = s3.put_object(Bucket=name, Key="k", Body=b"1", ObjectLockLegalHoldStatus="ON")
    version = {"Bucket": name, "Key": "k", "VersionId": put["VersionId"]}
    refused("AccessDenied", 403, s3.delete_object, **version)
    s3.put_object_legal_hold(**version, LegalHold={"Status": "OFF"})
    s3.delete_object(**version)


def test_a_default_retention_ends_with_time(s3: Any, name: str, refused: Any) -> None:
    s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}
    s3.put_object_lock_configuration(
        Bucket=name, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    put = s3.put_object(Bucket=name, Key="k", Body=b"1")
    version = {"Bucket": name, "Key": "k", "VersionId": put["VersionId"]}
    assert s3.get_object_retention(**version)["Retention"]["Mode"] == "GOVERNANCE"
    refused("AccessDenied", 403, s3.delete_object, **version)
    s3.delete_object(**version, BypassGovernanceRetention=True)

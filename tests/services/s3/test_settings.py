import json
import time
from datetime import timedelta
from typing import Any


def test_bucket_tags(s3: Any, bucket: str, refused: Any) -> None:
    refused("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket=bucket)
    tags = [{"Key": "a", "Value": "1"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    bad = {"TagSet": [{"Key": "aws:a", "Value": "1"}]}
    refused("InvalidTag", 400, s3.put_bucket_tagging, Bucket=bucket, Tagging=bad)
    s3.delete_bucket_tagging(Bucket=bucket)
    refused("NoSuchTagSet", 404, s3.get_bucket_tagging, Bucket=bucket)


def test_object_tags(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    tags = [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags})
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == tags
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []


def test_policies(s3: Any, bucket: str, refused: Any) -> None:
    refused("NoSuchBucketPolicy", 404, s3.get_bucket_policy, Bucket=bucket)
    refused("MalformedPolicy", 400, s3.put_bucket_policy, Bucket=bucket, Policy="nonsense")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert s3.get_bucket_policy(Bucket=bucket)["Policy"] == policy
    public = json.dumps({"Version": "2012-10-17", "Statement": [{**statement, "Principal": "*"}]})
    refused("AccessDenied", 403, s3.put_bucket_policy, Bucket=bucket, Policy=public)
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=public)
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is True


def test_acls_need_ownership_that_has_them(s3: Any, bucket: str, refused: Any) -> None:
    (grant,) = s3.get_bucket_acl(Bucket=bucket)["Grants"]
    assert grant["Permission"] == "FULL_CONTROL"
    refused("AccessControlListNotSupported", 400, s3.put_bucket_acl, Bucket=bucket, ACL="public-read")
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]})
    s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    assert [one["Permission"] for one in s3.get_bucket_acl(Bucket=bucket)["Grants"]] == ["FULL_CONTROL", "READ"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"", ACL="authenticated-read")
    assert len(s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]) == 2


def test_default_encryption(s3: Any, bucket: str, client: Any) -> None:
    def rule() -> dict[str, Any]:
        answer = s3.get_bucket_encryption(Bucket=bucket)
        return dict(answer["ServerSideEncryptionConfiguration"]["Rules"][0]["ApplyServerSideEncryptionByDefault"])

    assert rule() == {"SSEAlgorithm": "AES256"}
    wanted = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/mine"}
    config = {"Rules": [{"ApplyServerSideEncryptionByDefault": wanted}]}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=config)
    assert rule() == wanted
    kms = client("kms")
    key = kms.create_key()["KeyMetadata"]
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key["KeyId"])
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"")
    assert (put["ServerSideEncryption"], put["SSEKMSKeyId"]) == ("aws:kms", key["Arn"])


def test_lifecycle_rules_expire_objects(s3: Any, bucket: str, advance: Any) -> None:
    rules = [{"ID": "r", "Filter": {"Prefix": "old/"}, "Status": "Enabled", "Expiration": {"Days": 1}}]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    put = s3.put_object(Bucket=bucket, Key="old/1", Body=b"1" * 100_000)
    assert 'rule-id="r"' in put["Expiration"]
    s3.put_object(Bucket=bucket, Key="kept", Body=b"1")
    advance(timedelta(days=2, hours=2).total_seconds())
    deadline = time.monotonic() + 200  # the worker is woken by then; its work takes a moment
    while (left := [one["Key"] for one in s3.list_objects_v2(Bucket=bucket)["Contents"]]) != ["kept"]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_configurations_by_id(s3: Any, bucket: str, refused: Any) -> None:
    refused("NoSuchConfiguration", 404, s3.get_bucket_metrics_configuration, Bucket=bucket, Id="m")
    config = {"Id": "m", "Filter": {"Prefix": "p"}}
    s3.put_bucket_metrics_configuration(Bucket=bucket, Id="m", MetricsConfiguration=config)
    assert s3.list_bucket_metrics_configurations(Bucket=bucket)["MetricsConfigurationList"] == [config]
    s3.delete_bucket_metrics_configuration(Bucket=bucket, Id="m")
    refused("NoSuchConfiguration", 404, s3.delete_bucket_metrics_configuration, Bucket=bucket, Id="m")


def test_what_would_have_no_effect_is_refused(s3: Any, versioned: str, refused: Any) -> None:
    rule = {"Status": "Enabled", "Priority": 1, "Filter": {}, "Destination": {"Bucket": f"arn:aws:s3:::{versioned}"}}
    rule["DeleteMarkerReplication"] = {"Status": "Disabled"}
    config = {"Role": "arn:aws:iam::111122223333:role/r", "Rules": [rule]}
    refused("NotImplemented", 501, s3.put_bucket_replication, Bucket=versioned, ReplicationConfiguration=config)

"""Streams: creating, describing, listing, settings, tags, policies, accounts."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.kinesis.conftest import arn, data, iterator, read, shards


def summary(kinesis: Any, stream: str) -> dict[str, Any]:
    return dict(kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"])


def test_a_stream_is_described(kinesis: Any, account: str) -> None:
    kinesis.create_stream(StreamName="s", ShardCount=3, Tags={"team": "a"})
    found = kinesis.describe_stream(StreamName="s")["StreamDescription"]
    assert found.pop("StreamCreationTimestamp").microsecond == 0
    assert [each["ShardId"][-1] for each in found.pop("Shards")] == list("012")
    assert found == {
        "StreamName": "s",
        "StreamARN": f"arn:aws:kinesis:us-east-1:{account}:stream/s",
        "StreamStatus": "ACTIVE",
        "StreamModeDetails": {"StreamMode": "PROVISIONED"},
        "HasMoreShards": False,
        "RetentionPeriodHours": 24,
        "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
        "EncryptionType": "NONE",
    }
    page = kinesis.describe_stream(StreamName="s", Limit=2)["StreamDescription"]
    assert page["HasMoreShards"]
    rest = kinesis.describe_stream(StreamName="s", ExclusiveStartShardId=page["Shards"][-1]["ShardId"])
    assert [each["ShardId"][-1] for each in rest["StreamDescription"]["Shards"]] == ["2"]
    short = summary(kinesis, "s")
    assert (short["OpenShardCount"], short["ConsumerCount"], short["MaxRecordSizeInKiB"]) == (3, 0, 1024)


def test_a_stream_without_a_number_of_shards_is_on_demand(kinesis: Any) -> None:
    kinesis.create_stream(StreamName="s")
    found = summary(kinesis, "s")
    assert (found["StreamModeDetails"]["StreamMode"], found["OpenShardCount"]) == ("ON_DEMAND", 4)
    assert found["RecordDistributionStrategy"] == "USER_PARTITION_KEY"
    with pytest.raises(kinesis.exceptions.ValidationException, match="ON_DEMAND"):
        kinesis.update_shard_count(StreamName="s", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    kinesis.update_stream_mode(StreamARN=arn(kinesis, "s"), StreamModeDetails={"StreamMode": "PROVISIONED"})
    kinesis.update_shard_count(StreamName="s", TargetShardCount=2, ScalingType="UNIFORM_SCALING")
    assert summary(kinesis, "s")["OpenShardCount"] == 2


def test_streams_are_refused(kinesis: Any, stream: str, account: str) -> None:
    with pytest.raises(
        kinesis.exceptions.ResourceInUseException, match=f"Stream orders under account {account} already exists"
    ):
        kinesis.create_stream(StreamName=stream, ShardCount=1)
    with pytest.raises(kinesis.exceptions.LimitExceededException, match="would exceed the shard limit for the account"):
        kinesis.create_stream(StreamName="huge", ShardCount=1_000_000)
    with pytest.raises(ClientError, match="ValidationException"):
        kinesis.create_stream(StreamName="no spaces", ShardCount=1)
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="StreamName"):
        kinesis.describe_stream()
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="different streams"):
        kinesis.describe_stream(StreamName="other", StreamARN=arn(kinesis, stream))
    assert kinesis.describe_limits()["OpenShardCount"] == 1


def test_streams_are_listed_page_by_page(kinesis: Any, advance: Callable[[float], None]) -> None:
    names = [f"s{number}" for number in range(5)]
    for name in names:
        kinesis.create_stream(StreamName=name, ShardCount=1)
    first = kinesis.list_streams(Limit=2)
    assert (first["StreamNames"], first["HasMoreStreams"]) == (names[:2], True)
    assert first["StreamSummaries"][0]["StreamStatus"] == "ACTIVE"
    rest = kinesis.list_streams(NextToken=first["NextToken"])
    assert (rest["StreamNames"], rest["HasMoreStreams"]) == (names[2:], False)
    assert kinesis.list_streams(ExclusiveStartStreamName="s3")["StreamNames"] == ["s4"]
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="Invalid NextToken"):
        kinesis.list_shards(NextToken=first["NextToken"])
    advance(301)
    with pytest.raises(kinesis.exceptions.ExpiredNextTokenException):
        kinesis.list_streams(NextToken=first["NextToken"])


def test_retention_has_bounds(kinesis: Any, stream: str) -> None:
    wrong = kinesis.exceptions.InvalidArgumentException
    with pytest.raises(
        wrong, match=r"Minimum allowed retention period is 24 hours. Requested retention period \(23 hours\)"
    ):
        kinesis.decrease_stream_retention_period(StreamName=stream, RetentionPeriodHours=23)
    with pytest.raises(wrong, match="Maximum allowed retention period"):
        kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=8761)
    with pytest.raises(
        wrong, match=r"can not be longer than existing retention period .24 hours.. Use IncreaseRetentionPeriod"
    ):
        kinesis.decrease_stream_retention_period(StreamName=stream, RetentionPeriodHours=25)
    kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=100)
    with pytest.raises(wrong, match="can not be shorter than existing retention period"):
        kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=99)
    assert summary(kinesis, stream)["RetentionPeriodHours"] == 100


def test_tags_by_both_apis(kinesis: Any, stream: str) -> None:
    resource = arn(kinesis, stream)
    kinesis.add_tags_to_stream(StreamName=stream, Tags={"a": "1", "b": "2"})
    kinesis.tag_resource(ResourceARN=resource, Tags={"b": "3", "c": ""})
    assert kinesis.list_tags_for_stream(StreamName=stream, Limit=2) | {"ResponseMetadata": 0} == {
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "3"}],
        "HasMoreTags": True,
        "ResponseMetadata": 0,
    }
    kinesis.remove_tags_from_stream(StreamName=stream, TagKeys=["a"])
    kinesis.untag_resource(ResourceARN=resource, TagKeys=["b", "never"])
    assert kinesis.list_tags_for_resource(ResourceARN=resource)["Tags"] == [{"Key": "c", "Value": ""}]
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="invalid characters"):
        kinesis.add_tags_to_stream(StreamName=stream, Tags={"a": "!"})
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="more than 50 tags"):
        kinesis.tag_resource(ResourceARN=resource, Tags={f"k{number}": "" for number in range(50)})


def test_monitoring_is_kept(kinesis: Any, stream: str) -> None:
    on = kinesis.enable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["OutgoingBytes", "IncomingBytes"])
    assert (on["CurrentShardLevelMetrics"], on["DesiredShardLevelMetrics"]) == ([], ["IncomingBytes", "OutgoingBytes"])
    off = kinesis.disable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["IncomingBytes"])
    assert off["DesiredShardLevelMetrics"] == ["OutgoingBytes"]
    assert (
        len(
            kinesis.enable_enhanced_monitoring(StreamName=stream, ShardLevelMetrics=["ALL"])["DesiredShardLevelMetrics"]
        )
        == 7
    )


def test_encrypted_streams_ask_kms(kinesis: Any, stream: str, client: Callable[..., Any]) -> None:
    kms = client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    with pytest.raises(kinesis.exceptions.KMSNotFoundException):
        kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId="alias/nothing")
    kinesis.put_record(StreamName=stream, Data=b"plain", PartitionKey="a")
    kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=key)
    assert (summary(kinesis, stream)["EncryptionType"], summary(kinesis, stream)["KeyId"]) == ("KMS", key)
    assert kinesis.put_record(StreamName=stream, Data=b"sealed", PartitionKey="a")["EncryptionType"] == "KMS"
    assert [each.get("EncryptionType") for each in read(kinesis, stream)] == [None, "KMS"]
    kinesis.create_stream(StreamName="other", ShardCount=1)
    kinesis.start_stream_encryption(StreamName="other", EncryptionType="KMS", KeyId=key)
    kms.disable_key(KeyId=key)
    with pytest.raises(kinesis.exceptions.KMSDisabledException):
        kinesis.put_record(StreamName="other", Data=b"x", PartitionKey="a")
    with pytest.raises(kinesis.exceptions.KMSDisabledException):
        kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=key)
    kinesis.stop_stream_encryption(StreamName="other", EncryptionType="KMS", KeyId=key)
    kinesis.put_record(StreamName="other", Data=b"x", PartitionKey="a")
    assert summary(kinesis, "other")["EncryptionType"] == "NONE"


def test_every_record_needs_the_key_it_was_written_with(
    kinesis: Any, stream: str, client: Callable[..., Any], advance: Callable[[float], None]
) -> None:
    kms = client("kms")
    first, second = (kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    for key in (first, second, first):
        kinesis.start_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=key)
        kinesis.put_record(StreamName=stream, Data=key.encode(), PartitionKey="a")
    kinesis.stop_stream_encryption(StreamName=stream, EncryptionType="KMS", KeyId=first)
    last = kinesis.put_record(StreamName=stream, Data=b"plain", PartitionKey="a")["SequenceNumber"]
    advance(301)  # what KMS said does not hold any more
    kms.disable_key(KeyId=second)
    start = iterator(kinesis, stream)
    assert data(kinesis.get_records(ShardIterator=start, Limit=1)["Records"]) == [first.encode()]
    with pytest.raises(kinesis.exceptions.KMSDisabledException):
        kinesis.get_records(ShardIterator=start, Limit=2)
    assert data(read(kinesis, stream, kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber=last)) == [b"plain"]
    kms.enable_key(KeyId=second)
    assert data(read(kinesis, stream)) == [first.encode(), second.encode(), first.encode(), b"plain"]


def test_warm_throughput_needs_a_commitment(
    kinesis: Any, client: Callable[..., Any], advance: Callable[[float], None]
) -> None:
    kinesis.create_stream(StreamName="s")
    with pytest.raises(kinesis.exceptions.ValidationException, match="MinimumThroughputBillingCommitment"):
        kinesis.update_stream_warm_throughput(StreamName="s", WarmThroughputMiBps=10)
    status = kinesis.describe_account_settings()["MinimumThroughputBillingCommitment"]
    assert status == {"Status": "DISABLED"}
    wanted = {"Status": "ENABLED"}
    answer = kinesis.update_account_settings(MinimumThroughputBillingCommitment=wanted)
    assert answer["MinimumThroughputBillingCommitment"]["Status"] == "ENABLED"
    with pytest.raises(kinesis.exceptions.LimitExceededException, match="more than 10240 MiBps"):
        kinesis.create_stream(StreamName="t", WarmThroughputMiBps=1_000_000_000)
    kinesis.update_stream_warm_throughput(StreamName="s", WarmThroughputMiBps=10)
    assert summary(kinesis, "s")["WarmThroughput"] == {"TargetMiBps": 10, "CurrentMiBps": 10}
    kinesis.update_account_settings(MinimumThroughputBillingCommitment={"Status": "DISABLED"})

    def state() -> str:
        return str(kinesis.describe_account_settings()["MinimumThroughputBillingCommitment"]["Status"])

    assert state() == "ENABLED_UNTIL_EARLIEST_ALLOWED_END"
    advance(86_401)
    assert state() == "DISABLED"


def test_policies(kinesis: Any, stream: str, account: str) -> None:
    resource = arn(kinesis, stream)
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": account}, "Action": "kinesis:PutRecord", "Resource": resource}
        ],
    }
    assert kinesis.get_resource_policy(ResourceARN=resource)["Policy"] == "{}"
    kinesis.put_resource_policy(ResourceARN=resource, Policy=json.dumps(policy))
    assert json.loads(kinesis.get_resource_policy(ResourceARN=resource)["Policy"]) == policy
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="not valid"):
        kinesis.put_resource_policy(ResourceARN=resource, Policy="{}")
    kinesis.delete_resource_policy(ResourceARN=resource)
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
        kinesis.delete_resource_policy(ResourceARN=resource)


def test_other_accounts_are_let_in_by_the_streams_policy(start_node: Callable[..., Any]) -> None:
    node = start_node("--iam", "enforce")
    owner, other = "111122223333", "444455556666"
    mine, theirs = node.client("kinesis", owner), node.client("kinesis", other)
    mine.create_stream(StreamName="s", ShardCount=1)
    resource = arn(mine, "s")
    with pytest.raises(ClientError, match="AccessDenied"):
        theirs.put_record(StreamARN=resource, Data=b"x", PartitionKey="a")
    statement = {"Effect": "Allow", "Principal": {"AWS": other}, "Resource": resource}
    statement["Action"] = ["kinesis:PutRecord", "kinesis:GetShardIterator", "kinesis:GetRecords"]
    mine.put_resource_policy(
        ResourceARN=resource, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    theirs.put_record(StreamARN=resource, Data=b"x", PartitionKey="a")
    place = theirs.get_shard_iterator(StreamARN=resource, ShardId="shardId-0", ShardIteratorType="TRIM_HORIZON")
    assert data(theirs.get_records(ShardIterator=place["ShardIterator"])["Records"]) == [b"x"]
    mine.delete_resource_policy(ResourceARN=resource)
    with pytest.raises(ClientError, match="AccessDenied"):
        theirs.get_records(ShardIterator=place["ShardIterator"])
    assert len(read(mine, "s")) == 1


def test_a_deleted_stream_takes_its_records_along(kinesis: Any, stream: str) -> None:
    kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="a")
    kinesis.register_stream_consumer(StreamARN=arn(kinesis, stream), ConsumerName="c")
    with pytest.raises(kinesis.exceptions.ResourceInUseException, match="registered consumers"):
        kinesis.delete_stream(StreamName=stream)
    kinesis.delete_stream(StreamName=stream, EnforceConsumerDeletion=True)
    assert kinesis.list_streams()["StreamNames"] == []
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    assert read(kinesis, stream) == []
    assert kinesis.list_stream_consumers(StreamARN=arn(kinesis, stream))["Consumers"] == []


def test_throughput_is_held_to_where_asked_for(start_node: Callable[..., Any]) -> None:
    node = start_node("--limit", "kinesis.throttling=1")
    kinesis = node.client("kinesis", "111122223333")
    kinesis.create_stream(StreamName="s", ShardCount=1)
    kinesis.update_max_record_size(StreamARN=arn(kinesis, "s"), MaxRecordSizeInKiB=10_240)
    answer = kinesis.put_records(StreamName="s", Records=[{"Data": bytes(1_000_000), "PartitionKey": "a"}] * 4)
    assert 1 <= answer["FailedRecordCount"] <= 3
    failed = answer["Records"][-1]
    assert failed["ErrorCode"] == "ProvisionedThroughputExceededException"
    assert (
        failed["ErrorMessage"] == "Rate exceeded for shard shardId-000000000000 in stream s under account 111122223333."
    )
    node.post("/_cumulet/clock", {"advance": 60})
    kinesis.put_record(StreamName="s", Data=bytes(9_000_000), PartitionKey="a")
    place = iterator(kinesis, "s", kind="TRIM_HORIZON")
    with pytest.raises(kinesis.exceptions.ProvisionedThroughputExceededException):
        for _ in range(30):  # one answer takes the bytes of four seconds
            kinesis.get_records(ShardIterator=place)


def test_what_is_not_there_yet_says_so(kinesis: Any, stream: str, account: str) -> None:
    with pytest.raises(ClientError, match="NotImplemented"):
        kinesis.list_queues()
    assert len(shards(kinesis, stream)) == 1


def test_limits_hold_for_streams_that_are_made_at_the_same_time(start_node: Callable[..., Any]) -> None:
    node = start_node("--limit", "kinesis.shards=10")
    clients = [node.client("kinesis", "111122223333") for _ in range(8)]

    def make(number: int) -> bool:
        try:
            clients[number].create_stream(StreamName=f"s{number}", ShardCount=4)
        except clients[number].exceptions.LimitExceededException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(8))) == 2
    assert clients[0].describe_limits()["OpenShardCount"] == 8

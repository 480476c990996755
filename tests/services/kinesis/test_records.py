"""Records: where they go, in what order, and how they are read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import md5
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.services.kinesis.conftest import WHOLE, arn, data, iterator, read, shards


def test_a_record_is_read_as_it_was_put(kinesis: Any, stream: str) -> None:
    put = kinesis.put_record(StreamName=stream, Data=b"\x00\xff first", PartitionKey="ünï")
    [record] = read(kinesis, stream)
    assert put["ShardId"] == "shardId-000000000000"
    assert record["SequenceNumber"] == put["SequenceNumber"]
    assert (record["Data"], record["PartitionKey"]) == (b"\x00\xff first", "ünï")
    assert abs(record["ApproximateArrivalTimestamp"] - datetime.now(UTC)) < timedelta(days=400)
    assert "EncryptionType" not in record


def test_keys_belong_to_shards_by_their_digest(kinesis: Any) -> None:
    kinesis.create_stream(StreamName="s", ShardCount=7)
    keys = [f"key-{number}" for number in range(60)]
    answer = kinesis.put_records(StreamName="s", Records=[{"Data": key.encode(), "PartitionKey": key} for key in keys])
    assert answer["FailedRecordCount"] == 0
    expected = [min(int(md5(key.encode()).hexdigest(), 16) // (WHOLE // 7), 6) for key in keys]
    assert [each["ShardId"] for each in answer["Records"]] == [f"shardId-{number:012d}" for number in expected]
    for number in range(7):
        mine = [key.encode() for key, shard in zip(keys, expected, strict=True) if shard == number]
        assert data(read(kinesis, "s", f"shardId-{number:012d}")) == mine


def test_explicit_hash_keys(kinesis: Any) -> None:
    kinesis.create_stream(StreamName="s", ShardCount=3)
    edges = [int(each["HashKeyRange"]["EndingHashKey"]) for each in shards(kinesis, "s")]
    for shard, hash_key in [(0, 0), (0, edges[0]), (1, edges[0] + 1), (1, edges[1]), (2, edges[1] + 1), (2, WHOLE - 1)]:
        put = kinesis.put_record(StreamName="s", Data=b"", PartitionKey="a", ExplicitHashKey=str(hash_key))
        assert put["ShardId"] == f"shardId-{shard:012d}"
    with pytest.raises(
        kinesis.exceptions.InvalidArgumentException, match=rf"\[0, 2\^128-1\]. Specified value was {WHOLE}"
    ):
        kinesis.put_record(StreamName="s", Data=b"", PartitionKey="a", ExplicitHashKey=str(WHOLE))


def test_sequence_numbers_grow(kinesis: Any, stream: str) -> None:
    given = [
        int(kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="a")["SequenceNumber"]) for _ in range(5)
    ]
    batch = kinesis.put_records(StreamName=stream, Records=[{"Data": b"x", "PartitionKey": "a"}] * 20)["Records"]
    given += [int(each["SequenceNumber"]) for each in batch]
    after = kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="a", SequenceNumberForOrdering=str(given[-1]))
    given.append(int(after["SequenceNumber"]))
    assert given == sorted(set(given))
    assert all(len(str(number)) == 56 for number in given)
    with pytest.raises(
        kinesis.exceptions.InvalidArgumentException, match="ExclusiveMinimumSequenceNumber 7 used in PutRecord"
    ):
        kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="a", SequenceNumberForOrdering="7")


def test_every_kind_of_iterator(kinesis: Any, stream: str, advance: Callable[[float], None]) -> None:
    puts = []
    for number in range(3):
        puts.append(kinesis.put_record(StreamName=stream, Data=b"%d" % number, PartitionKey="a")["SequenceNumber"])
        advance(60)
    latest = iterator(kinesis, stream, kind="LATEST")
    kinesis.put_record(StreamName=stream, Data=b"3", PartitionKey="a")
    assert data(read(kinesis, stream)) == [b"0", b"1", b"2", b"3"]
    assert data(kinesis.get_records(ShardIterator=latest)["Records"]) == [b"3"]
    assert data(read(kinesis, stream, kind="AT_SEQUENCE_NUMBER", StartingSequenceNumber=puts[1])) == [b"1", b"2", b"3"]
    assert data(read(kinesis, stream, kind="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=puts[1])) == [b"2", b"3"]
    second = read(kinesis, stream)[1]["ApproximateArrivalTimestamp"]
    assert data(read(kinesis, stream, kind="AT_TIMESTAMP", Timestamp=second)) == [b"1", b"2", b"3"]
    assert data(read(kinesis, stream, kind="AT_TIMESTAMP", Timestamp=second + timedelta(seconds=1))) == [b"2", b"3"]
    assert len(read(kinesis, stream, kind="AT_TIMESTAMP", Timestamp=datetime(2001, 1, 1, tzinfo=UTC))) == 4


def test_iterators_are_refused_for_what_they_are(kinesis: Any, stream: str) -> None:
    def refused(match: str, **request: Any) -> None:
        with pytest.raises(kinesis.exceptions.InvalidArgumentException, match=match):
            kinesis.get_shard_iterator(**{"StreamName": stream, "ShardId": "shardId-0", **request})

    refused(
        "Request specified AT_SEQUENCE_NUMBER and no StartingSequenceNumber", ShardIteratorType="AT_SEQUENCE_NUMBER"
    )
    refused(
        "Request specified LATEST and also a StartingSequenceNumber",
        ShardIteratorType="LATEST",
        StartingSequenceNumber="5",
    )
    refused("is invalid", ShardIteratorType="AT_SEQUENCE_NUMBER", StartingSequenceNumber="5")
    refused("Must specify timestampInMillis", ShardIteratorType="AT_TIMESTAMP")
    refused(
        "cannot be greater than the currentTimestampInMillis",
        ShardIteratorType="AT_TIMESTAMP",
        Timestamp=datetime(2200, 1, 1, tzinfo=UTC),
    )
    kinesis.create_stream(StreamName="other", ShardCount=2)
    foreign = kinesis.put_record(StreamName="other", Data=b"", PartitionKey="a", ExplicitHashKey=str(WHOLE - 1))
    refused(
        "It encodes shardId-000000000001, while it was used in a call to a shard with shardId-000000000000",
        ShardIteratorType="AT_SEQUENCE_NUMBER",
        StartingSequenceNumber=foreign["SequenceNumber"],
    )
    good = iterator(kinesis, stream)
    for text in ("nonsense", good[:-4], "A" + good[1:], good[:40] + ("B" if good[40] == "A" else "A") + good[41:]):
        with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="Invalid ShardIterator"):
            kinesis.get_records(ShardIterator=text)
    assert kinesis.get_records(ShardIterator=f'"{good}"')["Records"] == []


def test_what_is_not_there(kinesis: Any, stream: str, account: str) -> None:
    missing = kinesis.exceptions.ResourceNotFoundException
    with pytest.raises(missing, match=f"Stream nobody under account {account} not found"):
        kinesis.put_record(StreamName="nobody", Data=b"", PartitionKey="a")
    with pytest.raises(
        missing, match=f"Shard shardId-000000000005 in stream orders under account {account} does not exist"
    ):
        kinesis.get_shard_iterator(StreamName=stream, ShardId="shardId-5", ShardIteratorType="LATEST")
    with pytest.raises(missing, match=f"Could not find shard what in stream orders under account {account}."):
        kinesis.get_shard_iterator(StreamName=stream, ShardId="what", ShardIteratorType="LATEST")
    held = iterator(kinesis, stream)
    kinesis.delete_stream(StreamName=stream)
    kinesis.create_stream(StreamName=stream, ShardCount=1)
    with pytest.raises(missing, match="Shard shardId-000000000000 in stream orders"):
        kinesis.get_records(ShardIterator=held)


def test_iterators_expire_after_five_minutes(kinesis: Any, stream: str, advance: Callable[[float], None]) -> None:
    held = iterator(kinesis, stream)
    following = kinesis.get_records(ShardIterator=held)["NextShardIterator"]
    advance(301)
    for text in (held, following):
        with pytest.raises(kinesis.exceptions.ExpiredIteratorException, match="tolerated delay of 300000 milliseconds"):
            kinesis.get_records(ShardIterator=text)


def test_reading_goes_on_page_by_page(kinesis: Any, stream: str, advance: Callable[[float], None]) -> None:
    for first in range(0, 25, 5):
        records = [{"Data": b"%d" % number, "PartitionKey": "a"} for number in range(first, first + 5)]
        kinesis.put_records(StreamName=stream, Records=records)
    advance(30)
    found: list[bytes] = []
    place = iterator(kinesis, stream)
    pages = []
    while len(found) < 25:
        answer = kinesis.get_records(ShardIterator=place, Limit=10)
        found += data(answer["Records"])
        pages.append((len(answer["Records"]), answer["MillisBehindLatest"] >= 30_000))
        place = answer["NextShardIterator"]
    assert found == [b"%d" % number for number in range(25)]
    assert pages == [(10, True), (10, True), (5, False)]
    assert kinesis.get_records(ShardIterator=place)["Records"] == []


def test_an_answer_has_ten_megabytes_at_most(kinesis: Any, stream: str) -> None:
    for _ in range(3):
        kinesis.put_records(StreamName=stream, Records=[{"Data": bytes(1_000_000), "PartitionKey": "a"}] * 4)
    answer = kinesis.get_records(ShardIterator=iterator(kinesis, stream))
    assert len(answer["Records"]) == 10
    assert len(kinesis.get_records(ShardIterator=answer["NextShardIterator"])["Records"]) == 2


def test_large_records_need_a_stream_for_them(kinesis: Any, stream: str) -> None:
    large = bytes(1 << 20)
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="MaxRecordSizeInKiB"):
        kinesis.put_record(StreamName=stream, Data=large, PartitionKey="a")
    kinesis.update_max_record_size(StreamARN=arn(kinesis, stream), MaxRecordSizeInKiB=10_240)
    kinesis.put_record(StreamName=stream, Data=large * 9, PartitionKey="a")
    assert [len(each) for each in data(read(kinesis, stream))] == [9 << 20]
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="Records size exceeds 10 MB limit"):
        kinesis.put_records(StreamName=stream, Records=[{"Data": bytes(5_500_000), "PartitionKey": "a"}] * 2)
    assert len(read(kinesis, stream)) == 1


def test_records_are_kept_as_long_as_the_stream_says(
    kinesis: Any, stream: str, advance: Callable[[float], None]
) -> None:
    kinesis.put_record(StreamName=stream, Data=b"old", PartitionKey="a")
    advance(20 * 3600)
    kinesis.put_record(StreamName=stream, Data=b"new", PartitionKey="a")
    advance(5 * 3600)
    assert data(read(kinesis, stream)) == [b"new"]
    kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=48)
    assert data(read(kinesis, stream)) == [b"new"]
    advance(20 * 3600)
    assert data(read(kinesis, stream)) == [b"new"]
    kinesis.decrease_stream_retention_period(StreamName=stream, RetentionPeriodHours=24)
    kinesis.increase_stream_retention_period(StreamName=stream, RetentionPeriodHours=8760)
    assert read(kinesis, stream) == []


def test_dry_runs_change_nothing(kinesis: Any, stream: str) -> None:
    with pytest.raises(kinesis.exceptions.DryRunOperationException):
        kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="a", DryRun=True)
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
        kinesis.put_record(StreamName="nobody", Data=b"x", PartitionKey="a", DryRun=True)
    assert read(kinesis, stream) == []


def test_a_record_goes_anywhere_where_the_service_distributes(kinesis: Any) -> None:
    kinesis.create_stream(
        StreamName="s", StreamModeDetails={"StreamMode": "ON_DEMAND"}, RecordDistributionStrategy="AUTO"
    )
    found = {kinesis.put_record(StreamName="s", Data=b"x")["ShardId"] for _ in range(8)}
    assert len(found) == 4
    kinesis.update_stream_record_distribution_strategy(
        StreamARN=arn(kinesis, "s"), RecordDistributionStrategy="USER_PARTITION_KEY"
    )
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="PartitionKey must be specified"):
        kinesis.put_record(StreamName="s", Data=b"x")


@pytest.mark.parametrize(("moment", "code"), [("1e308", "InvalidArgumentException"), ("-1e308", None)])
def test_moments_may_be_any_number(kinesis: Any, stream: str, moment: str, code: str | None) -> None:
    request = (
        f'{{"StreamName":"{stream}","ShardId":"shardId-0","ShardIteratorType":"AT_TIMESTAMP","Timestamp":{moment}}}'
    )

    def instead(params: dict[str, Any], **_: Any) -> None:
        params["body"] = request.encode()

    kinesis.meta.events.register("before-call.kinesis.GetShardIterator", instead)
    try:
        iterator(kinesis, stream)
        found = None
    except ClientError as error:
        found = error.response["Error"]["Code"]
    assert found == code

"""Shards: splitting, merging, changing their number, and reading through it."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.services.kinesis.conftest import WHOLE, data, iterator, read, shards


def put(kinesis: Any, stream: str, hash_key: int, text: bytes) -> str:
    return str(
        kinesis.put_record(StreamName=stream, Data=text, PartitionKey="a", ExplicitHashKey=str(hash_key))["ShardId"]
    )


def test_a_split_shard_is_closed_and_its_children_go_on(kinesis: Any, stream: str) -> None:
    put(kinesis, stream, 0, b"before")
    held = iterator(kinesis, stream)
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-000000000000", NewStartingHashKey="1000")
    parent, low, high = shards(kinesis, stream)
    assert (
        parent["SequenceNumberRange"]["EndingSequenceNumber"] > parent["SequenceNumberRange"]["StartingSequenceNumber"]
    )
    assert low["HashKeyRange"] == {"StartingHashKey": "0", "EndingHashKey": "999"}
    assert high["HashKeyRange"] == {"StartingHashKey": "1000", "EndingHashKey": str(WHOLE - 1)}
    for child in (low, high):
        assert child["ParentShardId"] == parent["ShardId"]
        assert "AdjacentParentShardId" not in child
        assert int(child["SequenceNumberRange"]["StartingSequenceNumber"]) > int(
            parent["SequenceNumberRange"]["EndingSequenceNumber"]
        )
    assert put(kinesis, stream, 999, b"low") == low["ShardId"]
    assert put(kinesis, stream, 1000, b"high") == high["ShardId"]
    answer = kinesis.get_records(ShardIterator=held)
    assert data(answer["Records"]) == [b"before"]
    assert "NextShardIterator" not in answer
    assert [each["ShardId"] for each in answer["ChildShards"]] == [low["ShardId"], high["ShardId"]]
    assert answer["ChildShards"][0]["ParentShards"] == [parent["ShardId"]]
    assert data(read(kinesis, stream, low["ShardId"])) == [b"low"]
    assert data(read(kinesis, stream, high["ShardId"])) == [b"high"]


def test_merged_shards_have_one_child(kinesis: Any) -> None:
    kinesis.create_stream(StreamName="s", ShardCount=3)
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="not an adjacent pair"):
        kinesis.merge_shards(StreamName="s", ShardToMerge="shardId-0", AdjacentShardToMerge="shardId-2")
    kinesis.merge_shards(StreamName="s", ShardToMerge="shardId-2", AdjacentShardToMerge="shardId-1")
    child = shards(kinesis, "s")[-1]
    assert (child["ParentShardId"], child["AdjacentParentShardId"]) == ("shardId-000000000002", "shardId-000000000001")
    assert child["HashKeyRange"]["EndingHashKey"] == str(WHOLE - 1)
    assert put(kinesis, "s", WHOLE - 1, b"") == child["ShardId"]
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="already been merged or split"):
        kinesis.split_shard(StreamName="s", ShardToSplit="shardId-1", NewStartingHashKey=str(WHOLE // 2))


def test_what_cannot_be_split(kinesis: Any, stream: str, account: str) -> None:
    for start in (0, 1, WHOLE - 1, WHOLE):
        with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="not both greater than one plus"):
            kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-0", NewStartingHashKey=str(start))
    missing = f"Could not find shard shardId-000000000009 in stream orders under account {account}."
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException, match=missing):
        kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-9", NewStartingHashKey="5")
    assert len(shards(kinesis, stream)) == 1


@pytest.mark.parametrize(("before", "after"), [(1, 2), (4, 2), (5, 7), (7, 4), (6, 6)])
def test_a_stream_is_scaled_to_shards_of_equal_size(kinesis: Any, before: int, after: int) -> None:
    kinesis.create_stream(StreamName="s", ShardCount=before)
    answer = kinesis.update_shard_count(StreamName="s", TargetShardCount=after, ScalingType="UNIFORM_SCALING")
    assert (answer["CurrentShardCount"], answer["TargetShardCount"]) == (before, after)
    found = shards(kinesis, "s", ShardFilter={"Type": "AT_LATEST"})
    ranges = sorted(
        (int(each["HashKeyRange"]["StartingHashKey"]), int(each["HashKeyRange"]["EndingHashKey"])) for each in found
    )
    assert [start for start, _ in ranges] == [WHOLE // after * place for place in range(after)]
    assert ranges[-1][1] == WHOLE - 1
    everything = {each["ShardId"]: each for each in shards(kinesis, "s")}
    for each in everything.values():
        assert each.get("ParentShardId", each["ShardId"]) in everything


def test_bounds_of_scaling(kinesis: Any, advance: Callable[[float], None]) -> None:
    kinesis.create_stream(StreamName="s", ShardCount=4)

    def scale(count: int) -> None:
        kinesis.update_shard_count(StreamName="s", TargetShardCount=count, ScalingType="UNIFORM_SCALING")

    for count in (9, 1):
        with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="cannot scale"):
            scale(count)
    for number in range(10):
        scale(4 + number % 2)
    with pytest.raises(kinesis.exceptions.LimitExceededException, match="scaled 10 times"):
        scale(4)
    advance(86_401)
    scale(4)


def test_shards_are_listed_page_by_page_and_filtered(kinesis: Any, advance: Callable[[float], None]) -> None:
    kinesis.create_stream(StreamName="s", ShardCount=5)
    first = kinesis.list_shards(StreamName="s", MaxResults=3)
    second = kinesis.list_shards(NextToken=first["NextToken"], MaxResults=3)
    assert [each["ShardId"][-1] for each in first["Shards"] + second["Shards"]] == list("01234")
    assert "NextToken" not in second
    with pytest.raises(kinesis.exceptions.InvalidArgumentException, match="cannot be provided together"):
        kinesis.list_shards(StreamName="s", NextToken=first["NextToken"])
    advance(3600)
    with pytest.raises(kinesis.exceptions.ExpiredNextTokenException):
        kinesis.list_shards(NextToken=first["NextToken"])
    kinesis.split_shard(StreamName="s", ShardToSplit="shardId-0", NewStartingHashKey="5")

    def listed(**wanted: Any) -> str:
        return "".join(each["ShardId"][-1] for each in shards(kinesis, "s", ShardFilter=wanted))

    assert listed(Type="AT_LATEST") == "123456"
    assert listed(Type="AT_TRIM_HORIZON") == "01234"
    assert listed(Type="FROM_TRIM_HORIZON") == "0123456"
    assert listed(Type="AFTER_SHARD_ID", ShardId="shardId-000000000004") == "56"
    advance(25 * 3600)
    assert "".join(each["ShardId"][-1] for each in shards(kinesis, "s")) == "123456"
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException, match="does not exist"):
        iterator(kinesis, "s")


def test_records_find_their_way_while_shards_change(kinesis: Any, client: Callable[..., Any], stream: str) -> None:
    """Whatever is put while a stream is scaled again and again is in one shard, once."""

    def write(worker: int) -> list[bytes]:
        mine = client("kinesis")
        sent: list[bytes] = []
        for number in range(40):
            texts = [b"%d-%d-%d" % (worker, number, each) for each in range(5)]
            records = [{"Data": text, "PartitionKey": f"{worker}{place}"} for place, text in enumerate(texts)]
            assert mine.put_records(StreamName=stream, Records=records)["FailedRecordCount"] == 0
            sent += texts
        return sent

    with ThreadPoolExecutor(3) as pool:
        writers = [pool.submit(write, worker) for worker in range(3)]
        for count in (2, 4, 3, 5, 4, 2):
            kinesis.update_shard_count(StreamName=stream, TargetShardCount=count, ScalingType="UNIFORM_SCALING")
        sent = [text for writer in writers for text in writer.result()]
    found = [text for shard in shards(kinesis, stream) for text in data(read(kinesis, stream, shard["ShardId"]))]
    assert sorted(found) == sorted(sent)

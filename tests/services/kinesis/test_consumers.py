"""Consumers with reads of their own."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.kinesis.conftest import arn, data


@pytest.fixture
def consumer(kinesis: Any, stream: str) -> str:
    return str(
        kinesis.register_stream_consumer(StreamARN=arn(kinesis, stream), ConsumerName="reader")["Consumer"][
            "ConsumerARN"
        ]
    )


def subscribe(
    kinesis: Any, consumer: str, kind: str = "TRIM_HORIZON", shard: str = "shardId-000000000000", **more: Any
) -> Any:
    answer = kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=shard, StartingPosition={"Type": kind, **more})
    return answer["EventStream"]


def take(events: Any, count: int) -> tuple[list[bytes], dict[str, Any]]:
    """As many records as asked for, and the last event."""
    found: list[bytes] = []
    for event in events:
        found += data(event["SubscribeToShardEvent"]["Records"])
        if len(found) >= count:
            return found, event["SubscribeToShardEvent"]
    raise AssertionError(f"the subscription ended after {found}")


def test_consumers_are_registered_listed_and_removed(kinesis: Any, stream: str, account: str) -> None:
    resource = arn(kinesis, stream)
    given = kinesis.register_stream_consumer(StreamARN=resource, ConsumerName="a", Tags={"x": "y"})["Consumer"]
    seconds = int(given["ConsumerCreationTimestamp"].timestamp())
    assert given["ConsumerARN"] == f"{resource}/consumer/a:{seconds}"
    assert given["ConsumerStatus"] == "ACTIVE"
    with pytest.raises(kinesis.exceptions.ResourceInUseException, match="already exists"):
        kinesis.register_stream_consumer(StreamARN=resource, ConsumerName="a")
    for name in ("b", "c"):
        kinesis.register_stream_consumer(StreamARN=resource, ConsumerName=name)
    first = kinesis.list_stream_consumers(StreamARN=resource, MaxResults=2)
    rest = kinesis.list_stream_consumers(StreamARN=resource, NextToken=first["NextToken"])
    assert [each["ConsumerName"] for each in first["Consumers"] + rest["Consumers"]] == ["a", "b", "c"]
    by_arn = kinesis.describe_stream_consumer(ConsumerARN=given["ConsumerARN"])["ConsumerDescription"]
    by_name = kinesis.describe_stream_consumer(StreamARN=resource, ConsumerName="a")["ConsumerDescription"]
    assert by_arn == by_name == {**given, "StreamARN": resource}
    assert kinesis.list_tags_for_resource(ResourceARN=given["ConsumerARN"])["Tags"] == [{"Key": "x", "Value": "y"}]
    kinesis.deregister_stream_consumer(ConsumerARN=given["ConsumerARN"])
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException, match=r"Consumer .* not found"):
        kinesis.describe_stream_consumer(ConsumerARN=given["ConsumerARN"])
    with pytest.raises(kinesis.exceptions.InvalidArgumentException):
        kinesis.describe_stream_consumer(StreamARN=resource)


def test_records_are_pushed_as_they_come(kinesis: Any, stream: str, consumer: str) -> None:
    kinesis.put_record(StreamName=stream, Data=b"0", PartitionKey="a")
    events = subscribe(kinesis, consumer)
    assert take(events, 1)[0] == [b"0"]
    kinesis.put_records(
        StreamName=stream, Records=[{"Data": b"%d" % each, "PartitionKey": "a"} for each in range(1, 4)]
    )
    found, last = take(events, 3)
    assert found == [b"1", b"2", b"3"]
    assert last["MillisBehindLatest"] == 0
    assert last["ContinuationSequenceNumber"] == last["Records"][-1]["SequenceNumber"]
    events.close()


def test_a_subscription_goes_on_where_one_has_ended(
    kinesis: Any, stream: str, consumer: str, advance: Callable[[float], None]
) -> None:
    kinesis.put_record(StreamName=stream, Data=b"0", PartitionKey="a")
    events = subscribe(kinesis, consumer)
    last = take(events, 1)[1]
    with pytest.raises(kinesis.exceptions.ResourceInUseException, match="Another active subscription exists"):
        subscribe(kinesis, consumer)
    advance(6)
    again = subscribe(kinesis, consumer, "AFTER_SEQUENCE_NUMBER", SequenceNumber=last["ContinuationSequenceNumber"])
    with pytest.raises(Exception, match="Another active subscription exists"):
        take(events, 1000)
    kinesis.put_record(StreamName=stream, Data=b"1", PartitionKey="a")
    assert take(again, 1)[0] == [b"1"]
    again.close()


def test_a_subscription_lasts_five_minutes_and_shows_that_it_lives(
    kinesis: Any, consumer: str, advance: Callable[[float], None]
) -> None:
    events = subscribe(kinesis, consumer, "LATEST")
    found: list[dict[str, Any]] = []
    alive = threading.Event()

    def follow() -> None:
        for event in events:
            found.append(event["SubscribeToShardEvent"])
            alive.set()

    reader = threading.Thread(target=follow)
    reader.start()
    advance(6)
    assert alive.wait(60)
    advance(300)
    reader.join(60)
    assert not reader.is_alive()
    assert all(event["Records"] == [] and event["ContinuationSequenceNumber"] for event in found)


def test_the_end_of_a_shard_names_its_children(kinesis: Any, stream: str, consumer: str) -> None:
    events = subscribe(kinesis, consumer)
    kinesis.put_record(StreamName=stream, Data=b"last", PartitionKey="a")
    kinesis.split_shard(StreamName=stream, ShardToSplit="shardId-0", NewStartingHashKey="1000")
    every = [event["SubscribeToShardEvent"] for event in events]
    assert [text for event in every for text in data(event["Records"])] == [b"last"]
    assert "ContinuationSequenceNumber" not in every[-1]
    assert [each["ShardId"][-1] for each in every[-1]["ChildShards"]] == ["1", "2"]


def test_what_cannot_be_subscribed_to(kinesis: Any, stream: str, consumer: str) -> None:
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException, match="does not exist"):
        subscribe(kinesis, consumer, shard="shardId-000000000007")
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException, match="Consumer"):
        subscribe(kinesis, consumer[:-1] + ("0" if consumer[-1] != "0" else "1"))
    with pytest.raises(kinesis.exceptions.InvalidArgumentException):
        subscribe(kinesis, consumer, "AT_SEQUENCE_NUMBER", SequenceNumber="1")

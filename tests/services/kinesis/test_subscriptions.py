"""Subscriptions whose other side is slow, or whose node stops."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import EventStreamError
from tests.services.kinesis.conftest import arn, data

ACCOUNT = "111122223333"
_SHARD = "shardId-000000000000"
_MEGABYTE = 1 << 20


def register(kinesis: Any) -> str:
    consumer = kinesis.register_stream_consumer(StreamARN=arn(kinesis, "orders"), ConsumerName="reader")["Consumer"]
    return str(consumer["ConsumerARN"])


def subscribe(kinesis: Any, consumer: str) -> Any:
    start = {"Type": "TRIM_HORIZON"}
    return kinesis.subscribe_to_shard(ConsumerARN=consumer, ShardId=_SHARD, StartingPosition=start)["EventStream"]


def test_a_node_that_stops_ends_them_as_if_their_time_was_over(start_node: Callable[..., Any]) -> None:
    node = start_node()
    kinesis = node.client("kinesis", ACCOUNT)
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    consumer = register(kinesis)
    kinesis.put_record(StreamName="orders", Data=b"0", PartitionKey="a")
    found: list[bytes] = []
    came, ended = threading.Event(), threading.Event()

    def follow() -> None:
        for event in subscribe(kinesis, consumer):  # raises where the node had to cut it off
            found.extend(data(event["SubscribeToShardEvent"]["Records"]))
            came.set()
        ended.set()

    reader = threading.Thread(target=follow)
    reader.start()
    assert came.wait(60)
    assert node.stop() == 0
    reader.join(60)
    assert ended.is_set()
    assert found == [b"0"]


def test_events_are_made_as_the_client_takes_them(kinesis: Any, stream: str) -> None:
    consumer, count = register(kinesis), 30
    for _ in range(count // 5):
        records = [{"Data": bytes(_MEGABYTE - 1), "PartitionKey": "a"}] * 5
        kinesis.put_records(StreamName=stream, Records=records)
    kinesis.put_records(StreamName=stream, Records=[{"Data": b"", "PartitionKey": "a"}] * 3)
    events = subscribe(kinesis, consumer)
    kinesis.deregister_stream_consumer(ConsumerARN=consumer)
    taken = 0
    with pytest.raises(EventStreamError, match="Another active subscription exists"):
        for event in events:
            records = event["SubscribeToShardEvent"]["Records"]
            assert sum(len(each["Data"]) for each in records) <= _MEGABYTE
            taken += len(records)
    assert taken < count, "what was not asked for was not made: the rest is what sockets hold"


def test_an_event_has_a_thousand_records_at_most(kinesis: Any, stream: str) -> None:
    consumer, count = register(kinesis), 1100
    for start in range(0, count, 500):
        records = [{"Data": b"%d" % each, "PartitionKey": "a"} for each in range(start, min(count, start + 500))]
        kinesis.put_records(StreamName=stream, Records=records)
    sizes: list[int] = []
    found: list[bytes] = []
    for event in subscribe(kinesis, consumer):
        given = data(event["SubscribeToShardEvent"]["Records"])
        sizes.append(len(given))
        found += given
        if len(found) >= count:
            break
    assert found == [b"%d" % each for each in range(count)]
    assert sizes == [1000, 100]

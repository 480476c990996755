"""Streams: what they hold, in which order, for how long, and where readers may begin."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.services.dynamodb.streams.conftest import BOTH, Reader

Make = Callable[..., str]
Read = Callable[[str], Reader]
Refused = Callable[..., str]
DAY = 86_400


def put(dynamodb: Any, table: str, id_: str, **attributes: Any) -> None:
    dynamodb.put_item(TableName=table, Item={"id": {"S": id_}, **attributes})


def kinds(records: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["eventName"], each["dynamodb"]["Keys"]["id"]["S"]) for each in records]


def test_each_change_is_a_record(dynamodb: Any, make_table: Make, reader: Read) -> None:
    table = make_table(StreamSpecification=BOTH)
    put(dynamodb, table, "a", data={"B": b"12345"})
    put(dynamodb, table, "a", data={"B": b"1234"}, n={"N": "7"})
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "a"}})
    first, second, third = reader(table).records()
    assert kinds([first, second, third]) == [("INSERT", "a"), ("MODIFY", "a"), ("REMOVE", "a")]
    old = {"id": {"S": "a"}, "data": {"B": b"12345"}}
    new = {"id": {"S": "a"}, "data": {"B": b"1234"}, "n": {"N": "7"}}
    assert first["dynamodb"]["NewImage"] == old
    assert "OldImage" not in first["dynamodb"]
    assert (second["dynamodb"]["OldImage"], second["dynamodb"]["NewImage"]) == (old, new)
    assert third["dynamodb"]["OldImage"] == new
    assert "NewImage" not in third["dynamodb"]
    assert first["dynamodb"]["SizeBytes"] == 3 + 3 + 9
    assert first["dynamodb"]["StreamViewType"] == "NEW_AND_OLD_IMAGES"
    assert (first["eventVersion"], first["eventSource"], first["awsRegion"]) == ("1.1", "aws:dynamodb", "us-east-1")
    assert len({each["eventID"] for each in (first, second, third)}) == 3
    assert re.fullmatch("[0-9a-f]{32}", first["eventID"])
    numbers = [each["dynamodb"]["SequenceNumber"] for each in (first, second, third)]
    assert numbers == sorted(numbers, key=int)
    assert all(re.fullmatch("[0-9]{21,40}", number) for number in numbers)
    assert "userIdentity" not in third


def test_what_changes_nothing_leaves_no_record(dynamodb: Any, make_table: Make, reader: Read) -> None:
    table = make_table(StreamSpecification=BOTH)
    put(dynamodb, table, "a", n={"N": "1"}, s={"SS": ["x", "y"]})
    put(dynamodb, table, "a", s={"SS": ["y", "x"]}, n={"N": "1.0"})
    dynamodb.update_item(
        TableName=table,
        Key={"id": {"S": "a"}},
        UpdateExpression="SET n = :n",
        ExpressionAttributeValues={":n": {"N": "1"}},
    )
    dynamodb.delete_item(TableName=table, Key={"id": {"S": "nothing"}})
    assert kinds(reader(table).records()) == [("INSERT", "a")]


@pytest.mark.parametrize(
    ("view", "images"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_views_tell_what_records_hold(
    dynamodb: Any, make_table: Make, reader: Read, view: str, images: set[str]
) -> None:
    table = make_table("id", "at:N", StreamSpecification={"StreamEnabled": True, "StreamViewType": view})
    for n in ("1", "2"):
        put(dynamodb, table, "a", at={"N": "5"}, n={"N": n})
    first, second = (each["dynamodb"] for each in reader(table).records())
    assert {"NewImage", "OldImage"} & first.keys() == images - {"OldImage"}
    assert {"NewImage", "OldImage"} & second.keys() == images
    assert second["Keys"] == {"id": {"S": "a"}, "at": {"N": "5"}}


def test_a_stream_is_described(dynamodb: Any, make_table: Make, reader: Read, streams: Any, account: str) -> None:
    table = make_table("id", "at:N", StreamSpecification=BOTH)
    read = reader(table)
    found = read.description()
    label = found["StreamLabel"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", label)
    assert read.arn == f"arn:aws:dynamodb:us-east-1:{account}:table/{table}/stream/{label}"
    assert (found["StreamStatus"], found["StreamViewType"], found["TableName"]) == (
        "ENABLED",
        "NEW_AND_OLD_IMAGES",
        table,
    )
    assert found["KeySchema"] == [
        {"AttributeName": "id", "KeyType": "HASH"},
        {"AttributeName": "at", "KeyType": "RANGE"},
    ]
    (shard,) = found["Shards"]
    assert re.fullmatch(r"shardId-\d{20}-[0-9a-f]{8}", shard["ShardId"])
    assert set(shard["SequenceNumberRange"]) == {"StartingSequenceNumber"}
    assert "ParentShardId" not in shard
    listed = streams.list_streams(TableName=table)["Streams"]
    assert listed == [{"StreamArn": read.arn, "TableName": table, "StreamLabel": label}]


def test_streams_are_listed_page_by_page(make_table: Make, streams: Any) -> None:
    tables = sorted(make_table(StreamSpecification=BOTH) for _ in range(5))
    make_table()
    found: list[str] = []
    start: dict[str, str] = {}
    while True:
        page = streams.list_streams(Limit=2, **start)
        found += [each["TableName"] for each in page["Streams"]]
        if "LastEvaluatedStreamArn" not in page:
            break
        start = {"ExclusiveStartStreamArn": page["LastEvaluatedStreamArn"]}
    assert found == tables
    assert streams.list_streams(TableName="another")["Streams"] == []


def test_readers_begin_where_they_like(dynamodb: Any, make_table: Make, reader: Read) -> None:
    table = make_table(StreamSpecification=BOTH)
    read = reader(table)
    for id_ in "abc":
        put(dynamodb, table, id_)
    latest = read.iterator(kind="LATEST")
    assert read.records(latest) == []
    put(dynamodb, table, "d")
    assert kinds(read.records(latest)) == [("INSERT", "d")]
    second = read.records()[1]["dynamodb"]["SequenceNumber"]
    at = read.iterator(kind="AT_SEQUENCE_NUMBER", SequenceNumber=second)
    assert [key for _, key in kinds(read.records(at))] == ["b", "c", "d"]
    after = read.iterator(kind="AFTER_SEQUENCE_NUMBER", SequenceNumber=second)
    assert [key for _, key in kinds(read.records(after))] == ["c", "d"]


def test_answers_have_limits(dynamodb: Any, make_table: Make, reader: Read, refused: Refused) -> None:
    table = make_table(StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
    read = reader(table)
    for number in range(7):
        put(dynamodb, table, str(number), data={"S": "x" * 300_000})
    sizes = [len(page) for page, _ in read.pages(read.iterator())]
    assert sizes == [3, 3, 1, 0]
    assert [len(page) for page, _ in read.pages(read.iterator(), Limit=2)] == [2, 2, 2, 1, 0]
    assert "less than or equal to 1000" in refused(read.streams.get_records, ShardIterator=read.iterator(), Limit=1001)


def test_a_disabled_stream_closes_and_another_is_new(
    dynamodb: Any, make_table: Make, reader: Read, streams: Any
) -> None:
    table = make_table(StreamSpecification=BOTH)
    first = reader(table)
    put(dynamodb, table, "a")
    dynamodb.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    put(dynamodb, table, "unseen")
    assert first.description()["StreamStatus"] == "DISABLED"
    assert "EndingSequenceNumber" in first.shards()[0]["SequenceNumberRange"]
    page, following = next(first.pages(first.iterator()))
    assert kinds(page) == [("INSERT", "a")]
    assert following is None
    dynamodb.update_table(TableName=table, StreamSpecification=BOTH)
    put(dynamodb, table, "b")
    second = reader(table)
    assert second.arn != first.arn
    assert kinds(second.records()) == [("INSERT", "b")]
    assert len(streams.list_streams(TableName=table)["Streams"]) == 2


def test_the_stream_of_a_deleted_table_can_be_read_for_a_day(
    dynamodb: Any, make_table: Make, reader: Read, refused: Refused, advance: Callable[[float], None]
) -> None:
    table = make_table(StreamSpecification=BOTH)
    read = reader(table)
    put(dynamodb, table, "a")
    dynamodb.delete_table(TableName=table)
    assert read.description()["StreamStatus"] == "DISABLED"
    assert kinds(read.records()) == [("INSERT", "a")]
    advance(DAY + 60)
    assert refused(read.description) == (
        f"ResourceNotFoundException: Requested resource not found: Stream: {read.arn} not found"
    )
    assert read.streams.list_streams(TableName=table)["Streams"] == []


def test_iterators_end_after_fifteen_minutes(
    make_table: Make, reader: Read, refused: Refused, advance: Callable[[float], None]
) -> None:
    read = reader(make_table(StreamSpecification=BOTH))
    iterator = read.iterator()
    advance(600)
    following = read.streams.get_records(ShardIterator=iterator)["NextShardIterator"]
    advance(400)
    assert refused(read.streams.get_records, ShardIterator=iterator).startswith("ExpiredIteratorException: ")
    read.streams.get_records(ShardIterator=following)


def test_shards_follow_one_another_and_records_are_gone_after_a_day(
    dynamodb: Any, make_table: Make, reader: Read, refused: Refused, advance: Callable[[float], None]
) -> None:
    table = make_table(StreamSpecification=BOTH)
    read = reader(table)
    put(dynamodb, table, "a")
    number = read.records()[0]["dynamodb"]["SequenceNumber"]
    advance(4 * 3600 + 1)
    put(dynamodb, table, "b")
    first, second = read.shards()
    assert second["ParentShardId"] == first["ShardId"]
    assert read.description(ShardFilter={"Type": "CHILD_SHARDS", "ShardId": first["ShardId"]})["Shards"] == [second]
    page, following = next(read.pages(read.iterator(shard=first["ShardId"])))
    assert kinds(page) == [("INSERT", "a")]
    assert following is None
    assert kinds(read.all()) == [("INSERT", "a"), ("INSERT", "b")]
    assert int(first["SequenceNumberRange"]["EndingSequenceNumber"]) < int(
        read.records()[0]["dynamodb"]["SequenceNumber"]
    )
    advance(20 * 3600)
    assert kinds(read.all()) == [("INSERT", "b")]
    assert refused(read.iterator, kind="AT_SEQUENCE_NUMBER", shard=first["ShardId"], SequenceNumber=number).startswith(
        "TrimmedDataAccessException: "
    )
    advance(5 * 3600)
    assert read.all() == []
    assert read.shards() == [second]


def test_what_is_no_stream_shard_or_iterator_is_refused(
    dynamodb: Any, make_table: Make, reader: Read, refused: Refused, client: Callable[..., Any]
) -> None:
    read = reader(make_table(StreamSpecification=BOTH))
    streams = read.streams
    missing = read.arn.rpartition("/")[0] + "/2020-01-01T00:00:00.000"
    assert refused(streams.describe_stream, StreamArn=missing) == (
        f"ResourceNotFoundException: Requested resource not found: Stream: {missing} not found"
    )
    assert "ValidationException" in refused(
        streams.describe_stream, StreamArn=read.arn.rpartition("/stream")[0] + "x" * 9
    )
    assert "ResourceNotFoundException" in refused(read.iterator, shard="shardId-00000000000000000001-00000000")
    for number in ("9" * 30, "0" * 21, "1" + "0" * 20):
        assert "ValidationException" in refused(read.iterator, kind="AT_SEQUENCE_NUMBER", SequenceNumber=number)
    assert "ValidationException" in refused(read.iterator, kind="AFTER_SEQUENCE_NUMBER")
    for text in ("x", f"{read.arn}|1|", f"{read.arn}|1|AAAA", f"{read.arn}|1|WzEsMiwzXQ=="):
        assert "ValidationException" in refused(streams.get_records, ShardIterator=text)
    start = "arn:aws:dynamodb:us-east-1:123456789012:table/no-stream"
    assert "ValidationException" in refused(streams.list_streams, ExclusiveStartStreamArn=start)
    stranger = client("dynamodbstreams", account="123123123123")
    assert "ResourceNotFoundException" in refused(stranger.describe_stream, StreamArn=read.arn)
    assert "ResourceNotFoundException" in refused(stranger.get_records, ShardIterator=read.iterator())

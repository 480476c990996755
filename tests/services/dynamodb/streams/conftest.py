"""A reader of streams."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

BOTH = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
Record = dict[str, Any]


class Reader:
    """What a table's newest stream holds, by way of the API."""

    def __init__(self, dynamodb: Any, streams: Any, table: str) -> None:
        self.streams = streams
        self.arn: str = dynamodb.describe_table(TableName=table)["Table"]["LatestStreamArn"]

    def description(self, **members: Any) -> Any:
        return self.streams.describe_stream(StreamArn=self.arn, **members)["StreamDescription"]

    def shards(self) -> list[Any]:
        return list(self.description()["Shards"])

    def iterator(self, *, kind: str = "TRIM_HORIZON", shard: str = "", **members: Any) -> str:
        shard = shard or self.shards()[-1]["ShardId"]
        answer = self.streams.get_shard_iterator(StreamArn=self.arn, ShardId=shard, ShardIteratorType=kind, **members)
        return str(answer["ShardIterator"])

    def pages(self, iterator: str, **members: Any) -> Iterator[tuple[list[Record], str | None]]:
        """The records of each answer, and the iterator after them, until there are none."""
        following: str | None = iterator
        while following is not None:
            answer = self.streams.get_records(ShardIterator=following, **members)
            following = answer.get("NextShardIterator")
            yield answer["Records"], following
            if not answer["Records"]:
                return

    def records(self, iterator: str = "") -> list[Record]:
        return [record for page, _ in self.pages(iterator or self.iterator()) for record in page]

    def all(self) -> list[Record]:
        return [each for shard in self.shards() for each in self.records(self.iterator(shard=shard["ShardId"]))]


@pytest.fixture
def streams(client: Callable[..., Any]) -> Any:
    return client("dynamodbstreams")


@pytest.fixture
def reader(dynamodb: Any, streams: Any) -> Callable[[str], Reader]:
    """`reader("table")` reads the table's newest stream."""
    return lambda table: Reader(dynamodb, streams, table)

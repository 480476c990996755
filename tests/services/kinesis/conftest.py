"""A stream for each test, and what is often done with one."""

from collections.abc import Callable
from typing import Any

import pytest

WHOLE = 1 << 128


@pytest.fixture
def kinesis(client: Callable[..., Any]) -> Any:
    return client("kinesis")


@pytest.fixture
def stream(kinesis: Any) -> str:
    """The name of a stream of one shard."""
    kinesis.create_stream(StreamName="orders", ShardCount=1)
    return "orders"


def arn(kinesis: Any, stream: str) -> str:
    return str(kinesis.describe_stream_summary(StreamName=stream)["StreamDescriptionSummary"]["StreamARN"])


def shards(kinesis: Any, stream: str, **options: Any) -> list[dict[str, Any]]:
    return list(kinesis.list_shards(StreamName=stream, **options)["Shards"])


def iterator(
    kinesis: Any, stream: str, shard: str = "shardId-000000000000", kind: str = "TRIM_HORIZON", **more: Any
) -> str:
    return str(
        kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, ShardIteratorType=kind, **more)["ShardIterator"]
    )


def read(
    kinesis: Any, stream: str, shard: str = "shardId-000000000000", kind: str = "TRIM_HORIZON", **more: Any
) -> list[Any]:
    """The records of one answer."""
    return list(kinesis.get_records(ShardIterator=iterator(kinesis, stream, shard, kind, **more))["Records"])


def data(records: list[Any]) -> list[bytes]:
    return [each["Data"] for each in records]

"""What is kept of streams, without a node."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from cumulet.services.kinesis.model import Consumer, Shard, Stream
from cumulet.services.kinesis.records import RecordStore
from cumulet.services.kinesis.store import SCHEMA, ConsumerStore, StreamStore
from cumulet.services.kinesis.subscriptions import SECONDS, Subscriptions
from cumulet.storage.sqlite import SqliteDatabase


def test_large_records_expire_in_small_pieces(tmp_path: Path) -> None:
    async def expire() -> list[int]:
        db = SqliteDatabase(tmp_path / "db")
        await db.migrate("kinesis", SCHEMA)
        records, left = RecordStore(db), []
        await records.add_all([(1, 0, second * 1_000_000, "k", bytes(3 << 20), 0) for second in range(1, 10)])
        more = True
        while more:
            more = await records.expire(1, 0, 8.0)
            left.append(len((await records.read(1, 0, 0, 1 << 60, 100, 1 << 30)).rows))
        await db.close()
        return left

    assert asyncio.run(expire()) == [7, 5, 3, 2]


def test_subscriptions_that_nobody_listened_to_are_forgotten() -> None:
    async def take() -> int:
        shard = Shard(number=0, created=0, first=0, opened=0.0, low=0, high=0)
        held = Subscriptions()
        for number in range(5_000):
            held.take(Consumer(name=f"c{number}", stream_arn="s", created=0.0), shard, number * SECONDS)
        return len(held._held)

    assert asyncio.run(take()) <= 1_000


def test_changes_of_a_consumer_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    async def tag() -> list[str]:
        db = SqliteDatabase(tmp_path / "db")
        await db.migrate("kinesis", SCHEMA)
        stream = Stream(id=1, account="111122223333", region="us-east-1", name="s", created=0.0)
        await StreamStore(db).add(stream, [], lambda counts: None)
        consumers = ConsumerStore(db)
        await consumers.add(stream, Consumer(name="c", stream_arn=stream.arn, created=0.0))

        def adding(tag: str) -> Callable[[Consumer], Consumer]:
            return lambda found: replace(found, tags={**found.tags, tag: ""})

        await asyncio.gather(*(consumers.edit(stream, "c", adding(f"t{number}")) for number in range(5)))
        found = await consumers.find(stream, "c")
        await db.close()
        return list(found.tags) if found is not None else []

    assert asyncio.run(tag()) == ["t0", "t1", "t2", "t3", "t4"]

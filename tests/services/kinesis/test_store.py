"""What is kept of streams, without a node."""

import asyncio
from pathlib import Path

from cumulet.services.kinesis.model import Consumer, Shard
from cumulet.services.kinesis.records import RecordStore
from cumulet.services.kinesis.store import SCHEMA
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

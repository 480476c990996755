"""Receives of the node's own, which may be of more messages than a client's."""

import asyncio
from pathlib import Path

from cumulet.services.sqs.boxes import MessageStore
from cumulet.services.sqs.model import Message
from cumulet.services.sqs.store import SCHEMA
from cumulet.storage.sqlite import SqliteDatabase


def _message(seq: int, body: str) -> Message:
    return Message(1, seq, str(seq), body, None, "me", 1.0, 0.0, None, 0, None, None, None, None)


def _taken(path: Path, bodies: list[str], limit: int) -> list[int]:
    async def play() -> list[int]:
        db = SqliteDatabase(path / "sqs.db")
        await db.migrate("sqs", SCHEMA)
        store = MessageStore(db)
        try:
            for seq, body in enumerate(bodies):
                await store.add([_message(seq, body)])
            return [message.seq for message in await store.take(1, limit, 10.0, 40.0)]
        finally:
            await db.close()

    return asyncio.run(play())


def test_many_small_messages_are_taken_together(tmp_path: Path) -> None:
    assert _taken(tmp_path, ["x"] * 120, 400) == list(range(120))


def test_large_messages_are_taken_as_far_as_memory_is_meant_for_them(tmp_path: Path) -> None:
    assert _taken(tmp_path, ["\u20ac" * 100_000] * 20, 400) == list(range(13))  # 300,000 bytes each, of 4 MB


def test_ten_messages_are_taken_however_large(tmp_path: Path) -> None:
    assert _taken(tmp_path, ["x" * 1_000_000] * 12, 400) == list(range(10))

"""Policies that are kept in memory are those that are stored."""

import asyncio
from pathlib import Path

import pytest

from cumulet.services.logs.policy_store import Policy, PolicyStore
from cumulet.services.logs.store import SCHEMA
from cumulet.storage.sqlite import SqliteDatabase

PLACE = ("111122223333", "us-east-1")


def test_changes_count_at_once_and_whoever_asks_for_them_may_go_away(tmp_path: Path) -> None:
    async def remove_and_leave(store: PolicyStore) -> None:
        me = asyncio.current_task()
        assert me is not None
        me.cancel()  # told where it waits for the disk
        await store.remove(*PLACE, "a")

    async def main() -> None:
        db = SqliteDatabase(tmp_path / "logs.db")
        await db.migrate("logs", SCHEMA)
        store = PolicyStore(db)
        assert await store.known(*PLACE) == []
        policy = Policy("a", "{}", 1)
        assert await store.put(*PLACE, policy, 10)
        assert await store.known(*PLACE) == [policy]
        assert await store.known("444455556666", "us-east-1") == []
        with pytest.raises(asyncio.CancelledError):
            await asyncio.ensure_future(remove_and_leave(store))
        await db.write("DELETE FROM logs_policy WHERE name = 'none'")  # after it: what was accepted before is durable
        assert await store.known(*PLACE) == []
        await db.close()

    asyncio.run(main())

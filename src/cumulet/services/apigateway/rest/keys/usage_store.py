"""How often keys were used, by plan and day, and what is left of their quotas."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE apigateway_usage (
        plan TEXT NOT NULL, key_id TEXT NOT NULL, day TEXT NOT NULL, used BIGINT NOT NULL, remaining BIGINT NOT NULL,
        PRIMARY KEY (plan, key_id, day))""",
    """CREATE TABLE apigateway_quota (
        plan TEXT NOT NULL, key_id TEXT NOT NULL, period TEXT NOT NULL, spent BIGINT NOT NULL, PRIMARY KEY (plan, key_id))""",
)


class Count(Struct, frozen=True):
    """A key's use of a plan: of its quota in a period that began on a day, and on the day itself. Days are `2026-01-31`."""

    plan: str
    key: str
    period: str
    spent: int
    day: str
    used: int
    remaining: int


class UsageStore(Struct, frozen=True):
    """Counts by plan and key."""

    db: Database

    async def find(self, plan: str, key: str, day: str) -> Count | None:
        """What was last known, with the uses of a day."""
        sql = "SELECT period, spent FROM apigateway_quota WHERE plan = $1 AND key_id = $2"
        quota = await self.db.read_one(sql, (plan, key))
        if quota is None:
            return None
        sql = "SELECT used, remaining FROM apigateway_usage WHERE plan = $1 AND key_id = $2 AND day = $3"
        used, remaining = await self.db.read_one(sql, (plan, key, day)) or (0, 0)
        return Count(plan, key, quota[0], quota[1], day, used, remaining)

    async def save(self, counts: Sequence[Count]) -> None:
        async with self.db.transaction() as tx:
            await tx.write_each(
                "INSERT INTO apigateway_quota (plan, key_id, period, spent) VALUES ($1, $2, $3, $4) "
                "ON CONFLICT (plan, key_id) DO UPDATE SET period = $3, spent = $4",
                [(count.plan, count.key, count.period, count.spent) for count in counts],
            )
            await tx.write_each(
                "INSERT INTO apigateway_usage (plan, key_id, day, used, remaining) VALUES ($1, $2, $3, $4, $5) "
                "ON CONFLICT (plan, key_id, day) DO UPDATE SET used = $4, remaining = $5",
                [(count.plan, count.key, count.day, count.used, count.remaining) for count in counts],
            )

    async def days(self, plan: str, start: str, end: str, key: str = "") -> list[tuple[str, str, int, int]]:
        """Key, day, uses and what was left, of the days from `start` to `end`; of one key, or all."""
        sql = "SELECT key_id, day, used, remaining FROM apigateway_usage WHERE plan = $1 AND day >= $2 AND day <= $3"
        if key:
            rows = await self.db.read(f"{sql} AND key_id = $4 ORDER BY key_id, day", (plan, start, end, key))
        else:
            rows = await self.db.read(f"{sql} ORDER BY key_id, day", (plan, start, end))
        return [(each, day, used, remaining) for each, day, used, remaining in rows]

    async def forget(self, tx: Transaction, plan: str) -> None:
        await tx.write("DELETE FROM apigateway_usage WHERE plan = $1", (plan,))
        await tx.write("DELETE FROM apigateway_quota WHERE plan = $1", (plan,))

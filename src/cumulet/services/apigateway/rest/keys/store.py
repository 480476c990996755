"""Which keys are in which usage plans."""

from __future__ import annotations

from msgspec import Struct

from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE apigateway_plan_key (
        account TEXT NOT NULL, region TEXT NOT NULL, plan TEXT NOT NULL, key_id TEXT NOT NULL,
        PRIMARY KEY (account, region, plan, key_id))""",
    "CREATE INDEX apigateway_plan_key_key ON apigateway_plan_key (account, region, key_id)",
)
_LAST = 10**20


def newest_first(now: float, id: str) -> str:
    """A place in a list that comes before the places of what is older. `now` in seconds since 1970."""
    return f"{_LAST - int(now * 1_000_000):020d}{id}"


class PlanKeyStore(Struct, frozen=True):
    """Pairs of plan and key, of an account in a region."""

    db: Database

    async def add(self, tx: Transaction, account: str, region: str, plan: str, key: str) -> bool:
        """Tells whether it is new."""
        sql = (
            "INSERT INTO apigateway_plan_key (account, region, plan, key_id) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (account, region, plan, key_id) DO NOTHING RETURNING key_id"
        )
        return bool(await tx.write(sql, (account, region, plan, key)))

    async def delete(self, tx: Transaction, account: str, region: str, plan: str, key: str) -> bool:
        """Tells whether it was there."""
        sql = (
            "DELETE FROM apigateway_plan_key WHERE account = $1 AND region = $2 AND plan = $3 AND key_id = $4 "
            "RETURNING key_id"
        )
        return bool(await tx.write(sql, (account, region, plan, key)))

    async def forget_key(self, tx: Transaction, account: str, region: str, key: str) -> None:
        sql = "DELETE FROM apigateway_plan_key WHERE account = $1 AND region = $2 AND key_id = $3"
        await tx.write(sql, (account, region, key))

    async def forget_plan(self, tx: Transaction, account: str, region: str, plan: str) -> None:
        sql = "DELETE FROM apigateway_plan_key WHERE account = $1 AND region = $2 AND plan = $3"
        await tx.write(sql, (account, region, plan))

    async def keys(self, account: str, region: str, plan: str) -> list[str]:
        sql = "SELECT key_id FROM apigateway_plan_key WHERE account = $1 AND region = $2 AND plan = $3"
        return [key for (key,) in await self.db.read(sql, (account, region, plan))]

    async def plans(self, account: str, region: str, key: str, within: Transaction | None = None) -> list[str]:
        sql = "SELECT plan FROM apigateway_plan_key WHERE account = $1 AND region = $2 AND key_id = $3 ORDER BY plan"
        return [plan for (plan,) in await (within or self.db).read(sql, (account, region, key))]

"""Every query of CloudWatch Logs on resource policies."""

from msgspec import Struct

from cumulet.storage.database import Database


class Policy(Struct, frozen=True):
    """A resource policy of an account in a region; `updated` in milliseconds since 1970."""

    name: str
    document: str
    updated: int


class PolicyStore:
    """Resource policies by account and region."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of(self, account: str, region: str, after: str = "") -> list[Policy]:
        rows = await self._db.read(
            """SELECT name, document, updated FROM logs_policy
               WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name""",
            (account, region, after),
        )
        return [Policy(*row) for row in rows]

    async def put(self, account: str, region: str, policy: Policy, most: int) -> bool:
        """Add or replace; False when there are `most` others already."""
        async with self._db.transaction() as tx:
            [(others,)] = await tx.read(
                "SELECT count(*) FROM logs_policy WHERE account = $1 AND region = $2 AND name <> $3",
                (account, region, policy.name),
            )
            if others >= most:
                return False
            await tx.write(
                """INSERT INTO logs_policy (account, region, name, document, updated) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (account, region, name) DO UPDATE SET document = $4, updated = $5""",
                (account, region, policy.name, policy.document, policy.updated),
            )
        return True

    async def remove(self, account: str, region: str, name: str) -> bool:
        """False when there is none of that name."""
        gone = await self._db.write(
            "DELETE FROM logs_policy WHERE account = $1 AND region = $2 AND name = $3 RETURNING name",
            (account, region, name),
        )
        return bool(gone)

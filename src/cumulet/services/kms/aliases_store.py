"""The queries on aliases."""

from msgspec import Struct

from cumulet.services.kms.names import Name
from cumulet.storage.database import Conflict, Database, Row, Transaction


class Alias(Struct, frozen=True):
    """Another name of a key, with its prefix `alias/`; `target` is the key's id."""

    account: str
    region: str
    name: str
    target: str
    created: float
    changed: float

    @property
    def arn(self) -> str:
        return f"arn:aws:kms:{self.region}:{self.account}:{self.name}"


_COLUMNS = "account, region, name, target, created, changed"


def _alias(row: Row) -> Alias:
    return Alias(*row)


async def insert(tx: Transaction, alias: Alias) -> None:
    """Raises Conflict when the name is taken."""
    await tx.write(
        f"INSERT INTO kms_alias ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)",  # noqa: S608  constants
        (alias.account, alias.region, alias.name, alias.target, alias.created, alias.changed),
    )


class AliasStore(Struct, frozen=True):
    """Aliases of a region, by name and by key."""

    db: Database

    async def target(self, name: Name) -> str | None:
        """The id of the key that an alias means."""
        row = await self.db.read_one(
            "SELECT target FROM kms_alias WHERE account = $1 AND region = $2 AND name = $3",
            (name.account, name.region, name.alias),
        )
        return None if row is None else row[0]

    async def add(self, alias: Alias) -> bool:
        """False when the name is taken."""
        try:
            async with self.db.transaction() as tx:
                await insert(tx, alias)
        except Conflict:
            return False
        return True

    async def point(self, name: Name, target: str, now: float) -> bool:
        """Have an alias mean another key; False when there is no such alias."""
        rows = await self.db.write(
            "UPDATE kms_alias SET target = $4, changed = $5 WHERE account = $1 AND region = $2 AND name = $3 RETURNING name",
            (name.account, name.region, name.alias, target, now),
        )
        return bool(rows)

    async def remove(self, name: Name) -> bool:
        rows = await self.db.write(
            "DELETE FROM kms_alias WHERE account = $1 AND region = $2 AND name = $3 RETURNING name",
            (name.account, name.region, name.alias),
        )
        return bool(rows)

    async def listed(self, account: str, region: str, target: str, after: str, limit: int) -> list[Alias]:
        """In the order of their names, beginning after one; those of one key, or all when `target` is empty."""
        which = "AND target = $5 " if target else ""
        rows = await self.db.read(
            f"SELECT {_COLUMNS} FROM kms_alias WHERE account = $1 AND region = $2 AND name > $3 {which}ORDER BY name LIMIT $4",  # noqa: S608  constants
            (account, region, after, limit, *((target,) if target else ())),
        )
        return [_alias(row) for row in rows]

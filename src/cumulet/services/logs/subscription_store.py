"""Every query of CloudWatch Logs on subscription filters."""

from msgspec import Struct

from cumulet.services.logs.model import Group
from cumulet.storage.database import Database, Transaction


class Subscription(Struct, frozen=True):
    """A subscription filter; `created` in milliseconds since 1970."""

    name: str
    pattern: str
    destination: str
    distribution: str
    created: int


_COLUMNS = "name, pattern, destination, distribution, created"


class SubscriptionStore:
    """The subscription filters of groups."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of(self, group: int, prefix: str = "") -> list[Subscription]:
        rows = await self._db.read(
            f"SELECT {_COLUMNS} FROM logs_subscription WHERE grp = $1 AND name >= $2 AND name < $3 ORDER BY name",  # noqa: S608
            (group, prefix, prefix + "\U0010ffff"),
        )
        return [Subscription(*row) for row in rows]

    async def put(self, group: Group, subscription: Subscription, most: int) -> bool:
        """Add or replace; False when the group has `most` others already."""
        async with self._db.transaction() as tx:
            [(others,)] = await tx.read(
                "SELECT count(*) FROM logs_subscription WHERE grp = $1 AND name <> $2", (group.id, subscription.name)
            )
            if others >= most:
                return False
            await tx.write(
                f"""INSERT INTO logs_subscription (grp, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6)
                    ON CONFLICT (grp, name) DO UPDATE SET pattern = $3, destination = $4, distribution = $5""",  # noqa: S608
                (
                    *(group.id, subscription.name, subscription.pattern),
                    *(subscription.destination, subscription.distribution, subscription.created),
                ),
            )
            await _count(tx, group)
        return True

    async def remove(self, group: Group, name: str) -> bool:
        """False when there is none of that name."""
        async with self._db.transaction() as tx:
            gone = await tx.write(
                "DELETE FROM logs_subscription WHERE grp = $1 AND name = $2 RETURNING name", (group.id, name)
            )
            await _count(tx, group)
        return bool(gone)


async def _count(tx: Transaction, group: Group) -> None:
    """The group's own row tells PutLogEvents whether there is anything to look at."""
    await tx.write(
        "UPDATE logs_group SET subscribed = (SELECT count(*) FROM logs_subscription WHERE grp = $1) WHERE id = $1",
        (group.id,),
    )

"""The tables of activities and of the tasks that wait for a worker."""

from __future__ import annotations

from msgspec import Struct

from cumulet.storage.database import Database, Row, Transaction

SCHEMA = (
    """CREATE TABLE sfn_activity (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, arn TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
        encryption TEXT NOT NULL, PRIMARY KEY (account, region, name))""",
    """CREATE TABLE sfn_activity_task (
        arn TEXT NOT NULL, place BIGINT NOT NULL, token TEXT NOT NULL, input TEXT NOT NULL, PRIMARY KEY (arn, place))""",
    "CREATE UNIQUE INDEX sfn_activity_task_token ON sfn_activity_task (arn, token)",
)


class Activity(Struct, frozen=True):
    """An activity. `encryption` is its EncryptionConfiguration as JSON, empty for AWS's own key."""

    account: str
    region: str
    name: str
    arn: str
    created: float
    encryption: str = ""


class Waiting(Struct, frozen=True):
    """A task that waits for a worker: oldest first by `place`."""

    arn: str
    place: int
    token: str
    input: str


class ActivityStore(Struct, frozen=True):
    """All SQL on activities."""

    db: Database

    async def arns(self) -> list[str]:
        """Of every activity."""
        return [row[0] for row in await self.db.read("SELECT arn FROM sfn_activity")]

    async def find(self, account: str, region: str, name: str) -> Activity | None:
        row = await self.db.read_one(
            "SELECT account, region, name, arn, created, encryption FROM sfn_activity WHERE account = $1 AND region = $2 AND name = $3",
            (account, region, name),
        )
        return None if row is None else Activity(*row)

    async def put(self, tx: Transaction, activity: Activity) -> None:
        """A new one; raises Conflict when there is one of its name."""
        values = (
            *(activity.account, activity.region, activity.name, activity.arn),
            *(activity.created, activity.encryption),
        )
        await tx.write(
            "INSERT INTO sfn_activity (account, region, name, arn, created, encryption) VALUES ($1, $2, $3, $4, $5, $6)",
            values,
        )

    async def remove(self, tx: Transaction, activity: Activity) -> None:
        """With the tasks that wait there: nobody can take them any more."""
        await tx.write(
            "DELETE FROM sfn_activity WHERE account = $1 AND region = $2 AND name = $3",
            (activity.account, activity.region, activity.name),
        )
        await tx.write("DELETE FROM sfn_activity_task WHERE arn = $1", (activity.arn,))

    async def page(self, account: str, region: str, after: str, most: int) -> list[Activity]:
        """By name."""
        rows = await self.db.read(
            "SELECT account, region, name, arn, created, encryption FROM sfn_activity WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4",
            (account, region, after, most),
        )
        return [Activity(*row) for row in rows]

    async def add(self, task: Waiting) -> None:
        """Does nothing for a task that is there."""
        await self.db.write(
            "INSERT INTO sfn_activity_task (arn, place, token, input) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            (task.arn, task.place, task.token, task.input),
        )

    async def take(self, arn: str) -> Waiting | None:
        """The task that has waited longest; nobody else gets it."""
        rows: list[Row] = await self.db.write(
            "DELETE FROM sfn_activity_task WHERE arn = $1 AND place = "
            "(SELECT MIN(place) FROM sfn_activity_task WHERE arn = $1) RETURNING arn, place, token, input",
            (arn,),
        )
        return Waiting(*rows[0]) if rows else None

    async def drop(self, arn: str, token: str) -> None:
        await self.db.write("DELETE FROM sfn_activity_task WHERE arn = $1 AND token = $2", (arn, token))

    async def waiting(self) -> list[tuple[str, int]]:
        """How many tasks wait at each activity where any does."""
        rows = await self.db.read("SELECT arn, COUNT(*) FROM sfn_activity_task GROUP BY arn")
        return [(row[0], row[1]) for row in rows]

    async def last_place(self) -> int:
        row = await self.db.read_one("SELECT MAX(place) FROM sfn_activity_task")
        return 0 if row is None or row[0] is None else int(row[0])

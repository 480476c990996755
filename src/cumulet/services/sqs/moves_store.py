"""Queries on message move tasks."""

from msgspec import Struct

from cumulet.storage.database import Database

RUNNING = "RUNNING"
_COLUMNS = "id, source_arn, destination_arn, rate, status, moved, to_move, failure, started"


class Move(Struct):
    """A message move task. `rate` is messages a second, 0 for as fast as it goes; no `destination_arn` means back to
    where each message came from."""

    id: str
    source_arn: str
    destination_arn: str
    rate: int
    status: str
    moved: int
    to_move: int
    failure: str
    started: float


class MoveStore(Struct, frozen=True):
    """Message move tasks."""

    db: Database

    async def add(self, move: Move) -> bool:
        """Add a running task; False when its source has one."""
        async with self.db.transaction() as tx:
            if await tx.read(
                "SELECT 1 FROM sqs_move_task WHERE source_arn = $1 AND status = 'RUNNING'", (move.source_arn,)
            ):
                return False
            await tx.write(
                f"INSERT INTO sqs_move_task ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",  # noqa: S608  constants
                (
                    *(move.id, move.source_arn, move.destination_arn, move.rate, move.status),
                    *(move.moved, move.to_move, move.failure, move.started),
                ),
            )
            return True

    async def find(self, move: str) -> Move | None:
        row = await self.db.read_one(f"SELECT {_COLUMNS} FROM sqs_move_task WHERE id = $1", (move,))  # noqa: S608  constants
        return Move(*row) if row else None

    async def latest(self, source_arn: str, limit: int) -> list[Move]:
        """The latest tasks of a source, latest first."""
        rows = await self.db.read(
            f"SELECT {_COLUMNS} FROM sqs_move_task WHERE source_arn = $1 ORDER BY started DESC LIMIT $2",  # noqa: S608  constants
            (source_arn, limit),
        )
        return [Move(*row) for row in rows]

    async def running(self) -> list[Move]:
        rows = await self.db.read(f"SELECT {_COLUMNS} FROM sqs_move_task WHERE status = 'RUNNING'")  # noqa: S608  constants
        return [Move(*row) for row in rows]

    async def end(self, move: str, status: str, failure: str = "") -> bool:
        """Give a running task its final status; False when it was not running."""
        rows = await self.db.write(
            "UPDATE sqs_move_task SET status = $1, failure = $2 WHERE id = $3 AND status = 'RUNNING' RETURNING id",
            (status, failure, move),
        )
        return bool(rows)

    async def forget(self, before: float) -> None:
        """Drop tasks that ended and began before that."""
        await self.db.write("DELETE FROM sqs_move_task WHERE started < $1 AND status <> 'RUNNING'", (before,))

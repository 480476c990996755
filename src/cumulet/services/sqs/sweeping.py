"""Queries that free what nothing refers to any more, in pieces small enough that requests do not wait for them."""

from msgspec import Struct

from cumulet.services.sqs.model import decode_settings, earliest_seq
from cumulet.storage.database import Database

_PIECE = 500
_TABLES = ("sqs_lane", "sqs_sequence", "sqs_deduplication", "sqs_attempt")


class SweepStore(Struct, frozen=True):
    """Dropped boxes and what has expired."""

    db: Database

    async def dropped(self) -> list[int]:
        return [box for (box,) in await self.db.read("SELECT box FROM sqs_dropped_box")]

    async def empty(self, box: int) -> bool:
        """Delete a piece of a box's messages; tells whether there may be more."""
        rows = await self.db.write(
            "DELETE FROM sqs_message WHERE box = $1 AND seq IN "
            "(SELECT seq FROM sqs_message WHERE box = $1 ORDER BY seq LIMIT $2) RETURNING seq",
            (box, _PIECE),
        )
        return len(rows) == _PIECE

    async def forget_box(self, box: int) -> None:
        async with self.db.transaction() as tx:
            for table in (*_TABLES, "sqs_message", "sqs_dropped_box"):
                await tx.write(f"DELETE FROM {table} WHERE box = $1", (box,))  # noqa: S608  the names are ours

    async def expire(self, now: float) -> bool:
        """Delete messages of standard queues that are past their queue's retention; tells whether there may be more.

        Those of FIFO queues go as their lanes are read, so that a lane's row stays true to its messages.
        """
        queues = await self.db.read("SELECT box, settings FROM sqs_queue")
        for box, text in queues:
            settings = decode_settings(text)
            if settings.fifo:
                continue
            rows = await self.db.write(
                "DELETE FROM sqs_message WHERE box = $1 AND seq IN "
                "(SELECT seq FROM sqs_message WHERE box = $1 AND seq < $2 ORDER BY seq LIMIT $3) RETURNING seq",
                (box, earliest_seq(now - settings.retention), _PIECE),
            )
            if len(rows) == _PIECE:
                return True
        return False

    async def expire_records(self, now: float) -> None:
        for table in ("sqs_deduplication", "sqs_attempt"):
            await self.db.write(f"DELETE FROM {table} WHERE expires <= $1", (now,))  # noqa: S608  the names are ours
        await self.db.write("DELETE FROM sqs_deleted_queue WHERE deleted < $1", (now - 3600.0,))

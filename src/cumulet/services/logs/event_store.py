"""Every query of CloudWatch Logs on events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import lru_cache

from msgspec import Struct

from cumulet.api import logs as api
from cumulet.services.logs.model import Event, Group, Position, Stream
from cumulet.storage.database import Database, Row, Transaction

_ROWS_A_STATEMENT = 64
_COLUMNS = 6
_EVENT = "e.time, e.stream, e.sequence, s.name, e.ingested, e.message"


class Target(Struct, frozen=True):
    """What PutLogEvents needs of a stream: one read."""

    group: int
    stream: int
    retention: int | None
    subscribed: bool


# What else must happen in the transaction that adds events, given the first event's sequence number.
Follow = Callable[[Transaction, int], Awaitable[None]]


class EventStore:
    """Events, in the order of their group and of their stream."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def target(self, account: str, region: str, group: str, stream: str) -> Target | None:
        row = await self._db.read_one(
            """SELECT g.id, s.id, g.retention, g.subscribed FROM logs_group g JOIN logs_stream s ON s.grp = g.id
               WHERE g.account = $1 AND g.region = $2 AND g.name = $3 AND s.name = $4""",
            (account, region, group, stream),
        )
        return Target(row[0], row[1], row[2], bool(row[3])) if row else None

    async def add(
        self, target: Target, events: list[api.InputLogEvent], size: int, now: int, follow: Follow | None
    ) -> int | None:
        """Append events in one transaction; gives the stream's new sequence, None when it is gone."""
        async with self._db.transaction() as tx:
            rows = await tx.write(
                """UPDATE logs_stream SET sequence = sequence + $2, bytes = bytes + $3, last_ingestion = $4,
                     first_time = CASE WHEN first_time < $5 THEN first_time ELSE $5 END,
                     last_time = CASE WHEN last_time > $6 THEN last_time ELSE $6 END
                   WHERE id = $1 RETURNING sequence""",
                (target.stream, len(events), size, now, events[0].timestamp, events[-1].timestamp),
            )
            if not rows:
                return None
            last = int(rows[0][0])
            first = last - len(events) + 1
            await _insert(tx, target, events, first, now)
            if follow is not None:
                await follow(tx, first)
        return last

    async def forward(self, stream: Stream, after: tuple[int, int], start: int, end: int, limit: int) -> list[Event]:
        """Events of a stream in order, `start` <= time < `end`."""
        rows = await self._db.read(
            f"""SELECT {_EVENT} FROM logs_event e JOIN logs_stream s ON s.id = e.stream
                WHERE e.stream = $1 AND (e.time, e.sequence) > ($2, $3) AND e.time >= $4 AND e.time < $5
                ORDER BY e.time, e.sequence LIMIT $6""",  # noqa: S608  constants
            (stream.id, *after, start, end, limit),
        )
        return [_event(row) for row in rows]

    async def backward(self, stream: Stream, before: tuple[int, int], start: int, end: int, limit: int) -> list[Event]:
        """The last `limit` events before a place, latest first, `start` <= time < `end`."""
        rows = await self._db.read(
            f"""SELECT {_EVENT} FROM logs_event e JOIN logs_stream s ON s.id = e.stream
                WHERE e.stream = $1 AND (e.time, e.sequence) < ($2, $3) AND e.time >= $4 AND e.time < $5
                ORDER BY e.time DESC, e.sequence DESC LIMIT $6""",  # noqa: S608
            (stream.id, *before, start, end, limit),
        )
        return [_event(row) for row in rows]

    async def scan(
        self, group: Group, start: int, end: int, beyond: Position, limit: int, *, descending: bool
    ) -> list[Event]:
        """Events of a whole group beyond a position, `start` <= time <= `end`."""
        sign, order = ("<", "DESC") if descending else (">", "ASC")
        rows = await self._db.read(
            f"""SELECT {_EVENT} FROM logs_event e JOIN logs_stream s ON s.id = e.stream
                WHERE e.grp = $1 AND (e.time, e.stream, e.sequence) {sign} ($2, $3, $4) AND e.time >= $5 AND e.time <= $6
                ORDER BY e.time {order}, e.stream {order}, e.sequence {order} LIMIT $7""",  # noqa: S608
            (group.id, *beyond, start, end, limit),
        )
        return [_event(row) for row in rows]

    async def sweep_garbage(self, limit: int) -> bool:
        """Delete up to `limit` events of a stream that is gone; tells whether there may be more to do."""
        row = await self._db.read_one("SELECT stream FROM logs_garbage LIMIT 1")
        if row is None:
            return False
        gone = await self._db.write(
            """DELETE FROM logs_event WHERE stream = $1 AND (time, sequence) IN
                 (SELECT time, sequence FROM logs_event WHERE stream = $1 LIMIT $2) RETURNING 1""",
            (row[0], limit),
        )
        if len(gone) < limit:
            await self._db.write("DELETE FROM logs_garbage WHERE stream = $1", (row[0],))
        return True

    async def groups_with_retention(self) -> list[tuple[int, int]]:
        """Group keys and their days."""
        rows = await self._db.read("SELECT id, retention FROM logs_group WHERE retention IS NOT NULL")
        return [(row[0], row[1]) for row in rows]

    async def sweep_expired(self, group: int, oldest: int, limit: int) -> bool:
        """Delete up to `limit` events from before `oldest`; tells whether there may be more."""
        async with self._db.transaction() as tx:
            gone = await tx.write(
                """DELETE FROM logs_event WHERE grp = $1 AND (time, stream, sequence) IN
                     (SELECT time, stream, sequence FROM logs_event WHERE grp = $1 AND time < $2 ORDER BY time LIMIT $3)
                   RETURNING stream, octet_length(message)""",
                (group, oldest, limit),
            )
            freed: dict[int, int] = {}
            for stream, size in gone:
                freed[stream] = freed.get(stream, 0) + size + 26
            for stream, size in freed.items():
                await tx.write("UPDATE logs_stream SET bytes = bytes - $2 WHERE id = $1", (stream, size))
        return len(gone) == limit


@lru_cache(_ROWS_A_STATEMENT)
def _insert_statement(rows: int) -> str:
    places = ("(" + ", ".join(f"${_COLUMNS * row + n}" for n in range(1, _COLUMNS + 1)) + ")" for row in range(rows))
    return "INSERT INTO logs_event (grp, stream, time, sequence, ingested, message) VALUES " + ", ".join(places)  # noqa: S608


async def _insert(tx: Transaction, target: Target, events: list[api.InputLogEvent], sequence: int, now: int) -> None:
    """Many rows a statement, and few different statements, so that all of them stay prepared."""
    at = 0
    while at < len(events):
        rows = min(_ROWS_A_STATEMENT, 1 << ((len(events) - at).bit_length() - 1))
        values: list[object] = []
        for number in range(at, at + rows):
            event = events[number]
            values += (target.group, target.stream, event.timestamp, sequence + number, now, event.message)
        await tx.write(_insert_statement(rows), values)
        at += rows


def _event(row: Row) -> Event:
    time, stream, sequence, name, ingested, message = row
    return Event(Position(time, stream, sequence), name, ingested, message)

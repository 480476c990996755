"""Streams, shards and records: every query on them."""

from __future__ import annotations

import msgspec

from cumulet.services.dynamodb.model import Key
from cumulet.services.dynamodb.streams.model import RETENTION, Shard, Stream
from cumulet.storage.database import Database, Row, Transaction

SCHEMA = (
    """CREATE TABLE ddb_stream (
        id BIGINT PRIMARY KEY, tbl BIGINT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL,
        label TEXT NOT NULL, view TEXT NOT NULL, key TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
        closed DOUBLE PRECISION)""",
    "CREATE UNIQUE INDEX ddb_stream_name ON ddb_stream (account, region, name, label)",
    "CREATE INDEX ddb_stream_table ON ddb_stream (tbl)",
    """CREATE TABLE ddb_shard (
        stream BIGINT NOT NULL, id TEXT NOT NULL, first BIGINT NOT NULL, opened DOUBLE PRECISION NOT NULL, last BIGINT,
        closed DOUBLE PRECISION, parent TEXT NOT NULL, PRIMARY KEY (stream, id))""",
    # `seq` is the moment of the change in microseconds since 1970, so that what is too old is found by it.
    """CREATE TABLE ddb_change (
        stream BIGINT NOT NULL, seq BIGINT NOT NULL, kind TEXT NOT NULL, by_ttl BIGINT NOT NULL, body BYTEA NOT NULL,
        PRIMARY KEY (stream, seq)) /* clustered */""",
)
_STREAM = "id, tbl, account, region, name, label, view, key, created, closed"
_SHARD = "stream, id, first, opened, last, closed, parent"
_PIECE = 500
_ADD = "INSERT INTO ddb_change (stream, seq, kind, by_ttl, body) VALUES ($1, $2, $3, $4, $5)"
_decode_key = msgspec.json.Decoder(Key).decode


def _stream(row: Row) -> Stream:
    id_, table, account, region, name, label, view, key, created, closed = row
    return Stream(
        id=id_,
        table=table,
        account=account,
        region=region,
        name=name,
        label=label,
        view=view,
        key=_decode_key(key),
        created=created,
        closed=closed,
    )


def _shard(row: Row) -> Shard:
    stream, id_, first, opened, last, closed, parent = row
    return Shard(stream=stream, id=id_, first=first, opened=opened, last=last, closed=closed, parent=parent)


async def last_sequence(db: Database) -> int:
    """The largest number that was given to a record or a shard."""
    row = await db.read_one(
        "SELECT MAX(COALESCE((SELECT MAX(c.seq) FROM ddb_change c WHERE c.stream = s.id), 0)), "
        "(SELECT MAX(h.first) FROM ddb_shard h), (SELECT MAX(h.last) FROM ddb_shard h) FROM ddb_stream s"
    )
    return max((int(each or 0) for each in row), default=0) if row else 0


async def next_id(tx: Transaction) -> int:
    rows = await tx.read("SELECT MAX(id) FROM ddb_stream")
    return int(rows[0][0] or 0) + 1


async def insert(tx: Transaction, stream: Stream) -> None:
    await tx.write(
        f"INSERT INTO ddb_stream ({_STREAM}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",  # noqa: S608  constants
        (
            stream.id,
            stream.table,
            stream.account,
            stream.region,
            stream.name,
            stream.label,
            stream.view,
            msgspec.json.encode(stream.key).decode(),
            stream.created,
            stream.closed,
        ),
    )


async def open_shard(tx: Transaction, shard: Shard) -> None:
    await tx.write(
        f"INSERT INTO ddb_shard ({_SHARD}) VALUES ($1, $2, $3, $4, $5, $6, $7)",  # noqa: S608  constants
        (shard.stream, shard.id, shard.first, shard.opened, shard.last, shard.closed, shard.parent),
    )


async def end_shard(tx: Transaction, shard: Shard, last: int, now: float) -> None:
    await tx.write(
        "UPDATE ddb_shard SET last = $3, closed = $4 WHERE stream = $1 AND id = $2", (shard.stream, shard.id, last, now)
    )


async def add(tx: Transaction, stream: int, seq: int, kind: str, body: bytes, *, by_ttl: bool) -> None:
    """Put a record into a stream."""
    await tx.write(_ADD, (stream, seq, kind, int(by_ttl), body))


async def opened_by(tx: Transaction, table: int) -> list[Stream]:
    """The streams of a table that are on."""
    rows = await tx.read(f"SELECT {_STREAM} FROM ddb_stream WHERE tbl = $1 AND closed IS NULL", (table,))  # noqa: S608
    return [_stream(row) for row in rows]


async def open_of(tx: Transaction, table: int, label: str) -> tuple[Stream, Shard]:
    """A stream of a table, and its newest shard."""
    rows = await tx.read(f"SELECT {_STREAM} FROM ddb_stream WHERE tbl = $1 AND label = $2", (table, label))  # noqa: S608
    stream = _stream(rows[0])
    rows = await tx.read(
        f"SELECT {_SHARD} FROM ddb_shard WHERE stream = $1 ORDER BY first DESC LIMIT 1",  # noqa: S608  constants
        (stream.id,),
    )
    return stream, _shard(rows[0])


async def close(tx: Transaction, stream: Stream, last: int, now: float) -> None:
    """End a stream and its open shard."""
    await tx.write("UPDATE ddb_stream SET closed = $2 WHERE id = $1", (stream.id, now))
    await tx.write(
        "UPDATE ddb_shard SET last = $2, closed = $3 WHERE stream = $1 AND last IS NULL", (stream.id, last, now)
    )


class StreamStore:
    """What readers of streams ask for."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def find(self, account: str, region: str, name: str, label: str) -> Stream | None:
        row = await self._db.read_one(
            f"SELECT {_STREAM} FROM ddb_stream WHERE account = $1 AND region = $2 AND name = $3 AND label = $4",  # noqa: S608
            (account, region, name, label),
        )
        return _stream(row) if row else None

    async def page(
        self, account: str, region: str, table: str | None, after: tuple[str, str], since: float, limit: int
    ) -> list[Stream]:
        """Streams in the order of their tables' names and their labels, those that ended before `since` left out."""
        where = "AND name = $7" if table is not None else ""
        values = (account, region, *after, since, limit)
        rows = await self._db.read(
            f"SELECT {_STREAM} FROM ddb_stream WHERE account = $1 AND region = $2 AND (name, label) > ($3, $4) "  # noqa: S608
            f"AND (closed IS NULL OR closed > $5) {where} ORDER BY name, label LIMIT $6",
            values if table is None else (*values, table),
        )
        return [_stream(row) for row in rows]

    async def shards(self, stream: int) -> list[Shard]:
        """All that are held, the oldest first."""
        rows = await self._db.read(f"SELECT {_SHARD} FROM ddb_shard WHERE stream = $1 ORDER BY first", (stream,))  # noqa: S608
        return [_shard(row) for row in rows]

    async def shard(self, stream: int, id_: str) -> Shard | None:
        row = await self._db.read_one(f"SELECT {_SHARD} FROM ddb_shard WHERE stream = $1 AND id = $2", (stream, id_))  # noqa: S608
        return _shard(row) if row else None

    async def newest(self, stream: int, first: int, last: int) -> int | None:
        """The number of the last record between two."""
        row = await self._db.read_one(
            "SELECT MAX(seq) FROM ddb_change WHERE stream = $1 AND seq >= $2 AND seq <= $3", (stream, first, last)
        )
        return row[0] if row else None

    async def records(self, stream: int, first: int, last: int, limit: int) -> list[Row]:
        """Number, kind, whether by TTL, and body of the records between two numbers, both included."""
        return await self._db.read(
            "SELECT seq, kind, by_ttl, body FROM ddb_change WHERE stream = $1 AND seq >= $2 AND seq <= $3 "
            "ORDER BY seq LIMIT $4",
            (stream, first, last, limit),
        )

    async def trim(self, now: float) -> bool:
        """Forget a piece of what is older than a day; tells whether there may be more."""
        horizon = now - RETENTION
        more = False
        for (stream,) in await self._db.read("SELECT id FROM ddb_stream"):
            rows = await self._db.read(
                "SELECT seq FROM ddb_change WHERE stream = $1 AND seq < $2 ORDER BY seq LIMIT $3",
                (stream, int(horizon * 1e6), _PIECE),
            )
            if rows:
                await self._db.write("DELETE FROM ddb_change WHERE stream = $1 AND seq <= $2", (stream, rows[-1][0]))
                more = more or len(rows) == _PIECE
        for stream, shard in await self._db.read("SELECT stream, id FROM ddb_shard WHERE closed < $1", (horizon,)):
            await self._db.write("DELETE FROM ddb_shard WHERE stream = $1 AND id = $2", (stream, shard))
        for (stream,) in await self._db.read("SELECT id FROM ddb_stream WHERE closed < $1", (horizon,)):
            await self._db.write(
                "DELETE FROM ddb_stream WHERE id = $1 AND NOT EXISTS (SELECT 1 FROM ddb_change WHERE stream = $1)",
                (stream,),
            )
        return more

"""The tables of Kinesis, and the queries on streams, shards and consumers. Those on records are in `records.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from msgspec import Struct

from cumulet.services.kinesis.errors import no_stream
from cumulet.services.kinesis.model import Consumer, Shard, Stream, StreamKey
from cumulet.storage.database import Database, Row, Transaction

SCHEMA = (
    """CREATE TABLE kinesis_stream (
        id BIGINT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, mode TEXT NOT NULL,
        body TEXT NOT NULL)""",
    "CREATE UNIQUE INDEX kinesis_stream_name ON kinesis_stream (account, region, name)",
    # Hash keys have 128 bits, which is more than any integer here has.
    """CREATE TABLE kinesis_shard (
        stream BIGINT NOT NULL, number BIGINT NOT NULL, created BIGINT NOT NULL, first BIGINT NOT NULL,
        opened DOUBLE PRECISION NOT NULL, low TEXT NOT NULL, high TEXT NOT NULL, parent BIGINT, adjacent BIGINT, last BIGINT,
        closed DOUBLE PRECISION, PRIMARY KEY (stream, number))""",
    """CREATE TABLE kinesis_consumer (
        stream BIGINT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (stream, name))""",
    # `seq` is the moment of the record in microseconds since 1970, so that what is too old is found by it. `encrypted` is the place,
    # from 1, of the data key among those of the stream, or 0.
    """CREATE TABLE kinesis_record (
        stream BIGINT NOT NULL, shard BIGINT NOT NULL, seq BIGINT NOT NULL, key TEXT, data BYTEA NOT NULL,
        encrypted BIGINT NOT NULL, PRIMARY KEY (stream, shard, seq)) /* clustered */""",
    "CREATE TABLE kinesis_dropped_stream (stream BIGINT PRIMARY KEY)",
    """CREATE TABLE kinesis_account (
        account TEXT NOT NULL, region TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (account, region))""",
)
_SHARD = "number, created, first, opened, low, high, parent, adjacent, last, closed"
_CLOSE_SHARD = "UPDATE kinesis_shard SET last = $3, closed = $4 WHERE stream = $1 AND number = $2"
_IN_A_TURN = 200
"""Shards that are written before others have their turn."""
_ADD_SHARD = f"INSERT INTO kinesis_shard (stream, {_SHARD}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"  # noqa: S608  constants
_decode = msgspec.json.Decoder(Stream).decode
_decode_consumer = msgspec.json.Decoder(Consumer).decode


def _encode(value: Struct) -> str:
    return msgspec.json.encode(value).decode()


def _shard(row: Row) -> Shard:
    number, created, first, opened, low, high, parent, adjacent, last, closed = row
    return Shard(
        number=number,
        created=created,
        first=first,
        opened=opened,
        low=int(low),
        high=int(high),
        parent=parent,
        adjacent=adjacent,
        last=last,
        closed=closed,
    )


def _shard_row(stream: Stream, each: Shard) -> Row:
    return (
        *(stream.id, each.number, each.created, each.first, each.opened, str(each.low), str(each.high)),
        *(each.parent, each.adjacent, each.last, each.closed),
    )


class Counts(Struct, frozen=True):
    """Of an account in a region: open shards of provisioned streams, and streams on demand."""

    shards: int
    on_demand: int


class StreamStore(Struct, frozen=True):
    """Streams with their shards and consumers."""

    db: Database

    async def find(self, key: StreamKey) -> tuple[Stream, list[Shard]] | None:
        row = await self.db.read_one(
            "SELECT body FROM kinesis_stream WHERE account = $1 AND region = $2 AND name = $3", key
        )
        if row is None:
            return None
        stream = _decode(row[0])
        rows = await self.db.read(f"SELECT {_SHARD} FROM kinesis_shard WHERE stream = $1 ORDER BY number", (stream.id,))  # noqa: S608  constants
        return stream, [_shard(each) for each in rows]

    async def add(self, stream: Stream, shards: Sequence[Shard], fits: Callable[[Counts], None]) -> None:
        """Raises Conflict when the name is taken, and what `fits` raises for what the account has before."""
        async with self.db.transaction() as tx:
            fits(await _counts(tx, stream.account, stream.region))
            await tx.write(
                "INSERT INTO kinesis_stream (id, account, region, name, mode, body) VALUES ($1, $2, $3, $4, $5, $6)",
                (stream.id, *stream.key, stream.mode, _encode(stream)),
            )
            await tx.write_each(_ADD_SHARD, [_shard_row(stream, each) for each in shards])

    async def edit(self, stream: Stream, change: Callable[[Stream], Stream], done: Callable[[Stream], None]) -> Stream:
        """Change a stream, in one step with reading it; what `change` raises leaves it as it was. `done` is told once it is durable.

        Raises ResourceNotFoundException.
        """
        async with self.db.transaction() as tx:
            changed = change(await _locked(tx, stream))
            await _put(tx, changed)
            tx.after_commit(lambda: done(changed))
        return changed

    async def reshape(
        self,
        stream: Stream,
        closed: Sequence[Shard],
        added: Sequence[Shard],
        change: Callable[[Stream], Stream],
        done: Callable[[Stream], None],
        fits: Callable[[Counts], None],
    ) -> Stream:
        """Close shards and add others; the rest as `edit` and `add`."""
        async with self.db.transaction() as tx:
            fits(await _counts(tx, stream.account, stream.region))
            changed = change(await _locked(tx, stream))
            for start in range(0, len(closed), _IN_A_TURN):
                rows = [(stream.id, each.number, each.last, each.closed) for each in closed[start : start + _IN_A_TURN]]
                await tx.write_each(_CLOSE_SHARD, rows)
                await asyncio.sleep(0)  # thousands of shards must not hold up everybody else
            for start in range(0, len(added), _IN_A_TURN):
                await tx.write_each(
                    _ADD_SHARD, [_shard_row(stream, each) for each in added[start : start + _IN_A_TURN]]
                )
                await asyncio.sleep(0)
            await _put(tx, changed)
            tx.after_commit(lambda: done(changed))
        return changed

    async def remove(self, stream: Stream, done: Callable[[], None]) -> None:
        """A stream with its shards and consumers; the records go later."""
        async with self.db.transaction() as tx:
            await tx.write("DELETE FROM kinesis_stream WHERE id = $1", (stream.id,))
            await tx.write("DELETE FROM kinesis_shard WHERE stream = $1", (stream.id,))
            await tx.write("DELETE FROM kinesis_consumer WHERE stream = $1", (stream.id,))
            await tx.write("INSERT INTO kinesis_dropped_stream (stream) VALUES ($1)", (stream.id,))
            tx.after_commit(done)

    async def forget_shards(self, stream: Stream, closed_before: float) -> list[int]:
        """Delete shards whose last record has expired; gives their numbers."""
        rows = await self.db.write(
            "DELETE FROM kinesis_shard WHERE stream = $1 AND closed < $2 RETURNING number", (stream.id, closed_before)
        )
        return [number for (number,) in rows]

    async def page(self, account: str, region: str, after: str, limit: int) -> list[Stream]:
        """Streams of a region in the order of their names."""
        rows = await self.db.read(
            "SELECT body FROM kinesis_stream WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name LIMIT $4",
            (account, region, after, limit),
        )
        return [_decode(body) for (body,) in rows]

    async def everywhere(self, after: int, limit: int) -> list[Stream]:
        """Streams of all accounts in the order of their ids."""
        rows = await self.db.read("SELECT body FROM kinesis_stream WHERE id > $1 ORDER BY id LIMIT $2", (after, limit))
        return [_decode(body) for (body,) in rows]

    async def counts(self, account: str, region: str) -> Counts:
        return await _counts(self.db, account, region)


class ConsumerStore(Struct, frozen=True):
    """Registered consumers."""

    db: Database

    async def find(self, stream: Stream, name: str) -> Consumer | None:
        row = await self.db.read_one(
            "SELECT body FROM kinesis_consumer WHERE stream = $1 AND name = $2", (stream.id, name)
        )
        return None if row is None else _decode_consumer(row[0])

    async def page(self, stream: Stream, after: str, limit: int) -> list[Consumer]:
        rows = await self.db.read(
            "SELECT body FROM kinesis_consumer WHERE stream = $1 AND name > $2 ORDER BY name LIMIT $3",
            (stream.id, after, limit),
        )
        return [_decode_consumer(body) for (body,) in rows]

    async def count(self, stream: Stream) -> int:
        row = await self.db.read_one("SELECT count(*) FROM kinesis_consumer WHERE stream = $1", (stream.id,))
        return row[0] if row else 0

    async def add(self, stream: Stream, consumer: Consumer) -> None:
        """Raises Conflict when there is one of that name, ResourceNotFoundException when the stream is gone."""
        async with self.db.transaction() as tx:
            await _locked(tx, stream)
            await tx.write(
                "INSERT INTO kinesis_consumer (stream, name, body) VALUES ($1, $2, $3)",
                (stream.id, consumer.name, _encode(consumer)),
            )

    async def edit(self, stream: Stream, name: str, change: Callable[[Consumer], Consumer]) -> None:
        """Change one, if it is there, in one step with reading it; what `change` raises leaves it as it was."""
        async with self.db.transaction() as tx:
            locked = "UPDATE kinesis_consumer SET name = name WHERE stream = $1 AND name = $2 RETURNING body"
            for (body,) in await tx.write(locked, (stream.id, name)):
                await tx.write(
                    "UPDATE kinesis_consumer SET body = $3 WHERE stream = $1 AND name = $2",
                    (stream.id, name, _encode(change(_decode_consumer(body)))),
                )

    async def remove(self, stream: Stream, name: str) -> None:
        await self.db.write("DELETE FROM kinesis_consumer WHERE stream = $1 AND name = $2", (stream.id, name))


class AccountStore(Struct, frozen=True):
    """Settings of accounts, as JSON."""

    db: Database

    async def find(self, account: str, region: str) -> str | None:
        row = await self.db.read_one(
            "SELECT body FROM kinesis_account WHERE account = $1 AND region = $2", (account, region)
        )
        return None if row is None else row[0]

    async def put(self, account: str, region: str, body: str) -> None:
        await self.db.write(
            "INSERT INTO kinesis_account (account, region, body) VALUES ($1, $2, $3) "
            "ON CONFLICT (account, region) DO UPDATE SET body = $3",
            (account, region, body),
        )


async def _locked(tx: Transaction, stream: Stream) -> Stream:
    """The stream as it is now; nobody else changes it until the transaction ends. Raises ResourceNotFoundException."""
    rows = await tx.write("UPDATE kinesis_stream SET id = id WHERE id = $1 RETURNING body", (stream.id,))
    if not rows:
        raise no_stream(stream.key)
    return _decode(rows[0][0])


async def _put(tx: Transaction, stream: Stream) -> None:
    await tx.write(
        "UPDATE kinesis_stream SET mode = $2, body = $3 WHERE id = $1", (stream.id, stream.mode, _encode(stream))
    )


async def _counts(source: Database | Transaction, account: str, region: str) -> Counts:
    shards = await source.read(
        "SELECT count(*) FROM kinesis_stream t JOIN kinesis_shard s ON s.stream = t.id "
        "WHERE t.account = $1 AND t.region = $2 AND t.mode = 'PROVISIONED' AND s.last IS NULL",
        (account, region),
    )
    streams = await source.read(
        "SELECT count(*) FROM kinesis_stream WHERE account = $1 AND region = $2 AND mode = 'ON_DEMAND'",
        (account, region),
    )
    return Counts(shards[0][0], streams[0][0])

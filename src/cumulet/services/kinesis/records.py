"""Queries on records, which lie in the order of stream, shard and sequence."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from cumulet.services.kinesis.model import MICROSECONDS
from cumulet.storage.database import Database, Row

_ADD = "INSERT INTO kinesis_record (stream, shard, seq, key, data, encrypted) VALUES ($1, $2, $3, $4, $5, $6)"
_PIECE = 500
_PIECE_BYTES = 8 << 20
_SPAN = "FROM kinesis_record WHERE stream = $1 AND shard = $2 AND seq >= $3 AND seq <= $4 ORDER BY seq"
_SIZES = f"SELECT seq, octet_length(data) {_SPAN} LIMIT $5"
_READ = f"SELECT seq, key, data, encrypted {_SPAN}"


class Span(Struct, frozen=True):
    """What was read of a shard: rows of index, partition key, data and place of the data key; `whole`: there was no more."""

    rows: list[Row]
    whole: bool


class RecordStore(Struct, frozen=True):
    """Records of all streams."""

    db: Database

    async def add(self, row: Row) -> None:
        """One record: stream, shard, index, partition key, data, encrypted."""
        await self.db.write(_ADD, row)

    async def add_all(self, rows: Sequence[Row]) -> None:
        """All or none."""
        async with self.db.transaction() as tx:
            await tx.write_each(_ADD, rows)

    async def read(self, stream: int, shard: int, first: int, last: int, most: int, most_bytes: int) -> Span:
        """Records with indices from `first` to `last`: as many as fit, but one at least if there is any."""
        sizes = await self.db.read(_SIZES, (stream, shard, first, last, most + 1))
        count = _fitting(sizes[:most], most_bytes)
        if not count:
            return Span([], whole=True)
        rows = await self.db.read(_READ, (stream, shard, first, sizes[count - 1][0]))
        return Span(rows, whole=count == len(sizes))

    async def newest(self, stream: int, shard: int) -> int:
        """The index of a shard's newest record; 0 without any."""
        row = await self.db.read_one(
            "SELECT seq FROM kinesis_record WHERE stream = $1 AND shard = $2 ORDER BY seq DESC LIMIT 1", (stream, shard)
        )
        return row[0] if row else 0

    async def expire(self, stream: int, shard: int, horizon: float) -> bool:
        """Delete a piece of what is older than a moment; tells whether there may be more."""
        old = await self.db.read(_SIZES, (stream, shard, 0, int(horizon * MICROSECONDS) - 1, _PIECE))
        count = _fitting(old, _PIECE_BYTES)
        if not count:
            return False
        await self.db.write(
            "DELETE FROM kinesis_record WHERE stream = $1 AND shard = $2 AND seq <= $3",
            (stream, shard, old[count - 1][0]),
        )
        return count < len(old) or len(old) == _PIECE

    async def dropped(self) -> list[int]:
        """Streams that were deleted and may have records yet."""
        return [stream for (stream,) in await self.db.read("SELECT stream FROM kinesis_dropped_stream")]

    async def empty(self, stream: int) -> bool:
        """Delete a piece of a deleted stream's records, in the end the memory of it; tells whether there is more to do."""
        row = await self.db.read_one(
            "SELECT shard, seq FROM kinesis_record WHERE stream = $1 ORDER BY shard, seq LIMIT 1", (stream,)
        )
        if row is None:
            await self.db.write("DELETE FROM kinesis_dropped_stream WHERE stream = $1", (stream,))
            return False
        await self.expire(stream, row[0], float(1 << 40))
        return True


def _fitting(sizes: Sequence[Row], most_bytes: int) -> int:
    """How many of the first rows of index and size fit; one at least if there is any."""
    total = 0
    for count, (_, size) in enumerate(sizes):
        total += size
        if count and total > most_bytes:
            return count
    return len(sizes)

"""Queries on messages. The taking of messages here is that of standard queues; FIFO queues have `lanes.py`."""

from collections.abc import Awaitable, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter

from msgspec import Struct
from msgspec.structs import astuple

from cumulet.services.sqs.model import BULK_BYTES, MOST_ENTRIES, Message, earliest_seq
from cumulet.services.sqs.receipt import Receipt
from cumulet.storage.database import Database, Transaction, Values

COLUMNS = (
    "box, seq, id, body, attributes, sender, sent, hidden_until, first_received, receive_count, lane, deduplication, "
    "trace, source_arn"
)
_WIDTH = 14
_SEQ = itemgetter(1)

# Visible messages in the order they were sent: those never hidden by number, and those that were hidden and are due by
# the time they became so. Both are ranges of one index, so that depth costs nothing; as one statement with the update
# they would cost SQLite ten times as much in temporary tables.
_UNTOUCHED = "SELECT seq FROM sqs_message WHERE box = $1 AND hidden_until = 0 ORDER BY seq LIMIT $2"
_SIZES = "SELECT octet_length(body) FROM sqs_message WHERE box = $1 AND hidden_until = 0 ORDER BY seq LIMIT $2"
_RETURNED = (
    "SELECT seq FROM sqs_message WHERE box = $1 AND hidden_until > 0 AND hidden_until <= $2 "
    "ORDER BY hidden_until, seq LIMIT $3"
)


# It looks at hidden_until again for engines that run transactions side by side: what another receive just hid is not
# given twice. One statement a message: of an IN list SQLite makes a scan of the box.
_HIDE = (
    "UPDATE sqs_message SET hidden_until = $1, receive_count = receive_count + 1, "  # noqa: S608  constants
    "first_received = COALESCE(first_received, $2) WHERE box = $3 AND seq = $4 AND hidden_until <= $2 "
    f"RETURNING {COLUMNS}"
)


# One alone needs no transaction: the first of the untouched or of the returned, whichever was sent first.
_HIDE_FIRST = _HIDE.replace(
    "$4",
    "(SELECT min(seq) FROM (SELECT (SELECT seq FROM sqs_message WHERE box = $3 AND hidden_until = 0 ORDER BY seq LIMIT 1) AS seq "
    "UNION ALL SELECT (SELECT seq FROM sqs_message WHERE box = $3 AND hidden_until > 0 AND hidden_until <= $2 "
    "ORDER BY hidden_until, seq LIMIT 1)) AS firsts)",
)


# Where nothing lies between them. The plus keeps SQLite from the index of what is visible, of which it would read all.
_HIDE_RANGE = (
    "UPDATE sqs_message SET hidden_until = $1, receive_count = receive_count + 1, "  # noqa: S608  constants
    "first_received = COALESCE(first_received, $2) WHERE box = $3 AND seq >= $4 AND seq <= $5 AND +hidden_until <= $2 "
    f"RETURNING {COLUMNS}"
)
_BETWEEN = (
    "SELECT count(*) FROM (SELECT 1 FROM sqs_message WHERE box = $1 AND seq >= $2 AND seq <= $3 LIMIT $4) AS found"
)
PUT_BACK = (
    "UPDATE sqs_message SET hidden_until = 0, receive_count = receive_count - 1, "
    "first_received = CASE receive_count WHEN 1 THEN NULL ELSE first_received END "
    "WHERE box = $1 AND seq = $2 AND receive_count = $3"
)
_REMOVE = "DELETE FROM sqs_message WHERE box = $1 AND seq = $2 AND receive_count = $3"


@lru_cache(16)
def insertion(count: int) -> str:
    """The statement that puts in `count` messages at once."""
    places = (", ".join(f"${row * _WIDTH + column}" for column in range(1, _WIDTH + 1)) for row in range(count))
    return f"INSERT INTO sqs_message ({COLUMNS}) VALUES " + ", ".join(f"({place})" for place in places)  # noqa: S608  constants


def values_of(messages: Sequence[Message]) -> Values:
    """What `insertion` takes: a message's members are in the order of COLUMNS."""
    return tuple(chain.from_iterable(map(astuple, messages)))


class MessageStore(Struct, frozen=True):
    """The messages in boxes."""

    db: Database

    def add(self, messages: Sequence[Message]) -> Awaitable[object]:
        """Put messages in, all or none."""
        return self.db.write(insertion(len(messages)), values_of(messages))

    async def any_visible(self, box: int, now: float) -> bool:
        row = await self.db.read_one(
            "SELECT 1 FROM sqs_message WHERE box = $1 AND hidden_until <= $2 LIMIT 1", (box, now)
        )
        return row is not None

    async def take(self, box: int, limit: int, now: float, hidden_until: float) -> list[Message]:
        """Hide up to `limit` visible messages and give them, in the order they were sent as far as it is known."""
        if limit == 1:
            return [Message(*row) for row in await self.db.write(_HIDE_FIRST, (hidden_until, now, box))]
        async with self.db.transaction() as tx:
            if limit > MOST_ENTRIES:
                limit = await _bounded(tx, box, limit)
            rows, returned = await tx.read(_UNTOUCHED, (box, limit)), await tx.read(_RETURNED, (box, now, limit))
            if len(rows) > 1 and not returned and await _adjoining(tx, box, rows[0][0], rows[-1][0], len(rows)):
                given = await tx.write(_HIDE_RANGE, (hidden_until, now, box, rows[0][0], rows[-1][0]))
                return [Message(*row) for row in sorted(given, key=_SEQ)]
            numbers = sorted(seq for (seq,) in rows + returned)[:limit]
            return [Message(*row) for seq in numbers for row in await tx.write(_HIDE, (hidden_until, now, box, seq))]

    async def next_due(self, box: int, now: float) -> float | None:
        """When the next hidden message becomes visible."""
        row = await self.db.read_one(
            "SELECT min(hidden_until) FROM sqs_message WHERE box = $1 AND hidden_until > $2", (box, now)
        )
        return row[0] if row else None

    async def remove(self, box: int, seq: int, receive_count: int) -> None:
        """Delete a message, if the receipt is of its latest receiving."""
        await self.db.write(_REMOVE, (box, seq, receive_count))

    async def remove_all(self, receipts: Sequence[tuple[int, int, int]]) -> None:
        """The same for several at once: box, number and receive count of each."""
        async with self.db.transaction() as tx:
            await tx.write_each(_REMOVE, receipts)

    async def put_back(self, receipts: Sequence[Receipt]) -> None:
        """As if they had not been received; those of which the receipt is not the latest stay as they are."""
        async with self.db.transaction() as tx:
            await tx.write_each(PUT_BACK, [(each.box, each.seq, each.receives) for each in receipts])

    async def discard(self, message: Message) -> None:
        """Delete a message whatever its receipts."""
        await self.db.write("DELETE FROM sqs_message WHERE box = $1 AND seq = $2", (message.box, message.seq))

    async def hide(self, box: int, seq: int, until: float) -> bool:
        """Change when a message becomes visible; tells whether there is one."""
        rows = await self.db.write(
            "UPDATE sqs_message SET hidden_until = $1 WHERE box = $2 AND seq = $3 RETURNING seq", (until, box, seq)
        )
        return bool(rows)

    async def move(self, message: Message, box: int, source_arn: str) -> None:
        """To a dead-letter queue: its age and receive count go with it (less the receiving that moved it)."""
        await self.db.write(
            "UPDATE sqs_message SET box = $1, source_arn = $2, hidden_until = 0, receive_count = receive_count - 1 "
            "WHERE box = $3 AND seq = $4",
            (box, source_arn, message.box, message.seq),
        )

    async def count(self, box: int, now: float, oldest: float) -> tuple[int, int, int]:
        """Messages sent since `oldest` that are visible, delayed, and in flight."""
        row = await self.db.read_one(
            "SELECT COALESCE(sum(CASE WHEN hidden_until <= $2 THEN 1 ELSE 0 END), 0), "
            "COALESCE(sum(CASE WHEN hidden_until > $2 AND receive_count = 0 THEN 1 ELSE 0 END), 0), "
            "COALESCE(sum(CASE WHEN hidden_until > $2 AND receive_count > 0 THEN 1 ELSE 0 END), 0) "
            # A sum, so that the planner stays in the index that holds all of this instead of reading the messages.
            "FROM sqs_message WHERE box = $1 AND seq + 0 >= $3",
            (box, now, earliest_seq(oldest)),
        )
        assert row is not None
        return int(row[0]), int(row[1]), int(row[2])

    async def in_flight(self, box: int, now: float) -> int:
        row = await self.db.read_one(
            "SELECT count(*) FROM sqs_message WHERE box = $1 AND hidden_until > $2 AND receive_count > 0", (box, now)
        )
        return int(row[0]) if row else 0


async def _bounded(tx: Transaction, box: int, limit: int) -> int:
    """As many as the next messages' bodies allow to be in memory together."""
    total = 0
    for count, (size,) in enumerate(await tx.read(_SIZES, (box, limit))):
        total += int(size)
        if total > BULK_BYTES and count >= MOST_ENTRIES:
            return count
    return limit


async def _adjoining(tx: Transaction, box: int, first: int, last: int, count: int) -> bool:
    """Whether the messages between two, both included, are `count`."""
    [(found,)] = await tx.read(_BETWEEN, (box, first, last, count + 1))
    return int(found) == count


async def take_out(tx: Transaction, box: int, limit: int, now: float) -> list[Message]:
    """Remove up to `limit` visible messages and give them, oldest first."""
    rows = await tx.write(
        "DELETE FROM sqs_message WHERE (box, seq) IN (SELECT box, seq FROM sqs_message WHERE box = $1 AND "  # noqa: S608  constants
        f"hidden_until <= $2 ORDER BY hidden_until, seq LIMIT $3) RETURNING {COLUMNS}",
        (box, now, limit),
    )
    rows.sort(key=lambda row: int(row[1]))
    return [Message(*row) for row in rows]

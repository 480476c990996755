"""Queries of FIFO queues. A lane is a message group: its messages are given in order, and none while an earlier one is hidden.

`sqs_lane` holds each lane's first message and when that is visible; so receiving looks at lanes, not at messages. Every
change to a box begins with a write to its row of `sqs_sequence`, which makes the changes of a box follow one another
on engines that run transactions side by side.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Struct

from cumulet.services.sqs.boxes import COLUMNS, PUT_BACK, insertion, values_of
from cumulet.services.sqs.model import DEDUPLICATION_SECONDS, Message
from cumulet.services.sqs.receipt import Receipt
from cumulet.storage.database import Database, Transaction

_ATTEMPT_SECONDS = 300.0


class Sent(Struct):
    """What a send answers: of the message, or of the one it repeats."""

    id: str
    seq: int
    repeated: bool


class Rules(Struct, frozen=True):
    """How messages are taken from a box: those sent before `oldest` are gone, those received `most` times are dead."""

    now: float
    hidden_until: float
    oldest: float
    most: int


class Taken(Struct):
    """What a receive found: messages to give, and messages that are to go to the dead-letter queue's box."""

    messages: list[Message]
    dead: int = 0


class LaneStore(Struct, frozen=True):
    """FIFO boxes."""

    db: Database

    async def add(self, messages: Sequence[Message], scope: str, now: float) -> list[Sent]:
        """Put messages in, in order, but for those that repeat one of the last five minutes."""
        async with self.db.transaction() as tx:
            return [await _add(tx, message, scope, now) for message in messages]

    async def take(self, box: int, limit: int, rules: Rules, dead: "Dead | None") -> Taken:
        """Hide up to `limit` messages and give them; what was received too often goes to the dead-letter box."""
        async with self.db.transaction() as tx:
            await _hold(tx, box)
            taken = Taken([])
            lanes = await tx.read(
                "SELECT lane FROM sqs_lane WHERE box = $1 AND visible_at <= $2 ORDER BY visible_at, head LIMIT $3",
                (box, rules.now, limit),
            )
            for (lane,) in lanes:
                if len(taken.messages) < limit:
                    await _take_lane(tx, box, lane, limit - len(taken.messages), rules, dead, taken)
            return taken

    async def any_visible(self, box: int, now: float) -> bool:
        row = await self.db.read_one("SELECT 1 FROM sqs_lane WHERE box = $1 AND visible_at <= $2 LIMIT 1", (box, now))
        return row is not None

    async def next_due(self, box: int, now: float) -> float | None:
        row = await self.db.read_one(
            "SELECT min(visible_at) FROM sqs_lane WHERE box = $1 AND visible_at > $2", (box, now)
        )
        return row[0] if row else None

    async def remove(self, receipt: Receipt, now: float) -> bool:
        """Delete a message; False when the receipt has expired. One that is gone already counts as deleted."""
        async with self.db.transaction() as tx:
            await _hold(tx, receipt.box)
            rows = await tx.read(
                "SELECT lane, receive_count, hidden_until FROM sqs_message WHERE box = $1 AND seq = $2",
                (receipt.box, receipt.seq),
            )
            for lane, count, hidden_until in rows:
                if count != receipt.receives or hidden_until <= now:
                    return False
                await tx.write("DELETE FROM sqs_message WHERE box = $1 AND seq = $2", (receipt.box, receipt.seq))
                await _refresh(tx, receipt.box, lane)
            return True

    async def hide(self, receipt: Receipt, now: float, until: float) -> bool | None:
        """Change when a message becomes visible; False when the receipt has expired, None when it is gone."""
        async with self.db.transaction() as tx:
            await _hold(tx, receipt.box)
            rows = await tx.read(
                "SELECT lane, receive_count, hidden_until FROM sqs_message WHERE box = $1 AND seq = $2",
                (receipt.box, receipt.seq),
            )
            for lane, count, hidden_until in rows:
                if count != receipt.receives or hidden_until <= now:
                    return False
                await tx.write(
                    "UPDATE sqs_message SET hidden_until = $1 WHERE box = $2 AND seq = $3",
                    (until, receipt.box, receipt.seq),
                )
                await _refresh(tx, receipt.box, lane)
            return True if rows else None

    async def put_back(self, receipts: Sequence[Receipt], now: float) -> None:
        """As if they had not been received, each at its place; those whose receipts have expired stay as they are."""
        async with self.db.transaction() as tx:
            lanes = set()
            for each in receipts:
                await _hold(tx, each.box)
                rows = await tx.read(
                    "SELECT lane FROM sqs_message WHERE box = $1 AND seq = $2 AND receive_count = $3 AND hidden_until > $4",
                    (each.box, each.seq, each.receives, now),
                )
                if rows:
                    await tx.write(PUT_BACK, (each.box, each.seq, each.receives))
                    lanes.add((each.box, rows[0][0]))
            for box, lane in lanes:
                await _refresh(tx, box, lane)

    async def attempt(self, box: int, attempt: str, now: float, hidden_until: float) -> list[tuple[Message, float]]:
        """The messages a receive of this attempt id gave, each with its time of receiving; hidden anew.

        None when the id is new or old, or when one of the messages was deleted, made visible, or received since.
        """
        async with self.db.transaction() as tx:
            await _hold(tx, box)
            rows = await tx.read(
                "SELECT receipts FROM sqs_attempt WHERE box = $1 AND attempt = $2 AND expires > $3",
                (box, attempt, now),
            )
            given: list[tuple[Message, float]] = []
            for seq, count, received in msgspec.msgpack.decode(rows[0][0]) if rows else ():
                found = await tx.read(
                    f"SELECT {COLUMNS} FROM sqs_message WHERE box = $1 AND seq = $2 AND receive_count = $3 "  # noqa: S608  constants
                    "AND hidden_until > $4",
                    (box, seq, count, now),
                )
                if not found:
                    return []
                given.append((Message(*found[0]), received))
            for message, _ in given:
                await tx.write(
                    "UPDATE sqs_message SET hidden_until = $1 WHERE box = $2 AND seq = $3",
                    (hidden_until, box, message.seq),
                )
            for lane in {message.group or "" for message, _ in given}:
                await _refresh(tx, box, lane)
            return given

    async def keep_attempt(self, box: int, attempt: str, messages: Sequence[Message], now: float) -> None:
        """Remember what a receive gave."""
        receipts = msgspec.msgpack.encode([(m.seq, m.receive_count, now) for m in messages])
        await self.db.write(
            "INSERT INTO sqs_attempt (box, attempt, receipts, expires) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (box, attempt) DO UPDATE SET receipts = $3, expires = $4",
            (box, attempt, receipts, now + _ATTEMPT_SECONDS),
        )


class Dead(Struct, frozen=True):
    """The box of a dead-letter queue, and the ARN of the queue that sends to it."""

    box: int
    source_arn: str


async def _hold(tx: Transaction, box: int) -> None:
    await tx.write("UPDATE sqs_sequence SET seq = seq WHERE box = $1", (box,))


async def _add(tx: Transaction, message: Message, scope: str, now: float) -> Sent:
    await _number(tx, message)
    fresh = await tx.write(
        "INSERT INTO sqs_deduplication (box, scope, deduplication, id, seq, expires) VALUES ($1, $2, $3, $4, $5, $6) "
        "ON CONFLICT (box, scope, deduplication) DO UPDATE SET id = $4, seq = $5, expires = $6 "
        "WHERE sqs_deduplication.expires <= $7 RETURNING id",
        (
            *(message.box, message.group if scope == "messageGroup" else "", message.deduplication),
            *(message.id, message.seq, now + DEDUPLICATION_SECONDS, now),
        ),
    )
    if not fresh:
        rows = await tx.read(
            "SELECT id, seq FROM sqs_deduplication WHERE box = $1 AND scope = $2 AND deduplication = $3",
            (message.box, message.group if scope == "messageGroup" else "", message.deduplication),
        )
        return Sent(rows[0][0], rows[0][1], repeated=True)
    await put(tx, message)
    return Sent(message.id, message.seq, repeated=False)


async def _number(tx: Transaction, message: Message) -> None:
    """Numbers grow within a box, whatever the clocks of the nodes that send to it."""
    rows = await tx.write(
        "INSERT INTO sqs_sequence (box, seq) VALUES ($1, $2) ON CONFLICT (box) DO UPDATE SET "
        "seq = CASE WHEN sqs_sequence.seq < $2 THEN $2 ELSE sqs_sequence.seq + 1 END RETURNING seq",
        (message.box, message.seq),
    )
    message.seq = rows[0][0]


async def put(tx: Transaction, message: Message) -> None:
    """A numbered message at the end of its lane."""
    await tx.write(insertion(1), values_of([message]))
    await tx.write(
        "INSERT INTO sqs_lane (box, lane, head, visible_at) VALUES ($1, $2, $3, $4) ON CONFLICT (box, lane) DO NOTHING",
        (message.box, message.group, message.seq, max(message.sent, message.hidden_until)),
    )


async def put_at_end(tx: Transaction, message: Message) -> None:
    """A message that comes from another box, numbered as if sent now."""
    await _number(tx, message)
    await put(tx, message)


async def _take_lane(
    tx: Transaction, box: int, lane: str, limit: int, rules: Rules, dead: Dead | None, taken: Taken
) -> None:
    rows = await tx.read(
        f"SELECT {COLUMNS} FROM sqs_message WHERE box = $1 AND lane = $2 ORDER BY seq LIMIT $3",  # noqa: S608  constants
        (box, lane, limit),
    )
    for row in rows:
        message = Message(*row)
        if message.hidden_until > rules.now:
            break
        if message.sent <= rules.oldest:
            await tx.write("DELETE FROM sqs_message WHERE box = $1 AND seq = $2", (box, message.seq))
        elif dead is not None and message.receive_count >= rules.most:
            await _bury(tx, message, dead, rules.now)
            taken.dead += 1
        else:
            await _give(tx, message, rules)
            taken.messages.append(message)
    await _refresh(tx, box, lane)


async def _give(tx: Transaction, message: Message, rules: Rules) -> None:
    message.receive_count += 1
    message.first_received = message.first_received or rules.now
    message.hidden_until = rules.hidden_until
    await tx.write(
        "UPDATE sqs_message SET hidden_until = $1, receive_count = $2, first_received = $3 WHERE box = $4 AND seq = $5",
        (message.hidden_until, message.receive_count, message.first_received, message.box, message.seq),
    )


async def _bury(tx: Transaction, message: Message, dead: Dead, now: float) -> None:
    """To the dead-letter queue: a FIFO message begins its retention anew there."""
    await tx.write("DELETE FROM sqs_message WHERE box = $1 AND seq = $2", (message.box, message.seq))
    message.box, message.source_arn, message.sent, message.hidden_until = dead.box, dead.source_arn, now, 0.0
    await put_at_end(tx, message)


async def _refresh(tx: Transaction, box: int, lane: str) -> None:
    """Let the lane's row say what its first message is."""
    rows = await tx.read(
        "SELECT seq, hidden_until, sent FROM sqs_message WHERE box = $1 AND lane = $2 ORDER BY seq LIMIT 1", (box, lane)
    )
    if not rows:
        await tx.write("DELETE FROM sqs_lane WHERE box = $1 AND lane = $2", (box, lane))
        return
    head, hidden_until, sent = rows[0]
    await tx.write(
        "INSERT INTO sqs_lane (box, lane, head, visible_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (box, lane) DO UPDATE SET head = $3, visible_at = $4",
        (box, lane, head, max(hidden_until, sent)),
    )


async def take_out(tx: Transaction, box: int, limit: int, now: float) -> list[Message]:
    """Remove up to `limit` visible messages and give them, oldest first."""
    await _hold(tx, box)
    lanes = await tx.read(
        "SELECT lane FROM sqs_lane WHERE box = $1 AND visible_at <= $2 ORDER BY head LIMIT $3", (box, now, limit)
    )
    taken: list[Message] = []
    for (lane,) in lanes:
        rows = await tx.read(
            f"SELECT {COLUMNS} FROM sqs_message WHERE box = $1 AND lane = $2 AND hidden_until <= $3 ORDER BY seq LIMIT 1",  # noqa: S608  constants
            (box, lane, now),
        )
        taken += [Message(*row) for row in rows]
        for row in rows:
            await tx.write("DELETE FROM sqs_message WHERE box = $1 AND seq = $2", (box, row[1]))
        await _refresh(tx, box, lane)
    return taken

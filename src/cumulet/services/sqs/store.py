"""The tables of SQS, and the queries on queues. Those on messages are in `boxes.py` and `lanes.py`, moves in `tasks.py`."""

from collections.abc import Callable
from functools import lru_cache

import msgspec
from msgspec import Struct

from cumulet.services.sqs.errors import NoSuchQueue
from cumulet.services.sqs.model import Queue, Settings, decode_settings, encode_settings
from cumulet.storage.database import Database, Row, Transaction

SCHEMA = (
    """CREATE TABLE sqs_queue (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id BIGINT NOT NULL, box BIGINT NOT NULL,
        created DOUBLE PRECISION NOT NULL, modified DOUBLE PRECISION NOT NULL, settings TEXT NOT NULL,
        dead_letter_arn TEXT NOT NULL, purged DOUBLE PRECISION NOT NULL, policy TEXT NOT NULL, tags TEXT NOT NULL,
        PRIMARY KEY (account, region, name))""",
    "CREATE INDEX sqs_queue_dead_letter ON sqs_queue (dead_letter_arn, name) WHERE dead_letter_arn <> ''",
    """CREATE TABLE sqs_deleted_queue (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, deleted DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (account, region, name))""",
    """CREATE TABLE sqs_message (
        box BIGINT NOT NULL, seq BIGINT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, attributes BYTEA,
        sender TEXT NOT NULL, sent DOUBLE PRECISION NOT NULL, hidden_until DOUBLE PRECISION NOT NULL,
        first_received DOUBLE PRECISION, receive_count BIGINT NOT NULL, lane TEXT, deduplication TEXT,
        trace TEXT, source_arn TEXT, PRIMARY KEY (box, seq))""",
    "CREATE INDEX sqs_message_next ON sqs_message (box, hidden_until, seq, receive_count)",
    "CREATE INDEX sqs_message_lane ON sqs_message (box, lane, seq) WHERE lane IS NOT NULL",
    """CREATE TABLE sqs_lane (
        box BIGINT NOT NULL, lane TEXT NOT NULL, head BIGINT NOT NULL, visible_at DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (box, lane))""",
    "CREATE INDEX sqs_lane_next ON sqs_lane (box, visible_at, head)",
    "CREATE TABLE sqs_sequence (box BIGINT PRIMARY KEY, seq BIGINT NOT NULL)",
    """CREATE TABLE sqs_deduplication (
        box BIGINT NOT NULL, scope TEXT NOT NULL, deduplication TEXT NOT NULL, id TEXT NOT NULL, seq BIGINT NOT NULL,
        expires DOUBLE PRECISION NOT NULL, PRIMARY KEY (box, scope, deduplication))""",
    "CREATE INDEX sqs_deduplication_expires ON sqs_deduplication (expires)",
    """CREATE TABLE sqs_attempt (
        box BIGINT NOT NULL, attempt TEXT NOT NULL, receipts BYTEA NOT NULL, expires DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (box, attempt))""",
    "CREATE INDEX sqs_attempt_expires ON sqs_attempt (expires)",
    "CREATE TABLE sqs_dropped_box (box BIGINT PRIMARY KEY)",
    """CREATE TABLE sqs_move_task (
        id TEXT PRIMARY KEY, source_arn TEXT NOT NULL, destination_arn TEXT NOT NULL, rate BIGINT NOT NULL,
        status TEXT NOT NULL, moved BIGINT NOT NULL, to_move BIGINT NOT NULL, failure TEXT NOT NULL,
        started DOUBLE PRECISION NOT NULL)""",
    "CREATE INDEX sqs_move_task_source ON sqs_move_task (source_arn, started)",
    "CREATE INDEX sqs_move_task_status ON sqs_move_task (status)",
)

_QUEUE = "id, box, account, region, name, created, modified, settings"
_decode_tags = msgspec.json.Decoder(dict[str, str]).decode
_PAGE_END = "~"  # sorts after every character of a queue's name


@lru_cache(1024)
def _settings(text: str) -> Settings:
    return decode_settings(text)


def _queue(row: Row) -> Queue:
    id, box, account, region, name, created, modified, settings = row
    return Queue(id, box, account, region, name, created, modified, _settings(settings))


class Record(Struct, frozen=True):
    """What a queue carries that operations change."""

    settings: Settings
    policy: str
    tags: dict[str, str]


class QueueStore(Struct, frozen=True):
    """Queues, their policies and tags."""

    db: Database

    async def find(self, account: str, region: str, name: str) -> Queue | None:
        row = await self.db.read_one(
            f"SELECT {_QUEUE} FROM sqs_queue WHERE account = $1 AND region = $2 AND name = $3",  # noqa: S608  constants
            (account, region, name),
        )
        return None if row is None else _queue(row)

    async def add(self, queue: Queue, policy: str, tags: dict[str, str], recently: float) -> tuple[bool, Queue | None]:
        """Add a queue, unless its name is taken or was deleted after `recently`.

        Gives whether it was added, and the queue of that name; neither when it was deleted too recently.
        """
        key = (queue.account, queue.region, queue.name)
        where = "WHERE account = $1 AND region = $2 AND name = $3"
        async with self.db.transaction() as tx:
            rows = await tx.read(f"SELECT {_QUEUE} FROM sqs_queue {where}", key)  # noqa: S608  constants
            if rows:
                return False, _queue(rows[0])
            if await tx.read(f"SELECT 1 FROM sqs_deleted_queue {where} AND deleted > $4", (*key, recently)):  # noqa: S608  constants
                return False, None
            await tx.write(f"DELETE FROM sqs_deleted_queue {where}", key)  # noqa: S608  constants
            await tx.write(
                f"INSERT INTO sqs_queue ({_QUEUE}, dead_letter_arn, purged, policy, tags) "  # noqa: S608  constants
                "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11)",
                (
                    *(queue.id, queue.box, *key, queue.created, queue.modified),
                    *(_encode(queue.settings), queue.settings.dead_letter_arn, policy, _encode(tags)),
                ),
            )
        return True, queue

    async def remove(self, queue: Queue, now: float) -> None:
        key = (queue.account, queue.region, queue.name)
        async with self.db.transaction() as tx:
            rows = await tx.write(
                "DELETE FROM sqs_queue WHERE account = $1 AND region = $2 AND name = $3 RETURNING box", key
            )
            for (box,) in rows:
                await _drop(tx, box)
                await tx.write(
                    "INSERT INTO sqs_deleted_queue (account, region, name, deleted) VALUES ($1, $2, $3, $4) "
                    "ON CONFLICT (account, region, name) DO UPDATE SET deleted = $4",
                    (*key, now),
                )

    async def purge(self, queue: Queue, box: int, now: float, recently: float) -> bool:
        """Give the queue a new box, unless that happened after `recently`. Tells whether it did."""
        async with self.db.transaction() as tx:
            rows = await tx.write(
                "UPDATE sqs_queue SET box = $1, purged = $2 WHERE id = $3 AND account = $4 AND region = $5 AND name = $6 "
                "AND purged <= $7 RETURNING id",
                (box, now, queue.id, queue.account, queue.region, queue.name, recently),
            )
            if rows:
                await _drop(tx, queue.box)
        return bool(rows)

    async def edit(self, queue: Queue, change: Callable[[Record], Record], now: float | None = None) -> None:
        """Change what a queue carries, in one step with reading it; what `change` raises leaves it as it was.

        `now` becomes the time of modification. Raises QueueDoesNotExist.
        """
        key = (queue.account, queue.region, queue.name)
        async with self.db.transaction() as tx:
            rows = await tx.write(
                "UPDATE sqs_queue SET id = id WHERE account = $1 AND region = $2 AND name = $3 "
                "RETURNING settings, policy, tags, modified",
                key,
            )
            if not rows:
                raise NoSuchQueue
            settings, policy, tags, modified = rows[0]
            record = change(Record(_settings(settings), policy, _decode_tags(tags)))
            await tx.write(
                "UPDATE sqs_queue SET settings = $4, dead_letter_arn = $5, policy = $6, tags = $7, modified = $8 "
                "WHERE account = $1 AND region = $2 AND name = $3",
                (
                    *(*key, _encode(record.settings), record.settings.dead_letter_arn, record.policy),
                    *(_encode(record.tags), modified if now is None else now),
                ),
            )

    async def named(self, account: str, region: str, prefix: str, after: str, limit: int) -> list[Queue]:
        """Queues of a region in the order of their names, beginning after a name."""
        rows = await self.db.read(
            f"SELECT {_QUEUE} FROM sqs_queue WHERE account = $1 AND region = $2 AND name >= $3 AND name < $4 "  # noqa: S608  constants
            "AND name > $5 ORDER BY name LIMIT $6",
            (account, region, prefix, prefix + _PAGE_END, after, limit),
        )
        return [_queue(row) for row in rows]

    async def sources(self, dead_letter_arn: str, after: str, limit: int) -> list[Queue]:
        """Queues whose redrive policy names this one, in the order of their names."""
        rows = await self.db.read(
            f"SELECT {_QUEUE} FROM sqs_queue WHERE dead_letter_arn = $1 AND dead_letter_arn <> '' AND name > $2 "  # noqa: S608  constants
            "ORDER BY name LIMIT $3",
            (dead_letter_arn, after, limit),
        )
        return [_queue(row) for row in rows]

    async def policy(self, queue: Queue) -> str:
        row = await self.db.read_one(
            "SELECT policy FROM sqs_queue WHERE account = $1 AND region = $2 AND name = $3",
            (queue.account, queue.region, queue.name),
        )
        return row[0] if row else ""

    async def tags(self, queue: Queue) -> dict[str, str]:
        row = await self.db.read_one(
            "SELECT tags FROM sqs_queue WHERE account = $1 AND region = $2 AND name = $3",
            (queue.account, queue.region, queue.name),
        )
        return _decode_tags(row[0]) if row else {}


async def _drop(tx: Transaction, box: int) -> None:
    await tx.write("INSERT INTO sqs_dropped_box (box) VALUES ($1) ON CONFLICT (box) DO NOTHING", (box,))


def _encode(value: object) -> str:
    return encode_settings(value).decode()

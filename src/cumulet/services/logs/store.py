"""Every query of CloudWatch Logs on groups and streams; events.py's are in event_store.py."""

from collections.abc import Callable

import msgspec

from cumulet.kernel.ids import token
from cumulet.services.logs.model import Group, Stream
from cumulet.storage.database import Database, Row

SCHEMA = (
    """CREATE TABLE logs_group (
        id BIGINT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, created BIGINT NOT NULL,
        retention BIGINT, kind TEXT NOT NULL, kms_key TEXT, protected BIGINT NOT NULL, tags TEXT NOT NULL,
        UNIQUE (account, region, name))""",
    """CREATE TABLE logs_stream (
        id BIGINT PRIMARY KEY, grp BIGINT NOT NULL, name TEXT NOT NULL, created BIGINT NOT NULL,
        first_time BIGINT, last_time BIGINT, last_ingestion BIGINT, sequence BIGINT NOT NULL, bytes BIGINT NOT NULL,
        UNIQUE (grp, name))""",
    # Two orders, because an event is read by its group (filter) or by its stream (get), and both must stop early.
    """CREATE TABLE logs_event (
        grp BIGINT NOT NULL, stream BIGINT NOT NULL, time BIGINT NOT NULL, sequence BIGINT NOT NULL,
        ingested BIGINT NOT NULL, message TEXT NOT NULL, PRIMARY KEY (grp, time, stream, sequence))""",
    "CREATE INDEX logs_event_stream ON logs_event (stream, time, sequence)",
    # Streams that are gone while their events are still there: deleting those is left to a worker, in small steps.
    "CREATE TABLE logs_garbage (stream BIGINT PRIMARY KEY)",
    """CREATE TABLE logs_subscription (
        grp BIGINT NOT NULL, name TEXT NOT NULL, pattern TEXT NOT NULL, destination TEXT NOT NULL,
        distribution TEXT NOT NULL, created BIGINT NOT NULL, PRIMARY KEY (grp, name))""",
    "ALTER TABLE logs_group ADD COLUMN subscribed BIGINT NOT NULL DEFAULT 0",
    """CREATE TABLE logs_policy (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, updated BIGINT NOT NULL,
        PRIMARY KEY (account, region, name))""",
)
_GROUP = "id, account, region, name, created, retention, kind, kms_key, protected, tags"
_STREAM = "id, name, created, first_time, last_time, last_ingestion, sequence"
_LAST = "\U0010ffff"


class Store:
    """Groups and streams."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def add_group(self, group: Group) -> None:
        """Raises Conflict when the name is taken."""
        await self._db.write(
            f"INSERT INTO logs_group ({_GROUP}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",  # noqa: S608  constants
            (
                *(group.id, group.account, group.region, group.name, group.created, group.retention),
                *(group.kind, group.kms_key, int(group.protected), _tags(group.tags)),
            ),
        )

    async def find_group(self, account: str, region: str, name: str) -> Group | None:
        row = await self._db.read_one(
            f"SELECT {_GROUP} FROM logs_group WHERE account = $1 AND region = $2 AND name = $3",  # noqa: S608
            (account, region, name),
        )
        return _group(row) if row else None

    async def groups(
        self, account: str, region: str, *, prefix: str, pattern: str, kind: str, after: str, limit: int
    ) -> list[tuple[Group, int]]:
        """Groups by name with their stored bytes; `pattern` is any part of the name, whatever its case."""
        rows = await self._db.read(
            f"""SELECT {_GROUP}, (SELECT COALESCE(SUM(s.bytes), 0) FROM logs_stream s WHERE s.grp = g.id)
                FROM logs_group g
                WHERE account = $1 AND region = $2 AND name >= $3 AND name < $4 AND name > $5
                  AND lower(name) LIKE $6 ESCAPE '!' AND ($7 = '' OR kind = $7)
                ORDER BY name LIMIT $8""",  # noqa: S608
            (account, region, prefix, prefix + _LAST, after, _like(pattern), kind, limit),
        )
        return [(_group(row[:-1]), int(row[-1])) for row in rows]

    async def set_retention(self, group: Group, days: int | None) -> None:
        await self._db.write("UPDATE logs_group SET retention = $2 WHERE id = $1", (group.id, days))

    async def set_kms_key(self, group: Group, key: str | None) -> None:
        await self._db.write("UPDATE logs_group SET kms_key = $2 WHERE id = $1", (group.id, key))

    async def set_protected(self, group: Group, protected: bool) -> None:
        await self._db.write("UPDATE logs_group SET protected = $2 WHERE id = $1", (group.id, int(protected)))

    async def change_tags(self, group: Group, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        """Give a group the tags that `change` makes of those it has; what it raises changes nothing."""
        async with self._db.transaction() as tx:
            for (held,) in await tx.read("SELECT tags FROM logs_group WHERE id = $1", (group.id,)):
                tags = change(msgspec.json.decode(held, type=dict[str, str]))
                await tx.write("UPDATE logs_group SET tags = $2 WHERE id = $1", (group.id, _tags(tags)))

    async def remove_group(self, group: Group) -> None:
        async with self._db.transaction() as tx:
            await tx.write("INSERT INTO logs_garbage (stream) SELECT id FROM logs_stream WHERE grp = $1", (group.id,))
            await tx.write("DELETE FROM logs_stream WHERE grp = $1", (group.id,))
            await tx.write("DELETE FROM logs_subscription WHERE grp = $1", (group.id,))
            await tx.write("DELETE FROM logs_group WHERE id = $1", (group.id,))

    async def add_stream(self, group: Group, name: str, created: int) -> None:
        """Raises Conflict when the name is taken."""
        await self._db.write(
            """INSERT INTO logs_stream (id, grp, name, created, sequence, bytes)
               SELECT $1, id, $3, $4, 0, 0 FROM logs_group WHERE id = $2""",
            (new_key(), group.id, name, created),
        )

    async def find_stream(self, group: Group, name: str) -> Stream | None:
        row = await self._db.read_one(
            f"SELECT {_STREAM} FROM logs_stream WHERE grp = $1 AND name = $2",  # noqa: S608
            (group.id, name),
        )
        return Stream(*row) if row else None

    async def streams(self, group: Group, prefix: str, after: str, descending: bool, limit: int) -> list[Stream]:
        """By name; `after` is the last name of the page before."""
        order, sign = ("DESC", "<") if descending else ("ASC", ">")
        rows = await self._db.read(
            f"""SELECT {_STREAM} FROM logs_stream
                WHERE grp = $1 AND name >= $2 AND name < $3 AND name {sign} $4 ORDER BY name {order} LIMIT $5""",  # noqa: S608
            (group.id, prefix, prefix + _LAST, after or (_LAST if descending else ""), limit),
        )
        return [Stream(*row) for row in rows]

    async def streams_by_time(
        self, group: Group, after: tuple[int, str] | None, descending: bool, limit: int
    ) -> list[Stream]:
        """By the time of the last event, those without any as if theirs were 1970."""
        order, sign = ("DESC", "<") if descending else ("ASC", ">")
        rows = await self._db.read(
            f"""SELECT {_STREAM} FROM logs_stream
                WHERE grp = $1 AND (COALESCE(last_time, 0), name) {sign} ($2, $3)
                ORDER BY COALESCE(last_time, 0) {order}, name {order} LIMIT $4""",  # noqa: S608
            (group.id, *(after or ((2**62, "") if descending else (-1, ""))), limit),
        )
        return [Stream(*row) for row in rows]

    async def stream_keys(self, group: Group, prefix: str) -> set[int]:
        rows = await self._db.read(
            "SELECT id FROM logs_stream WHERE grp = $1 AND name >= $2 AND name < $3",
            (group.id, prefix, prefix + _LAST),
        )
        return {row[0] for row in rows}

    async def remove_stream(self, stream: Stream) -> None:
        async with self._db.transaction() as tx:
            await tx.write("INSERT INTO logs_garbage (stream) VALUES ($1) ON CONFLICT DO NOTHING", (stream.id,))
            await tx.write("DELETE FROM logs_stream WHERE id = $1", (stream.id,))


def new_key() -> int:
    """A random key of 62 bits: no counter that writers would have to share."""
    return int(token(8), 16) >> 2


def _group(row: Row) -> Group:
    tags = msgspec.json.decode(row[9], type=dict[str, str])
    id_, account, region, name, created, retention, kind, kms_key, protected = row[:9]
    return Group(id_, account, region, name, created, retention, kind, kms_key, bool(protected), tags)


def _tags(tags: dict[str, str]) -> str:
    return msgspec.json.encode(tags).decode()


def _like(part: str) -> str:
    escaped = part.lower().replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"%{escaped}%"

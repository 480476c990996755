"""Every query of IAM.

Users, roles, policies and so on are rows of one table with the whole entity as a document, since IAM always reads and
writes them whole; `iam_link` holds what joins them (attached policies, boundaries, group members) by unique id.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec
from msgspec import Struct

from cumulet.services.iam.model import Entity, Named, exists, not_found, over_quota
from cumulet.storage.database import Conflict, Database, Row, Transaction, Values

SCHEMA = (
    """CREATE TABLE iam_entity (
        account TEXT NOT NULL, kind TEXT NOT NULL, fold TEXT NOT NULL, id TEXT NOT NULL, path TEXT NOT NULL,
        body BYTEA NOT NULL, PRIMARY KEY (account, kind, fold))""",
    "CREATE UNIQUE INDEX iam_entity_id ON iam_entity (id)",
    """CREATE TABLE iam_link (
        account TEXT NOT NULL, relation TEXT NOT NULL, source TEXT NOT NULL, target TEXT NOT NULL,
        PRIMARY KEY (account, relation, source, target))""",
    "CREATE INDEX iam_link_target ON iam_link (account, relation, target)",
    """CREATE TABLE iam_key (
        access_key TEXT PRIMARY KEY, account TEXT NOT NULL, owner TEXT NOT NULL, sealed TEXT NOT NULL,
        status TEXT NOT NULL, created BIGINT NOT NULL, used BIGINT NOT NULL, used_service TEXT NOT NULL,
        used_region TEXT NOT NULL)""",
    "CREATE INDEX iam_key_owner ON iam_key (account, owner)",
)
_KEY_COLUMNS = "access_key, account, owner, sealed, status, created, used, used_service, used_region"

ATTACHED = "attached"
BOUNDARY = "boundary"
MEMBER = "member"


class Key(Struct, frozen=True):
    """An access key of a user; `owner` is the user's unique id, or the account for its root. `sealed` holds its secret."""

    access_key: str
    account: str
    owner: str
    sealed: str
    status: str
    created: int
    used: int = 0
    used_service: str = ""
    used_region: str = ""


class Reader(Protocol):
    async def read(self, sql: str, values: Values = ()) -> list[Row]: ...


class View:
    """An account's IAM as last committed, or as a transaction sees it."""

    def __init__(self, reader: Reader, account: str) -> None:
        self._reader = reader
        self.account = account

    async def find(self, kind: type[Named], name: str) -> Named | None:
        rows = await self._reader.read(
            "SELECT body FROM iam_entity WHERE account = $1 AND kind = $2 AND fold = $3",
            (self.account, kind.kind, name.lower()),
        )
        if not rows:
            return None
        found = msgspec.msgpack.decode(rows[0][0], type=kind)
        return found if found.name == name else None

    async def get(self, kind: type[Named], name: str) -> Named:
        """Raises NoSuchEntity."""
        found = await self.find(kind, name)
        if found is None:
            raise not_found(kind, name)
        return found

    async def by_id(self, kind: type[Named], id: str) -> Named | None:
        rows = await self._reader.read("SELECT body, kind, account FROM iam_entity WHERE id = $1", (id,))
        if not rows or rows[0][1:] != (kind.kind, self.account):
            return None
        return msgspec.msgpack.decode(rows[0][0], type=kind)

    async def entities(
        self, kind: type[Named], prefix: str = "/", after: str = "", limit: int = 1_000_000
    ) -> list[Named]:
        """In the order of their names, those under a path."""
        rows = await self._reader.read(
            """SELECT body FROM iam_entity WHERE account = $1 AND kind = $2 AND fold > $3
               AND substr(path, 1, $4) = $5 ORDER BY fold LIMIT $6""",
            (self.account, kind.kind, after.lower(), len(prefix), prefix, limit),
        )
        return [msgspec.msgpack.decode(row[0], type=kind) for row in rows]

    async def count(self, kind: type[Entity]) -> int:
        rows = await self._reader.read(
            "SELECT count(*) FROM iam_entity WHERE account = $1 AND kind = $2", (self.account, kind.kind)
        )
        return int(rows[0][0])

    async def targets(self, relation: str, source: str) -> list[str]:
        """What an entity is joined to: ARNs of its policies, ids of its groups."""
        rows = await self._reader.read(
            "SELECT target FROM iam_link WHERE account = $1 AND relation = $2 AND source = $3 ORDER BY target",
            (self.account, relation, source),
        )
        return [row[0] for row in rows]

    async def sources(self, relation: str, target: str) -> list[str]:
        """The ids of what is joined to a target."""
        rows = await self._reader.read(
            "SELECT source FROM iam_link WHERE account = $1 AND relation = $2 AND target = $3 ORDER BY source",
            (self.account, relation, target),
        )
        return [row[0] for row in rows]

    async def link_counts(self, relation: str) -> dict[str, int]:
        """How many entities are joined to each target of the account."""
        rows = await self._reader.read(
            "SELECT target, count(*) FROM iam_link WHERE account = $1 AND relation = $2 GROUP BY target",
            (self.account, relation),
        )
        return {row[0]: int(row[1]) for row in rows}

    async def keys_of(self, owner: str) -> list[Key]:
        rows = await self._reader.read(
            f"SELECT {_KEY_COLUMNS} FROM iam_key WHERE account = $1 AND owner = $2 ORDER BY created, access_key",  # noqa: S608  a constant
            (self.account, owner),
        )
        return [Key(*row) for row in rows]


class Change(View):
    """A transaction on one account."""

    def __init__(self, tx: Transaction, account: str) -> None:
        super().__init__(tx, account)
        self._tx = tx

    async def add(self, entity: Entity) -> None:
        """Raises EntityAlreadyExists, LimitExceeded."""
        kind = type(entity)
        name, limit = kind.quota
        if limit and await self.count(kind) >= limit:
            raise over_quota(name, limit)
        try:
            await self._tx.write(
                "INSERT INTO iam_entity (account, kind, fold, id, path, body) VALUES ($1, $2, $3, $4, $5, $6)",
                (self.account, kind.kind, entity.name.lower(), entity.id, entity.path, msgspec.msgpack.encode(entity)),
            )
        except Conflict:
            raise exists(kind, entity.name) from None

    async def put(self, entity: Entity) -> None:
        """Write an entity back; its name and path may have changed. Raises EntityAlreadyExists."""
        try:
            await self._tx.write(
                "UPDATE iam_entity SET fold = $2, path = $3, body = $4 WHERE id = $1",
                (entity.id, entity.name.lower(), entity.path, msgspec.msgpack.encode(entity)),
            )
        except Conflict:
            raise exists(type(entity), entity.name) from None

    async def remove(self, entity: Entity) -> None:
        await self._tx.write("DELETE FROM iam_entity WHERE id = $1", (entity.id,))

    async def link(self, relation: str, source: str, target: str) -> None:
        await self._tx.write(
            "INSERT INTO iam_link (account, relation, source, target) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
            (self.account, relation, source, target),
        )

    async def unlink(self, relation: str, source: str, target: str) -> bool:
        """Tells whether they were joined."""
        rows = await self._tx.write(
            "DELETE FROM iam_link WHERE account = $1 AND relation = $2 AND source = $3 AND target = $4 RETURNING target",
            (self.account, relation, source, target),
        )
        return bool(rows)

    async def add_key(self, key: Key) -> None:
        """Raises Conflict when the id is taken."""
        await self._tx.write(
            f"INSERT INTO iam_key ({_KEY_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",  # noqa: S608  a constant
            msgspec.structs.astuple(key),
        )

    async def set_key_status(self, owner: str, access_key: str, status: str) -> bool:
        rows = await self._tx.write(
            "UPDATE iam_key SET status = $4 WHERE access_key = $1 AND account = $2 AND owner = $3 RETURNING status",
            (access_key, self.account, owner, status),
        )
        return bool(rows)

    async def remove_key(self, owner: str, access_key: str) -> bool:
        rows = await self._tx.write(
            "DELETE FROM iam_key WHERE access_key = $1 AND account = $2 AND owner = $3 RETURNING access_key",
            (access_key, self.account, owner),
        )
        return bool(rows)


class IamStore:
    """`changed` is called with an account's id once a change to it is durable."""

    def __init__(self, db: Database, changed: Callable[[str], None]) -> None:
        self._db = db
        self._changed = changed

    async def migrate(self) -> None:
        await self._db.migrate("iam", SCHEMA)

    def view(self, account: str) -> View:
        return View(self._db, account)

    @asynccontextmanager
    async def change(self, account: str) -> AsyncIterator[Change]:
        async with self._db.transaction() as tx:
            tx.after_commit(lambda: self._changed(account))
            yield Change(tx, account)

    async def key(self, access_key: str) -> Key | None:
        row = await self._db.read_one(
            f"SELECT {_KEY_COLUMNS} FROM iam_key WHERE access_key = $1",  # noqa: S608  a constant
            (access_key,),
        )
        return None if row is None else Key(*row)

    async def record_use(self, uses: dict[str, tuple[int, str, str]]) -> None:
        """When, for which service and where keys were last used."""
        async with self._db.transaction() as tx:
            for access_key, (when, service, region) in uses.items():
                await tx.write(
                    "UPDATE iam_key SET used = $2, used_service = $3, used_region = $4 WHERE access_key = $1",
                    (access_key, when, service, region),
                )

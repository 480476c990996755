"""The tables of keys and of their material, and the queries on them."""

from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from cumulet.services.kms.model import DAY, PENDING_DELETION, PENDING_REPLICAS, REPLICA, Key, Material
from cumulet.services.kms.names import Name, not_found
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE kms_key (
        account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, policy TEXT NOT NULL,
        due DOUBLE PRECISION, PRIMARY KEY (account, region, id))""",
    "CREATE INDEX kms_key_due ON kms_key (due) WHERE due IS NOT NULL",
    "CREATE INDEX kms_key_id ON kms_key (account, id)",
    """CREATE TABLE kms_material (
        account TEXT NOT NULL, region TEXT NOT NULL, key_id TEXT NOT NULL, number BIGINT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (account, region, key_id, number))""",
    """CREATE TABLE kms_alias (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, target TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL, changed DOUBLE PRECISION NOT NULL, PRIMARY KEY (account, region, name))""",
    "CREATE INDEX kms_alias_target ON kms_alias (account, region, target, name)",
    """CREATE TABLE kms_grant (
        account TEXT NOT NULL, region TEXT NOT NULL, key_id TEXT NOT NULL, id TEXT NOT NULL, retiring TEXT NOT NULL,
        body TEXT NOT NULL, PRIMARY KEY (account, region, key_id, id))""",
    "CREATE INDEX kms_grant_retiring ON kms_grant (account, region, retiring, id) WHERE retiring <> ''",
)

_OF_KEY = "WHERE account = $1 AND region = $2 AND id = $3"
_PARTS = ("kms_material WHERE account = $1 AND region = $2 AND key_id = $3",
          "kms_grant WHERE account = $1 AND region = $2 AND key_id = $3",
          "kms_alias WHERE account = $1 AND region = $2 AND target = $3")  # fmt: skip
_decode = msgspec.json.Decoder(Key).decode
_decode_material = msgspec.json.Decoder(Material).decode


def _place(key: Key) -> tuple[str, str, str]:
    return key.account, key.region, key.id


def _encode(value: Struct) -> str:
    return msgspec.json.encode(value).decode()


class KeyStore(Struct, frozen=True):
    """Keys, their policies and their material."""

    db: Database

    async def find(self, account: str, region: str, id: str) -> Key | None:
        row = await self.db.read_one(f"SELECT body FROM kms_key {_OF_KEY}", (account, region, id))  # noqa: S608  constants
        return None if row is None else _decode(row[0])

    async def listed(self, account: str, region: str, after: str, limit: int) -> list[str]:
        """Ids in their order, beginning after one."""
        rows = await self.db.read(
            "SELECT id FROM kms_key WHERE account = $1 AND region = $2 AND id > $3 ORDER BY id LIMIT $4",
            (account, region, after, limit),
        )
        return [id for (id,) in rows]

    async def related(self, key: Key) -> list[Key]:
        """A multi-region key in every region it is in; any other key alone."""
        return await related(self.db, key) if key.multi_region else [key]

    async def due(self, now: float) -> list[Key]:
        rows = await self.db.read("SELECT body FROM kms_key WHERE due <= $1 ORDER BY due LIMIT 100", (now,))
        return [_decode(body) for (body,) in rows]

    async def next_due(self) -> float | None:
        row = await self.db.read_one("SELECT due FROM kms_key WHERE due IS NOT NULL ORDER BY due LIMIT 1")
        return None if row is None else row[0]

    async def policy(self, account: str, region: str, id: str) -> str | None:
        row = await self.db.read_one(f"SELECT policy FROM kms_key {_OF_KEY}", (account, region, id))  # noqa: S608  constants
        return None if row is None else row[0]

    async def set_policy(self, key: Key, policy: str) -> None:
        await self.db.write(f"UPDATE kms_key SET policy = $4 {_OF_KEY}", (*_place(key), policy))  # noqa: S608  constants

    async def materials(self, key: Key) -> list[Material]:
        """All, in the order they came."""
        rows = await self.db.read(
            "SELECT body FROM kms_material WHERE account = $1 AND region = $2 AND key_id = $3 ORDER BY number",
            _place(key),
        )
        return [_decode_material(body) for (body,) in rows]

    async def add(self, key: Key, policy: str, materials: Iterable[Material]) -> None:
        async with self.db.transaction() as tx:
            await add(tx, key, policy, materials)

    async def edit(self, key: Key, change: Callable[[Key], Key]) -> Key:
        """Change a key, in one step with reading it; what `change` raises leaves it as it was. Raises NotFoundException."""
        async with self.db.transaction() as tx:
            changed = change(await locked(tx, key))
            await put(tx, changed)
        return changed

    async def remove(self, key: Key, now: float) -> bool:
        """Delete a key whose time has come, with all that is its own; False when its deletion was cancelled meanwhile.

        The window of a primary that waits to be deleted begins, in the same step, when this was its last replica.
        """
        async with self.db.transaction() as tx:
            row = await tx.read(f"SELECT body FROM kms_key {_OF_KEY}", _place(key))  # noqa: S608  constants
            if not row:
                return False
            found = await locked(tx, key)
            if found.state != PENDING_DELETION or found.deletion is None or found.deletion > now:
                return False
            for part in _PARTS:
                await tx.write(f"DELETE FROM {part}", _place(key))  # noqa: S608  constants
            await tx.write(f"DELETE FROM kms_key {_OF_KEY}", _place(key))  # noqa: S608  constants
            if found.multi_region == REPLICA:
                await _replica_gone(tx, found, now)
        return True


async def _replica_gone(tx: Transaction, gone: Key, now: float) -> None:
    left = await related(tx, gone)
    if any(key.multi_region == REPLICA for key in left):
        return
    for key in left:
        if key.state == PENDING_REPLICAS:
            await put(tx, replace(key, state=PENDING_DELETION, deletion=now + key.window * DAY))


async def related(source: Database | Transaction, key: Key) -> list[Key]:
    """A multi-region key in every region it is in, in the order of their names."""
    rows = await source.read(
        "SELECT body FROM kms_key WHERE account = $1 AND id = $2 ORDER BY region", (key.account, key.id)
    )
    return [_decode(body) for (body,) in rows]


async def add(tx: Transaction, key: Key, policy: str, materials: Iterable[Material]) -> None:
    """Raises Conflict when the key is there already."""
    await tx.write(
        "INSERT INTO kms_key (account, region, id, body, policy, due) VALUES ($1, $2, $3, $4, $5, $6)",
        (*_place(key), _encode(key), policy, key.due),
    )
    for material in materials:
        await put_material(tx, key, material)


async def locked(tx: Transaction, key: Key) -> Key:
    """The key as it is now; nobody else changes it until the transaction ends. Raises NotFoundException."""
    rows = await tx.write(f"UPDATE kms_key SET id = id {_OF_KEY} RETURNING body", _place(key))  # noqa: S608  constants
    if not rows:
        raise not_found(Name(*_place(key)))
    return _decode(rows[0][0])


async def put(tx: Transaction, key: Key) -> None:
    await tx.write(f"UPDATE kms_key SET body = $4, due = $5 {_OF_KEY}", (*_place(key), _encode(key), key.due))  # noqa: S608  constants


async def put_material(tx: Transaction, key: Key, material: Material) -> None:
    """Add or replace one."""
    await tx.write(
        "INSERT INTO kms_material (account, region, key_id, number, body) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (account, region, key_id, number) DO UPDATE SET body = $5",
        (*_place(key), material.number, _encode(material)),
    )


async def materials_of(tx: Transaction, key: Key) -> list[Material]:
    """All material of a key, within a transaction."""
    rows = await tx.read(
        "SELECT body FROM kms_material WHERE account = $1 AND region = $2 AND key_id = $3 ORDER BY number", _place(key)
    )
    return [_decode_material(body) for (body,) in rows]

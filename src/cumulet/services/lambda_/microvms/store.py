"""Every query of MicroVMs and their images. Documents are msgspec's JSON of the model's structs."""
# ruff: noqa: S608  what is put together here are constants of this file

from typing import Protocol

import msgspec

from cumulet.services.lambda_.microvms.model import IN_PROGRESS, PENDING, TERMINATED, Image, Microvm, Version
from cumulet.services.lambda_.microvms.names import ImageKey
from cumulet.storage.database import Database, Row, Transaction, Values

_KEY = "account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL"
_IMAGE = "account = $1 AND region = $2 AND name = $3"

SCHEMA = (
    f"CREATE TABLE microvm_image ({_KEY}, document BYTEA NOT NULL, PRIMARY KEY (account, region, name))",
    f"""CREATE TABLE microvm_version ({_KEY}, number BIGINT NOT NULL, state TEXT NOT NULL, document BYTEA NOT NULL,
        PRIMARY KEY (account, region, name, number))""",
    """CREATE TABLE microvm (id TEXT PRIMARY KEY, account TEXT NOT NULL, region TEXT NOT NULL, started DOUBLE PRECISION NOT NULL,
        state TEXT NOT NULL, document BYTEA NOT NULL)""",
    "CREATE INDEX microvm_place ON microvm (account, region, started)",
)

_images = msgspec.json.Decoder(Image)
_versions = msgspec.json.Decoder(Version)
_microvms = msgspec.json.Decoder(Microvm)
_encode = msgspec.json.encode


class Reader(Protocol):
    """A database or a transaction."""

    async def read(self, sql: str, values: Values = ()) -> list[Row]: ...


class MicrovmStore:
    """Readers take `within`, a transaction that is to see its own changes."""

    def __init__(self, db: Database) -> None:
        self._db = db

    # Images

    async def image(self, key: ImageKey, within: Reader | None = None) -> Image | None:
        rows = await (within or self._db).read(f"SELECT document FROM microvm_image WHERE {_IMAGE}", key)
        return _images.decode(rows[0][0]) if rows else None

    async def images(self, account: str, region: str, within: Reader | None = None) -> list[tuple[ImageKey, Image]]:
        """By name."""
        sql = "SELECT name, document FROM microvm_image WHERE account = $1 AND region = $2 ORDER BY name"
        rows = await (within or self._db).read(sql, (account, region))
        return [(ImageKey(account, region, name), _images.decode(document)) for name, document in rows]

    async def put_image(self, tx: Transaction, key: ImageKey, image: Image) -> None:
        await tx.write(
            """INSERT INTO microvm_image (account, region, name, document) VALUES ($1, $2, $3, $4)
               ON CONFLICT (account, region, name) DO UPDATE SET document = $4""",
            (*key, _encode(image)),
        )

    async def delete_image(self, tx: Transaction, key: ImageKey) -> None:
        """With its versions."""
        for table in ("microvm_image", "microvm_version"):
            await tx.write(f"DELETE FROM {table} WHERE {_IMAGE}", key)

    async def leaving(self, state: str) -> list[ImageKey]:
        """Images in that state."""
        rows = await self._db.read("SELECT account, region, name, document FROM microvm_image")
        return [ImageKey(*row[:3]) for row in rows if _images.decode(row[3]).state == state]

    # Versions

    async def versions(self, key: ImageKey, within: Reader | None = None) -> list[Version]:
        """Newest first."""
        sql = f"SELECT document FROM microvm_version WHERE {_IMAGE} ORDER BY number DESC"
        return [_versions.decode(row[0]) for row in await (within or self._db).read(sql, key)]

    async def version(self, key: ImageKey, number: str, within: Reader | None = None) -> Version | None:
        sql = f"SELECT document FROM microvm_version WHERE {_IMAGE} AND number = $4"
        rows = await (within or self._db).read(sql, (*key, _major(number)))
        found = _versions.decode(rows[0][0]) if rows else None
        return found if found is not None and found.number == number else None

    async def put_version(self, tx: Transaction, key: ImageKey, version: Version) -> None:
        await tx.write(
            """INSERT INTO microvm_version (account, region, name, number, state, document) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (account, region, name, number) DO UPDATE SET state = $5, document = $6""",
            (*key, _major(version.number), version.state, _encode(version)),
        )

    async def delete_version(self, tx: Transaction, key: ImageKey, number: str) -> None:
        await tx.write(f"DELETE FROM microvm_version WHERE {_IMAGE} AND number = $4", (*key, _major(number)))

    async def unfinished(self) -> list[tuple[ImageKey, str]]:
        """Versions that are being built."""
        sql = "SELECT account, region, name, document FROM microvm_version WHERE state IN ($1, $2)"
        rows = await self._db.read(sql, (PENDING, IN_PROGRESS))
        return [(ImageKey(*row[:3]), _versions.decode(row[3]).number) for row in rows]

    async def programs(self) -> list[Version]:
        """Every version of everybody."""
        return [_versions.decode(row[0]) for row in await self._db.read("SELECT document FROM microvm_version")]

    # MicroVMs

    async def microvm(self, id: str) -> Microvm | None:
        rows = await self._db.read("SELECT document FROM microvm WHERE id = $1", (id,))
        return _microvms.decode(rows[0][0]) if rows else None

    async def microvms(self, account: str, region: str) -> list[Microvm]:
        """Newest first."""
        sql = "SELECT document FROM microvm WHERE account = $1 AND region = $2 ORDER BY started DESC, id"
        return [_microvms.decode(row[0]) for row in await self._db.read(sql, (account, region))]

    async def put_microvm(self, tx: Transaction, vm: Microvm) -> None:
        await tx.write(
            """INSERT INTO microvm (id, account, region, started, state, document) VALUES ($1, $2, $3, $4, $5, $6)
               ON CONFLICT (id) DO UPDATE SET state = $5, document = $6""",
            (vm.id, vm.account, vm.region, vm.started, vm.state, _encode(vm)),
        )

    async def living(self) -> list[Microvm]:
        """Those that have not ended, as far as their rows tell."""
        rows = await self._db.read("SELECT document FROM microvm WHERE state <> $1", (TERMINATED,))
        return [_microvms.decode(row[0]) for row in rows]

    async def forget(self, tx: Transaction, account: str, region: str, before: float) -> None:
        """Those of an account that ended before that time."""
        sql = "SELECT id, document FROM microvm WHERE account = $1 AND region = $2 AND state = $3"
        for id, document in await tx.read(sql, (account, region, TERMINATED)):
            if (_microvms.decode(document).ended or 0.0) < before:
                await tx.write("DELETE FROM microvm WHERE id = $1", (id,))


def _major(number: str) -> int:
    """The number by which versions are sorted: 3 of 3.0."""
    major = number.partition(".")[0]
    return int(major) if major.isascii() and major.isdigit() and len(major) < 10 else -1

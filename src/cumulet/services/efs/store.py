"""The tables of EFS, and the queries on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from cumulet.services.efs.errors import no_access_point, no_file_system, no_mount_target
from cumulet.services.efs.model import AccessPoint, FileSystem, MountTarget, Place
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE efs_file_system (
        account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, token TEXT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (account, region, id))""",
    "CREATE UNIQUE INDEX efs_file_system_token ON efs_file_system (account, region, token)",
    """CREATE TABLE efs_mount_target (
        account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, file_system TEXT NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (account, region, id))""",
    "CREATE INDEX efs_mount_target_of ON efs_mount_target (file_system, id)",
    """CREATE TABLE efs_access_point (
        account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, file_system TEXT NOT NULL, token TEXT NOT NULL,
        body TEXT NOT NULL, PRIMARY KEY (account, region, id))""",
    "CREATE INDEX efs_access_point_of ON efs_access_point (file_system, id)",
    "CREATE UNIQUE INDEX efs_access_point_token ON efs_access_point (account, region, token)",
)

_file_system = msgspec.json.Decoder(FileSystem).decode
_mount_target = msgspec.json.Decoder(MountTarget).decode
_access_point = msgspec.json.Decoder(AccessPoint).decode
_T = TypeVar("_T", FileSystem, MountTarget, AccessPoint)


def _encode(value: Struct) -> str:
    return msgspec.json.encode(value).decode()


class Store(Struct, frozen=True):
    """Everything, as bodies in JSON. Mount targets whose end has come are still there: see `purge`."""

    db: Database

    # File systems

    async def file_system(self, place: Place, id: str, tx: Transaction | None = None) -> FileSystem | None:
        rows = await (tx or self.db).read(
            "SELECT body FROM efs_file_system WHERE account = $1 AND region = $2 AND id = $3",
            (place.account, place.region, id),
        )
        return _file_system(rows[0][0]) if rows else None

    async def file_systems(self, place: Place) -> list[FileSystem]:
        """In the order of their ids."""
        rows = await self.db.read(
            "SELECT body FROM efs_file_system WHERE account = $1 AND region = $2 ORDER BY id",
            (place.account, place.region),
        )
        return [_file_system(body) for (body,) in rows]

    async def all_file_systems(self) -> list[FileSystem]:
        return [_file_system(body) for (body,) in await self.db.read("SELECT body FROM efs_file_system")]

    async def of_token(self, tx: Transaction, place: Place, token: str) -> FileSystem | None:
        rows = await tx.read(
            "SELECT body FROM efs_file_system WHERE account = $1 AND region = $2 AND token = $3",
            (place.account, place.region, token),
        )
        return _file_system(rows[0][0]) if rows else None

    async def add_file_system(self, tx: Transaction, one: FileSystem) -> None:
        await tx.write(
            "INSERT INTO efs_file_system (account, region, id, token, body) VALUES ($1, $2, $3, $4, $5)",
            (one.place.account, one.place.region, one.id, one.token, _encode(one)),
        )

    async def edit_file_system(
        self, place: Place, id: str, change: Callable[[FileSystem], FileSystem], tx: Transaction | None = None
    ) -> FileSystem:
        """In one step with reading it; what `change` raises leaves it as it was. Raises FileSystemNotFound."""
        if tx is None:
            async with self.db.transaction() as own:
                return await self.edit_file_system(place, id, change, own)
        found = await self.file_system(place, id, tx)
        if found is None:
            raise no_file_system(id)
        changed = change(found)
        await tx.write(
            "UPDATE efs_file_system SET body = $4, token = $5 WHERE account = $1 AND region = $2 AND id = $3",
            (place.account, place.region, id, _encode(changed), changed.token),
        )
        return changed

    async def remove_file_system(self, one: FileSystem) -> None:
        """With its access points."""
        async with self.db.transaction() as tx:
            await tx.write("DELETE FROM efs_access_point WHERE file_system = $1", (one.id,))
            await tx.write("DELETE FROM efs_mount_target WHERE file_system = $1", (one.id,))
            await tx.write(
                "DELETE FROM efs_file_system WHERE account = $1 AND region = $2 AND id = $3",
                (one.place.account, one.place.region, one.id),
            )

    # Mount targets

    async def mount_target(self, place: Place, id: str) -> MountTarget | None:
        row = await self.db.read_one(
            "SELECT body FROM efs_mount_target WHERE account = $1 AND region = $2 AND id = $3",
            (place.account, place.region, id),
        )
        return None if row is None else _mount_target(row[0])

    async def mount_targets(self, file_system: str, tx: Transaction | None = None) -> list[MountTarget]:
        rows = await (tx or self.db).read(
            "SELECT body FROM efs_mount_target WHERE file_system = $1 ORDER BY id", (file_system,)
        )
        return [_mount_target(body) for (body,) in rows]

    async def counts(self, place: Place, now: float) -> dict[str, int]:
        """Mount targets by file system."""
        found: dict[str, int] = {}
        for (body,) in await self.db.read(
            "SELECT body FROM efs_mount_target WHERE account = $1 AND region = $2", (place.account, place.region)
        ):
            one = _mount_target(body)
            if not one.is_gone(now):
                found[one.file_system] = found.get(one.file_system, 0) + 1
        return found

    async def put_mount_target(self, tx: Transaction, one: MountTarget) -> None:
        await tx.write(
            "INSERT INTO efs_mount_target (account, region, id, file_system, body) VALUES ($1, $2, $3, $4, $5) "
            "ON CONFLICT (account, region, id) DO UPDATE SET body = $5",
            (one.place.account, one.place.region, one.id, one.file_system, _encode(one)),
        )

    async def edit_mount_target(
        self, place: Place, id: str, change: Callable[[MountTarget], MountTarget]
    ) -> MountTarget:
        """Raises MountTargetNotFound."""
        async with self.db.transaction() as tx:
            rows = await tx.read(
                "SELECT body FROM efs_mount_target WHERE account = $1 AND region = $2 AND id = $3",
                (place.account, place.region, id),
            )
            if not rows:
                raise no_mount_target(id)
            changed = change(_mount_target(rows[0][0]))
            await self.put_mount_target(tx, changed)
        return changed

    async def purge(self, tx: Transaction, gone: list[MountTarget]) -> None:
        for one in gone:
            await tx.write(
                "DELETE FROM efs_mount_target WHERE account = $1 AND region = $2 AND id = $3",
                (one.place.account, one.place.region, one.id),
            )

    # Access points

    async def access_point(self, place: Place, id: str) -> AccessPoint | None:
        row = await self.db.read_one(
            "SELECT body FROM efs_access_point WHERE account = $1 AND region = $2 AND id = $3",
            (place.account, place.region, id),
        )
        return None if row is None else _access_point(row[0])

    async def access_points(
        self, place: Place, file_system: str | None = None, tx: Transaction | None = None
    ) -> list[AccessPoint]:
        """Of one file system, or all; in the order of their ids."""
        rows = await (tx or self.db).read(
            "SELECT body FROM efs_access_point WHERE account = $1 AND region = $2 AND file_system = $3 ORDER BY id"
            if file_system is not None
            else "SELECT body FROM efs_access_point WHERE account = $1 AND region = $2 ORDER BY id",
            (place.account, place.region, *(() if file_system is None else (file_system,))),
        )
        return [_access_point(body) for (body,) in rows]

    async def access_point_of_token(self, tx: Transaction, place: Place, token: str) -> AccessPoint | None:
        rows = await tx.read(
            "SELECT body FROM efs_access_point WHERE account = $1 AND region = $2 AND token = $3",
            (place.account, place.region, token),
        )
        return _access_point(rows[0][0]) if rows else None

    async def add_access_point(self, tx: Transaction, one: AccessPoint) -> None:
        values: tuple[Any, ...] = (
            one.place.account,
            one.place.region,
            one.id,
            one.file_system,
            one.token,
            _encode(one),
        )
        await tx.write(
            "INSERT INTO efs_access_point (account, region, id, file_system, token, body) "
            "VALUES ($1, $2, $3, $4, $5, $6)",
            values,
        )

    async def edit_access_point(
        self, place: Place, id: str, change: Callable[[AccessPoint], AccessPoint]
    ) -> AccessPoint:
        """Raises AccessPointNotFound."""
        async with self.db.transaction() as tx:
            rows = await tx.read(
                "SELECT body FROM efs_access_point WHERE account = $1 AND region = $2 AND id = $3",
                (place.account, place.region, id),
            )
            if not rows:
                raise no_access_point(id)
            changed = change(_access_point(rows[0][0]))
            await tx.write(
                "UPDATE efs_access_point SET body = $4 WHERE account = $1 AND region = $2 AND id = $3",
                (place.account, place.region, id, _encode(changed)),
            )
        return changed

    async def remove_access_point(self, place: Place, id: str) -> None:
        """Raises AccessPointNotFound."""
        async with self.db.transaction() as tx:
            rows = await tx.write(
                "DELETE FROM efs_access_point WHERE account = $1 AND region = $2 AND id = $3 RETURNING id",
                (place.account, place.region, id),
            )
            if not rows:
                raise no_access_point(id)

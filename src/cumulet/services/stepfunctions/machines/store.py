"""The tables of state machines and their revisions; versions and aliases have files of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from cumulet.services.stepfunctions.machines.alias_store import AliasStore
from cumulet.services.stepfunctions.machines.arns import machine_arn
from cumulet.services.stepfunctions.machines.model import (
    ACTIVE,
    DELETING,
    Content,
    Machine,
    Revision,
    Version,
    decode_content,
    encode_settings,
)
from cumulet.services.stepfunctions.machines.tag_store import TagStore
from cumulet.services.stepfunctions.machines.version_store import VersionStore
from cumulet.storage.database import Database, Row, Transaction

SCHEMA = (
    """CREATE TABLE sfn_machine (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL, partition TEXT NOT NULL,
        type TEXT NOT NULL, status TEXT NOT NULL, created DOUBLE PRECISION NOT NULL, revision BIGINT NOT NULL,
        published BIGINT NOT NULL, request TEXT NOT NULL, PRIMARY KEY (account, region, name))""",
    "CREATE UNIQUE INDEX sfn_machine_id ON sfn_machine (id)",
    """CREATE TABLE sfn_revision (
        machine TEXT NOT NULL, number BIGINT NOT NULL, revision_id TEXT NOT NULL, created DOUBLE PRECISION NOT NULL,
        definition TEXT NOT NULL, settings TEXT NOT NULL, PRIMARY KEY (machine, number))""",
)

_MACHINE = "id, partition, region, account, name, type, status, created, revision, published"
_REVISION = "machine, number, revision_id, created, definition, settings"
_SOUGHT = f"SELECT {_MACHINE} FROM sfn_machine WHERE account = $1 AND region = $2 AND name = $3"  # noqa: S608  constants


def _machine(row: Row) -> Machine:
    return Machine(*row)


def _revision(row: Row) -> Revision:
    machine, number, revision_id, created, definition, settings = row
    return Revision(machine, number, revision_id, created, decode_content(definition, settings))


class Changed(Struct, frozen=True):
    """What an update left: the machine, its current revision, and the version that was published, if one was."""

    machine: Machine
    revision: Revision
    version: Version | None


class Superseded(Struct, frozen=True):
    """A revision that is neither its machine's current one nor a version's. `arn` is the machine's."""

    machine: str
    number: int
    arn: str

    @property
    def key(self) -> str:
        """As executions name it."""
        return f"{self.machine}.{self.number}"

    @property
    def place(self) -> str:
        """Where it is in their order."""
        return f"{self.machine}.{self.number:020}"


class MachineStore(Struct, frozen=True):
    """Machines and revisions. A machine is created, updated and deleted in one transaction with what belongs to it."""

    db: Database
    versions: VersionStore
    aliases: AliasStore
    tags: TagStore

    @classmethod
    def on(cls, db: Database, most_versions: int) -> MachineStore:
        """All stores of machines, on one database."""
        versions = VersionStore(db, most_versions)
        return cls(db, versions, AliasStore(db, versions), TagStore(db))

    async def find(self, account: str, region: str, name: str) -> Machine | None:
        row = await self.db.read_one(_SOUGHT, (account, region, name))
        return None if row is None else _machine(row)

    async def by_id(self, id: str) -> Machine | None:
        row = await self.db.read_one(f"SELECT {_MACHINE} FROM sfn_machine WHERE id = $1", (id,))  # noqa: S608  constants
        return None if row is None else _machine(row)

    async def request(self, id: str) -> str:
        """How the machine's creation asked for a version: part of what makes a second creation the same."""
        row = await self.db.read_one("SELECT request FROM sfn_machine WHERE id = $1", (id,))
        return "" if row is None else str(row[0])

    async def revision(self, machine: str, number: int) -> Revision | None:
        row = await self.db.read_one(
            f"SELECT {_REVISION} FROM sfn_revision WHERE machine = $1 AND number = $2",  # noqa: S608  constants
            (machine, number),
        )
        return None if row is None else _revision(row)

    async def named(self, account: str, region: str, after: str, limit: int) -> list[Machine]:
        """Machines of a region in the order of their names, beginning after a name."""
        rows = await self.db.read(
            f"SELECT {_MACHINE} FROM sfn_machine WHERE account = $1 AND region = $2 AND name > $3 "  # noqa: S608  constants
            "ORDER BY name LIMIT $4",
            (account, region, after, limit),
        )
        return [_machine(row) for row in rows]

    async def count(self, account: str, region: str) -> int:
        row = await self.db.read_one(
            "SELECT COUNT(*) FROM sfn_machine WHERE account = $1 AND region = $2", (account, region)
        )
        return int(row[0]) if row else 0

    async def add(
        self, machine: Machine, revision: Revision, request: str, version: Version | None, tags: Mapping[str, str]
    ) -> tuple[bool, Machine]:
        """Add a machine unless its name is taken; gives whether it was added, and the machine of that name."""
        async with self.db.transaction() as tx:
            rows = await tx.read(_SOUGHT, (machine.account, machine.region, machine.name))
            if rows:
                return False, _machine(rows[0])
            await tx.write(
                f"INSERT INTO sfn_machine ({_MACHINE}, request) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",  # noqa: S608  constants
                (
                    *(machine.id, machine.partition, machine.region, machine.account, machine.name, machine.type),
                    *(machine.status, machine.created, machine.revision, machine.published, request),
                ),
            )
            await _add_revision(tx, revision)
            if version is not None:
                await self.versions.add(tx, version)
            await self.tags.put(tx, machine.arn, tags)
        return True, machine

    async def update(
        self,
        machine: Machine,
        change: Callable[[Content], Content],
        revision_id: str,
        now: float,
        *,
        publish: str | None,
    ) -> Changed | None:
        """Change the content, in one step with reading it, and publish the outcome where `publish` is a description.

        A change that changes nothing makes no revision. None when the machine is gone. What `change` raises leaves all as it was.
        """
        async with self.db.transaction() as tx:
            found = await self._current(tx, machine)
            if found is None:
                return None
            machine, revision = found
            content = change(revision.content)
            if content != revision.content:
                revision = replace(
                    revision, number=revision.number + 1, revision_id=revision_id, created=now, content=content
                )
                await _add_revision(tx, revision)
                machine = replace(machine, revision=revision.number)
                await tx.write("UPDATE sfn_machine SET revision = $2 WHERE id = $1", (machine.id, revision.number))
            version = None
            if publish is not None:
                machine, version = await self._publish(tx, machine, revision, publish, now)
        return Changed(machine, revision, version)

    async def publish(
        self, machine: Machine, description: str, now: float, check: Callable[[Revision], None]
    ) -> Changed | None:
        """Publish the current revision, or find the version that it already is; `check` may refuse it by raising."""
        async with self.db.transaction() as tx:
            found = await self._current(tx, machine)
            if found is None:
                return None
            machine, revision = found
            check(revision)
            machine, version = await self._publish(tx, machine, revision, description, now)
        return Changed(machine, revision, version)

    async def mark_deleting(self, machine: Machine) -> None:
        """No more executions can begin."""
        await self.db.write("UPDATE sfn_machine SET status = $2 WHERE id = $1", (machine.id, DELETING))

    async def remove(self, machine: Machine) -> None:
        """Forget the machine and all that belongs to it."""
        async with self.db.transaction() as tx:
            await tx.write("DELETE FROM sfn_machine WHERE id = $1", (machine.id,))
            await tx.write("DELETE FROM sfn_revision WHERE machine = $1", (machine.id,))
            await self.versions.remove_all(tx, machine.id)
            await self.aliases.remove_all(tx, machine.id)
            await self.tags.put(tx, machine.arn, {})

    async def deleting(self) -> list[Machine]:
        """Machines whose deletion waits for their executions to end."""
        rows = await self.db.read(f"SELECT {_MACHINE} FROM sfn_machine WHERE status = $1", (DELETING,))  # noqa: S608  constants
        return [_machine(row) for row in rows]

    async def superseded(self, after: str, limit: int) -> list[Superseded]:
        """Revisions that only executions may still name, in the order of their places, beginning after one."""
        machine, _, number = after.partition(".")
        rows = await self.db.read(
            "SELECT r.machine, r.number, m.partition, m.region, m.account, m.name FROM sfn_revision r "
            "JOIN sfn_machine m ON m.id = r.machine WHERE (r.machine > $1 OR (r.machine = $1 AND r.number > $2)) "
            "AND r.number < m.revision "
            "AND NOT EXISTS (SELECT 1 FROM sfn_version v WHERE v.machine = r.machine AND v.revision = r.number) "
            "ORDER BY r.machine, r.number LIMIT $3",
            (machine, int(number or 0), limit),
        )
        return [Superseded(row[0], row[1], machine_arn(*row[2:])) for row in rows]

    async def forget(self, revisions: Sequence[Superseded]) -> None:
        """Delete revisions."""
        async with self.db.transaction() as tx:
            for each in revisions:
                await tx.write(
                    "DELETE FROM sfn_revision WHERE machine = $1 AND number = $2", (each.machine, each.number)
                )

    async def _current(self, tx: Transaction, machine: Machine) -> tuple[Machine, Revision] | None:
        rows = await tx.read(
            f"SELECT {_MACHINE} FROM sfn_machine WHERE id = $1 AND status = $2",  # noqa: S608  constants
            (machine.id, ACTIVE),
        )
        if not rows:
            return None
        found = _machine(rows[0])
        revisions = await tx.read(
            f"SELECT {_REVISION} FROM sfn_revision WHERE machine = $1 AND number = $2",  # noqa: S608  constants
            (found.id, found.revision),
        )
        return found, _revision(revisions[0])

    async def _publish(
        self, tx: Transaction, machine: Machine, revision: Revision, description: str, now: float
    ) -> tuple[Machine, Version]:
        held = await self.versions.of_revision(tx, machine.id, revision.number)
        if held is not None:
            return machine, held
        await self.versions.check_room(tx, machine)
        version = Version(machine.id, machine.published + 1, revision.number, description, now)
        await self.versions.add(tx, version)
        await tx.write("UPDATE sfn_machine SET published = $2 WHERE id = $1", (machine.id, version.number))
        return replace(machine, published=version.number), version


async def _add_revision(tx: Transaction, revision: Revision) -> None:
    await tx.write(
        f"INSERT INTO sfn_revision ({_REVISION}) VALUES ($1, $2, $3, $4, $5, $6)",  # noqa: S608  constants
        (
            *(revision.machine, revision.number, revision.revision_id, revision.created),
            *(revision.content.definition, encode_settings(revision.content)),
        ),
    )

"""The table of versions."""

from __future__ import annotations

from msgspec import Struct

from cumulet.api import stepfunctions as api
from cumulet.services.stepfunctions.machines.model import Machine, Version
from cumulet.storage.database import Database, Row, Transaction

SCHEMA = (
    """CREATE TABLE sfn_version (
        machine TEXT NOT NULL, number BIGINT NOT NULL, revision BIGINT NOT NULL, description TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL, PRIMARY KEY (machine, number))""",
    "CREATE INDEX sfn_version_revision ON sfn_version (machine, revision)",
)

_VERSION = "machine, number, revision, description, created"


def _version(row: Row) -> Version:
    return Version(*row)


class VersionStore(Struct, frozen=True):
    """Versions, each a published revision. `most` is how many a machine may have."""

    db: Database
    most: int = 1000

    async def find(self, machine: str, number: int) -> Version | None:
        row = await self.db.read_one(
            f"SELECT {_VERSION} FROM sfn_version WHERE machine = $1 AND number = $2",  # noqa: S608  constants
            (machine, number),
        )
        return None if row is None else _version(row)

    async def newest(self, machine: str, before: int, limit: int) -> list[Version]:
        """Versions from the newest on, beginning with those below a number."""
        rows = await self.db.read(
            f"SELECT {_VERSION} FROM sfn_version WHERE machine = $1 AND number < $2 ORDER BY number DESC LIMIT $3",  # noqa: S608  constants
            (machine, before, limit),
        )
        return [_version(row) for row in rows]

    async def of_revision(self, tx: Transaction, machine: str, revision: int) -> Version | None:
        """The version that a revision was published as."""
        rows = await tx.read(
            f"SELECT {_VERSION} FROM sfn_version WHERE machine = $1 AND revision = $2 ORDER BY number DESC",  # noqa: S608  constants
            (machine, revision),
        )
        return _version(rows[0]) if rows else None

    async def check_room(self, tx: Transaction, machine: Machine) -> None:
        """Raises ServiceQuotaExceededException when the machine has as many versions as it may."""
        rows = await tx.read("SELECT COUNT(*) FROM sfn_version WHERE machine = $1", (machine.id,))
        if rows[0][0] >= self.most:
            raise api.ServiceQuotaExceededException(
                f"The maximum number of versions has been reached for the state machine {machine.arn}."
            )

    async def add(self, tx: Transaction, version: Version) -> None:
        await tx.write(
            f"INSERT INTO sfn_version ({_VERSION}) VALUES ($1, $2, $3, $4, $5)",  # noqa: S608  constants
            (version.machine, version.number, version.revision, version.description, version.created),
        )

    async def remove(self, tx: Transaction, machine: str, number: int) -> None:
        await tx.write("DELETE FROM sfn_version WHERE machine = $1 AND number = $2", (machine, number))

    async def remove_all(self, tx: Transaction, machine: str) -> None:
        await tx.write("DELETE FROM sfn_version WHERE machine = $1", (machine,))

"""The table of aliases."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from cumulet.services.stepfunctions.machines.model import Alias, decode_routes, encode_routes
from cumulet.services.stepfunctions.machines.version_store import VersionStore
from cumulet.storage.database import Database, Row, Transaction

SCHEMA = (
    """CREATE TABLE sfn_alias (
        machine TEXT NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL, routes TEXT NOT NULL,
        created DOUBLE PRECISION NOT NULL, updated DOUBLE PRECISION NOT NULL, PRIMARY KEY (machine, name))""",
)

_ALIAS = "machine, name, description, routes, created, updated"


def _alias(row: Row) -> Alias:
    machine, name, description, routes, created, updated = row
    return Alias(machine, name, description, decode_routes(routes), created, updated)


class AliasStore(Struct, frozen=True):
    """Aliases, and the removal of versions: that asks whether an alias leads to one."""

    db: Database
    versions: VersionStore

    async def find(self, machine: str, name: str) -> Alias | None:
        row = await self.db.read_one(
            f"SELECT {_ALIAS} FROM sfn_alias WHERE machine = $1 AND name = $2",  # noqa: S608  constants
            (machine, name),
        )
        return None if row is None else _alias(row)

    async def named(self, machine: str, after: str, limit: int) -> list[Alias]:
        """Aliases in the order of their names, beginning after one."""
        rows = await self.db.read(
            f"SELECT {_ALIAS} FROM sfn_alias WHERE machine = $1 AND name > $2 ORDER BY name LIMIT $3",  # noqa: S608  constants
            (machine, after, limit),
        )
        return [_alias(row) for row in rows]

    async def change(
        self, machine: str, name: str, change: Callable[[Alias | None, list[Alias]], Alias | None]
    ) -> Alias | None:
        """Put what `change` makes of an alias (None where there is none) and of all of them; None removes it.

        What it raises leaves all as it was.
        """
        async with self.db.transaction() as tx:
            held = await self._all(tx, machine)
            found = change(next((alias for alias in held if alias.name == name), None), held)
            if found is None:
                await tx.write("DELETE FROM sfn_alias WHERE machine = $1 AND name = $2", (machine, name))
            else:
                await tx.write(
                    f"INSERT INTO sfn_alias ({_ALIAS}) VALUES ($1, $2, $3, $4, $5, $6) "  # noqa: S608  constants
                    "ON CONFLICT (machine, name) DO UPDATE SET description = $3, routes = $4, updated = $6",
                    (
                        *(found.machine, found.name, found.description),
                        *(encode_routes(found.routes), found.created, found.updated),
                    ),
                )
        return found

    async def remove_version(self, machine: str, number: int, check: Callable[[list[str]], None]) -> None:
        """Remove a version; `check` gets the names of the aliases that lead to it, and may refuse by raising."""
        async with self.db.transaction() as tx:
            held = await self._all(tx, machine)
            check([alias.name for alias in held if any(route.version == number for route in alias.routes)])
            await self.versions.remove(tx, machine, number)

    async def remove_all(self, tx: Transaction, machine: str) -> None:
        await tx.write("DELETE FROM sfn_alias WHERE machine = $1", (machine,))

    async def _all(self, tx: Transaction, machine: str) -> list[Alias]:
        rows = await tx.read(f"SELECT {_ALIAS} FROM sfn_alias WHERE machine = $1 ORDER BY name", (machine,))  # noqa: S608  constants
        return [_alias(row) for row in rows]

"""Every query of customer-managed runtimes: runtimes, versions and aliases are rows of one table, by kind."""
# ruff: noqa: S608  what is put together here are constants of this file

from typing import TypeVar

import msgspec

from cumulet.services.lambda_.custom.model import CustomRuntime, Item, RuntimeAlias, RuntimeKey, RuntimeVersion
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE lambda_custom_runtime (account TEXT NOT NULL, region TEXT NOT NULL, runtime TEXT NOT NULL,
       kind TEXT NOT NULL, name TEXT NOT NULL, document BYTEA NOT NULL,
       PRIMARY KEY (account, region, runtime, kind, name))""",
)
_OF = "account = $1 AND region = $2 AND runtime = $3 AND kind = $4"
_KINDS: dict[type[Item], str] = {CustomRuntime: "runtime", RuntimeVersion: "version", RuntimeAlias: "alias"}

I = TypeVar("I", bound=Item)  # noqa: E741  an item


class RuntimeStore:
    """What is due to be deleted at `now` is not there any more. A runtime's own row has an empty name."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def get(
        self, kind: type[I], key: RuntimeKey, name: str, now: float, within: Transaction | None = None
    ) -> I | None:
        rows = await (within or self._db).read(
            f"SELECT document FROM lambda_custom_runtime WHERE {_OF} AND name = $5", (*key, _KINDS[kind], name)
        )
        found = msgspec.json.decode(rows[0][0], type=kind) if rows else None
        return None if found is None or _over(found, now) else found

    async def all_of(
        self, kind: type[I], key: RuntimeKey, now: float, within: Transaction | None = None
    ) -> list[tuple[str, I]]:
        """A runtime's versions or aliases, by name."""
        rows = await (within or self._db).read(
            f"SELECT name, document FROM lambda_custom_runtime WHERE {_OF} ORDER BY name", (*key, _KINDS[kind])
        )
        found = [(name, msgspec.json.decode(document, type=kind)) for name, document in rows]
        return [(name, item) for name, item in found if not _over(item, now)]

    async def runtimes(self, account: str, region: str, now: float) -> list[tuple[RuntimeKey, CustomRuntime]]:
        """By name."""
        rows = await self._db.read(
            """SELECT runtime, document FROM lambda_custom_runtime
               WHERE account = $1 AND region = $2 AND kind = 'runtime' ORDER BY runtime""",
            (account, region),
        )
        found = [
            (RuntimeKey(account, region, name), msgspec.json.decode(text, type=CustomRuntime)) for name, text in rows
        ]
        return [(key, runtime) for key, runtime in found if not _over(runtime, now)]

    async def versions(self, now: float) -> list[tuple[RuntimeKey, str, RuntimeVersion]]:
        """Everybody's."""
        rows = await self._db.read(
            "SELECT account, region, runtime, name, document FROM lambda_custom_runtime WHERE kind = 'version'"
        )
        found = [(RuntimeKey(*row[:3]), row[3], msgspec.json.decode(row[4], type=RuntimeVersion)) for row in rows]
        return [one for one in found if not _over(one[2], now)]

    async def put(self, tx: Transaction, key: RuntimeKey, name: str, item: Item) -> None:
        await tx.write(
            """INSERT INTO lambda_custom_runtime (account, region, runtime, kind, name, document)
               VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (account, region, runtime, kind, name)
               DO UPDATE SET document = $6""",
            (*key, _KINDS[type(item)], name, msgspec.json.encode(item)),
        )


def _over(item: Item, now: float) -> bool:
    return item.due is not None and item.due <= now

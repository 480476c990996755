"""A table of things that an account has in a region, whole in one column: API keys, usage plans, certificates and so on."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from cumulet.storage.database import Database, Row, Transaction

T = TypeVar("T", bound=Struct)

_OWNER = "account = $1 AND region = $2"


def schema(table: str) -> tuple[str, ...]:
    """The statements that make such a table. `alias` is a second name, unique where it is not empty; `place` orders lists."""
    return (
        f"""CREATE TABLE {table} (
            account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, alias TEXT NOT NULL, place TEXT NOT NULL,
            body BYTEA NOT NULL, PRIMARY KEY (account, region, id))""",
        f"CREATE UNIQUE INDEX {table}_alias ON {table} (account, region, alias) WHERE alias <> ''",
        f"CREATE UNIQUE INDEX {table}_place ON {table} (account, region, place)",
    )


class OwnedStore(Generic[T]):
    """Things by owner and id. `kind` gives their struct, which is made when it is first needed."""

    def __init__(self, db: Database, table: str, kind: Callable[[], type[T]]) -> None:
        self._db = db
        self._table = table
        self._kind = kind

    @cached_property
    def _decode(self) -> Callable[[bytes], T]:
        return msgspec.json.Decoder(self._kind()).decode

    async def get(self, account: str, region: str, id: str, within: Transaction | None = None) -> T | None:
        return self._first(await self._read(within, f"{_OWNER} AND id = $3", (account, region, id)))

    async def by_alias(self, account: str, region: str, alias: str, within: Transaction | None = None) -> T | None:
        return self._first(await self._read(within, f"{_OWNER} AND alias = $3", (account, region, alias)))

    async def put(
        self, tx: Transaction, account: str, region: str, id: str, thing: T, *, alias: str = "", place: str = ""
    ) -> None:
        """Add or replace; `alias` and `place` stay as they were when it was added. Raises Conflict when another has that alias."""
        await tx.write(
            f"INSERT INTO {self._table} (account, region, id, alias, place, body) VALUES ($1, $2, $3, $4, $5, $6) "  # noqa: S608  a constant of ours, here and below
            "ON CONFLICT (account, region, id) DO UPDATE SET body = $6",
            (account, region, id, alias, place or id, msgspec.json.encode(thing)),
        )

    async def delete(self, tx: Transaction, account: str, region: str, id: str) -> bool:
        """Tells whether it was there."""
        sql = f"DELETE FROM {self._table} WHERE {_OWNER} AND id = $3 RETURNING id"  # noqa: S608
        return bool(await tx.write(sql, (account, region, id)))

    async def page(
        self, account: str, region: str, after: str = "", limit: int = -1, within: Transaction | None = None
    ) -> list[T]:
        """In the order of their places, those after a place."""
        return [thing for _, thing in await self.placed(account, region, after, limit, within)]

    async def placed(
        self, account: str, region: str, after: str = "", limit: int = -1, within: Transaction | None = None
    ) -> list[tuple[str, T]]:
        """The same, with their places."""
        sql = f"SELECT place, body FROM {self._table} WHERE {_OWNER} AND place > $3 ORDER BY place"  # noqa: S608
        values: tuple[Any, ...] = (account, region, after)
        rows = await (within or self._db).read(*((sql, values) if limit < 0 else (f"{sql} LIMIT $4", (*values, limit))))
        return [(place, self._decode(body)) for place, body in rows]

    async def count(self, account: str, region: str, within: Transaction | None = None) -> int:
        sql = f"SELECT COUNT(*) FROM {self._table} WHERE {_OWNER}"  # noqa: S608
        return int((await (within or self._db).read(sql, (account, region)))[0][0])

    async def _read(self, within: Transaction | None, where: str, values: tuple[Any, ...]) -> list[Row]:
        return await (within or self._db).read(f"SELECT body FROM {self._table} WHERE {where}", values)  # noqa: S608

    def _first(self, rows: list[Row]) -> T | None:
        return self._decode(rows[0][0]) if rows else None

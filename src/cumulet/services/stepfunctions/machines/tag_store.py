"""The table of tags: those of state machines and of activities."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Struct

from cumulet.storage.database import Database, Transaction

SCHEMA = ("CREATE TABLE sfn_tags (arn TEXT PRIMARY KEY, tags TEXT NOT NULL)",)

_decode = msgspec.json.Decoder(dict[str, str]).decode


class TagStore(Struct, frozen=True):
    """Tags by the ARN of what has them. A resource without tags has no row."""

    db: Database

    async def find(self, arn: str) -> dict[str, str]:
        row = await self.db.read_one("SELECT tags FROM sfn_tags WHERE arn = $1", (arn,))
        return {} if row is None else _decode(row[0])

    async def put(self, tx: Transaction, arn: str, tags: Mapping[str, str]) -> None:
        """In the transaction that makes or removes the resource; none for no tags."""
        if not tags:
            await tx.write("DELETE FROM sfn_tags WHERE arn = $1", (arn,))
            return
        await tx.write(
            "INSERT INTO sfn_tags (arn, tags) VALUES ($1, $2) ON CONFLICT (arn) DO UPDATE SET tags = $2",
            (arn, msgspec.json.encode(tags).decode()),
        )

    async def edit(self, arn: str, change: Callable[[dict[str, str]], Mapping[str, str]]) -> None:
        """Change the tags in one step with reading them; what `change` raises leaves them as they were."""
        async with self.db.transaction() as tx:
            rows = await tx.read("SELECT tags FROM sfn_tags WHERE arn = $1", (arn,))
            await self.put(tx, arn, change(_decode(rows[0][0]) if rows else {}))

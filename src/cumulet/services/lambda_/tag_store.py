"""The tags of what is not a function, by ARN, and who knows whether such a thing exists."""

from collections.abc import Awaitable, Callable

import msgspec

from cumulet.kernel.call import Call
from cumulet.storage.database import Database, Transaction

SCHEMA = ("CREATE TABLE lambda_tags (arn TEXT PRIMARY KEY, document BYTEA NOT NULL)",)

Check = Callable[[Call, str, Transaction | None], Awaitable[None]]
"""Takes the caller and an ARN; raises ResourceNotFoundException when there is no such thing."""

_decode = msgspec.json.Decoder(dict[str, str]).decode


class TagStore:
    """`kinds` is filled by the nouns that can have tags: by the part of their ARNs that tells them
    (`event-source-mapping`). They call `put` when something is made with tags, and `put` none when it is deleted."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self.kinds: dict[str, Check] = {}

    async def get(self, arn: str, within: Transaction | None = None) -> dict[str, str]:
        rows = await (within or self._db).read("SELECT document FROM lambda_tags WHERE arn = $1", (arn,))
        return _decode(rows[0][0]) if rows else {}

    async def put(self, tx: Transaction, arn: str, tags: dict[str, str]) -> None:
        """Replaces all tags."""
        if not tags:
            await tx.write("DELETE FROM lambda_tags WHERE arn = $1", (arn,))
            return
        await tx.write(
            "INSERT INTO lambda_tags (arn, document) VALUES ($1, $2) ON CONFLICT (arn) DO UPDATE SET document = $2",
            (arn, msgspec.json.encode(tags)),
        )

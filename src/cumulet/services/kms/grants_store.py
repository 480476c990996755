"""The queries on grants."""

import msgspec
from msgspec import Struct

from cumulet.services.kms.model import Key
from cumulet.storage.database import Database


class Grant(Struct, frozen=True):
    """What lets somebody use a key for some operations. Principals are ARNs, or names of services where `by_service`."""

    id: str
    key_id: str
    grantee: str
    operations: tuple[str, ...]
    created: float
    issuer: str
    name: str = ""
    retiring: str = ""
    subset: dict[str, str] | None = None
    equals: dict[str, str] | None = None
    source_arn: str = ""

    @property
    def same(self) -> tuple[object, ...]:
        """What makes two grants of one name one grant."""
        return (self.key_id, self.grantee, frozenset(self.operations), self.name, self.retiring, self.subset,
                self.equals, self.source_arn)  # fmt: skip


_decode = msgspec.json.Decoder(Grant).decode


class GrantStore(Struct, frozen=True):
    """Grants of keys. The ARN of a grant's key is its region's and account's."""

    db: Database

    async def add(self, key: Key, grant: Grant) -> None:
        await self.db.write(
            "INSERT INTO kms_grant (account, region, key_id, id, retiring, body) VALUES ($1, $2, $3, $4, $5, $6)",
            (key.account, key.region, key.id, grant.id, grant.retiring, msgspec.json.encode(grant).decode()),
        )

    async def find(self, key: Key, id: str) -> Grant | None:
        row = await self.db.read_one(
            "SELECT body FROM kms_grant WHERE account = $1 AND region = $2 AND key_id = $3 AND id = $4",
            (key.account, key.region, key.id, id),
        )
        return None if row is None else _decode(row[0])

    async def of_key(self, account: str, region: str, key_id: str) -> list[Grant]:
        """All, in the order of their ids."""
        rows = await self.db.read(
            "SELECT body FROM kms_grant WHERE account = $1 AND region = $2 AND key_id = $3 ORDER BY id",
            (account, region, key_id),
        )
        return [_decode(body) for (body,) in rows]

    async def retirable(self, account: str, region: str, principal: str) -> list[Grant]:
        """Those that a principal may retire, in the order of their ids."""
        rows = await self.db.read(
            "SELECT body FROM kms_grant WHERE account = $1 AND region = $2 AND retiring = $3 AND retiring <> '' ORDER BY id",
            (account, region, principal),
        )
        return [_decode(body) for (body,) in rows]

    async def remove(self, key: Key, id: str) -> bool:
        rows = await self.db.write(
            "DELETE FROM kms_grant WHERE account = $1 AND region = $2 AND key_id = $3 AND id = $4 RETURNING id",
            (key.account, key.region, key.id, id),
        )
        return bool(rows)

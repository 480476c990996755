"""Private keys of client certificates, apart from what answers show."""

from __future__ import annotations

from msgspec import Struct

from cumulet.storage.database import Database, Transaction
from cumulet.storage.seal import Seal

SCHEMA = (
    """CREATE TABLE apigateway_certificate_key (
        account TEXT NOT NULL, region TEXT NOT NULL, id TEXT NOT NULL, pem TEXT NOT NULL, PRIMARY KEY (account, region, id))""",
)


class CertificateKeyStore(Struct, frozen=True):
    """Private keys of client certificates, which no answer shows, sealed with the node's key."""

    db: Database
    seal: Seal

    async def get(self, account: str, region: str, id: str) -> str | None:
        """PEM, for the requests of integrations."""
        sql = "SELECT pem FROM apigateway_certificate_key WHERE account = $1 AND region = $2 AND id = $3"
        row = await self.db.read_one(sql, (account, region, id))
        return self.seal.open(row[0], id) if row else None

    async def add(self, tx: Transaction, account: str, region: str, id: str, pem: str) -> None:
        sql = "INSERT INTO apigateway_certificate_key (account, region, id, pem) VALUES ($1, $2, $3, $4)"
        await tx.write(sql, (account, region, id, self.seal.close(pem, id)))

    async def delete(self, tx: Transaction, account: str, region: str, id: str) -> None:
        sql = "DELETE FROM apigateway_certificate_key WHERE account = $1 AND region = $2 AND id = $3"
        await tx.write(sql, (account, region, id))

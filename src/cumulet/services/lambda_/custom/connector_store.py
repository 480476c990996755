"""Every query of network connectors: a row each."""

import msgspec

from cumulet.services.lambda_.custom.connector_model import Connector, ConnectorKey
from cumulet.storage.database import Database, Transaction

SCHEMA = (
    """CREATE TABLE lambda_connector (account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, id TEXT NOT NULL,
       document BYTEA NOT NULL, PRIMARY KEY (account, region, name))""",
    "CREATE INDEX lambda_connector_id ON lambda_connector (account, region, id)",
)

_decode = msgspec.json.Decoder(Connector).decode


class ConnectorStore:
    """By name, which an account has once in a region, or by id."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def start(self) -> None:
        await self._db.migrate("lambda_connectors", SCHEMA)

    async def get(self, key: ConnectorKey, within: Transaction | None = None) -> tuple[ConnectorKey, Connector] | None:
        """`key.name` may be the connector's id as well."""
        rows = await (within or self._db).read(
            """SELECT name, document FROM lambda_connector WHERE account = $1 AND region = $2 AND (name = $3 OR id = $3)
               ORDER BY name = $3 DESC""",
            key,
        )
        return (key._replace(name=rows[0][0]), _decode(rows[0][1])) if rows else None

    async def page(self, account: str, region: str, after: str) -> list[tuple[ConnectorKey, Connector]]:
        """Those with names above `after`, in their order."""
        rows = await self._db.read(
            "SELECT name, document FROM lambda_connector WHERE account = $1 AND region = $2 AND name > $3 ORDER BY name",
            (account, region, after),
        )
        return [(ConnectorKey(account, region, name), _decode(document)) for name, document in rows]

    async def put(self, tx: Transaction, key: ConnectorKey, connector: Connector) -> None:
        await tx.write(
            """INSERT INTO lambda_connector (account, region, name, id, document) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (account, region, name) DO UPDATE SET id = $4, document = $5""",
            (*key, connector.id, msgspec.json.encode(connector)),
        )

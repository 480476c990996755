"""The table of connections, and the queries on it."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec import Struct

from cumulet.services.events.model import Connection, Secrets
from cumulet.storage.database import Database
from cumulet.storage.seal import Seal

SCHEMA = (
    """CREATE TABLE events_connection (
        account TEXT NOT NULL, region TEXT NOT NULL, name TEXT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL,
        sealed TEXT NOT NULL, PRIMARY KEY (account, region, name))""",
    "CREATE INDEX events_connection_state ON events_connection (state) WHERE state = 'AUTHORIZING'",
)

_PLACE = "WHERE account = $1 AND region = $2 AND name = $3"
_connection = msgspec.json.Decoder(Connection).decode
_secrets = msgspec.json.Decoder(Secrets).decode

Change = Callable[[Connection, Secrets | None], tuple[Connection, Secrets | None] | None]


class Place(Struct, frozen=True):
    """Where a connection is: names are its account's and region's own."""

    account: str
    region: str
    name: str


class ConnectionStore(Struct, frozen=True):
    """Connections; `seal` is what their secrets are closed with."""

    db: Database
    seal: Seal

    async def find(self, place: Place) -> tuple[Connection, Secrets | None] | None:
        """The connection, and how it authorizes (None once it is deauthorized)."""
        row = await self.db.read_one(f"SELECT body, sealed FROM events_connection {_PLACE}", _key(place))  # noqa: S608  constants
        return None if row is None else (_connection(row[0]), self._opened(place, row[1]))

    async def add(self, place: Place, connection: Connection, secrets: Secrets, most: int) -> bool:
        """False where there are as many as there may be. Raises Conflict when the name is taken."""
        async with self.db.transaction() as tx:
            rows = await tx.read(
                "SELECT count(*) FROM events_connection WHERE account = $1 AND region = $2",
                (place.account, place.region),
            )
            if rows[0][0] >= most:
                return False
            await tx.write(
                "INSERT INTO events_connection (account, region, name, state, body, sealed) VALUES ($1, $2, $3, $4, $5, $6)",
                (*_key(place), connection.state, _text(connection), self._closed(place, secrets)),
            )
        return True

    async def edit(self, place: Place, change: Change) -> Connection | None:
        """Change one, in one step with reading it; None where it is not there, or `change` wants nothing to be done."""
        async with self.db.transaction() as tx:
            rows = await tx.read(f"SELECT body, sealed FROM events_connection {_PLACE}", _key(place))  # noqa: S608  constants
            changed = change(_connection(rows[0][0]), self._opened(place, rows[0][1])) if rows else None
            if changed is None:
                return None
            connection, secrets = changed
            await tx.write(
                f"UPDATE events_connection SET state = $4, body = $5, sealed = $6 {_PLACE}",  # noqa: S608  constants
                (*_key(place), connection.state, _text(connection), self._closed(place, secrets)),
            )
        return connection

    async def remove(self, place: Place) -> Connection | None:
        rows = await self.db.write(f"DELETE FROM events_connection {_PLACE} RETURNING body", _key(place))  # noqa: S608  constants
        return _connection(rows[0][0]) if rows else None

    async def listed(
        self, account: str, region: str, prefix: str, state: str | None, after: str, limit: int
    ) -> list[Connection]:
        """In the order of their names, beginning after one."""
        rows = await self.db.read(
            "SELECT body FROM events_connection WHERE account = $1 AND region = $2 AND name > $3 "
            "AND substr(name, 1, $4) = $5 AND ($6 = '' OR state = $6) ORDER BY name LIMIT $7",
            (account, region, after, len(prefix), prefix, state or "", limit),
        )
        return [_connection(body) for (body,) in rows]

    async def authorizing(self) -> list[Place]:
        """Those whose token is still to be asked for."""
        rows = await self.db.read("SELECT account, region, name FROM events_connection WHERE state = 'AUTHORIZING'")
        return [Place(*row) for row in rows]

    def _closed(self, place: Place, secrets: Secrets | None) -> str:
        return "" if secrets is None else self.seal.close(msgspec.json.encode(secrets).decode(), _whose(place))

    def _opened(self, place: Place, sealed: str) -> Secrets | None:
        return _secrets(self.seal.open(sealed, _whose(place))) if sealed else None


def _key(place: Place) -> tuple[str, str, str]:
    return place.account, place.region, place.name


def _whose(place: Place) -> str:
    return f"connection {place.account} {place.region} {place.name}"


def _text(connection: Connection) -> str:
    return msgspec.json.encode(connection).decode()

"""Tables by name, held in memory: every call on items begins with finding its table."""

from __future__ import annotations

from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.names import Place
from cumulet.services.dynamodb.store import TableStore
from cumulet.storage.signals import Signals

_TOPIC = "dynamodb-tables"
_MOST = 10_000


class Directory:
    """What the store says of tables. A change is announced once it is durable, and forgotten here by that."""

    def __init__(self, store: TableStore, signals: Signals) -> None:
        self._store = store
        self._signals = signals
        self._found: dict[Place, Table] = {}
        self._changes = 0
        signals.subscribe(_TOPIC, self._changed)

    def held(self, place: Place) -> Table | None:
        """The table if it is in memory: no more than a look."""
        return self._found.get(place)

    async def find(self, place: Place) -> Table | None:
        """The table of an account, a region and a name."""
        table = self._found.get(place)
        if table is not None:
            return table
        changes = self._changes
        table = await self._store.find(*place)
        if table is not None and changes == self._changes:
            if len(self._found) >= _MOST:
                self._found.clear()
            self._found[place] = table
        return table

    def changed(self, table: Table) -> None:
        """To be called once a change of a table is durable."""
        self._signals.publish(_TOPIC, f"{table.account}/{table.region}/{table.name}".encode())

    def _changed(self, payload: bytes) -> None:
        self._changes += 1
        account, region, name = payload.decode().split("/")
        self._found.pop((account, region, name), None)

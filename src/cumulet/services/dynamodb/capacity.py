"""ConsumedCapacity, counted as AWS counts them.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
"""

from __future__ import annotations

from collections.abc import Mapping

from cumulet.api import dynamodb as api
from cumulet.services.dynamodb.model import Table
from cumulet.services.dynamodb.rows import Stored, entry_address
from cumulet.services.dynamodb.values import Item
from cumulet.services.dynamodb.writing import projected

READ_UNIT, WRITE_UNIT = 4096, 1024


def wanted(given: str | None) -> bool:
    """Whether a request asks for its consumed capacity."""
    return given is not None and given != "NONE"


def read_units(size: int, *, consistent: bool) -> float:
    """Units that reading so many bytes takes; nothing found takes as much as something small."""
    units = max(1, -(-size // READ_UNIT))
    return float(units) if consistent else units / 2


def write_units(old: Stored | None, new: Stored | None) -> float:
    """Units that a write takes: those of the larger of what was there and what is."""
    size = max(old.size if old else 0, new.size if new else 0)
    return float(max(1, -(-size // WRITE_UNIT)))


class Consumed:
    """What one request consumed of one table. `kind`: READ or WRITE is told apart in answers of transactions alone."""

    __slots__ = ("indexes", "table", "units", "vectors")

    def __init__(self, table: Table) -> None:
        self.table = table
        self.units = 0.0
        self.indexes: dict[str, float] = {}
        self.vectors: dict[str, float] = {}

    def add(self, units: float, indexes: Mapping[str, float] | None = None) -> None:
        self.units += units
        for name, more in (indexes or {}).items():
            self.indexes[name] = self.indexes.get(name, 0.0) + more

    def add_vectors(self, written: Mapping[str, float]) -> None:
        """VectorWriteRequestBytes by vector index."""
        for name, more in written.items():
            self.vectors[name] = self.vectors.get(name, 0.0) + more

    def shown(self, given: str | None, *, kind: str = "", name: str = "") -> api.ConsumedCapacity | None:
        """The answer's member, as the request asks for it. `kind` ("read" or "write") is what transactions tell too;
        `name` is the table as the request named it."""
        if not wanted(given):
            return None
        total = self.units + sum(self.indexes.values())
        shown = api.ConsumedCapacity(table_name=name or self.table.name, capacity_units=total)
        if kind == "read":
            shown.read_capacity_units = total
        elif kind == "write":
            shown.write_capacity_units = total
        if given != "INDEXES":
            return shown
        shown.table = _capacity(self.units, kind)
        local: dict[str, api.Capacity] = {}
        others: dict[str, api.Capacity] = {}
        for index_name, units in self.indexes.items():
            index = self.table.by_name.get(index_name)
            (local if index is not None and index.local else others)[index_name] = _capacity(units, kind)
        shown.local_secondary_indexes = local or None
        shown.global_secondary_indexes = others or None
        if self.vectors:
            shown.vector_indexes = {
                name: api.VectorCapacity(vector_write_request_bytes=bytes_) for name, bytes_ in self.vectors.items()
            }
        return shown


def _capacity(units: float, kind: str) -> api.Capacity:
    return api.Capacity(
        capacity_units=units,
        read_capacity_units=units if kind == "read" else None,
        write_capacity_units=units if kind == "write" else None,
    )


def index_units(
    table: Table, old: Stored | None, old_item: Item | None, new: Stored | None, new_item: Item | None
) -> dict[str, float]:
    """Write units by index: one write where an entry comes, goes or changes, two where it moves."""
    units = {}
    for index in table.indexes:
        before = entry_address(index.key, old_item) if old_item is not None else None
        after = entry_address(index.key, new_item) if new_item is not None else None
        was = projected(table, index, old_item, old) if before and old and old_item is not None else None
        now = projected(table, index, new_item, new) if after and new and new_item is not None else None
        if was is not None and now is not None and before == after:
            if was.body != now.body:
                units[index.name] = write_units(was, now)
        elif was is not None or now is not None:
            units[index.name] = sum(write_units(each, None) for each in (was, now) if each is not None)
    return units

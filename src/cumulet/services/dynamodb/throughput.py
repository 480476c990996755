"""Throughput that is enforced: what tables and global indexes may still read and write now.

A request is let in as long as anything is left, and pays afterwards, when it is known what it took: so what is left may fall below
nothing, and has to fill up again before the next one. Local indexes live on their table's throughput.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.capacity import Consumed
from cumulet.services.dynamodb.key_ranges import KeyRange, KeyRanges, Kind
from cumulet.services.dynamodb.model import ON_DEMAND, Index, Table
from cumulet.services.dynamodb.rows import entry_address
from cumulet.services.dynamodb.values import Item

OF_TABLE = (
    "The level of configured provisioned throughput for the table was exceeded. "
    "Consider increasing your provisioning level with the UpdateTable API."
)
OF_INDEX = (
    "The level of configured provisioned throughput for one or more global secondary indexes of the table was exceeded. "
    "Consider increasing your provisioning level for the under-provisioned global secondary indexes with the UpdateTable API"
)
OF_MOST = "Throughput exceeds the maximum OnDemandThroughput configured on table or index"
OF_KEY = (
    "Throughput exceeds the current capacity of your table or index. DynamoDB is automatically scaling your table or index "
    "so please try again shortly. If exceptions persist, check if you have a hot key: "
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html"
)
OF_INDEX_KEY = (
    "Throughput exceeds the current capacity for one or more global secondary indexes. "
    "DynamoDB is automatically scaling your index so please try again shortly."
)


class _Bucket:
    __slots__ = ("at", "units")

    def __init__(self, units: float, at: float) -> None:
        self.units = units
        self.at = at


class Meter:
    """What is left of every table's throughput. It is not kept over a restart. `now` in seconds."""

    def __init__(self, now: Callable[[], float], burst_seconds: float, keys: KeyRanges) -> None:
        self._now = now
        self._burst = burst_seconds
        self._buckets: dict[tuple[int, str, Kind], _Bucket] = {}
        self._keys = keys

    def admit(self, table: Table, kind: Kind, index: Index | None = None, *, key: bytes | None = None) -> None:
        """Raises ProvisionedThroughputExceededException, or ThrottlingException for an on-demand table.

        A write is one on all global indexes too, whatever it changes there; `index` is the one that is read. `key` is the
        partition key (as rows have it) if there is one alone.
        """
        if kind == "write":
            self._check(table, None, kind)
            for each in table.indexes:
                if not each.local:
                    self._check(table, each, kind)
        else:
            index = _own(index)
            self._check(table, index, kind)
        if key is not None:
            self._check_key(table, None if kind == "write" else index, kind, key)

    def admit_entries(self, table: Table, units: Mapping[str, float], item: Item | None) -> None:
        """As `admit`, for the keys in global indexes that a write has changed, and that has still to be committed."""
        for index, key, _ in _entries(table, units, item):
            self._check_key(table, index, "write", key)

    def admits(self, table: Table, kind: Kind, *, key: bytes | None = None) -> bool:
        """As `admit`, for what is left out where it is not admitted."""
        try:
            self.admit(table, kind, key=key)
        except (api.ProvisionedThroughputExceededException, api.ThrottlingException):
            return False
        return True

    def spend(self, consumed: Consumed, kind: Kind) -> None:
        """Pay what a request took."""
        table = consumed.table
        self._take(table, None, kind, consumed.units)
        for name, units in consumed.indexes.items():
            index = table.by_name.get(name)
            self._take(table, index if index is not None and not index.local else None, kind, units)

    def spend_all(self, consumed: Iterable[Consumed], kind: Kind) -> None:
        for each in consumed:
            self.spend(each, kind)

    def spend_read(self, table: Table, index: Index | None, key: bytes, units: float) -> None:
        """Note that a partition key was read."""
        self._keys.spend(_range(table, _own(index), "read", key), units)

    def spend_write(
        self, table: Table, key: bytes, units: tuple[float, Mapping[str, float]], item: Item | None, times: int = 1
    ) -> None:
        """Note that an item was written under a partition key: write units of the table and by index, the item as it is, or
        was if it is gone, and how often these units count."""
        of_table, by_index = units
        local = sum(more for name, more in by_index.items() if (index := table.by_name.get(name)) and index.local)
        self._keys.spend(_range(table, None, "write", key), times * (of_table + local))
        for index, entry, more in _entries(table, by_index, item):
            self._keys.spend(_range(table, index, "write", entry), times * more)

    def _check_key(self, table: Table, index: Index | None, kind: Kind, key: bytes) -> None:
        if self._keys.left(_range(table, index, kind, key)) <= 0:
            raise _too_hot(table, index, kind)

    def _check(self, table: Table, index: Index | None, kind: Kind) -> None:
        bucket = self._bucket(table, index, kind)
        if bucket is not None and bucket.units <= 0:
            raise _refusal(table, index, kind)

    def _take(self, table: Table, index: Index | None, kind: Kind, units: float) -> None:
        bucket = self._bucket(table, index, kind)
        if bucket is not None:
            bucket.units -= units

    def _bucket(self, table: Table, index: Index | None, kind: Kind) -> _Bucket | None:
        """None where there is no limit."""
        rate = _rate(table, index, kind)
        if rate is None:
            return None
        key, now = (table.id, index.name if index is not None else "", kind), self._now()
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(float(rate), now)
        elif now > bucket.at:
            bucket.units = min(bucket.units + (now - bucket.at) * rate, rate * max(1.0, self._burst))
            bucket.at = now
        return bucket


def _rate(table: Table, index: Index | None, kind: Kind) -> int | None:
    of = index if index is not None else table
    if table.billing == ON_DEMAND:
        most = of.on_demand
        limit = None if most is None else most.read if kind == "read" else most.write
        return None if limit is None or limit < 0 else limit
    return of.throughput.read if kind == "read" else of.throughput.write


def _own(index: Index | None) -> Index | None:
    """The index if it has throughput of its own."""
    return None if index is None or index.local else index


def _range(table: Table, index: Index | None, kind: Kind, key: bytes) -> KeyRange:
    return KeyRange(table.id if index is None else index.id, key, kind)


def _entries(table: Table, units: Mapping[str, float], item: Item | None) -> Iterator[tuple[Index, bytes, float]]:
    """Global indexes that a write changes: the partition key there, and what that takes."""
    for name, more in units.items():
        index = _own(table.by_name.get(name))
        place = entry_address(index.key, item) if index is not None and item is not None else None
        if index is not None and place is not None:
            yield index, place.hash, more


def _refusal(table: Table, index: Index | None, kind: Kind) -> AwsError:
    if table.billing == ON_DEMAND:
        return _throttled(OF_MOST, table, index, f"{kind.capitalize()}MaxOnDemandThroughputExceeded")
    return _exceeded(table, index, f"{kind.capitalize()}ProvisionedThroughputExceeded")


def _too_hot(table: Table, index: Index | None, kind: Kind) -> AwsError:
    reason = f"{kind.capitalize()}KeyRangeThroughputExceeded"
    if table.billing == ON_DEMAND:
        return _throttled(OF_KEY if index is None else OF_INDEX_KEY, table, index, reason)
    return _exceeded(table, index, reason)


def _throttled(message: str, table: Table, index: Index | None, reason: str) -> AwsError:
    return api.ThrottlingException(message, fields={"throttlingReasons": _reasons(table, index, reason)})


def _exceeded(table: Table, index: Index | None, reason: str) -> AwsError:
    message = OF_TABLE if index is None else OF_INDEX
    return api.ProvisionedThroughputExceededException(
        message, fields={"ThrottlingReasons": _reasons(table, index, reason)}
    )


def _reasons(table: Table, index: Index | None, reason: str) -> list[dict[str, str]]:
    if index is None:
        return [{"reason": f"Table{reason}", "resource": table.arn}]
    return [{"reason": f"Index{reason}", "resource": table.index_arn(index)}]

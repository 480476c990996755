"""Throughput that is enforced: what tables and global indexes may still read and write now.

A request is let in as long as anything is left, and pays afterwards, when it is known what it took: so what is left may fall below
nothing, and has to fill up again before the next one. Local indexes live on their table's throughput.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/burst-adaptive-capacity.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from cumulet.api import dynamodb as api
from cumulet.kernel.errors import AwsError
from cumulet.services.dynamodb.capacity import Consumed
from cumulet.services.dynamodb.model import ON_DEMAND, Index, Table

Kind = Literal["read", "write"]

OF_TABLE = (
    "The level of configured provisioned throughput for the table was exceeded. "
    "Consider increasing your provisioning level with the UpdateTable API."
)
OF_INDEX = (
    "The level of configured provisioned throughput for one or more global secondary indexes of the table was exceeded. "
    "Consider increasing your provisioning level for the under-provisioned global secondary indexes with the UpdateTable API"
)
OF_MOST = "Throughput exceeds the maximum OnDemandThroughput configured on table or index"


class _Bucket:
    __slots__ = ("at", "units")

    def __init__(self, units: float, at: float) -> None:
        self.units = units
        self.at = at


class Meter:
    """What is left of every table's throughput. It is not kept over a restart. `now` in seconds."""

    def __init__(self, now: Callable[[], float], burst_seconds: float) -> None:
        self._now = now
        self._burst = burst_seconds
        self._buckets: dict[tuple[int, str, Kind], _Bucket] = {}

    def admit(self, table: Table, kind: Kind, index: Index | None = None) -> None:
        """Raises ProvisionedThroughputExceededException, or ThrottlingException for the most of an on-demand table.

        A write is one on all global indexes too, whatever it changes there; `index` is the one that is read.
        """
        if kind == "write":
            self._check(table, None, kind)
            for each in table.indexes:
                if not each.local:
                    self._check(table, each, kind)
        else:
            self._check(table, index if index is not None and not index.local else None, kind)

    def admits(self, table: Table, kind: Kind) -> bool:
        """As `admit`, for what is left out where it is not admitted."""
        try:
            self.admit(table, kind)
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


def _refusal(table: Table, index: Index | None, kind: Kind) -> AwsError:
    on_demand = table.billing == ON_DEMAND
    reason = f"{'Table' if index is None else 'Index'}{kind.capitalize()}"
    reason += "MaxOnDemandThroughputExceeded" if on_demand else "ProvisionedThroughputExceeded"
    arn = table.arn if index is None else table.index_arn(index)
    reasons = [{"reason": reason, "resource": arn}]
    if on_demand:
        return api.ThrottlingException(OF_MOST, fields={"throttlingReasons": reasons})
    message = OF_TABLE if index is None else OF_INDEX
    return api.ProvisionedThroughputExceededException(message, fields={"ThrottlingReasons": reasons})

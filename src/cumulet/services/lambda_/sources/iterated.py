"""Streams whose shards are read by iterators: what those of Kinesis and of DynamoDB have in common."""

from __future__ import annotations

import weakref
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar

from msgspec.structs import replace

from cumulet.kernel.arn import Arn
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.errors import AwsError
from cumulet.services.lambda_.sources.mapping import Mapping
from cumulet.services.lambda_.sources.port import Reading, Record, SourceGone
from cumulet.storage.signals import Signals, Waiter

_EXPIRED = "ExpiredIteratorException"
_RECOVERED = frozenset({_EXPIRED, "TrimmedDataAccessException"})
"""Errors after which reading goes on with another iterator."""


class IteratedStream(ABC):
    """A stream, read with the permissions of the function's execution role.

    `stream` is its ARN, which the mapping's source may be more than; `as_role` gives a call as that role.
    """

    service: ClassVar[str]

    def __init__(
        self, mapping: Mapping, calls: Calls, signals: Signals, as_role: Callable[[], Awaitable[Call]], stream: str
    ) -> None:
        self._source = mapping.source
        self._stream = stream
        self._region = Arn.parse(stream).region
        self._since = _since(mapping)
        self._calls = calls
        self._signals = signals
        self._as_role = as_role
        self._iterators: dict[
            str, tuple[str | None, str]
        ] = {}  # where each shard goes on: the position, and its iterator
        self._waiters: dict[str, Waiter] = {}

    @abstractmethod
    def _topic(self, shard: str) -> str:
        """Of the signals that tell of more in a shard."""

    @abstractmethod
    async def _iterator(self, shard: str, after: str | None) -> str:
        """An iterator after a position, or where the mapping begins."""

    @abstractmethod
    async def _records(self, shard: str, iterator: str, limit: int) -> tuple[list[Record], str | None]:
        """What GetRecords gives, and the iterator for what follows; None where the shard is closed, and this was the rest."""

    async def read(self, shard: str, after: str | None, limit: int) -> Reading:
        """See port.ShardSource."""
        if shard not in self._waiters:  # before the read, so that nothing comes unnoticed after it
            waiter = self._waiters[shard] = self._signals.waiter(self._topic(shard))
            weakref.finalize(self, waiter.close)
        known = self._iterators.pop(shard, None)
        iterator = known[1] if known is not None and known[0] == after else await self._iterator(shard, after)
        try:
            records, following = await self._records(shard, iterator, limit)
        except AwsError as error:
            if error.code != _EXPIRED:
                raise
            records, following = await self._records(shard, await self._iterator(shard, after), limit)
        position = records[-1].sequence if records else after
        if following:
            self._iterators[shard] = (position, following)
        return Reading(records, position, not following)

    async def wait(self, shard: str, patience: float) -> None:
        """See port.ShardSource."""
        await self._waiters[shard].wait(patience)

    def _extent(self, shard: str, records: Sequence[Record], time: Callable[[float], str]) -> dict[str, Any]:
        """Which records these are, as failure destinations are told; `time` writes a moment."""
        first, last = records[0], records[-1]
        return {
            "shardId": shard,
            "startSequenceNumber": first.sequence,
            "endSequenceNumber": last.sequence,
            "approximateArrivalOfFirstRecord": time(first.arrival),
            "approximateArrivalOfLastRecord": time(last.arrival),
            "batchSize": len(records),
            "streamArn": self._stream,
        }

    async def _run(self, operation: str, request: Any) -> Any:
        call = replace(await self._as_role(), region=self._region)
        try:
            return await self._calls.run(call, self.service, operation, request)
        except AwsError as error:
            if error.status < 500 and error.code not in _RECOVERED:
                raise SourceGone(error.message) from error
            raise


def _since(mapping: Mapping) -> float | None:
    """The moment at which reading begins; None for the oldest record. `LATEST` is when the mapping was made, in every shard."""
    configuration = mapping.configuration
    if configuration.starting_position == "AT_TIMESTAMP":
        return configuration.starting_position_timestamp
    return mapping.since if configuration.starting_position == "LATEST" else None

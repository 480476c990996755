"""The throughput of shards, where a node is to hold them to it.

https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
"""

from __future__ import annotations

from cumulet.api import kinesis as api
from cumulet.kernel.clock import Clock
from cumulet.services.kinesis.model import Shard, Stream

WRITE_RECORDS = 1000
WRITE_BYTES = 1 << 20
READ_CALLS = 5
READ_BYTES = 2 << 20
_MOST = 100_000

_Place = tuple[int, int, str]


class Throttle:
    """Allowances by shard: each fills up within a second. Reads may go beyond theirs once, and are refused until that is made up for."""

    def __init__(self, clock: Clock, *, on: bool) -> None:
        self.on = on
        self._clock = clock
        self._left: dict[_Place, tuple[float, float]] = {}

    def check_write(self, stream: Stream, shard: Shard, size: int) -> None:
        """Raises ProvisionedThroughputExceededException; otherwise it counts."""
        records = self._now(stream, shard, "records", WRITE_RECORDS)
        # A record larger than a second's bytes is taken when nothing else was.
        room = self._now(stream, shard, "bytes", WRITE_BYTES)
        if records < 1 or room < min(size, WRITE_BYTES):
            raise exceeded(stream, shard)
        self._take(stream, shard, "records", records - 1)
        self._take(stream, shard, "bytes", room - size)

    def check_read(self, stream: Stream, shard: Shard) -> None:
        """Raises ProvisionedThroughputExceededException; otherwise it counts as a call."""
        calls = self._now(stream, shard, "calls", READ_CALLS)
        if calls < 1 or self._now(stream, shard, "read", READ_BYTES) <= 0:
            raise exceeded(stream, shard)
        self._take(stream, shard, "calls", calls - 1)

    def did_read(self, stream: Stream, shard: Shard, size: int) -> None:
        self._take(stream, shard, "read", self._now(stream, shard, "read", READ_BYTES) - size)

    def _now(self, stream: Stream, shard: Shard, kind: str, rate: float) -> float:
        held = self._left.get((stream.id, shard.number, kind))
        if held is None:
            return rate
        return min(rate, held[1] + (self._clock.now() - held[0]) * rate)

    def _take(self, stream: Stream, shard: Shard, kind: str, left: float) -> None:
        now = self._clock.now()
        if len(self._left) >= _MOST:
            self._left = {place: held for place, held in self._left.items() if held[0] > now - 60}
        self._left[stream.id, shard.number, kind] = (now, left)


def exceeded(stream: Stream, shard: Shard) -> api.ProvisionedThroughputExceededException:
    return api.ProvisionedThroughputExceededException(
        f"Rate exceeded for shard {shard.id} in stream {stream.name} under account {stream.account}."
    )

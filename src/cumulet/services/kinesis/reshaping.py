"""How shards are split and merged: each step closes one or two shards and opens two or one."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import Callable
from operator import attrgetter

from msgspec.structs import replace

from cumulet.services.kinesis.model import MICROSECONDS, Shard, Stream, even

Change = Callable[[Stream], Stream]
_IN_A_TURN = 50
"""Ranges that are looked at before others have their turn: some milliseconds."""


class Plan:
    """Steps that are done together. `open` are the open shards as they will be, in the order of their hash keys; `closed` and `added`
    what changes, by steps: a shard may be added and closed by the same plan.

    `first_number` is the number of the next shard, `ending` gives the last index of one that is closed.
    """

    def __init__(self, shards: list[Shard], first_number: int, now: float, ending: Callable[[Shard], int]) -> None:
        self.open = shards
        self.closed: list[Shard] = []
        self.added: list[Shard] = []
        self._number = first_number
        self._now = now
        self._ending = ending

    def split(self, shard: Shard, start: int) -> tuple[Shard, Shard]:
        """Two shards of one; the second takes hash keys from `start` on."""
        place = self._close(shard)
        low = self._add(shard.low, start - 1, shard, None)
        high = self._add(start, shard.high, shard, None)
        self.open[place:place] = [low, high]
        return low, high

    def merge(self, one: Shard, other: Shard) -> Shard:
        """One shard of two neighbours."""
        place = min(self._close(other), self._close(one))
        merged = self._add(min(one.low, other.low), max(one.high, other.high), one, other)
        self.open[place:place] = [merged]
        return merged

    async def scale(self, count: int) -> None:
        """As many shards of equal size as asked for: shards are cut where one of those begins, then pieces are put together."""
        ranges = even(count)
        for number, (start, _) in enumerate(ranges[1:]):
            if number % _IN_A_TURN == 0:
                await asyncio.sleep(0)
            shard = self.open[self._place(start)]
            if shard.low < start:
                self.split(shard, start)
        for number, (start, end) in enumerate(ranges):
            if number % _IN_A_TURN == 0:
                await asyncio.sleep(0)
            first = self._place(start)
            pieces = self.open[first : self._place(end) + 1]
            whole = pieces[0]
            for piece in pieces[1:]:
                whole = self.merge(whole, piece)

    def _place(self, hash_key: int) -> int:
        """Where in the list the open shard is that takes a hash key."""
        return bisect_right(self.open, hash_key, key=attrgetter("low")) - 1

    def _close(self, shard: Shard) -> int:
        """Gives the place where it was."""
        place = self._place(shard.low)
        del self.open[place]
        self.closed.append(replace(shard, last=self._ending(shard), closed=self._now))
        return place

    def _add(self, low: int, high: int, parent: Shard, adjacent: Shard | None) -> Shard:
        """Its sequence numbers are larger than its parents'."""
        created = max(parent.created, adjacent.created if adjacent else 0) + 1
        shard = Shard(
            number=self._number,
            created=max(int(self._now), created),
            first=int(self._now * MICROSECONDS),
            opened=self._now,
            low=low,
            high=high,
            parent=parent.number,
            adjacent=None if adjacent is None else adjacent.number,
        )
        self._number += 1
        self.added.append(shard)
        return shard

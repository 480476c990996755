"""Throughput of one partition key: however much a table or a global index has, one of its keys takes so much a second at most.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

Kind = Literal["read", "write"]

_MOST = 10_000
"""Keys that are remembered: those that took something within the last second, or too much."""


class KeyRange(NamedTuple):
    """The rows of one partition key: those of a table or an index by its id, and the key as rows have it."""

    rows: int
    hash: bytes
    kind: Kind


class KeyRanges:
    """What keys have left of a second's throughput. Nothing is kept for later. `now` in seconds, `reads` and `writes` in units a
    second."""

    def __init__(self, now: Callable[[], float], reads: float, writes: float) -> None:
        self._now = now
        self._rates: dict[Kind, float] = {"read": reads, "write": writes}
        self._used: dict[KeyRange, tuple[float, float]] = {}
        """What was left, and when."""

    def left(self, of: KeyRange) -> float:
        """Units; what was spent beyond them is below nothing."""
        used = self._used.get(of)
        return self._rates[of.kind] if used is None else self._now_left(of, used)

    def spend(self, of: KeyRange, units: float) -> None:
        left = self.left(of) - units
        if len(self._used) >= _MOST and of not in self._used:
            self._forget()
        self._used[of] = (left, self._now())

    def _now_left(self, of: KeyRange, used: tuple[float, float]) -> float:
        left, at = used
        rate = self._rates[of.kind]
        return min(rate, left + max(0.0, self._now() - at) * rate)

    def _forget(self) -> None:
        """Forget keys that have all of it again; where these are few, all keys that are let in now."""
        left = {of: self._now_left(of, used) for of, used in self._used.items()}
        self._used = {of: used for of, used in self._used.items() if left[of] < self._rates[of.kind]}
        if len(self._used) > _MOST // 2:
            self._used = {of: used for of, used in self._used.items() if left[of] <= 0}

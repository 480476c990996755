"""What is kept in memory because it was used lately, so much of it and no more."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Kept(Generic[K, V]):
    """Values by key: at most `most` of them, and of sizes that are `largest` together. Who was not asked for longest goes first.

    One alone may be larger than all may be.
    """

    def __init__(self, most: int, largest: int) -> None:
        self._most = most
        self._largest = largest
        self._values: OrderedDict[K, V] = OrderedDict()
        self._sizes: dict[K, int] = {}
        self._size = 0

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """The value, which is now the one used last."""
        found = self._values.get(key)
        if found is not None:
            self._values.move_to_end(key)
        return found

    def put(self, key: K, value: V, size: int = 0) -> None:
        """Keep a value in the place of what was there."""
        self.drop(key)
        self._values[key] = value
        self._sizes[key] = 0
        self.grow(key, size)

    def grow(self, key: K, size: int) -> None:
        """A value has become so much larger; nothing happens to one that is not kept any more."""
        if key not in self._values:
            return
        self._sizes[key] += size
        self._size += size
        while len(self._values) > 1 and (len(self._values) > self._most or self._size > self._largest):
            self.drop(next(iter(self._values)))

    def drop(self, key: K) -> None:
        """Keep it no longer."""
        if self._values.pop(key, None) is not None:
            self._size -= self._sizes.pop(key)

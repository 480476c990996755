"""How many messages a queue has, and how many may be in flight at once."""

from cumulet.services.sqs.boxes import MessageStore
from cumulet.services.sqs.model import MOST_IN_FLIGHT

_LARGE = 10_000
_KEPT_SECONDS = 0.00001
"""For each message of a box, so that counting takes a hundredth of a processor at most."""
_MOST_KEPT = 1000


class Approximations:
    """Counts of visible, delayed and in-flight messages. Those of large boxes are a few seconds old: AWS's are up to a
    minute old, and counting 100,000 messages takes as long as serving a hundred requests."""

    def __init__(self, messages: MessageStore) -> None:
        self._messages = messages
        self._kept: dict[int, tuple[float, tuple[int, int, int]]] = {}

    async def of(self, box: int, now: float, oldest: float) -> tuple[int, int, int]:
        until, counts = self._kept.get(box, (0.0, (0, 0, 0)))
        if now < until:
            return counts
        counts = await self._messages.count(box, now, oldest)
        self._kept.pop(box, None)
        if (total := sum(counts)) >= _LARGE:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[box] = (now + total * _KEPT_SECONDS, counts)
        return counts


class InFlight:
    """Allowances: a box is counted only when as many messages were taken since as were free then.

    Counting reads the index of every message in flight, so it must not happen on each receive; an allowance makes
    it at most one step a message. A full box is counted again once a second of the clock.
    """

    def __init__(self, messages: MessageStore) -> None:
        self._messages = messages
        self._free: dict[int, int] = {}
        self._counted: dict[int, float] = {}

    def allowance(self, box: int) -> int:
        """How many messages may be taken before it is counted again; none when it is time for that."""
        return self._free.get(box, 0)

    async def room(self, box: int, now: float) -> int:
        """How many more messages may be taken from this box."""
        free = self.allowance(box)
        if free <= 0 and now >= self._counted.get(box, 0.0) + 1.0:
            free = MOST_IN_FLIGHT - await self._messages.in_flight(box, now)
            self._free[box] = free
            self._counted[box] = now
        return free

    def took(self, box: int, count: int) -> None:
        self._free[box] = self._free.get(box, 0) - count

    def forget(self, box: int) -> None:
        self._free.pop(box, None)
        self._counted.pop(box, None)

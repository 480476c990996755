"""How many messages of a queue may be in flight at once."""

from cumulet.services.sqs.boxes import MessageStore
from cumulet.services.sqs.model import MOST_IN_FLIGHT


class InFlight:
    """Allowances: a box is counted only when as many messages were taken since as were free then.

    Counting reads the index of every message in flight, so it must not happen on each receive; an allowance makes
    it at most one step a message. A full box is counted again once a second of the clock.
    """

    def __init__(self, messages: MessageStore) -> None:
        self._messages = messages
        self._free: dict[int, int] = {}
        self._counted: dict[int, float] = {}

    async def room(self, box: int, now: float) -> int:
        """How many more messages may be taken from this box."""
        free = self._free.get(box, 0)
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

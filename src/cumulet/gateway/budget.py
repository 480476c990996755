"""How much of requests' bodies all connections of a node may hold in memory together."""

import asyncio
from collections import deque
from typing import Any

from cumulet.kernel.errors import AwsError


class Crowded(AwsError):
    """Others' bodies fill the memory that there is for them; the client's SDK tries again."""

    code = "ServiceUnavailable"
    status = 503


class Budget:
    """A number of bytes. Who finds it used up waits in line, at most `patience` seconds.

    A body larger than all of it may come in alone. `before` is a larger one, for those whom others here may be waiting for:
    what is used of either is used of both, and its line goes first.
    """

    def __init__(self, size: int, patience: float, before: "Budget | None" = None) -> None:
        self._size = size
        self._before = before
        self._after: Budget | None = None
        if before is not None:
            before._after = self
        self._patience = patience
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()
        self.used = 0

    @property
    def tight(self) -> bool:
        """Whether what comes now had better wait in its sender's memory."""
        return self._all() >= self._size or bool(self._line)

    def take(self, size: int) -> None:
        """What is in memory already: it is counted, and makes others wait."""
        self.used += size

    async def reserve(self, size: int) -> None:
        """Wait until there is room for so many bytes, which are taken then. Raises Crowded."""
        if not self._line and self._fits(size):
            self.used += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        place = (size, turn)
        self._line.append(place)
        try:
            await asyncio.wait({turn}, timeout=self._patience)
        except BaseException:
            self._leave(place)
            raise
        if not turn.done():
            self._leave(place)
            raise Crowded("The node holds as many request bodies as it has memory for. Please try again.")

    def _leave(self, place: tuple[int, asyncio.Future[None]]) -> None:
        """Somebody stops waiting, though it may just have been let in."""
        size, turn = place
        if turn.done():
            self.give(size)
        else:
            self._line.remove(place)
            self._next()

    def give(self, size: int) -> None:
        """The bytes are out of memory."""
        self.used -= size
        self._next()

    def give_after(self, task: asyncio.Task[Any] | None, size: int) -> None:
        """The bytes are in memory until that task is done."""
        if task is None or task.done():
            self.give(size)
        else:
            task.add_done_callback(lambda _: self.give(size))

    def _all(self) -> int:
        return self.used + sum(other.used for other in (self._before, self._after) if other is not None)

    def _fits(self, size: int) -> bool:
        return self._all() + size <= self._size or not self.used

    def _next(self) -> None:
        for each in (self._before, self, self._after):
            if each is not None:
                each._admit()

    def _admit(self) -> None:
        while self._line and self._fits(self._line[0][0]):
            size, turn = self._line.popleft()
            self.used += size
            turn.set_result(None)

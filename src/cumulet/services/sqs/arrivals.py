"""Receivers that wait for messages: one line for each box, woken one at a time."""

import asyncio
from collections import deque
from collections.abc import Callable

from cumulet.kernel.clock import Clock, wait_until
from cumulet.services.sqs.model import topic
from cumulet.storage.signals import Signals

_BACKSTOP = 5.0
"""Seconds after which the first in line looks even without a signal, because signals may be lost."""


class Place:
    """A receiver's place in the line of its box. Be in line before looking, so that no message slips between."""

    def __init__(self, line: "_Line") -> None:
        self._line = line
        self.woken = asyncio.Event()

    @property
    def first(self) -> bool:
        """Only the first in line minds when hidden messages become due; the others are woken by those before them."""
        return self._line.places[0] is self

    async def wait(self, until: float) -> None:
        """Until there may be something to take, or the clock shows `until`."""
        if self.first:
            until = min(until, self._line.clock.now() + _BACKSTOP)
        await wait_until(self._line.clock, until, self.woken)
        self.woken.clear()

    def leave(self) -> None:
        """Give the place up; the next in line looks, as it may have become the first or there may be more to take."""
        self._line.places.remove(self)
        self._line.wake()


class _Line:
    def __init__(self, clock: Clock, forget: Callable[[], None]) -> None:
        self.clock = clock
        self.places: deque[Place] = deque()
        self._forget = forget

    def wake(self, _: bytes = b"") -> None:
        if not self.places:
            self._forget()
        for place in self.places:
            if not place.woken.is_set():
                place.woken.set()
                return


class Arrivals:
    """The lines of one node. A box has one only while somebody waits on it."""

    def __init__(self, signals: Signals, clock: Clock) -> None:
        self._signals = signals
        self._clock = clock
        self._lines: dict[int, _Line] = {}
        self.winding_down = False

    def join(self, box: int) -> Place:
        line = self._lines.get(box)
        if line is None:
            line = self._lines[box] = self._open(box)
        place = Place(line)
        line.places.append(place)
        return place

    def wind_down(self) -> None:
        """The node is about to stop, which clients that wait are not to delay: everybody looks up."""
        self.winding_down = True
        for line in self._lines.values():
            for place in line.places:
                place.woken.set()

    def _open(self, box: int) -> _Line:
        def forget() -> None:
            if self._lines.pop(box, None) is not None:
                end()

        line = _Line(self._clock, forget)
        end = self._signals.subscribe(topic(box), line.wake)
        return line

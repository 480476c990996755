"""How long the evaluation of a state may take, and how much it may make: little on the event loop, more on a thread, never without end."""

from __future__ import annotations

import math
import threading
from time import perf_counter, thread_time
from typing import Any

from cumulet.services.stepfunctions.asl.errors import DATA_LIMIT, StatesError, runtime

_HERE = 0.008
"""Seconds that the event loop may be held."""
_BYTES_HERE = 4 << 20
_ELSEWHERE = 10.0
"""Seconds of the processor that a thread may use: how long that takes is a matter of what else the machine does."""
_WALL = 120.0
"""Seconds that may pass meanwhile."""
_BYTES_ELSEWHERE = 64 << 20
_MOST = 4 << 20
"""Bytes of JSON that one value may have; what a state passes on has 256 KB, but may be a part of that value."""


class Elsewhere(Exception):
    """What was begun takes longer than the event loop can be held: it is to be done once more, on a thread."""


class Patience(threading.local):
    """What is left for the evaluation that goes on in this thread; without end until `begin` says otherwise.

    Whoever evaluates on the event loop calls `begin` first, and has what raises `Elsewhere` done once more on a thread, where
    there is more time, and where blocking is allowed. What takes too long there, or makes too much, fails the state.
    """

    here = False
    _until = math.inf  # when to look again, by the clock on the wall
    _end = math.inf
    _processor = math.inf  # this thread's time of the processor at which the evaluation is over
    _left = math.inf

    def begin(self, *, here: bool) -> None:
        """An evaluation begins: on the event loop (`here`) or on a thread."""
        self.here = here
        now = perf_counter()
        self._until = now + (_HERE if here else _ELSEWHERE)
        if not here:
            self._end, self._processor = now + _WALL, thread_time() + _ELSEWHERE
        self._left = _BYTES_HERE if here else _BYTES_ELSEWHERE

    def check(self) -> None:
        """Raises Elsewhere, or StatesError on a thread, when the time is over."""
        if (now := perf_counter()) > self._until:
            self.leave()
            left = self._processor - thread_time()
            if left <= 0 or now > self._end:
                raise runtime("The evaluation of the state takes too long.")
            self._until = now + left

    def spend(self, seconds: float) -> None:
        """Another process has used so much of the processor for this evaluation."""
        self._until -= seconds
        self._processor -= seconds

    def leave(self) -> None:
        """What comes now takes long. Raises Elsewhere on the event loop."""
        if self.here:
            raise Elsewhere

    def take(self, size: int) -> None:
        """So many bytes were made. Raises Elsewhere, or States.DataLimitExceeded, when they are too many."""
        self._left -= size
        if self._left < 0:
            self.leave()
            raise StatesError(DATA_LIMIT, "The evaluation of the state takes too much memory.", inner=True)


def exceeds(value: Any, most: int = _MOST) -> bool:
    """Whether the JSON of a value has more than `most` bytes, found out without writing it.

    A value can hold the same part many times, and be written a thousand times as large as it is in memory.
    """
    waiting = [value]
    size = 0
    while waiting:
        part = waiting.pop()
        kind = type(part)
        if kind is str:
            size += len(part)
        elif kind is dict:
            size += sum(map(len, part)) + 4 * len(part)
            waiting.extend(part.values())
        elif kind is list:
            size += 2 * len(part)
            waiting.extend(part)
        if size > most:
            return True
    return False


_INSIDE = frozenset({"Branches", "ItemProcessor", "Iterator"})
_MANY = 8
_VAST = 500


class Weight:
    """What a state's definition says of its evaluation. `spreads`: its values may be much larger than what they are made of;
    `vast`: it has so many expressions that it is evaluated on a thread."""

    __slots__ = ("spreads", "vast")

    def __init__(self, document: dict[str, Any]) -> None:
        count, several = 0, False
        waiting: list[Any] = [value for key, value in document.items() if key not in _INSIDE]
        while waiting:
            part = waiting.pop()
            if isinstance(part, str):
                if "$" in part:
                    count += part.count("$")
                    several = several or any(sign in part for sign in ("..", "*", "[?", ",", ":"))
            elif isinstance(part, dict):
                waiting.extend(part.values())
            elif isinstance(part, list):
                waiting.extend(part)
        self.vast = count > _VAST
        self.spreads = several or count > _MANY

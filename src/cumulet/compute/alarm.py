"""A time that moves with every invocation, without a timer of the loop for each."""

import asyncio
from collections.abc import Callable


class Alarm:
    """Calls `on_due` once the time set last has come.

    A timer that is under way already is left alone when the time moves later: it looks again when it fires.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_due: Callable[[], None]) -> None:
        self._loop = loop
        self._on_due = on_due
        self._due: float | None = None
        self._fires = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def set(self, due: float) -> None:
        """`due` is in the loop's time."""
        self._due = due
        if self._timer is None or due < self._fires:
            self._start(due)

    def clear(self) -> None:
        """Not to be called, until it is set again."""
        self._due = None

    def end(self) -> None:
        """Never to be called."""
        self._due = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _start(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires = due
        self._timer = self._loop.call_at(due, self._fire)

    def _fire(self) -> None:
        self._timer = None
        due = self._due
        if due is None:
            return
        if due > self._fires:
            self._start(due)
        else:
            self._due = None
            self._on_due()

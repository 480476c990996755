"""A coroutine's first stretch, run before it has a task: most of those that write have nothing to wait for in the end."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


def run_ahead(running: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine until it waits: its result, or a coroutine that goes on where it waits now. Raises what it raises.

    Until it first waits there is no current task, so it must not need one (`asyncio.timeout`, `TaskGroup`).
    """
    try:
        awaited = running.send(None)
    except StopIteration as end:
        return end.value
    _mark(awaited, False)
    return _go_on(running, awaited)


def _mark(awaited: object, given: bool) -> None:
    """A future has a mark while `await` gives it to a task, which takes it off. Until there is one, others may wait for it."""
    if asyncio.isfuture(awaited):
        awaited._asyncio_future_blocking = given


async def _go_on(running: Coroutine[Any, Any, Any], awaited: object) -> Any:
    return await _Rest(running, awaited)


class _Rest:
    """What is left of a coroutine that has been begun, and waits for something."""

    __slots__ = ("_awaited", "_running")

    def __init__(self, running: Coroutine[Any, Any, Any], awaited: object) -> None:
        self._running = running
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        running, awaited = self._running, self._awaited
        _mark(awaited, True)
        while True:
            failure, sent = None, None
            try:
                sent = yield awaited
            except BaseException as error:  # noqa: BLE001  it is the coroutine's, such as a cancellation
                failure = error
            try:
                awaited = running.send(sent) if failure is None else running.throw(failure)
            except StopIteration as end:
                return end.value
            finally:
                failure = None  # its traceback refers to this frame

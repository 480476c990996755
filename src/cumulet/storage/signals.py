"""Wake-up calls between parts of the platform: the port.

A signal may be lost, and never carries the only copy of anything: whoever waits on one also looks at the store when
its patience ends.
"""

from collections.abc import Callable
from typing import Protocol


class Waiter(Protocol):
    """A standing subscription; a signal that comes between two waits is remembered, so none is missed."""

    async def wait(self, patience: float | None = None) -> bool:
        """Wait for a signal, at most `patience` seconds of real time; tells whether one came."""
        ...

    def close(self) -> None: ...


class Signals(Protocol):
    """Publish and subscribe by topic, such as `sqs:queue-id`."""

    def publish(self, topic: str, payload: bytes = b"") -> None: ...

    def subscribe(self, topic: str, receive: Callable[[bytes], None]) -> Callable[[], None]:
        """Have `receive` called on the loop with each payload; gives the function that ends it."""
        ...

    def waiter(self, topic: str) -> Waiter: ...

"""Signals within one process."""

import asyncio
from collections.abc import Callable


class LocalWaiter:
    def __init__(self, signals: "LocalSignals", topic: str) -> None:
        self._event = asyncio.Event()
        self._end = signals.subscribe(topic, lambda _: self._event.set())

    async def wait(self, patience: float | None = None) -> bool:
        try:
            async with asyncio.timeout(patience):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True

    def close(self) -> None:
        self._end()


class LocalSignals:
    """The engine of a single node: a dictionary of callbacks."""

    def __init__(self) -> None:
        self._receivers: dict[str, list[Callable[[bytes], None]]] = {}

    def publish(self, topic: str, payload: bytes = b"") -> None:
        for receive in tuple(self._receivers.get(topic, ())):
            receive(payload)

    def subscribe(self, topic: str, receive: Callable[[bytes], None]) -> Callable[[], None]:
        receivers = self._receivers.setdefault(topic, [])
        receivers.append(receive)

        def end() -> None:
            if receive in receivers:
                receivers.remove(receive)
            if not receivers and self._receivers.get(topic) is receivers:
                del self._receivers[topic]

        return end

    def waiter(self, topic: str) -> LocalWaiter:
        return LocalWaiter(self, topic)

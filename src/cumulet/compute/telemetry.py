"""The telemetry of one environment: who subscribed to what, and what waits to be sent to them.

https://docs.aws.amazon.com/lambda/latest/dg/telemetry-api.html, .../runtimes-logs-api.html
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec

from cumulet.compute.records import Event, timestamp
from cumulet.compute.subscriptions import Subscription, translated
from cumulet.compute.telemetry_delivery import Deliver

_EARLY_EVENTS = 1000
_EARLY_BYTES = 256 * 1024
_EVENT_BYTES = 200
"""About what an event of the platform takes."""
_encode = msgspec.json.Encoder().encode


class Telemetry:
    """Takes events without waiting. What happened before anybody subscribed is kept until `settle` says that nobody will.

    While `paused`, as the environment is frozen, nothing is sent.
    """

    def __init__(self, deliver: Deliver, wall: Callable[[], float]) -> None:
        self._deliver = deliver
        self._wall = wall
        self._subscribers: dict[str, _Subscriber] = {}
        self._early: list[Event] = []
        self._early_size = 0
        self._settled = False
        self._paused = False

    @property
    def wanted(self) -> bool:
        """Whether anybody hears, or may yet."""
        return bool(self._subscribers) or not self._settled

    def emit(self, kind: str, record: Any, at: float | None = None) -> None:
        """`record` is the dictionary of a platform's event, or a line of a log; `at` is when, if not now."""
        if not self.wanted:
            return
        event = Event(timestamp(self._wall() if at is None else at), kind, record)
        if not self._settled and len(self._early) < _EARLY_EVENTS and self._early_size < _EARLY_BYTES:
            self._early.append(event)
            self._early_size += len(record) if isinstance(record, str) else _EVENT_BYTES
        for subscriber in self._subscribers.values():
            subscriber.add(event)

    def subscribe(self, name: str, subscription: Subscription) -> None:
        """Begin to send to an extension, from what happened first on; a further subscription takes the place of its last."""
        old = self._subscribers.pop(name, None)
        if old is not None:
            old.close()
        subscriber = _Subscriber(subscription, self._deliver)
        self._subscribers[name] = subscriber
        for event in self._early:
            subscriber.add(event)
        if self._paused:
            subscriber.pause()

    def settle(self) -> None:
        """Nobody may subscribe any more."""
        self._settled = True
        self._early.clear()

    @property
    def settled(self) -> bool:
        return self._settled

    def pause(self) -> None:
        self._paused = True
        for subscriber in self._subscribers.values():
            subscriber.pause()

    def resume(self) -> None:
        self._paused = False
        for subscriber in self._subscribers.values():
            subscriber.resume()

    async def flush(self, patience: float) -> None:
        """Have everything sent that waits, within `patience` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                for subscriber in list(self._subscribers.values()):
                    await subscriber.flush()

    def close(self) -> None:
        for subscriber in self._subscribers.values():
            subscriber.close()
        self._subscribers.clear()
        self._settled = True


class _Subscriber:
    """One extension's: events wait for their number, their size or their age, and are sent one batch at a time."""

    def __init__(self, subscription: Subscription, deliver: Deliver) -> None:
        self._subscription = subscription
        self._deliver = deliver
        self._loop = asyncio.get_running_loop()
        self._waiting: list[bytes] = []
        self._size = 0
        self._lost_bytes = self._lost = 0
        self._why = ""
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None
        self._paused = False
        self._closed = False

    def add(self, event: Event) -> None:
        subscription = self._subscription
        if event.type.partition(".")[0] not in subscription.types:
            return
        event_or_none = translated(event, subscription.schema)
        if event_or_none is None:
            return
        if self._lost and not self._crowded():
            record = {"droppedBytes": self._lost_bytes, "droppedRecords": self._lost, "reason": self._why}
            self._lost = self._lost_bytes = 0
            self._keep(_encode(Event(event.time, "platform.logsDropped", record)))
        self._keep(_encode(event_or_none))
        if self._full():
            self._send()
        elif self._timer is None and not self._paused:
            self._timer = self._loop.call_later(subscription.timeout, self._send)

    def _keep(self, body: bytes) -> None:
        if self._crowded():
            self._drop(len(body), 1, "events came faster than they were taken")
            return
        self._waiting.append(body)
        self._size += len(body)

    def _crowded(self) -> bool:
        return self._size > 2 * self._subscription.max_bytes or len(self._waiting) >= 2 * self._subscription.max_items

    def _drop(self, size: int, count: int, why: str) -> None:
        """Count what is lost: told with the next event, not at once, or a listener that is gone would be told for ever."""
        self._lost_bytes += size
        self._lost += count
        self._why = why

    def pause(self) -> None:
        self._paused = True
        self._stop_timer()

    def resume(self) -> None:
        self._paused = False
        if self._waiting:
            self._send()

    async def flush(self) -> None:
        self._paused = False
        while self._waiting or self._sending is not None:
            if self._sending is None:
                self._send()
            if self._sending is None:
                return
            await asyncio.wait({self._sending})

    def close(self) -> None:
        self._closed = True
        self._stop_timer()
        self._waiting.clear()
        if self._sending is not None:
            self._sending.cancel()

    def _full(self) -> bool:
        return self._size >= self._subscription.max_bytes or len(self._waiting) >= self._subscription.max_items

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send(self) -> None:
        self._stop_timer()
        if self._sending is None and not self._paused and not self._closed and self._waiting:
            batch, self._waiting, self._size = self._waiting, [], 0
            self._sending = self._loop.create_task(self._work(batch))

    async def _work(self, batch: list[bytes]) -> None:
        size = sum(map(len, batch))
        reason = ""
        try:
            await self._deliver(self._subscription.destination, batch)
        except (OSError, TimeoutError, EOFError, ValueError) as error:
            reason = f"could not send events: {str(error) or 'it took too long'}"
        self._sending = None
        if self._closed:
            return
        if reason and self._paused:  # it was frozen meanwhile
            self._waiting[:0] = batch
            self._size += size
        elif reason:
            self._drop(size, len(batch), reason)
        if self._full():
            self._send()
        elif self._waiting and self._timer is None and not self._paused:
            self._timer = self._loop.call_later(self._subscription.timeout, self._send)

"""Queues by name, remembered for a moment: every call begins with finding its queue."""

from cumulet.kernel.clock import Clock
from cumulet.services.sqs.model import Queue
from cumulet.services.sqs.store import QueueStore
from cumulet.storage.signals import Signals

_TOPIC = "sqs-queues"
_SECONDS = 1.0
_MOST = 10_000

Key = tuple[str, str, str]


class Directory:
    """What the store says of queues. A change here is seen at once; one of another node when its signal comes, and a
    second later at the latest (AWS takes up to a minute)."""

    def __init__(self, store: QueueStore, signals: Signals, clock: Clock) -> None:
        self._store = store
        self._signals = signals
        self._clock = clock
        self._found: dict[Key, tuple[float, Queue]] = {}
        self._policies: dict[Key, tuple[float, str]] = {}
        self._changes = 0
        signals.subscribe(_TOPIC, self._changed)

    def known(self, key: Key) -> Queue | None:
        """As `find`, of those that are remembered; None for any other."""
        held = self._found.get(key)
        return held[1] if held is not None and self._clock.now() < held[0] else None

    async def find(self, key: Key) -> Queue | None:
        """The queue of an account, a region and a name."""
        held = self.known(key)
        if held is not None:
            return held
        now, changes = self._clock.now(), self._changes
        queue = await self._store.find(*key)
        if queue is not None and changes == self._changes:
            if len(self._found) >= _MOST:
                self._found.clear()
            self._found[key] = (now + _SECONDS, queue)
        return queue

    async def policy(self, queue: Queue) -> str:
        """Its policy document, empty without one: every call of a role or user is held against it."""
        key, now = (queue.account, queue.region, queue.name), self._clock.now()
        held = self._policies.get(key)
        if held is not None and now < held[0]:
            return held[1]
        changes = self._changes
        policy = await self._store.policy(queue)
        if changes == self._changes:
            if len(self._policies) >= _MOST:
                self._policies.clear()
            self._policies[key] = (now + _SECONDS, policy)
        return policy

    def changed(self, queue: Queue) -> None:
        """To be called once a change of a queue is durable."""
        self._signals.publish(_TOPIC, f"{queue.account}/{queue.region}/{queue.name}".encode())

    def _changed(self, payload: bytes) -> None:
        self._changes += 1
        account, region, name = payload.decode().split("/")
        self._found.pop((account, region, name), None)
        self._policies.pop((account, region, name), None)

"""Who has subscribed to which shard: each registered consumer once."""

from __future__ import annotations

import asyncio

from cumulet.api import kinesis as api
from cumulet.services.kinesis.model import Consumer, Shard, Stream

SECONDS = 300.0
"""How long a subscription lasts."""
_EXCLUSIVE = 5.0
"""Seconds for which a subscription cannot be taken over, also once it has ended."""

_MANY = 1000

_Place = tuple[str, int]


class Subscription:
    """One subscription of a consumer. `woken` is set when there may be more to send, and when it was `taken` over."""

    __slots__ = ("since", "taken", "woken")

    def __init__(self, since: float) -> None:
        self.since = since
        self.taken = False
        self.woken = asyncio.Event()

    def wake(self, _: bytes = b"") -> None:
        self.woken.set()


class Subscriptions:
    """Those of a node, by the consumer's ARN and the shard."""

    def __init__(self) -> None:
        self._held: dict[_Place, Subscription] = {}
        self.winding_down = False

    def check(self, stream: Stream, consumer: Consumer, shard: Shard, now: float) -> None:
        """Raises ResourceInUseException when the consumer has subscribed to the shard in the last seconds."""
        held = self._held.get((consumer.arn, shard.number))
        if held is not None and now < held.since + _EXCLUSIVE:
            raise in_use(stream, consumer, shard)

    def take(self, consumer: Consumer, shard: Shard, now: float) -> Subscription:
        """Begin one; the consumer's earlier one ends."""
        place = (consumer.arn, shard.number)
        if (held := self._held.get(place)) is not None:
            held.taken = True
            held.wake()
        if len(self._held) >= _MANY:
            self._held = {each: held for each, held in self._held.items() if now < held.since + SECONDS}
        self._held[place] = subscription = Subscription(now)
        return subscription

    def wind_down(self) -> None:
        """The node is about to stop, which clients' subscriptions are not to delay."""
        self.winding_down = True
        for held in self._held.values():
            held.wake()

    def end(self, consumer_arn: str) -> None:
        """All of a consumer's, as it is deregistered."""
        for place, held in list(self._held.items()):
            if place[0] == consumer_arn:
                held.taken = True
                held.wake()


def in_use(stream: Stream, consumer: Consumer, shard: Shard) -> api.ResourceInUseException:
    return api.ResourceInUseException(
        f"Another active subscription exists for this consumer: {stream.account}:{stream.name}:{shard.id}:{consumer.name}"
    )

"""What the operations of CloudWatch Logs share."""

import asyncio

from msgspec import Struct, field

from cumulet.api import logs as api
from cumulet.kernel.call import Call
from cumulet.kernel.calls import Calls
from cumulet.kernel.clock import Clock
from cumulet.services.logs.event_store import EventStore
from cumulet.services.logs.model import Group, Stream
from cumulet.services.logs.policy_store import PolicyStore
from cumulet.services.logs.store import Store
from cumulet.services.logs.subscription_store import SubscriptionStore
from cumulet.storage.outbox import Outbox


class Logs(Struct, frozen=True):
    """`swept` wakes the worker that deletes what is no longer needed."""

    store: Store
    events: EventStore
    subscriptions: SubscriptionStore
    policies: PolicyStore
    calls: Calls
    outbox: Outbox
    clock: Clock
    swept: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self.clock.now() * 1000)

    async def group(self, call: Call, name: str) -> Group:
        group = await self.store.find_group(call.account, call.region, name)
        if group is None:
            raise api.ResourceNotFoundException("The specified log group does not exist.")
        return group

    async def stream(self, group: Group, name: str) -> Stream:
        stream = await self.store.find_stream(group, name)
        if stream is None:
            raise api.ResourceNotFoundException("The specified log stream does not exist.")
        return stream
